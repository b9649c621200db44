//! The sparse form: runs of equal registers, as opcodes, from register 0 to the last.
//!
//! ```text
//! ZERO   00xxxxxx             xxxxxx + 1          registers are zero (1 to 64)
//! XZERO  01xxxxxx yyyyyyyy    xxxxxxyyyyyyyy + 1  registers are zero (1 to 16,384)
//! VAL    1vvvvvxx             xx + 1 registers (1 to 4) hold vvvvv + 1 (1 to 32)
//! ```
//!
//! Which of the possible encodings of the same registers is written is visible in the bytes, so
//! [`raise`] splits and joins runs at the same moments as Redis.

use super::estimate::HISTOGRAM_LEN;
use super::{HEADER_LEN, HllError, REGISTERS};

const ZERO_MAX_LEN: usize = 64;
const VALUE_MAX_LEN: usize = 4;
const VALUE_MAX: u8 = 32;

/// After a change, this many opcodes are looked at for runs to join.
const JOIN_SCAN: usize = 5;

/// One opcode: a run of `length` registers that hold `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    value: u8,
    length: usize,
    /// Bytes of the opcode.
    size: usize,
}

/// The outcome of [`raise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    Unchanged,
    Changed,
    /// The change does not fit this form; nothing was changed.
    NeedsDense,
}

/// Where a search for a register may start: a run that ends before it, and that is not the one
/// right before its own. A change looks at that one, too, for runs to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    at: usize,
    first: usize,
}

impl Cursor {
    /// The first run of a value.
    pub fn start() -> Self {
        Self {
            at: HEADER_LEN,
            first: 0,
        }
    }
}

/// Calls `visit` with the first register, the length and the value of each run. The opcodes must
/// cover all registers exactly.
pub(super) fn for_each_run(
    opcodes: &[u8],
    mut visit: impl FnMut(usize, usize, u8),
) -> Result<(), HllError> {
    let (mut at, mut first) = (0, 0);
    while at < opcodes.len() {
        let run = Run::read(opcodes, at).ok_or(HllError::Corrupted)?;
        if first + run.length > REGISTERS {
            return Err(HllError::Corrupted);
        }
        visit(first, run.length, run.value);
        at += run.size;
        first += run.length;
    }
    if first == REGISTERS {
        Ok(())
    } else {
        Err(HllError::Corrupted)
    }
}

pub(super) fn histogram(opcodes: &[u8]) -> Result<[u32; HISTOGRAM_LEN], HllError> {
    let mut histogram = [0; HISTOGRAM_LEN];
    for_each_run(opcodes, |_, length, value| {
        histogram[usize::from(value)] += length as u32;
    })?;
    Ok(histogram)
}

/// Appends a run of zeros.
pub(super) fn push_zeros(out: &mut Vec<u8>, length: usize) {
    if length > ZERO_MAX_LEN {
        let coded = length - 1;
        out.push(0x40 | (coded >> 8) as u8);
        out.push(coded as u8);
    } else if length > 0 {
        out.push((length - 1) as u8);
    }
}

pub(super) fn decode(opcodes: &[u8]) -> Result<String, HllError> {
    let mut out = String::new();
    let mut at = 0;
    while at < opcodes.len() {
        let Run {
            value,
            length,
            size,
        } = Run::read(opcodes, at)
            // What lacks its second byte is shown as if that were zero, which is what
            // Redis finds behind the string.
            .or_else(|| Run::read(&[opcodes[at], 0], 0))
            .ok_or(HllError::Corrupted)?;
        if at > 0 {
            out.push(' ');
        }
        out.push_str(&match (value, size) {
            (0, 1) => format!("z:{length}"),
            (0, _) => format!("Z:{length}"),
            _ => format!("v:{value},{length}"),
        });
        at += size;
    }
    Ok(out)
}

/// Raises one register of a sparse value (header included) to at least `count`, and moves the
/// cursor to where the search for a higher register may start. O(size) from [`Cursor::start`];
/// all registers in order, with one cursor, take O(registers + changes * size of the rest).
pub(super) fn raise(
    value: &mut Vec<u8>,
    index: usize,
    count: u8,
    sparse_max_bytes: usize,
    cursor: &mut Cursor,
) -> Result<Raised, HllError> {
    if count > VALUE_MAX {
        return Ok(Raised::NeedsDense);
    }
    // The run that holds the register, and where the one before it starts.
    let Cursor { mut at, mut first } = *cursor;
    let mut previous: Option<Cursor> = None;
    let run = loop {
        let run = Run::read(value, at).ok_or(HllError::Corrupted)?;
        if index < first + run.length {
            break run;
        }
        *cursor = previous.unwrap_or(*cursor);
        previous = Some(Cursor { at, first });
        at += run.size;
        first += run.length;
    };
    if run.value >= count {
        return Ok(Raised::Unchanged);
    }
    if run.length == 1 && run.size == 1 {
        value[at] = value_opcode(count, 1);
    } else {
        let mut opcodes = Vec::with_capacity(5);
        let push = |opcodes: &mut Vec<u8>, length: usize| {
            if run.value == 0 {
                push_zeros(opcodes, length);
            } else if length > 0 {
                opcodes.push(value_opcode(run.value, length));
            }
        };
        push(&mut opcodes, index - first);
        opcodes.push(value_opcode(count, 1));
        push(&mut opcodes, first + run.length - 1 - index);
        if opcodes.len() > run.size && value.len() + opcodes.len() - run.size > sparse_max_bytes {
            return Ok(Raised::NeedsDense);
        }
        value.splice(at..at + run.size, opcodes);
    }
    join_runs(value, previous.map_or(HEADER_LEN, |previous| previous.at));
    Ok(Raised::Changed)
}

/// Joins neighbouring runs of the same value, where the sum fits one opcode.
fn join_runs(value: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_SCAN {
        let Some(run) = Run::read(value, at) else {
            return;
        };
        if run.value != 0
            && let Some(next) = Run::read(value, at + 1)
            && next.value == run.value
            && run.length + next.length <= VALUE_MAX_LEN
        {
            value[at] = value_opcode(run.value, run.length + next.length);
            value.remove(at + 1);
        } else {
            at += run.size;
        }
    }
}

fn value_opcode(value: u8, length: usize) -> u8 {
    0x80 | (value - 1) << 2 | (length - 1) as u8
}

impl Run {
    /// Reads the opcode at `at`; `None` at the end, or if it is cut short.
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let opcode = *bytes.get(at)?;
        let low = usize::from(opcode & 0x3f);
        Some(match opcode >> 6 {
            0 => Self {
                value: 0,
                length: low + 1,
                size: 1,
            },
            1 => Self {
                value: 0,
                length: (low << 8 | usize::from(*bytes.get(at + 1)?)) + 1,
                size: 2,
            },
            _ => Self {
                value: (opcode >> 2 & 0x1f) + 1,
                length: usize::from(opcode & 3) + 1,
                size: 1,
            },
        })
    }
}
