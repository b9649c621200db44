//! What is printed, and what is asked.

use std::fmt;
use std::io::{self, BufRead, Write};

/// How much of a key or name is shown.
const SHOWN_BYTES: usize = 100;

/// Where lines are printed, and answers come from.
pub struct Terminal<'t> {
    /// The lines.
    pub output: &'t mut dyn Write,
    /// The answers.
    pub input: &'t mut dyn BufRead,
}

impl Terminal<'_> {
    /// Prints a line. That nobody reads it changes no verdict.
    pub(super) fn line(&mut self, text: fmt::Arguments<'_>) {
        let _ = writeln!(self.output, "{text}");
    }

    /// Whether a question is answered with yes.
    pub(super) fn confirms(&mut self, question: &str) -> bool {
        let _ = write!(self.output, "{question}");
        let _ = self.output.flush();
        let mut answer = String::new();
        let read = io::Read::take(&mut *self.input, 64).read_line(&mut answer);
        read.is_ok() && answer.starts_with(['y', 'Y'])
    }
}

/// Why an operation failed, as C says it.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// Bytes as text of bounded length.
pub(super) fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let dots = if start.len() < bytes.len() { "..." } else { "" };
    format!("{}{dots}", start.escape_ascii())
}
