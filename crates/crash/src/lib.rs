//! The last words of a process: a report when it crashes, in the shape of Redis's. And
//! its title, as `ps` shows it.
//!
//! ```text
//!   SIGSEGV, SIGBUS, … ──► signals ──┐
//!                                    ├──► report ──► page ──► the log's descriptor
//!   panic!, end(Cause) ──► ending ───┘       ▲
//!                                            └── Reporter: what the server knows
//! ```
//!
//! A report begins with what can be written whatever state the process is in: the signal,
//! the address, the instruction. What may need memory or locks (the names in the stack
//! trace, the reporter's facts) comes after it; should that crash or hang in turn, the
//! process ends all the same, by the signal it was sent first.
//!
//! Not here: the log, the server, anything that happens while nothing is wrong. Without
//! [`install`] nothing is changed in the process.

mod ending;
mod page;
mod registers;
mod report;
mod signals;
mod title;

pub use ending::{Cause, contained, end};
pub use page::Page;
pub use signals::{fault, prepare_thread};
pub use title::Title;

use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, OnceLock};

/// What a report needs to know of the program. All but [`Reporter::facts`] is called
/// within a signal handler: it must neither lock nor allocate.
pub trait Reporter: Send + Sync {
    /// Where the report is written to.
    fn descriptor(&self) -> RawFd;

    /// The version in the report's first line.
    fn version(&self) -> &str;

    /// Whether crashes are reported. A panic says at least what it is.
    fn is_wanted(&self) -> bool;

    /// How the process ends after a panic.
    fn after_panic(&self) -> AfterPanic;

    /// Writes what stands before the text of a line of the log.
    fn begin_line(&self, page: &mut Page);

    /// Writes what the program knows of itself. May allocate; must not wait for a lock,
    /// as whoever holds it may be the thread that crashed.
    fn facts(&self, page: &mut Page);
}

/// How the process ends after a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterPanic {
    /// By SIGABRT.
    Abort,
    /// With exit status 1.
    Exit,
}

static REPORTER: OnceLock<Arc<dyn Reporter>> = OnceLock::new();

/// Has crashes and panics of this process reported from now on; a panic in any thread
/// ends it. For programs, not for libraries: it is the whole process's.
///
/// # Errors
/// When a handler cannot be set, or this was called before.
pub fn install(reporter: Arc<dyn Reporter>) -> io::Result<()> {
    REPORTER
        .set(reporter)
        .map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))?;
    prepare_thread();
    ending::hook_panics();
    signals::handle()
}

/// The reporter, if there is one.
fn reporter() -> Option<&'static dyn Reporter> {
    REPORTER.get().map(|reporter| &**reporter)
}
