//! The slow log, the latency monitor and latency histograms.

use crate::config::directive::Effect::Live;
use crate::config::section::section;
use crate::config::values::Percentiles;

section! {
    /// Slow log, latency monitor and latency histograms.
    Latency at latency titled "SLOW LOG AND LATENCY" {
        monitor_threshold_ms: u64 = 0, integer(0, i64::MAX), [], Live,
            "latency-monitor-threshold" =>
            "Events that take so many milliseconds or more are noted for LATENCY; 0 notes none.";
        tracking: bool = true, yes_no, [], Live,
            "latency-tracking" =>
            "Whether a histogram of execution times is kept for each command.";
        info_percentiles: Percentiles = Percentiles::default(), value, [MULTI], Live,
            "latency-tracking-info-percentiles" =>
            "The percentiles that INFO latencystats shows.";
        slowlog_threshold_us: i64 = 10_000, integer(-1, i64::MAX), [], Live,
            "slowlog-log-slower-than" valkey "commandlog-execution-slower-than" =>
            "Commands that execute for so many microseconds or more go to the slow log; 0 is all, -1 none.";
        slowlog_max_entries: u64 = 128, integer(0, i64::MAX), [], Live,
            "slowlog-max-len" valkey "commandlog-slow-execution-max-len" =>
            "The most entries of the slow log.";
    }
}
