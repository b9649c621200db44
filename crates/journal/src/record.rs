//! What one unit of execution changes, as the commands that change it.
//!
//! ```text
//! bytes:  *3 … SET k v | *2 … DEL j | *3 … SET k w
//! parts:  ^ database 0 ----------->^ database 3 -->^      ends of runs of one database
//! ```
//!
//! Not here: SELECT, MULTI and EXEC, which depend on what stands before in the stream.
//!
//! Invariant: `parts` are ascending, none is empty, and the last ends with `bytes`.

use crate::aof::append_command;

/// A unit's commands in the form of the protocol. Made once and used again.
#[derive(Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    commands: usize,
    second: i64,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    database: u16,
    end: usize,
}

/// A record that grew beyond this gives its room back when it is cleared.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Record {
    /// How many commands there are.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.commands
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    /// Says when it happens, in Unix time. A record that does not say so happens when the
    /// one before it in the stream did.
    #[inline]
    pub fn set_second(&mut self, second: i64) {
        self.second = second;
    }

    pub(crate) fn second(&self) -> i64 {
        self.second
    }

    /// Appends a command, its name first.
    #[inline]
    pub fn command<W: AsRef<[u8]>>(&mut self, database: u16, words: &[W]) {
        append_command(&mut self.bytes, words);
        self.commands += 1;
        let end = self.bytes.len();
        match self.parts.last_mut() {
            Some(part) if part.database == database => part.end = end,
            _ => self.parts.push(Part { database, end }),
        }
    }

    /// Forgets all commands.
    #[inline]
    pub fn clear(&mut self) {
        self.parts.clear();
        self.commands = 0;
        self.second = 0;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// The runs of commands of one database.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut start = 0;
        self.parts.iter().map(move |part| {
            let run = &self.bytes[start..part.end];
            start = part.end;
            (part.database, run)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut record = Record::default();
        assert!(record.is_empty());
        record.command(0, &["SET", "key", "0123456789"]);
        record.command(0, &["DEL", ""]);
        record.command(5, &["INCR", "n"]);
        let runs: Vec<(u16, String)> = record
            .runs()
            .map(|(db, run)| (db, String::from_utf8_lossy(run).into_owned()))
            .collect();
        assert_eq!(
            runs,
            [
                (
                    0,
                    "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\n0123456789\r\n*2\r\n$3\r\nDEL\r\n$0\r\n\r\n"
                        .to_owned()
                ),
                (5, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".to_owned()),
            ]
        );
        assert_eq!(record.commands(), 3);
        record.clear();
        assert_eq!(record.runs().count(), 0);
    }
}
