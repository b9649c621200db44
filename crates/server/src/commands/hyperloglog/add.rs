//! Adding elements: PFADD.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};
use ochre_structures::hyperloglog::{self, HllError};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::edit;

pub const PFADD: Command = Command {
    summary: "Adds elements to a HyperLogLog, which is made if it is not there.",
    since: "2.8.9",
    complexity: "O(1) to add every element.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_INSERT)],
    args: &[key("key"), string("element").opt().many()],
    ..command("pfadd", Group::HyperLogLog, -2, Run::Write(pfadd))
};

fn pfadd(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let elements = args.rest();
    let sparse_max_bytes = view.settings().hll_sparse_max_bytes;
    let mut changes = 0;
    let mut add_all = |bytes: &mut Vec<u8>| -> Result<(), HllError> {
        for element in elements {
            changes += u64::from(hyperloglog::add(bytes, element, sparse_max_bytes)?);
        }
        Ok(())
    };
    let outcome = match view.find_mut(key) {
        Some(mut entry) => value::change(&mut entry, add_all)?,
        None => {
            let mut bytes = hyperloglog::empty();
            let outcome =
                add_all(&mut bytes).and_then(|()| hyperloglog::forget_cardinality(&mut bytes));
            edit::set_raw(view, key, bytes);
            // That it was made is a change, too.
            changes += 1;
            outcome
        }
    };
    // A damaged one may have taken some of the elements before the damage was met.
    if changes > 0 {
        view.modified(key, EventClass::String, "pfadd");
        view.dirty(changes - 1);
    }
    outcome.map_err(value::refusal)?;
    out.integer((changes > 0).into());
    Ok(Flow::Done)
}
