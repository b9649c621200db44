//! The report: its frame, its parts, and that there is only one.
//!
//! Redis's frame and headings, which people and tools look for in logs.

use std::fmt::Write;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::registers::Register;
use crate::{Page, Reporter};

/// The thread that reports, or [`NOBODY`].
static REPORTING: AtomicI32 = AtomicI32::new(NOBODY);

const NOBODY: i32 = 0;

/// The longest stack trace: an endless recursion is plain from a part of it.
const TRACE_LINES_MAX: usize = 200;

/// Whose report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The caller's.
    Ours,
    /// The caller's, which crashed while it was reporting.
    Again,
    /// Another thread's.
    Others,
}

/// Claims the report for the calling thread.
pub fn claim() -> Turn {
    let own = rustix::thread::gettid().as_raw_nonzero().get();
    match REPORTING.compare_exchange(NOBODY, own, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => Turn::Ours,
        Err(thread) if thread == own => Turn::Again,
        Err(_) => Turn::Others,
    }
}

/// The report in the making.
pub struct Report<'r> {
    pub page: Page,
    reporter: &'r dyn Reporter,
}

impl<'r> Report<'r> {
    /// Begins a page without a frame.
    pub fn bare(reporter: &'r dyn Reporter) -> Self {
        Self {
            page: Page::new(reporter.descriptor()),
            reporter,
        }
    }

    /// The frame's upper edge.
    pub fn begin(&mut self) {
        self.page
            .put("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
    }

    /// A line of the log.
    pub fn line(&mut self, text: std::fmt::Arguments<'_>) {
        self.reporter.begin_line(&mut self.page);
        // Writing to a page does not fail.
        let _ = self.page.write_fmt(text);
        self.page.put("\n");
        self.page.flush();
    }

    fn heading(&mut self, text: &str) {
        self.page.put("\n------ ");
        self.page.put(text);
        self.page.put(" ------\n");
        self.page.flush();
    }

    /// The registers, four to a line.
    pub fn registers(&mut self, registers: impl Iterator<Item = Register>) {
        self.heading("REGISTERS");
        for (place, (name, content)) in registers.enumerate() {
            self.page.put(if place % 4 == 0 { "\n" } else { " " });
            // Writing to a page does not fail.
            let _ = write!(self.page, "{name}:{content:016x}");
        }
        self.page.put("\n");
        self.page.flush();
    }

    /// The calls that led here. Takes memory.
    pub fn stack_trace(&mut self) {
        self.heading("STACK TRACE");
        let trace = std::backtrace::Backtrace::force_capture();
        self.page.put("\nBacktrace:\n");
        let mut first = FirstLines {
            page: &mut self.page,
            left: TRACE_LINES_MAX,
        };
        if write!(first, "{trace}").is_err() {
            self.page.put("(and so on)");
        }
        self.page.put("\n");
        self.page.flush();
    }

    /// Says that there was no room for a stack trace.
    pub fn no_stack_trace(&mut self) {
        self.heading("STACK TRACE");
        self.page
            .put("\nBacktrace:\nno room for one on this thread\n");
    }

    /// What the program knows of itself.
    pub fn facts(&mut self) {
        self.reporter.facts(&mut self.page);
        self.page.flush();
    }

    /// The frame's lower edge.
    pub fn end(&mut self) {
        self.page
            .put("\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n");
        self.page.flush();
    }
}

/// Lets so many lines pass, then fails.
struct FirstLines<'p> {
    page: &'p mut Page,
    left: usize,
}

impl Write for FirstLines<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.left = self
            .left
            .checked_sub(text.matches('\n').count())
            .ok_or(std::fmt::Error)?;
        self.page.write_str(text)
    }
}
