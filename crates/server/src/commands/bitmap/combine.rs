//! Logic on whole strings: BITOP.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};
use ochre_structures::bits::{BitLogic, combine};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::{edit, value};
use crate::error::Error;

pub const BITOP: Command = Command {
    summary: "Combines strings bit by bit, and stores the result.",
    since: "2.6.0",
    complexity: "O(N)",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(2, OW_UPDATE), KeySpec::rest(3, RO_ACCESS)],
    args: &[
        one_of(
            "operation",
            &[
                token("and", "AND"),
                token("or", "OR"),
                token("xor", "XOR"),
                token("not", "NOT"),
            ],
        ),
        key("destkey"),
        key("key").spec(1).many(),
    ],
    ..command("bitop", Group::Bitmap, -4, Run::Write(bitop))
};

fn bitop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let logic = BitLogic::parse(args.next()?).ok_or(Error::Syntax)?;
    let target = args.next()?;
    let sources = args.rest();
    if logic == BitLogic::Not && sources.len() != 1 {
        return Err(Error::text(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let result = {
        let reading = view.read();
        let strings = sources
            .iter()
            .map(|key| match reading.find(key) {
                Some(entry) => value::bytes(entry),
                None => Ok((&[]).into()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let slices: Vec<&[u8]> = strings.iter().map(AsRef::as_ref).collect();
        combine(logic, &slices)
    };
    let length = result.len();
    if length > 0 {
        edit::set_raw(view, target, result);
        view.modified(target, EventClass::String, "set");
    } else if view.remove(target) {
        view.modified(target, EventClass::Generic, "del");
    }
    out.count(length);
    Ok(Flow::Done)
}
