//! Scripts and functions.

use crate::config::directive::Effect::Live;
use crate::config::section::section;

section! {
    /// Scripts and functions.
    Scripting at scripting titled "SCRIPTING" {
        busy_reply_threshold_ms: u64 = 5000, integer(0, i64::MAX), [], Live,
            "busy-reply-threshold" | "lua-time-limit" =>
            "After how many milliseconds of a running script other clients that wait for it are answered BUSY.";
    }
}
