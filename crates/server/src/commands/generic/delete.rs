//! Removing keys: DEL and UNLINK. They differ in name alone: what is large is freed by
//! the freeing thread in either case.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};

use crate::commands::args::Args;
use crate::commands::spec::*;

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub const DEL: Command = Command {
    summary: "Deletes one or more keys.",
    complexity: "O(N) where N is the number of keys that will be removed; large values are freed \
                 in the background.",
    keys: &[KeySpec::rest(1, RM_DELETE)],
    args: &[key("key").many()],
    tips: TIPS,
    ..command("del", Group::Generic, -2, Run::Write(delete))
};

pub const UNLINK: Command = Command {
    summary: "Asynchronously deletes one or more keys.",
    since: "4.0.0",
    complexity: "O(1) for each key removed, whatever its size; large values are freed in the \
                 background.",
    flags: Flags::FAST,
    keys: &[KeySpec::rest(1, RM_DELETE)],
    args: &[key("key").many()],
    tips: TIPS,
    ..command("unlink", Group::Generic, -2, Run::Write(delete))
};

fn delete(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let mut deleted = 0;
    for key in args.rest() {
        if view.remove(key) {
            view.modified(key, EventClass::Generic, "del");
            deleted += 1;
        }
    }
    out.integer(deleted);
    Ok(Flow::Done)
}
