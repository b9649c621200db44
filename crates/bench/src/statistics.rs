//! The few statistics the comparison needs. Not a statistics library: rounds are few, so
//! the median and the spread say all that can honestly be said.

/// The median of `values`; the mean of the middle two when their number is even.
/// `None` when there are none. Values that are not numbers are left out.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        Some(sorted[middle])
    } else {
        Some((sorted[middle - 1] + sorted[middle]) / 2.0)
    }
}

/// How far the rounds lie apart: (largest − smallest) / median, or `None` without values
/// or with a median of zero.
pub fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    if middle == 0.0 {
        return None;
    }
    let numbers = values.iter().copied().filter(|v| !v.is_nan());
    let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    Some((high - low) / middle)
}

/// `subject / baseline`, or `None` when that is not a finite number.
pub fn ratio(baseline: f64, subject: f64) -> Option<f64> {
    let ratio = subject / baseline;
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians_of_few() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, f64::NAN, 2.0]), Some(2.0));
    }

    #[test]
    fn spreads_and_ratios() {
        assert_eq!(spread(&[1.0, 2.0, 3.0]), Some(1.0));
        assert_eq!(spread(&[0.0, 0.0]), None);
        assert_eq!(ratio(2.0, 1.0), Some(0.5));
        assert_eq!(ratio(0.0, 1.0), None);
    }

    proptest! {
        #[test]
        fn the_median_splits_its_values(values in prop::collection::vec(-1e9f64..1e9, 1..40)) {
            let middle = median(&values).unwrap();
            let below = values.iter().filter(|v| **v < middle).count();
            let above = values.iter().filter(|v| **v > middle).count();
            prop_assert!(below * 2 <= values.len());
            prop_assert!(above * 2 <= values.len());
        }
    }
}
