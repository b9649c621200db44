//! Iterating over a hash: HSCAN.

use ochre_resp::Reply;
use ochre_store::ReadView;

use super::read;
use super::slices::{self, Part};
use crate::commands::args::Args;
use crate::commands::generic::filter::{self, Filter, Scanned};
use crate::commands::spec::*;

pub const HSCAN: Command = Command {
    summary: "Iterates over the fields and values of a hash.",
    since: "2.8.0",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        integer("cursor"),
        pattern("pattern").after("MATCH").opt(),
        integer("count").after("COUNT").opt(),
        token("novalues", "NOVALUES").opt().since("7.4.0"),
    ],
    tips: &["nondeterministic_output"],
    ..command("hscan", Group::Hash, -3, Run::Read(hscan))
};

fn hscan(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let cursor = filter::cursor(args)?;
    let Some(hash) = read::find(view, key)? else {
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(Flow::Done);
    };
    let filter = Filter::parse(args, Scanned::Fields)?;
    let (part, each) = if filter.names_only {
        (Part::Names, 1)
    } else {
        (Part::Both, 2)
    };
    let mut page = Reply::new(out.protocol());
    let mut count = 0;
    let mut digits = itoa::Buffer::new();
    let next = hash.scan(cursor, filter.count, |field| {
        if filter.pattern.matches(field.name.as_bytes(&mut digits)) {
            slices::write_field(&field, part, &mut page);
            count += each;
        }
    });
    out.array(2);
    out.bulk(itoa::Buffer::new().format(next).as_bytes());
    out.array(count);
    out.append(page);
    Ok(Flow::Done)
}
