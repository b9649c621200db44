//! Walking over members bit by bit: ZSCAN.

use ochre_resp::{Protocol, Reply};
use ochre_store::ReadView;
use ochre_store::value::sorted_set::SortedSetRef;
use ochre_structures::number;

use super::value;
use crate::commands::args::Args;
use crate::commands::generic::filter::{self, Filter, Scanned};
use crate::commands::spec::*;

pub const ZSCAN: Command = Command {
    summary: "Incrementally iterate sorted sets elements and associated scores.",
    since: "2.8.0",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        integer("cursor"),
        pattern("pattern").after("MATCH").opt(),
        integer("count").after("COUNT").opt(),
    ],
    tips: &["nondeterministic_output"],
    ..command("zscan", Group::SortedSet, -3, Run::Read(zscan))
};

fn zscan(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let cursor = filter::cursor(args)?;
    let Some(set) = value::find(view, key)? else {
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(Flow::Done);
    };
    let filter = Filter::parse(args, Scanned::Elements)?;
    // How many there are is known at the end.
    let mut found = Reply::new(Protocol::Resp2);
    let mut elements = 0;
    let mut text = Vec::new();
    let mut digits = itoa::Buffer::new();
    let next = match u32::try_from(cursor) {
        Ok(position) => set.scan(position, filter.count, |member, score| {
            let member = member.as_bytes(&mut digits);
            if !filter.pattern.matches(member) {
                return;
            }
            elements += 2;
            found.bulk(member);
            text.clear();
            match set {
                SortedSetRef::Packed(_) => number::push_f64(&mut text, score),
                // Redis prints the scores of large sets with all their digits.
                SortedSetRef::Tree(_) => number::format_f64_17g(&mut text, score),
            }
            found.bulk(&text);
        }),
        // No cursor of ours: as good as the end.
        Err(_) => None,
    };
    out.array(2);
    out.bulk_integer(next.map_or(0, i64::from));
    out.array(elements);
    out.raw(found.bytes());
    Ok(Flow::Done)
}
