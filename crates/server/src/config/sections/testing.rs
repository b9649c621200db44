//! Knobs that only tests turn.

use crate::config::directive::Effect::{Inert, Live};
use crate::config::section::section;

section! {
    /// Knobs that only tests turn.
    Testing at testing titled "FOR TESTS ONLY" {
        debug_assert: bool = false, yes_no, [IMMUTABLE HIDDEN], Inert("assertions are those of the build"),
            "enable-debug-assert" =>
            "Whether costly assertions are made.";
        key_load_delay_us: i32 = 0, integer(i32::MIN, i32::MAX), [HIDDEN], Live,
            "key-load-delay" =>
            "Microseconds of delay after each key that is loaded; below zero, one microsecond after so many keys.";
        loading_process_events_interval_bytes: u32 = 2 << 20, integer(1024, i32::MAX), [HIDDEN], Live,
            "loading-process-events-interval-bytes" =>
            "After how many loaded bytes clients are looked after.";
        rdb_key_save_delay_us: i32 = 0, integer(i32::MIN, i32::MAX), [HIDDEN], Live,
            "rdb-key-save-delay" =>
            "Microseconds of delay after each key that is saved; below zero, one microsecond after so many keys.";
        use_exit_on_panic: bool = false, yes_no, [HIDDEN], Live,
            "use-exit-on-panic" =>
            "Whether a panic exits instead of aborting.";
        watchdog_period_ms: u32 = 0, integer(0, i32::MAX), [HIDDEN], Inert("a worker that is stuck is shown by the latency monitor"),
            "watchdog-period" =>
            "Reports where the server is when it has not answered for so many milliseconds.";
    }
}
