//! The manifest: which files make up an append-only file, and in which order.
//!
//! ```text
//! # a comment
//! file appendonly.aof.2.base.rdb seq 2 type b      base      at most one
//! file appendonly.aof.1.incr.aof seq 1 type h      history   no longer needed
//! file appendonly.aof.2.incr.aof seq 2 type i      increment ascending
//! ```
//!
//! A line is key and value in turns, keys in any case, unknown keys are passed over,
//! values are quoted when they need to be. It is read as Redis 7 reads it, with its
//! messages; written in the order base, history, increments.
//!
//! Invariant: there is at most one base, and the sequence numbers of the increments
//! ascend.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

mod words;

use words::Escape;

/// How long a line may be, with its newline.
const MAX_LINE_BYTES: usize = 1024;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The state at the start of the increments.
    Base,
    /// A base or increment that is no longer needed and is to be removed.
    History,
    /// Changes.
    Increment,
}

impl FileKind {
    fn letter(self) -> char {
        match self {
            FileKind::Base => 'b',
            FileKind::History => 'h',
            FileKind::Increment => 'i',
        }
    }
}

/// A file of the append-only file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofFile {
    /// Its name within the folder.
    pub name: OsString,
    /// Its place among the files of its kind, from 1.
    pub sequence: u64,
}

/// The files of an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The base, if there is one.
    pub base: Option<AofFile>,
    /// What is to be removed.
    pub history: Vec<AofFile>,
    /// The increments, in ascending order.
    pub increments: Vec<AofFile>,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct ManifestError {
    /// Which line, from 1; 0 if the text as a whole is meant.
    pub line: usize,
    /// The line without the white space around it, unless it is too long.
    pub text: Option<Vec<u8>>,
    /// What is wrong.
    pub fault: ManifestFault,
}

/// What is wrong with a manifest, in the words of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum ManifestFault {
    #[error("Found an empty AOF manifest")]
    Empty,
    #[error("The AOF manifest file contains too long line")]
    LongLine,
    #[error("Invalid AOF manifest file format")]
    Format,
    #[error("File can't be a path, just a filename")]
    Path,
    #[error("Found duplicate base file information")]
    DuplicateBase,
    #[error("Found a non-monotonic sequence number")]
    Order,
    #[error("Unknown AOF file type")]
    Kind,
}

impl Manifest {
    /// Reads a manifest. O(n), and no more memory than a small multiple of the text.
    ///
    /// # Errors
    /// What Redis finds wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Manifest::default();
        if text.is_empty() {
            return Err(ManifestError {
                line: 0,
                text: None,
                fault: ManifestFault::Empty,
            });
        }
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            // Of a comment that is too long, Redis takes the rest for a line.
            let too_long = line.len() > MAX_LINE_BYTES;
            if line.first() == Some(&b'#') && !too_long {
                continue;
            }
            let error = |fault, text: Option<&[u8]>| ManifestError {
                line: index + 1,
                text: text.map(<[u8]>::to_vec),
                fault,
            };
            // A line cut off at the end of the file counts as too long.
            if too_long || line.last() != Some(&b'\n') {
                return Err(error(ManifestFault::LongLine, None));
            }
            let line = line.trim_ascii();
            manifest
                .add_line(line)
                .map_err(|fault| error(fault, Some(line)))?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), ManifestFault> {
        let words = words::split(line).ok_or(ManifestFault::Format)?;
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(ManifestFault::Format);
        }
        let (mut name, mut sequence, mut kind) = (None, None, None);
        for pair in words.chunks_exact(2) {
            let (key, value) = (&pair[0], &pair[1]);
            if key.eq_ignore_ascii_case(b"file") {
                if value.contains(&b'/') {
                    return Err(ManifestFault::Path);
                }
                name = Some(value);
            } else if key.eq_ignore_ascii_case(b"seq") {
                sequence = leading_number(value);
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = value.first();
            }
        }
        let (Some(name), Some(sequence), Some(kind)) = (name, sequence, kind) else {
            return Err(ManifestFault::Format);
        };
        // Names that stand for folders are nothing that could be opened.
        if name.is_empty() || name.contains(&0) || name == b"." || name == b".." {
            return Err(ManifestFault::Format);
        }
        let file = AofFile {
            name: OsString::from_vec(name.clone()),
            sequence,
        };
        match kind {
            b'b' if self.base.is_some() => return Err(ManifestFault::DuplicateBase),
            b'b' => self.base = Some(file),
            b'h' => self.history.push(file),
            b'i' if sequence <= self.last_increment() => return Err(ManifestFault::Order),
            b'i' => self.increments.push(file),
            _ => return Err(ManifestFault::Kind),
        }
        Ok(())
    }

    /// The manifest as text. It can be read again, unless a name is longer than those
    /// of files are, or has hundreds of control characters.
    #[must_use]
    pub fn format(&self) -> Vec<u8> {
        let base = self.base.iter().map(|file| (file, FileKind::Base));
        let history = self.history.iter().map(|file| (file, FileKind::History));
        let increments = self.increments.iter();
        let increments = increments.map(|file| (file, FileKind::Increment));
        let mut text = Vec::new();
        for (file, kind) in base.chain(history).chain(increments) {
            let start = text.len();
            append_line(&mut text, file, kind, Escape::NotPrintable);
            // As Redis has it, a long name of many bytes beyond ASCII makes a line that
            // cannot be read again. They may as well be written as they are.
            if text.len() - start > MAX_LINE_BYTES {
                text.truncate(start);
                append_line(&mut text, file, kind, Escape::Controls);
            }
        }
        text
    }

    /// Whether there is nothing to load.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The sequence number of the last increment; 0 if there is none.
    #[must_use]
    pub fn last_increment(&self) -> u64 {
        self.increments.last().map_or(0, |file| file.sequence)
    }

    /// The increment that comes next.
    pub(super) fn next_increment(&self, stem: &OsStr) -> AofFile {
        self.unused(stem, self.last_increment(), ".incr.aof")
    }

    /// The base that comes next.
    pub(super) fn next_base(&self, stem: &OsStr, suffix: &str) -> AofFile {
        let base = self.base.as_ref().map_or(0, |file| file.sequence);
        self.unused(stem, base, suffix)
    }

    /// A file that comes after this number, and whose name does not stand for a file
    /// that is about to be removed.
    fn unused(&self, stem: &OsStr, after: u64, suffix: &str) -> AofFile {
        let mut sequence = after + 1;
        loop {
            let name = numbered(stem, sequence, suffix);
            if self.history.iter().all(|file| file.name != name) {
                return AofFile { name, sequence };
            }
            sequence += 1;
        }
    }
}

fn append_line(text: &mut Vec<u8>, file: &AofFile, kind: FileKind, escape: Escape) {
    text.extend_from_slice(b"file ");
    words::append_word(text, file.name.as_bytes(), escape);
    let rest = format!(" seq {} type {}\n", file.sequence, kind.letter());
    text.extend_from_slice(rest.as_bytes());
}

fn numbered(stem: &OsStr, sequence: u64, suffix: &str) -> OsString {
    let mut name = stem.to_owned();
    name.push(format!(".{sequence}{suffix}"));
    name
}

/// The positive number that a word begins with. What follows it is of no account, as
/// for Redis; a number without successor is refused.
fn leading_number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit());
    let mut number: u64 = 0;
    for digit in digits {
        number = number
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    (1..i64::MAX as u64).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests;
