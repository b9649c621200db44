//! Counting and finding bits: BITCOUNT, BITPOS.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::bits::{self, BitRange, RangeUnit};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::value;
use crate::error::Error;

const UNIT: Arg = one_of("unit", &[token("byte", "BYTE"), token("bit", "BIT")])
    .opt()
    .since("7.0.0");

pub const BITCOUNT: Command = Command {
    summary: "Counts the bits that are set in a string value or a range of it.",
    since: "2.6.0",
    complexity: "O(N)",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        block("range", &[integer("start"), integer("end"), UNIT]).opt(),
    ],
    history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
    ..command("bitcount", Group::Bitmap, -2, Run::Read(bitcount))
};

pub const BITPOS: Command = Command {
    summary: "Finds the first bit that is set, or the first that is clear, in a string value or a range of it.",
    since: "2.8.7",
    complexity: "O(N)",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        integer("bit"),
        block(
            "range",
            &[
                integer("start"),
                block("end-unit-block", &[integer("end"), UNIT]).opt(),
            ],
        )
        .opt(),
    ],
    history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
    ..command("bitpos", Group::Bitmap, -3, Run::Read(bitpos))
};

fn bitcount(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    // A key that is not there comes before anything wrong with the range.
    let Some(entry) = view.find(args.next()?) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let length = value::length(entry)?;
    let range = match args.len() {
        0 => BitRange::whole(length),
        2 | 3 => {
            let (start, end) = (args.integer()?, args.integer()?);
            if start < 0 && end < 0 && start > end {
                // Settled before the unit is looked at.
                None
            } else {
                BitRange::for_count(start, end, unit(args)?, length)
            }
        }
        _ => return Err(Error::Syntax),
    };
    let count = match range {
        Some(range) => value::with_bytes(entry, |bytes| bits::count_ones_in(bytes, range))?,
        None => 0,
    };
    out.integer(count as i64);
    Ok(Flow::Done)
}

fn bitpos(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let wanted = match args.integer()? {
        0 => false,
        1 => true,
        _ => return Err(Error::text("ERR The bit argument must be 1 or 0.")),
    };
    let Some(entry) = view.find(key) else {
        out.integer(if wanted { -1 } else { 0 });
        return Ok(Flow::Done);
    };
    let length = value::length(entry)?;
    let end_is_given = args.len() >= 2;
    let range = match args.len() {
        0 => BitRange::whole(length),
        1 => BitRange::for_position(args.integer()?, -1, RangeUnit::Byte, length),
        2 | 3 => {
            // The unit is read before the end, as in Redis.
            let start = args.integer()?;
            let mut behind = args.clone();
            behind.skip(1);
            let unit = unit(&mut behind)?;
            BitRange::for_position(start, args.integer()?, unit, length)
        }
        _ => return Err(Error::Syntax),
    };
    let position = match range {
        Some(range) => {
            let found = value::with_bytes(entry, |bytes| bits::find_bit(bytes, wanted, range))?;
            match found {
                Some(offset) => offset as i64,
                // Without an end the string counts as followed by zeros for ever.
                None if !wanted && !end_is_given => length as i64 * 8,
                None => -1,
            }
        }
        None => -1,
    };
    out.integer(position);
    Ok(Flow::Done)
}

/// The unit of a range, the last argument, if there is one.
fn unit(args: &mut Args<'_>) -> Result<RangeUnit, Error> {
    if args.is_empty() || args.keyword("BYTE") {
        Ok(RangeUnit::Byte)
    } else if args.keyword("BIT") {
        Ok(RangeUnit::Bit)
    } else {
        Err(Error::Syntax)
    }
}
