//! Single bits: SETBIT, GETBIT, and the offsets that clients give.

use ochre_resp::Reply;
use ochre_store::{EventClass, ReadView, Settings, WriteView};
use ochre_structures::{bits, number};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::{edit, value};
use crate::error::Error;

pub const SETBIT: Command = Command {
    summary: "Sets or clears the bit at an offset of the string value, which is made or lengthened as needed.",
    since: "2.2.0",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), integer("offset"), integer("value")],
    ..command("setbit", Group::Bitmap, 4, Run::Write(setbit))
};

pub const GETBIT: Command = Command {
    summary: "Returns the bit at an offset of the string value.",
    since: "2.2.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), integer("offset")],
    ..command("getbit", Group::Bitmap, 3, Run::Read(getbit))
};

fn setbit(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let offset = parse_offset(args.next()?, view.settings())?;
    let wanted = match args.next()? {
        b"0" => false,
        b"1" => true,
        _ => return Err(Error::text("ERR bit is not an integer or out of range")),
    };
    let length = bits::length_for(offset + 1);
    let edited = edit::edit(view, key, length, |bytes| {
        bits::set_bit(bytes, offset, wanted)
    })?;
    if edited.grown || edited.result != wanted {
        view.modified(key, EventClass::String, "setbit");
    }
    out.integer(edited.result.into());
    Ok(Flow::Done)
}

fn getbit(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let offset = parse_offset(args.next()?, view.settings())?;
    let bit = match view.find(key) {
        Some(entry) => value::with_bytes(entry, |bytes| bits::bit(bytes, offset))?,
        None => false,
    };
    out.integer(bit.into());
    Ok(Flow::Done)
}

/// A bit's offset, within the longest string that is allowed.
///
/// # Errors
/// Redis's own text for offsets.
pub fn parse_offset(text: &[u8], settings: &Settings) -> Result<u64, Error> {
    scaled_offset(text, 1, settings)
}

/// A field's offset: in bits, or behind `#` in fields of `width` bits.
///
/// # Errors
/// As [`parse_offset`].
pub fn parse_field_offset(text: &[u8], width: u32, settings: &Settings) -> Result<u64, Error> {
    match text {
        [b'#', fields @ ..] => scaled_offset(fields, i64::from(width), settings),
        bits => scaled_offset(bits, 1, settings),
    }
}

fn scaled_offset(text: &[u8], scale: i64, settings: &Settings) -> Result<u64, Error> {
    number::parse_i64(text)
        .and_then(|offset| offset.checked_mul(scale))
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset / 8 < settings.proto_max_bulk_bytes)
        .ok_or(Error::text(
            "ERR bit offset is not an integer or out of range",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lie_within_the_longest_string() {
        let settings = Settings::default();
        let bits = |text: &str| parse_offset(text.as_bytes(), &settings).ok();
        assert_eq!(bits("4294967295"), Some(4_294_967_295));
        assert_eq!(bits("4294967296"), None);
        assert_eq!(bits("-1"), None);
        assert_eq!(bits("#1"), None);
        assert_eq!(bits(""), None);
        let fields = |text: &str, width| parse_field_offset(text.as_bytes(), width, &settings).ok();
        assert_eq!(fields("#3", 5), Some(15));
        assert_eq!(fields("3", 5), Some(3));
        assert_eq!(fields("#", 5), None);
        assert_eq!(fields("#-1", 5), None);
        assert_eq!(fields("#9223372036854775807", 8), None);
        assert_eq!(fields("#4611686018427387904", 4), None);
    }
}
