//! Latency histograms: nanoseconds in, percentiles out. A thin shell over `hdrhistogram`
//! that cannot fail: what lies outside of its range is counted at the range's end.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency told apart from longer ones: two minutes.
const LONGEST_NS: u64 = 120_000_000_000;

/// Latencies with three significant digits, from 1 ns to two minutes.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// An empty histogram (about 200 KB).
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3)
            .expect("the bounds are constants that hdrhistogram accepts");
        Self { histogram }
    }

    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NS);
        self.histogram.saturating_record(nanoseconds);
    }

    /// Adds all of `other`'s counts to this one.
    pub fn add(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("all histograms here have the same bounds");
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency in microseconds that `quantile` (0 to 1) of all do not exceed.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1e3
    }

    /// The longest latency in microseconds; 0 when there is none.
    pub fn max_us(&self) -> f64 {
        self.histogram.max() as f64 / 1e3
    }

    /// The mean in microseconds; 0 when there is none.
    pub fn mean_us(&self) -> f64 {
        self.histogram.mean() / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_within_three_digits() {
        let mut latencies = Latencies::new();
        for us in 1..=1000 {
            latencies.record(Duration::from_micros(us));
        }
        assert_eq!(latencies.count(), 1000);
        assert!((latencies.quantile_us(0.5) - 500.0).abs() < 1.0);
        assert!((latencies.quantile_us(0.99) - 990.0).abs() < 1.0);
        assert!((latencies.max_us() - 1000.0).abs() < 1.0);
    }

    #[test]
    fn out_of_range_saturates_and_sums_add() {
        let mut one = Latencies::new();
        one.record(Duration::from_secs(3600));
        let mut two = Latencies::new();
        two.record(Duration::ZERO);
        two.add(&one);
        assert_eq!(two.count(), 2);
        assert!(two.max_us() >= 119e6);
    }
}
