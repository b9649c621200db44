//! Log lines for the system's log: datagrams of RFC 3164 to the daemon's socket.
//!
//! ```text
//!   <134>Nov 22 14:23:48 redis[42]: the text
//!    │    │               │     └ process id
//!    │    │               └ syslog-ident
//!    │    └ local time
//!    └ facility · 8 + severity
//! ```
//!
//! Invariant: nobody waits. A line for a daemon that is not there, or that does not keep
//! up, is lost.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::config::Config;
use crate::config::choices::SyslogFacility;
use crate::log::Level;

/// Where the daemon listens.
const SOCKET: &str = "/dev/log";

/// The facilities' numbers, by RFC 3164.
const USER: u8 = 1;
const LOCAL0: u8 = 16;

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[month repr:short] [day padding:space] [hour]:[minute]:[second]");

/// The way to the daemon.
#[derive(Debug)]
pub struct Syslog {
    socket: UnixDatagram,
    daemon: PathBuf,
    facility: u8,
    ident: String,
}

impl Syslog {
    /// The way that the configuration asks for, if it does. `None` also where there can
    /// be no socket.
    pub fn open(config: &Config) -> Option<Self> {
        if !config.logging.syslog {
            return None;
        }
        Self::to(SOCKET.into(), config)
    }

    fn to(daemon: PathBuf, config: &Config) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self {
            socket,
            daemon,
            facility: number(config.logging.syslog_facility),
            ident: config.logging.syslog_ident.clone(),
        })
    }

    /// Sends a line.
    pub fn send(&self, level: Level, now: OffsetDateTime, text: &str) {
        let message = format!(
            "<{}>{} {}[{}]: {text}",
            self.facility * 8 + severity(level),
            now.format(STAMP).unwrap_or_default(),
            self.ident,
            std::process::id()
        );
        // Found by name each time: a daemon that was restarted has another socket.
        let _ = self.socket.send_to(message.as_bytes(), &self.daemon);
    }
}

fn number(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => USER,
        SyslogFacility::Local0 => LOCAL0,
        SyslogFacility::Local1 => LOCAL0 + 1,
        SyslogFacility::Local2 => LOCAL0 + 2,
        SyslogFacility::Local3 => LOCAL0 + 3,
        SyslogFacility::Local4 => LOCAL0 + 4,
        SyslogFacility::Local5 => LOCAL0 + 5,
        SyslogFacility::Local6 => LOCAL0 + 6,
        SyslogFacility::Local7 => LOCAL0 + 7,
    }
}

/// LOG_DEBUG, LOG_INFO, LOG_NOTICE and LOG_WARNING.
fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Verbose => 6,
        Level::Notice => 5,
        Level::Warning | Level::Nothing => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn lines_reach_the_daemon_and_are_lost_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut config = Config::default();
        config.logging.syslog_facility = SyslogFacility::Local3;
        config.logging.syslog_ident = "o x".into();
        let syslog = Syslog::to(path.clone(), &config).unwrap();
        let now = datetime!(2026-02-03 04:05:06 UTC);
        syslog.send(Level::Warning, now, "lost");
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.send(Level::Warning, now, "found");
        let mut message = [0; 100];
        let length = daemon.recv(&mut message).unwrap();
        let text = std::str::from_utf8(&message[..length]).unwrap();
        let expected = format!("<156>Feb  3 04:05:06 o x[{}]: found", std::process::id());
        assert_eq!(text, expected);
        // A daemon that reads nothing holds nobody up.
        for _ in 0..10_000 {
            syslog.send(Level::Debug, now, "too much");
        }
        assert!(Syslog::open(&config).is_none(), "syslog-enabled is off");
    }
}
