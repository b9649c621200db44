//! Parts of strings: GETRANGE, its old name SUBSTR, and SETRANGE.

use std::ops::Range;

use ochre_resp::Reply;
use ochre_store::{EventClass, ReadView, WriteView};

use super::{edit, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const GETRANGE: Command = Command {
    summary: "Returns a part of the string value of a key.",
    since: "2.4.0",
    complexity: "O(N) where N is the length of the returned string.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), integer("start"), integer("end")],
    ..command("getrange", Group::String, 4, Run::Read(getrange))
};

pub const SUBSTR: Command = Command {
    summary: "Returns a part of the string value of a key.",
    since: "1.0.0",
    deprecated_since: Some("2.0.0"),
    replaced_by: Some("`GETRANGE`"),
    ..Command {
        name: "substr",
        ..GETRANGE
    }
};

pub const SETRANGE: Command = Command {
    summary: "Overwrites a part of a string value, which is made or lengthened with zeros as needed.",
    since: "2.2.0",
    complexity: "O(1) for a short value, O(M) otherwise, M being the length of the value.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[key("key"), integer("offset"), string("value")],
    ..command("setrange", Group::String, 4, Run::Write(setrange))
};

fn getrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (start, end) = (args.integer()?, args.integer()?);
    match view.find(key) {
        Some(entry) => value::reply_range(entry, out, |len| resolve(start, end, len))?,
        None => out.bulk(b""),
    }
    Ok(Flow::Done)
}

/// The bytes that inclusive ends select of a string of `len` bytes; negative ends count
/// from its end.
fn resolve(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_end = |index: i64| {
        if index >= 0 {
            usize::try_from(index).unwrap_or(usize::MAX)
        } else {
            let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            len.saturating_sub(back)
        }
    };
    let (start, end) = (from_end(start), from_end(end).saturating_add(1).min(len));
    if start < end { start..end } else { 0..0 }
}

fn setrange(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let offset = args.integer()?;
    let part = args.next()?;
    let offset = usize::try_from(offset).map_err(|_| Error::text("ERR offset is out of range"))?;
    let old = match view.find(key) {
        Some(entry) => value::length(entry)?,
        None => 0,
    };
    if part.is_empty() {
        out.count(old);
        return Ok(Flow::Done);
    }
    edit::check_length(view, offset, part.len())?;
    let end = offset + part.len();
    edit::edit(view, key, end, |bytes| {
        bytes[offset..end].copy_from_slice(part);
    })?;
    view.modified(key, EventClass::String, "setrange");
    out.count(old.max(end));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_resolved() {
        for (start, end, len, expected) in [
            (0, -1, 5, 0..5),
            (1, 3, 5, 1..4),
            (-3, -2, 5, 2..4),
            (-2, -3, 5, 0..0),
            (-100, -3, 5, 0..3),
            // Both before the start: the first byte, as in Redis.
            (-100, -50, 5, 0..1),
            (3, 2, 5, 0..0),
            (5, 9, 5, 0..0),
            (0, -1, 0, 0..0),
            (i64::MIN, i64::MAX, 5, 0..5),
            (i64::MIN, i64::MIN, 5, 0..1),
            (i64::MAX, i64::MAX, 5, 0..0),
        ] {
            assert_eq!(resolve(start, end, len), expected, "{start} {end} {len}");
        }
    }
}
