//! The latency monitor: events that took `latency-monitor-threshold` or longer.
//!
//! Per event the last 160 seconds in which it happened are kept, each with its worst
//! case, as in Redis.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

/// Samples kept of one event.
const SAMPLES_MAX: usize = 160;

/// The worst case of one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub at_s: i64,
    pub latency_ms: u32,
}

/// The samples of one event, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
    /// The worst case ever.
    pub max_ms: u32,
}

impl Series {
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        self.samples.iter().copied()
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    fn add(&mut self, at_s: i64, latency_ms: u32) {
        self.max_ms = self.max_ms.max(latency_ms);
        if let Some(last) = self.samples.back_mut()
            && last.at_s == at_s
        {
            last.latency_ms = last.latency_ms.max(latency_ms);
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at_s, latency_ms });
    }
}

/// The events by name.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<&'static str, Series>>,
}

impl LatencyMonitor {
    /// Notes an event. The caller compares with the threshold.
    #[cold]
    pub fn add(&self, event: &'static str, at_s: i64, latency_ms: u64) {
        let latency_ms = u32::try_from(latency_ms).unwrap_or(u32::MAX);
        self.events
            .lock()
            .entry(event)
            .or_default()
            .add(at_s, latency_ms);
    }

    /// The samples of one event.
    pub fn series(&self, event: &[u8]) -> Option<Series> {
        let name = std::str::from_utf8(event).ok()?;
        self.events.lock().get(name).cloned()
    }

    /// All events with their samples.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        let events = self.events.lock();
        events
            .iter()
            .map(|(name, series)| (*name, series.clone()))
            .collect()
    }

    /// Forgets one event; returns whether there was one.
    pub fn forget(&self, event: &[u8]) -> bool {
        std::str::from_utf8(event).is_ok_and(|name| self.events.lock().remove(name).is_some())
    }

    /// Forgets all events; returns how many there were.
    pub fn forget_all(&self) -> usize {
        std::mem::take(&mut *self.events.lock()).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_worst_case_and_old_seconds_go() {
        let monitor = LatencyMonitor::default();
        for second in 0..200 {
            monitor.add("command", second, 5);
            monitor.add("command", second, 9);
            monitor.add("command", second, 7);
        }
        let series = monitor.series(b"command").unwrap();
        assert_eq!(series.samples().count(), SAMPLES_MAX);
        assert_eq!(series.samples().next().unwrap().at_s, 40);
        assert_eq!(
            series.latest(),
            Some(Sample {
                at_s: 199,
                latency_ms: 9
            })
        );
        assert_eq!(series.max_ms, 9);
        assert!(monitor.forget(b"command"));
        assert_eq!(monitor.forget_all(), 0);
    }
}
