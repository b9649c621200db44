//! Time: the wall clock that deadlines are measured by, and the cheap counter that
//! times commands.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    now_us() / 1000
}

/// Unix time in microseconds.
pub fn now_us() -> i64 {
    // Before 1970 there is no time to speak of.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as i64)
}
