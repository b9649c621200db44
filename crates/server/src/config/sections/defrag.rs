//! Active defragmentation: its vocabulary only.

use crate::config::directive::Effect;
use crate::config::section::section;

const NOTHING: Effect = Effect::Inert("memory stays compact without it");

section! {
    /// Active defragmentation.
    Defrag at defrag titled "ACTIVE DEFRAGMENTATION" {
        cycle_max_percent: u8 = 25, integer(1, 99), [], NOTHING,
            "active-defrag-cycle-max" =>
            "The most CPU, in percent.";
        cycle_min_percent: u8 = 1, integer(1, 99), [], NOTHING,
            "active-defrag-cycle-min" =>
            "The least CPU, in percent.";
        ignore_bytes: u64 = 100 << 20, memory(1, i64::MAX), [], NOTHING,
            "active-defrag-ignore-bytes" =>
            "The waste below which nothing is done.";
        max_scan_fields: u64 = 1000, integer(1, i64::MAX), [], NOTHING,
            "active-defrag-max-scan-fields" =>
            "Larger collections are treated one by one.";
        threshold_lower_percent: u32 = 10, integer(0, 1000), [], NOTHING,
            "active-defrag-threshold-lower" =>
            "The waste, in percent, from which on it works.";
        threshold_upper_percent: u32 = 100, integer(0, 1000), [], NOTHING,
            "active-defrag-threshold-upper" =>
            "The waste, in percent, at which it works hardest.";
        enabled: bool = false, yes_no, [], NOTHING,
            "activedefrag" =>
            "Whether fragmented memory is defragmented while the server runs.";
    }
}
