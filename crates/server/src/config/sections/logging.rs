//! Where log lines go and which are written.

use crate::config::choices::{LogLevel, SyslogFacility};
use crate::config::directive::Effect::{AtStart, Inert, Live};
use crate::config::section::section;

section! {
    /// Where log lines go and which are written.
    Logging at logging titled "LOGGING" {
        crash_log: bool = true, yes_no, [], Live,
            "crash-log-enabled" =>
            "Whether a crash writes a report to the log.";
        crash_memory_check: bool = true, yes_no, [], Inert("a crash ends the process without a walk through its memory"),
            "crash-memcheck-enabled" =>
            "Whether a crash checks the memory.";
        file: String = String::new(), text, [IMMUTABLE], AtStart,
            "logfile" =>
            "The log file; the standard output if empty.";
        level: LogLevel = LogLevel::Notice, choice, [], Live,
            "loglevel" =>
            "The least important lines that are logged.";
        syslog: bool = false, yes_no, [IMMUTABLE], AtStart,
            "syslog-enabled" =>
            "Whether log lines also go to syslog.";
        syslog_facility: SyslogFacility = SyslogFacility::Local0, choice, [IMMUTABLE], AtStart,
            "syslog-facility" =>
            "The facility for syslog.";
        syslog_ident: String = "redis".into(), text, [IMMUTABLE], AtStart,
            "syslog-ident" =>
            "The name for syslog.";
    }
}
