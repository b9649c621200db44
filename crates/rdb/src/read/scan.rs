//! The scan: one item after the other is recognised, none is decoded.
//!
//! A step either takes one item, or one piece of metadata of the next key, or leaves
//! everything as it was because bytes are missing. Within an entry the walk keeps its
//! place, so that a huge value which arrives in pieces is passed once.

use super::batch::{Access, Metadata, Placed, PlacedEntry};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::opcode;
use crate::value_type::{Part, ValueType};
use crate::walk::{self, Walk};

const SIGNATURE: &[u8; 5] = b"REDIS";

/// The first version whose files end in a checksum.
const FIRST_WITH_CHECKSUM: u32 = 5;

/// What one step found.
pub(super) enum Found {
    /// An item.
    Item(Placed),
    /// Something that is no item by itself.
    Passed,
    /// The opcode at the end; the checksum as stored follows it, if there is one.
    End { stored: Option<u64> },
}

/// An item whose start was read and whose rest is being walked over.
#[derive(Debug)]
struct Pending {
    placed: Placed,
    /// Where the walk stands.
    at: usize,
}

/// The state of the scan between two steps. Positions count from the buffer's start.
#[derive(Debug, Default)]
pub(super) struct Scan {
    version: Option<u32>,
    database: u32,
    metadata: Metadata,
    pending: Option<Pending>,
    walk: Walk,
}

impl Scan {
    /// The version of the file, once it was read.
    pub(super) fn version(&self) -> Option<u32> {
        self.version
    }

    /// Says that the buffer now starts `count` bytes later in the file.
    pub(super) fn shift(&mut self, count: usize) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        pending.at -= count;
        // Other items that are walked over have nothing to be found again.
        if let Placed::Entry(entry) = &mut pending.placed {
            for place in [&mut entry.key, &mut entry.value] {
                *place = place.start - count..place.end - count;
            }
        }
    }

    /// Takes one step. After an error that bytes are missing it can be repeated with
    /// more of them; the cursor must stand where the last item ended.
    pub(super) fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Found> {
        if self.version.is_none() {
            self.version = Some(version(cursor)?);
            return Ok(Found::Passed);
        }
        if self.pending.is_none()
            && let Some(found) = self.start_item(cursor)?
        {
            return Ok(found);
        }
        self.finish_item(cursor)
    }

    /// Reads the start of an item, and all of it if that is short.
    fn start_item(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Found>> {
        let start = cursor.reading("opcode").position();
        let code = cursor.u8()?;
        if let Some(value_type) = ValueType::from_code(code) {
            let key_start = cursor.reading("key").position();
            cursor.skip_string()?;
            let value_start = cursor.reading(value_type.noun()).position();
            self.walk.start(walk::grammar(value_type, cursor)?);
            let placed = Placed::Entry(PlacedEntry {
                database: self.database,
                metadata: std::mem::take(&mut self.metadata),
                value_type,
                key: key_start..value_start,
                value: value_start..value_start,
            });
            self.pending = Some(Pending {
                placed,
                at: value_start,
            });
            return Ok(None);
        }
        let placed = match code {
            opcode::EXPIRY_S => {
                let seconds = i32::from_le_bytes(cursor.reading("expiry").array()?);
                self.metadata.expiry_ms = Some(i64::from(seconds) * 1000);
                return Ok(Some(Found::Passed));
            }
            opcode::EXPIRY_MS => {
                self.metadata.expiry_ms = Some(cursor.reading("expiry").i64()?);
                return Ok(Some(Found::Passed));
            }
            opcode::FREQUENCY => {
                let frequency = cursor.reading("access frequency").u8()?;
                self.metadata.access = Some(Access::Frequency(frequency));
                return Ok(Some(Found::Passed));
            }
            opcode::IDLE => {
                let seconds = cursor.reading("idle time").length()?;
                self.metadata.access = Some(Access::Idle { seconds });
                return Ok(Some(Found::Passed));
            }
            opcode::EOF => return self.end(cursor).map(Some),
            opcode::SELECT_DB => {
                let number_start = cursor.reading("database number").position();
                let number = cursor.length()?;
                self.database = u32::try_from(number)
                    .map_err(|_| cursor.error_at(number_start, RdbErrorKind::Database(number)))?;
                Placed::SelectDb(self.database)
            }
            opcode::RESIZE_DB => {
                cursor.reading("size hint");
                Placed::ResizeDb {
                    keys: cursor.length()?,
                    expires: cursor.length()?,
                }
            }
            opcode::SLOT_INFO => {
                cursor.reading("slot information");
                Placed::SlotInfo {
                    slot: cursor.length()?,
                    keys: cursor.length()?,
                    expires: cursor.length()?,
                }
            }
            opcode::AUX => {
                let key_start = cursor.reading("auxiliary field").position();
                cursor.skip_string()?;
                let value_start = cursor.position();
                cursor.skip_string()?;
                Placed::Aux {
                    key: key_start..value_start,
                    value: value_start..cursor.position(),
                }
            }
            opcode::FUNCTION => {
                let code_start = cursor.reading("function library").position();
                cursor.skip_string()?;
                Placed::Function(code_start..cursor.position())
            }
            opcode::FUNCTION_PRE_RELEASE => {
                return Err(cursor.error_at(start, RdbErrorKind::PreReleaseFunction));
            }
            opcode::MODULE_AUX => {
                let module = cursor.reading("module data").length()?;
                self.walk.start(&[Part::ModuleData]);
                // The first part, an integer, says when the data is to be loaded: it
                // has the form of all others.
                self.pending = Some(Pending {
                    placed: Placed::ModuleAux { module },
                    at: cursor.position(),
                });
                return Ok(None);
            }
            code => return Err(cursor.error_at(start, RdbErrorKind::Opcode(code))),
        };
        Ok(Some(Found::Item(placed)))
    }

    /// Walks on to the end of an item.
    fn finish_item(&mut self, cursor: &mut Cursor<'_>) -> Result<Found> {
        let Some(pending) = &mut self.pending else {
            return Ok(Found::Passed);
        };
        cursor.seek(pending.at);
        cursor.reading(match &pending.placed {
            Placed::Entry(entry) => entry.value_type.noun(),
            _ => "module data",
        });
        let walked = self.walk.advance(cursor);
        pending.at = cursor.position();
        if let Placed::Entry(entry) = &mut pending.placed {
            entry.value.end = pending.at;
        }
        walked?;
        Ok(match self.pending.take() {
            Some(pending) => Found::Item(pending.placed),
            None => Found::Passed,
        })
    }

    fn end(&self, cursor: &mut Cursor<'_>) -> Result<Found> {
        let stored = if self.version < Some(FIRST_WITH_CHECKSUM) {
            None
        } else {
            Some(u64::from_le_bytes(cursor.reading("checksum").array()?))
        };
        Ok(Found::End { stored })
    }
}

fn version(cursor: &mut Cursor<'_>) -> Result<u32> {
    let start = cursor.reading("signature").position();
    if &cursor.array::<5>()? != SIGNATURE {
        return Err(cursor.error_at(start, RdbErrorKind::Magic));
    }
    let start = cursor.reading("version").position();
    let digits = cursor.array::<4>()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(cursor.error_at(start, RdbErrorKind::Magic));
    }
    let version = digits
        .iter()
        .fold(0, |version, digit| version * 10 + u32::from(digit - b'0'));
    if version == 0 || version > u32::from(crate::NEWEST_READABLE) {
        return Err(cursor.error_at(start, RdbErrorKind::Version(version)));
    }
    Ok(version)
}
