//! Uniting: PFMERGE.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};
use ochre_structures::hyperloglog::{self, Registers};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::edit;

pub const PFMERGE: Command = Command {
    summary: "Merges HyperLogLogs into one.",
    since: "2.8.9",
    complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
    flags: Flags::DENYOOM,
    keys: &[
        KeySpec::one(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::INSERT)),
        KeySpec::rest(2, RO_ACCESS),
    ],
    args: &[key("destkey"), key("sourcekey").spec(1).opt().many()],
    ..command("pfmerge", Group::HyperLogLog, -2, Run::Write(pfmerge))
};

fn pfmerge(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let mut union = Registers::new();
    {
        // The target is one of those merged.
        let reading = view.read();
        for entry in args.rest().iter().filter_map(|key| reading.find(key)) {
            let bytes = value::bytes(entry)?;
            union.merge(&bytes).map_err(value::refusal)?;
        }
    }
    let target = args.next()?;
    let sparse_max_bytes = view.settings().hll_sparse_max_bytes;
    let store = |bytes: &mut Vec<u8>| union.store(bytes, sparse_max_bytes);
    match view.find_mut(target) {
        Some(mut entry) => value::change(&mut entry, store)?.map_err(value::refusal)?,
        None => {
            let mut bytes = hyperloglog::empty();
            store(&mut bytes).map_err(value::refusal)?;
            edit::set_raw(view, target, bytes);
        }
    }
    view.modified(target, EventClass::String, "pfadd");
    out.ok();
    Ok(Flow::Done)
}
