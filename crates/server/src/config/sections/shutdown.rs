//! How the server ends.

use crate::config::directive::Effect::Live;
use crate::config::section::section;
use crate::config::values::ShutdownOptions;

section! {
    /// How the server ends.
    Shutdown at shutdown titled "SHUTDOWN" {
        on_sigint: ShutdownOptions = ShutdownOptions::DEFAULT, value, [MULTI], Live,
            "shutdown-on-sigint" =>
            "How SIGINT ends the server: default saves if there are save rules.";
        on_sigterm: ShutdownOptions = ShutdownOptions::DEFAULT, value, [MULTI], Live,
            "shutdown-on-sigterm" =>
            "How SIGTERM ends the server: default saves if there are save rules.";
        timeout_seconds: u32 = 10, integer(0, i32::MAX), [], Live,
            "shutdown-timeout" =>
            "How long a shutdown waits for replicas that lag; 0 does not wait.";
    }
}
