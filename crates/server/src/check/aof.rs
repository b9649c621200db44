//! Checks one append-only file, or one file of a chain: its RDB preamble, if it has
//! one, and that it consists of whole commands and transactions.

use std::io::Read;
use std::path::Path;

use ochre_journal::aof::{AofReader, FormatFault, ReadError, Torn};

use crate::commands::FAMILIES;
use crate::commands::table::CommandTable;

use super::report::{reason, shown};
use super::{Broken, Check, Repair, Verdict};

/// How many unknown commands are told of one by one.
const MAX_TOLD: u64 = 10;

/// Whether other files follow in the chain: only the last may be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Followed,
    Last,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Valid,
    Empty,
    Truncated,
    TruncatedToTimestamp,
}

/// How far a file was found to be good.
struct Analysis {
    valid_up_to: u64,
    lines: u64,
    error: Option<ReadError>,
    stopped_by_timestamp: bool,
    /// The last whole command: where it starts, and its name.
    last_command: Option<(u64, Vec<u8>)>,
}

impl Check<'_, '_> {
    /// Checks a file that is no part of a chain.
    pub(super) fn single_aof(&mut self, path: &Path) -> Verdict {
        let name = path.display().to_string();
        self.terminal
            .line(format_args!("Start checking Old-Style AOF"));
        let outcome = self.aof(path, &name, Position::Last)?;
        self.conclude("AOF", &name, outcome);
        Ok(())
    }

    /// Says what became of a file.
    pub(super) fn conclude(&mut self, what: &str, name: &str, outcome: Outcome) {
        match (outcome, self.repair) {
            (Outcome::Valid, _) => self.terminal.line(format_args!("{what} {name} is valid")),
            (Outcome::Empty, _) => self.terminal.line(format_args!("{what} {name} is empty")),
            (Outcome::TruncatedToTimestamp, Repair::TruncateToTimestamp(time)) => {
                self.terminal.line(format_args!(
                    "Successfully truncated AOF {name} to timestamp {time}"
                ));
            }
            (Outcome::Truncated | Outcome::TruncatedToTimestamp, _) => {
                self.terminal
                    .line(format_args!("Successfully truncated AOF {name}"));
            }
        }
    }

    /// Checks a file, and repairs it if that was asked for.
    pub(super) fn aof(&mut self, path: &Path, name: &str, position: Position) -> Verdict<Outcome> {
        let opened = self
            .disk
            .len(path)
            .and_then(|size| Ok((size, self.disk.read(path)?)));
        let (size, input) = opened.map_err(|error| {
            let (path, reason) = (path.display(), reason(&error));
            self.terminal.line(format_args!(
                "Cannot open file {path}: {reason}, aborting..."
            ));
            Broken
        })?;
        if size == 0 {
            return Ok(Outcome::Empty);
        }
        let analysis = self.analyse(path, name, input)?;
        if let Some(ReadError::Io { .. }) = analysis.error {
            return Err(Broken);
        }
        let end = analysis.valid_up_to;
        if analysis.stopped_by_timestamp {
            return self.cut_to_timestamp(path, name, position, end);
        }
        let surplus = size.saturating_sub(end);
        if let (Repair::TruncateToTimestamp(time), 0) = (self.repair, surplus) {
            self.terminal.line(format_args!(
                "Truncate nothing in AOF {name} to timestamp {time}"
            ));
            return Ok(Outcome::Valid);
        }
        self.terminal.line(format_args!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={end}, ok_up_to_line={}, \
             diff={surplus}",
            analysis.lines + 1
        ));
        if surplus == 0 {
            return Ok(Outcome::Valid);
        }
        if let Some((offset, command)) = &analysis.last_command {
            self.terminal.line(format_args!(
                "The last whole command is {} at byte {offset}",
                shown(command)
            ));
        }
        self.repair(path, name, position, size, end)
    }

    /// Reads the file through, and tells what is wrong with it.
    fn analyse(
        &mut self,
        path: &Path,
        name: &str,
        input: Box<dyn Read + Send>,
    ) -> Verdict<Analysis> {
        let mut head = Vec::new();
        let mut input = input;
        // What cannot be read here cannot be read below.
        let _ = (&mut input).take(5).read_to_end(&mut head);
        let is_rdb = head == b"REDIS";
        let input = std::io::Cursor::new(head).chain(input);
        let mut reader: AofReader<Box<dyn Read + '_>> = if is_rdb {
            let Ok(rest) = self.rdb(path, name, input) else {
                self.terminal.line(format_args!(
                    "RDB preamble of AOF file is not sane, aborting."
                ));
                return Err(Broken);
            };
            self.terminal.line(format_args!(
                "RDB preamble is OK, proceeding with AOF tail..."
            ));
            AofReader::new(Box::new(rest.input), rest.offset)
        } else {
            AofReader::new(Box::new(input), 0)
        };
        if let Repair::TruncateToTimestamp(time) = self.repair {
            reader = reader.up_to_timestamp(time);
        }
        let mut last = (None, Vec::new());
        let commands = CommandTable::new(FAMILIES);
        let mut unknown = 0;
        let error = loop {
            match reader.next() {
                Ok(Some(command)) => {
                    if commands.find(command.name()).is_none() {
                        unknown += 1;
                        if unknown <= MAX_TOLD {
                            self.terminal.line(format_args!(
                                "[warning] at byte {}: unknown command '{}'",
                                command.offset(),
                                shown(command.name())
                            ));
                        }
                    }
                    last.0 = Some(command.offset());
                    last.1.clear();
                    last.1.extend_from_slice(command.name());
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if unknown > 0 {
            // It may be renamed (`rename-command`) where the file is to be loaded.
            self.terminal.line(format_args!(
                "[warning] {unknown} commands are unknown: a server that does not know them \
                 refuses to load the file"
            ));
        }
        if let Some(error) = &error {
            self.tell(path, name, error);
        }
        Ok(Analysis {
            valid_up_to: reader.valid_up_to(),
            lines: reader.lines(),
            stopped_by_timestamp: reader.stopped_by_timestamp(),
            error,
            last_command: last.0.map(|offset| (offset, last.1)),
        })
    }

    /// Tells what is wrong, in the words of redis-check-aof where it has any.
    fn tell(&mut self, path: &Path, name: &str, error: &ReadError) {
        let path = path.display();
        let (offset, text) = match error {
            ReadError::Io { source, .. } => {
                let reason = reason(source);
                self.terminal.line(format_args!(
                    "Failed to read from AOF {name}, aborting... ({reason})"
                ));
                return;
            }
            ReadError::Truncated { offset, torn, .. } => {
                let text = match torn {
                    Torn::Argument { expected, found } => {
                        format!("Expected to read {expected} bytes, got {found} bytes")
                    }
                    Torn::Line => "Reached EOF within a command".into(),
                    Torn::Transaction => "Reached EOF before reading EXEC for MULTI".into(),
                    Torn::Annotation => "Reached EOF within an annotation".into(),
                };
                (offset, text)
            }
            ReadError::Format { offset, fault, .. } => {
                let text = match fault {
                    FormatFault::Start { .. } | FormatFault::LongAnnotation => {
                        self.terminal.line(format_args!("AOF {name} format error"));
                        fault.to_string()
                    }
                    FormatFault::Prefix { found } => {
                        format!("Expected prefix '$', got: '{}'", found.escape_ascii())
                    }
                    FormatFault::LineEnd { found } => {
                        format!("Expected \\r\\n, got: {:02x}{:02x}", found[0], found[1])
                    }
                    FormatFault::UnexpectedMulti => format!("Unexpected MULTI in AOF {path}"),
                    FormatFault::UnexpectedExec => format!("Unexpected EXEC in AOF {path}"),
                    FormatFault::Timestamp => "Invalid timestamp annotation".into(),
                    fault => fault.to_string(),
                };
                (offset, text)
            }
        };
        self.terminal.line(format_args!("0x{offset:16x}: {text}"));
    }

    fn cut_to_timestamp(
        &mut self,
        path: &Path,
        name: &str,
        position: Position,
        end: u64,
    ) -> Verdict<Outcome> {
        let Repair::TruncateToTimestamp(time) = self.repair else {
            return Err(Broken);
        };
        if end == 0 {
            self.terminal.line(format_args!(
                "AOF {name} has nothing before timestamp {time}, aborting..."
            ));
            return Err(Broken);
        }
        if position == Position::Followed {
            self.terminal.line(format_args!(
                "Failed to truncate AOF {name} to timestamp {time} to offset {end} because it is \
                 not the last file."
            ));
            self.terminal.line(format_args!(
                "If you insist, delete the files that follow it, and their lines in the manifest, \
                 and check again."
            ));
            return Err(Broken);
        }
        match self.cut(path, end) {
            Ok(()) => Ok(Outcome::TruncatedToTimestamp),
            Err(error) => {
                self.terminal.line(format_args!(
                    "Failed to truncate AOF {name} to timestamp {time}: {}",
                    reason(&error)
                ));
                Err(Broken)
            }
        }
    }

    /// Cuts off what is after `end`, if that was asked for, and is wanted.
    fn repair(
        &mut self,
        path: &Path,
        name: &str,
        position: Position,
        size: u64,
        end: u64,
    ) -> Verdict<Outcome> {
        if !matches!(self.repair, Repair::Ask | Repair::Do) {
            self.terminal.line(format_args!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ));
            return Err(Broken);
        }
        if position == Position::Followed {
            self.terminal.line(format_args!(
                "Failed to truncate AOF {name} because it is not the last file"
            ));
            return Err(Broken);
        }
        self.terminal.line(format_args!(
            "This will shrink the AOF {name} from {size} bytes, with {} bytes, to {end} bytes",
            size - end
        ));
        if self.repair == Repair::Ask && !self.terminal.confirms("Continue? [y/N]: ") {
            self.terminal.line(format_args!("Aborting..."));
            return Err(Broken);
        }
        match self.cut(path, end) {
            Ok(()) => Ok(Outcome::Truncated),
            Err(error) => {
                let reason = reason(&error);
                self.terminal
                    .line(format_args!("Failed to truncate AOF {name}: {reason}"));
                Err(Broken)
            }
        }
    }

    fn cut(&self, path: &Path, end: u64) -> std::io::Result<()> {
        let mut file = self.disk.append(path)?;
        file.set_len(end)?;
        file.sync_data()
    }
}
