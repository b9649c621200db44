//! Estimating: PFCOUNT.

use ochre_resp::Reply;
use ochre_store::WriteView;
use ochre_structures::hyperloglog::{self, Registers};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const PFCOUNT: Command = Command {
    summary: "Estimates how many distinct elements were added to one or more HyperLogLogs together.",
    since: "2.8.9",
    complexity: "O(1) for one key; O(N) for N keys, with much larger constant times.",
    // It writes: the estimate is cached in the value.
    flags: Flags::READONLY.or(Flags::MAY_REPLICATE),
    keys: &[KeySpec::rest(1, KeyFlags::RW.or(KeyFlags::ACCESS)).noted(
        "RW because it may change the internal representation of the key, and propagate to replicas",
    )],
    args: &[key("key").many()],
    ..command("pfcount", Group::HyperLogLog, -2, Run::Write(pfcount))
};

fn pfcount(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let count = match args.rest() {
        [key] => count_one(view, key)?,
        keys => {
            let reading = view.read();
            let mut union = Registers::new();
            for entry in keys.iter().filter_map(|key| reading.find(key)) {
                let bytes = value::bytes(entry)?;
                union.merge(&bytes).map_err(value::refusal)?;
            }
            union.estimate()
        }
    };
    out.integer(count as i64);
    Ok(Flow::Done)
}

fn count_one(view: &mut WriteView<'_, '_>, key: &[u8]) -> Result<u64, Error> {
    let estimate = {
        let Some(entry) = view.read().find(key) else {
            return Ok(0);
        };
        let bytes = value::bytes(entry)?;
        if let Some(cached) = hyperloglog::cached_cardinality(&bytes).map_err(value::refusal)? {
            return Ok(cached);
        }
        hyperloglog::estimate(&bytes).map_err(value::refusal)?
    };
    if let Some(mut entry) = view.find_mut(key) {
        value::change(&mut entry, |bytes| {
            hyperloglog::cache_cardinality(bytes, estimate)
        })?
        .map_err(value::refusal)?;
        view.mark_changed(key);
        view.dirty(1);
    }
    Ok(estimate)
}
