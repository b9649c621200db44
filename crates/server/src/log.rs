//! The server's log, in Redis's line format: `PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::syslog::Syslog;

/// How important a line is; the mark of each is Redis's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

impl Level {
    fn mark(self) -> char {
        match self {
            Self::Debug => '.',
            Self::Verbose => '-',
            Self::Notice => '*',
            Self::Warning | Self::Nothing => '#',
        }
    }
}

/// Where lines go.
#[derive(Debug)]
enum Sink {
    Stdout,
    File(File),
    Nowhere,
}

/// The log.
#[derive(Debug)]
pub struct Log {
    sink: Mutex<Sink>,
    /// The sink's; -1 where there is none.
    descriptor: RawFd,
    syslog: Option<Syslog>,
    threshold: AtomicU8,
    role: AtomicU8,
}

const STAMP: &[BorrowedFormatItem<'_>] = format_description!(
    "[day] [month repr:short] [year] [hour]:[minute]:[second].[subsecond digits:3]"
);

impl Log {
    /// A log into `path`, or to standard output where that is empty.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn open(path: &Path, threshold: Level) -> std::io::Result<Self> {
        let sink = if path.as_os_str().is_empty() {
            Sink::Stdout
        } else {
            Sink::File(OpenOptions::new().create(true).append(true).open(path)?)
        };
        let descriptor = match &sink {
            Sink::File(file) => file.as_raw_fd(),
            _ => std::io::stdout().as_raw_fd(),
        };
        Ok(Self {
            sink: Mutex::new(sink),
            descriptor,
            syslog: None,
            threshold: AtomicU8::new(threshold as u8),
            role: AtomicU8::new(b'M'),
        })
    }

    /// A log that keeps nothing, for servers inside a test.
    pub fn silent() -> Self {
        Self {
            sink: Mutex::new(Sink::Nowhere),
            descriptor: -1,
            syslog: None,
            threshold: AtomicU8::new(Level::Nothing as u8),
            role: AtomicU8::new(b'M'),
        }
    }

    /// Has the lines go to the system's log, too.
    pub fn with_syslog(mut self, syslog: Option<Syslog>) -> Self {
        self.syslog = syslog;
        self
    }

    /// Where lines are written to, for who cannot wait for others that write; -1 for a
    /// log that keeps nothing. It is open while the log is there.
    pub fn descriptor(&self) -> RawFd {
        self.descriptor
    }

    pub fn set_threshold(&self, threshold: Level) {
        self.threshold.store(threshold as u8, Ordering::Relaxed);
    }

    /// The letter of the server's role: M, S, or X for a sentinel.
    pub fn set_role(&self, role: u8) {
        self.role.store(role, Ordering::Relaxed);
    }

    /// See [`Log::set_role`].
    pub fn role(&self) -> char {
        self.role.load(Ordering::Relaxed) as char
    }

    pub fn write(&self, level: Level, text: &str) {
        if (level as u8) < self.threshold.load(Ordering::Relaxed) {
            return;
        }
        // A machine that hides its time zone gets UTC.
        let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
        let stamp = now.format(STAMP).unwrap_or_default();
        let role = self.role();
        let line = format!(
            "{}:{role} {stamp} {} {text}\n",
            std::process::id(),
            level.mark()
        );
        if let Some(syslog) = &self.syslog {
            syslog.send(level, now, text);
        }
        // A log that cannot be written must not end the server.
        let _ = match &mut *self.sink.lock() {
            Sink::Stdout => std::io::stdout().lock().write_all(line.as_bytes()),
            Sink::File(file) => file.write_all(line.as_bytes()),
            Sink::Nowhere => Ok(()),
        };
    }

    pub fn debug(&self, text: &str) {
        self.write(Level::Debug, text);
    }

    pub fn verbose(&self, text: &str) {
        self.write(Level::Verbose, text);
    }

    pub fn notice(&self, text: &str) {
        self.write(Level::Notice, text);
    }

    pub fn warning(&self, text: &str) {
        self.write(Level::Warning, text);
    }
}
