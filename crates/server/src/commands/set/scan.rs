//! Iterating over a set: SSCAN.

use ochre_resp::Reply;
use ochre_store::ReadView;

use super::read;
use crate::commands::args::Args;
use crate::commands::element;
use crate::commands::generic::filter::{self, Filter, Scanned};
use crate::commands::spec::*;

pub const SSCAN: Command = Command {
    summary: "Iterates over the members of a set.",
    since: "2.8.0",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        integer("cursor"),
        pattern("pattern").after("MATCH").opt(),
        integer("count").after("COUNT").opt(),
    ],
    tips: &["nondeterministic_output"],
    ..command("sscan", Group::Set, -3, Run::Read(sscan))
};

fn sscan(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let cursor = filter::cursor(args)?;
    let Some(set) = read::find(view, key)? else {
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(Flow::Done);
    };
    let filter = Filter::parse(args, Scanned::Elements)?;
    let mut page = Reply::new(out.protocol());
    let mut count = 0;
    let mut digits = itoa::Buffer::new();
    let next = set.scan(cursor, filter.count, |member| {
        if filter.pattern.matches(member.as_bytes(&mut digits)) {
            element::write(member, &mut page);
            count += 1;
        }
    });
    out.array(2);
    out.bulk(itoa::Buffer::new().format(next).as_bytes());
    out.array(count);
    out.append(page);
    Ok(Flow::Done)
}
