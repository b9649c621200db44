//! One step through bytes of an append-only file: where the next command ends, and
//! where its arguments are.
//!
//! A command that is cut off keeps its place, so that the bytes of a huge one are
//! looked at once however they arrive. Places count from the start of the command.

use super::error::{FormatFault, Torn};

/// How many digits a count or length may have: those of an `i64`.
const MAX_DIGITS: usize = 19;

/// More arguments than any client can send; a count beyond is no count.
const MAX_ARGUMENTS: u64 = i32::MAX as u64;

/// How long an annotation may be, with its newline: what Redis reads at once.
const MAX_ANNOTATION_BYTES: usize = 1023;

/// Where an argument is, from the start of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) len: usize,
}

/// What a step has found.
pub(super) enum Step {
    /// A command of so many bytes, whose arguments are the last so many spans.
    Command { bytes: usize, arguments: usize },
    /// An annotation of so many bytes.
    Annotation { bytes: usize },
    /// The end of the bytes; with at least so many more there may be a step.
    More { missing: usize },
}

/// Something that is wrong, so many bytes from the command's start.
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) fault: FormatFault,
}

/// A command that has begun.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unfinished {
    /// Arguments that are still to come; 0 before the count was read.
    left: usize,
    /// Arguments that were found.
    found: usize,
    /// Where to look next.
    at: usize,
    /// The length of the argument that starts there, if that was read.
    length: Option<usize>,
}

/// The outcome of reading a count or length.
enum Line {
    /// The number, and where the next thing starts.
    Number(u64, usize),
    /// The line is cut off.
    Cut,
}

impl Unfinished {
    /// What the end of the bytes would cut off, and where that starts. Only for a
    /// command that has begun, of which so many bytes are there.
    pub(super) fn torn(&self, there: usize) -> (usize, Torn) {
        match self.length {
            Some(length) => {
                let torn = Torn::Argument {
                    expected: length as u64 + 2,
                    found: there.saturating_sub(self.at) as u64,
                };
                (self.at, torn)
            }
            None => (self.at, Torn::Line),
        }
    }

    /// How many line ends were passed.
    pub(super) fn lines(&self) -> u64 {
        let header = u64::from(self.left > 0 || self.found > 0);
        header + 2 * self.found as u64 + u64::from(self.length.is_some())
    }

    /// Takes a step in `bytes`, which start with a command or annotation. Adds the
    /// arguments found to `spans`, also those of a command that is cut off.
    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8], spans: &mut Vec<Span>) -> Result<Step, Wrong> {
        if self.left == 0 {
            match bytes.first() {
                None => return Ok(Step::More { missing: 1 }),
                Some(b'*') => (),
                Some(b'#') => return annotation(bytes),
                Some(&found) => {
                    let fault = FormatFault::Start { found };
                    return Err(Wrong { at: 0, fault });
                }
            }
            match number(bytes, 0, FormatFault::Count)? {
                Line::Cut => return Ok(Step::More { missing: 1 }),
                Line::Number(count, next) => {
                    if count == 0 || count > MAX_ARGUMENTS {
                        let fault = FormatFault::Count;
                        return Err(Wrong { at: 0, fault });
                    }
                    self.left = count as usize;
                    self.at = next;
                }
            }
        }
        while self.left > 0 {
            let len = match self.length {
                Some(len) => len,
                None => match bytes.get(self.at) {
                    Some(b'$') => match number(bytes, self.at, FormatFault::Length)? {
                        Line::Cut => return Ok(Step::More { missing: 1 }),
                        Line::Number(len, next) => {
                            // So that no sum of a place, a length and a line end overflows.
                            let len = usize::try_from(len)
                                .ok()
                                .filter(|len| *len < isize::MAX as usize / 2)
                                .ok_or(Wrong {
                                    at: self.at,
                                    fault: FormatFault::Length,
                                })?;
                            self.at = next;
                            self.length = Some(len);
                            len
                        }
                    },
                    Some(&found) => {
                        let fault = FormatFault::Prefix { found };
                        return Err(Wrong { at: self.at, fault });
                    }
                    None => return Ok(Step::More { missing: 1 }),
                },
            };
            let end = self.at + len;
            match bytes.get(end..end + 2) {
                Some(b"\r\n") => (),
                Some(&[first, second]) => {
                    let found = [first, second];
                    let fault = FormatFault::LineEnd { found };
                    return Err(Wrong { at: end, fault });
                }
                _ => {
                    let missing = end + 2 - bytes.len();
                    return Ok(Step::More { missing });
                }
            }
            spans.push(Span {
                start: self.at,
                len,
            });
            self.found += 1;
            self.left -= 1;
            self.at = end + 2;
            self.length = None;
        }
        let command = Step::Command {
            bytes: self.at,
            arguments: self.found,
        };
        *self = Unfinished::default();
        Ok(command)
    }
}

/// Reads the number after the byte at `start`, and its line end.
#[inline]
fn number(bytes: &[u8], start: usize, fault: FormatFault) -> Result<Line, Wrong> {
    let mut value: u64 = 0;
    let digits = &bytes[start + 1..];
    for (index, &byte) in digits.iter().enumerate() {
        if byte.is_ascii_digit() && index < MAX_DIGITS {
            // 19 digits fit.
            value = value * 10 + u64::from(byte - b'0');
            continue;
        }
        if index == 0 || (byte.is_ascii_digit() && index >= MAX_DIGITS) || byte == b'-' {
            return Err(Wrong { at: start, fault });
        }
        let at = start + 1 + index;
        return match bytes.get(at..at + 2) {
            Some(b"\r\n") => Ok(Line::Number(value, at + 2)),
            Some(&[first, second]) => {
                let found = [first, second];
                let fault = FormatFault::LineEnd { found };
                Err(Wrong { at, fault })
            }
            _ => Ok(Line::Cut),
        };
    }
    Ok(Line::Cut)
}

fn annotation(bytes: &[u8]) -> Result<Step, Wrong> {
    let line = &bytes[..bytes.len().min(MAX_ANNOTATION_BYTES)];
    match memchr::memchr(b'\n', line) {
        Some(end) => Ok(Step::Annotation { bytes: end + 1 }),
        None if line.len() < MAX_ANNOTATION_BYTES => Ok(Step::More { missing: 1 }),
        None => Err(Wrong {
            at: 0,
            fault: FormatFault::LongAnnotation,
        }),
    }
}
