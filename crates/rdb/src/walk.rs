//! Finding the end of a value without decoding it.
//!
//! The walk keeps its place: when the bytes in memory end within the value, it stops
//! before the part that is cut off, and goes on there when more have arrived. So a
//! value of any size is walked once.

use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::value_type::{Part, ValueType};

/// Parts that repeat, and where the walk is in them.
#[derive(Clone, Copy, Debug)]
struct Frame {
    parts: &'static [Part],
    next: usize,
    /// How often the parts are still to come, this time included.
    rounds: u64,
}

/// A walk over one value. Kept between values for its allocation.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    frames: Vec<Frame>,
}

impl Walk {
    /// Prepares to walk over these parts.
    pub(crate) fn start(&mut self, parts: &'static [Part]) {
        self.frames.clear();
        self.frames.push(Frame {
            parts,
            next: 0,
            rounds: 1,
        });
    }

    /// Goes on to the end of the value.
    ///
    /// # Errors
    /// What is malformed; or that bytes are missing, and then the cursor stands where
    /// the walk can go on.
    pub(crate) fn advance(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        while let Some(frame) = self.frames.last_mut() {
            let Some(&part) = frame.parts.get(frame.next) else {
                frame.rounds -= 1;
                frame.next = 0;
                if frame.rounds == 0 {
                    self.frames.pop();
                }
                continue;
            };
            let start = cursor.position();
            let step = match part {
                Part::Text => cursor.skip_string().map(|()| None),
                Part::Length => cursor.length().map(|_| None),
                Part::Bytes(count) => cursor.take(u64::from(count)).map(|_| None),
                Part::AsciiDouble => cursor.skip_ascii_double().map(|()| None),
                Part::Counted(parts) => cursor
                    .length()
                    .map(|rounds| Some((parts, rounds)).filter(|&(_, rounds)| rounds > 0)),
                Part::ModuleData => match skip_module_part(cursor) {
                    Ok(ModulePart::Some) => continue,
                    Ok(ModulePart::End) => Ok(None),
                    Err(error) => Err(error),
                },
            };
            match step {
                Ok(inner) => {
                    frame.next += 1;
                    if let Some((parts, rounds)) = inner {
                        self.frames.push(Frame {
                            parts,
                            next: 0,
                            rounds,
                        });
                    }
                }
                Err(error) => {
                    cursor.seek(start);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

enum ModulePart {
    Some,
    End,
}

fn skip_module_part(cursor: &mut Cursor<'_>) -> Result<ModulePart> {
    const END: u64 = 0;
    const SIGNED: u64 = 1;
    const UNSIGNED: u64 = 2;
    const FLOAT: u64 = 3;
    const DOUBLE: u64 = 4;
    const STRING: u64 = 5;
    let start = cursor.position();
    match cursor.length()? {
        END => return Ok(ModulePart::End),
        SIGNED | UNSIGNED => {
            cursor.length()?;
        }
        FLOAT => {
            cursor.take(4)?;
        }
        DOUBLE => {
            cursor.take(8)?;
        }
        STRING => cursor.skip_string()?,
        opcode => return Err(cursor.error_at(start, RdbErrorKind::ModuleOpcode(opcode))),
    }
    Ok(ModulePart::Some)
}

/// The parts of a value of this type.
///
/// # Errors
/// If they do not tell where the value ends.
pub(crate) fn grammar(value_type: ValueType, cursor: &Cursor<'_>) -> Result<&'static [Part]> {
    value_type
        .grammar()
        .ok_or_else(|| cursor.error(RdbErrorKind::PreReleaseModule))
}
