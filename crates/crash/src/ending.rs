//! Ends that the program brings about itself: panics, failed assertions, want of memory.
//!
//! A panic in any thread ends the process: the thread may have died halfway through a
//! change, and the others must not go on serving what it left behind. The exception is
//! [`contained`].

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::{self, Report, Turn};
use crate::{AfterPanic, Reporter, reporter, signals};

/// The report is written; what follows is only the end.
static OVER: AtomicBool = AtomicBool::new(false);

/// Whether the report has been written and the process is about to end.
pub fn is_over() -> bool {
    OVER.load(Ordering::SeqCst)
}

/// Why the program ends itself.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// Something impossible happened.
    Panic(&'a str),
    /// This should hold.
    Assertion(&'a str),
    /// So many bytes are not to be had.
    OutOfMemory {
        /// How many were wanted.
        bytes: usize,
    },
}

/// Ends the process: with a report where one was asked for ([`install`](crate::install)),
/// else with a line on the standard error.
#[track_caller]
pub fn end(cause: Cause<'_>) -> ! {
    let place = Location::caller();
    match reporter() {
        Some(reporter) => end_with_report(reporter, cause, place),
        None => {
            eprintln!("{cause:?} at {place}");
            std::process::abort()
        }
    }
}

/// Has panics end the process.
pub fn hook_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match reporter() {
        _ if is_contained(info) => {}
        Some(reporter) => end_after_panic(reporter, info),
        None => before(info),
    }));
}

fn end_after_panic(reporter: &dyn Reporter, info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is no text");
    let unknown = Location::caller();
    end_with_report(
        reporter,
        Cause::Panic(message),
        info.location().unwrap_or(unknown),
    )
}

/// A place in the source as Redis shows it: the file's name, and the line.
struct Place<'a>(&'a Location<'a>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.file();
        let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
        write!(f, "{name}:{}", self.0.line())
    }
}

fn end_with_report(reporter: &dyn Reporter, cause: Cause<'_>, place: &Location<'_>) -> ! {
    match report::claim() {
        Turn::Ours => {}
        Turn::Again => signals::end_by(libc::SIGABRT),
        Turn::Others => signals::wait_for_the_end(),
    }
    signals::end_soon_by(libc::SIGABRT);
    let mut report = Report::bare(reporter);
    if let Cause::OutOfMemory { bytes } = cause {
        report.line(format_args!("Out Of Memory allocating {bytes} bytes!"));
    }
    report.begin();
    match cause {
        Cause::Assertion(what) => {
            report.line(format_args!("=== ASSERTION FAILED ==="));
            report.line(format_args!("==> {} '{what}' is not true", Place(place)));
        }
        Cause::Panic(message) => meditate(&mut report, format_args!("{message}"), place),
        Cause::OutOfMemory { bytes } => meditate(
            &mut report,
            format_args!("Redis aborting for OUT OF MEMORY. Allocating {bytes} bytes!"),
            place,
        ),
    }
    if reporter.is_wanted() {
        report.stack_trace();
        report.facts();
    }
    report.end();
    OVER.store(true, Ordering::SeqCst);
    match reporter.after_panic() {
        AfterPanic::Abort => signals::end_by(libc::SIGABRT),
        // SAFETY: ends the process. Destructors of a broken program are better not run.
        AfterPanic::Exit => unsafe { libc::_exit(1) },
    }
}

fn meditate(report: &mut Report<'_>, message: fmt::Arguments<'_>, place: &Location<'_>) {
    report.line(format_args!(
        "------------------------------------------------"
    ));
    report.line(format_args!(
        "!!! Software Failure. Press left mouse button to continue"
    ));
    report.line(format_args!("Guru Meditation: {message} #{}", Place(place)));
}

thread_local! {
    /// The part of a path by which harmless panics are known.
    static HARMLESS: Cell<Option<&'static str>> = const { Cell::new(None) };
}

fn is_contained(info: &PanicHookInfo<'_>) -> bool {
    let file = info.location().map_or("", |place| place.file());
    HARMLESS
        .get()
        .is_some_and(|harmless| file.contains(harmless))
}

/// Runs `work`; a panic in a source file whose path contains `harmless` ends only that,
/// silently, and is `None`. Every other panic is what it always is.
pub fn contained<R>(harmless: &'static str, work: impl FnOnce() -> R) -> Option<R> {
    let outer = HARMLESS.replace(Some(harmless));
    let ended = catch_unwind(AssertUnwindSafe(work));
    HARMLESS.set(outer);
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_panics_are_contained() {
        let result = contained("ending.rs", || {
            if HARMLESS.get().is_some() {
                panic!("expected in the test's output");
            }
            7
        });
        assert_eq!(result, None);
        assert_eq!(contained("ending.rs", || 7), Some(7));
        assert_eq!(HARMLESS.get(), None);
    }
}
