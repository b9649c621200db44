//! What a report of a crash says of the server: where it is written, the lines' heads,
//! the clients and what they last asked for, INFO's section on the server.
//!
//! Not here: when there is a report and what it is about (`ochre_crash`).
//!
//! Invariant: the head of a line is made without locks and without memory. What follows
//! waits for no lock that a command holds while it runs.

use std::fmt::Write;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use ochre_crash::{AfterPanic, Page, Reporter};
use time::{OffsetDateTime, UtcOffset};

use crate::commands::server::info;
use crate::config::{Config, REDIS_VERSION};
use crate::log::Log;
use crate::server::Server;

/// The most clients that a report lists.
const CLIENTS_MAX: usize = 1000;

/// The reporter of a process that is a server.
#[derive(Default)]
pub struct CrashReport {
    descriptor: RawFd,
    /// As it was at the start: asking the system takes locks.
    utc_offset: Option<UtcOffset>,
    pid: u32,
    is_wanted: bool,
    exits: bool,
    server: OnceLock<Arc<Server>>,
}

impl CrashReport {
    /// A report into the file of `log`.
    pub fn new(config: &Config, log: &Log) -> Self {
        Self {
            descriptor: log.descriptor(),
            utc_offset: UtcOffset::current_local_offset().ok(),
            pid: std::process::id(),
            is_wanted: config.logging.crash_log,
            exits: config.testing.use_exit_on_panic,
            server: OnceLock::new(),
        }
    }

    /// Has this server's configuration heeded from now on, and its facts reported.
    pub fn of(&self, server: Arc<Server>) {
        // There is one server in a process that reports.
        let _ = self.server.set(server);
    }
}

impl Reporter for CrashReport {
    fn descriptor(&self) -> RawFd {
        self.descriptor
    }

    fn version(&self) -> &str {
        REDIS_VERSION
    }

    fn is_wanted(&self) -> bool {
        self.server.get().map_or(self.is_wanted, |server| {
            server.switches.crash_log.load(Ordering::Relaxed)
        })
    }

    fn after_panic(&self) -> AfterPanic {
        let exits = self.server.get().map_or(self.exits, |server| {
            server.switches.exit_on_panic.load(Ordering::Relaxed)
        });
        if exits {
            AfterPanic::Exit
        } else {
            AfterPanic::Abort
        }
    }

    fn begin_line(&self, page: &mut Page) {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let nanoseconds = i128::try_from(since.as_nanos()).unwrap_or(0);
        let now = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(self.utc_offset.unwrap_or(UtcOffset::UTC));
        let role = self.server.get().map_or('M', |server| server.log.role());
        // Writing to a page does not fail.
        let _ = write!(
            page,
            "{}:{role} {:02} {} {} {:02}:{:02}:{:02}.{:03} # ",
            self.pid,
            now.day(),
            MONTHS[usize::from(u8::from(now.month())) - 1],
            now.year(),
            now.hour(),
            now.minute(),
            now.second(),
            now.millisecond()
        );
    }

    fn facts(&self, page: &mut Page) {
        let Some(server) = self.server.get() else {
            page.put("\n(the server was starting)\n");
            return;
        };
        page.put("\n------ CLIENT LIST OUTPUT ------\n");
        match server.clients.all_at_once() {
            Some(clients) => {
                for client in clients.iter().take(CLIENTS_MAX) {
                    // Writing to a page does not fail.
                    let _ = writeln!(
                        page,
                        "id={} addr={} fd={} worker={} cmd={}",
                        client.id,
                        client.address,
                        client.fd,
                        client.worker,
                        client.last_command_name(&server.commands)
                    );
                }
            }
            None => page.put("(somebody holds the list)\n"),
        }
        page.put("\n------ INFO OUTPUT ------\n");
        page.put(&info::server_section(server));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    #[test]
    fn lines_begin_as_those_of_the_log() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let report = CrashReport {
            pid: 42,
            ..CrashReport::default()
        };
        let mut page = Page::new(writer.as_raw_fd());
        report.begin_line(&mut page);
        drop((page, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!((words[0], words[5], words[6]), ("42:M", "#", ""), "{text}");
        assert_eq!(words[4].len(), "14:24:17.017".len(), "{text}");
        assert_eq!(words.len(), 7, "{text}");
    }

    #[test]
    fn before_there_is_a_server_its_configuration_counts() {
        let mut config = Config::default();
        config.logging.crash_log = false;
        config.testing.use_exit_on_panic = true;
        let report = CrashReport::new(&config, &Log::silent());
        assert!(!report.is_wanted());
        assert_eq!(report.after_panic(), AfterPanic::Exit);
        assert_eq!(report.descriptor(), -1);
    }
}
