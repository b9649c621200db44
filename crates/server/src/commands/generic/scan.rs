//! Listing keys: SCAN and KEYS.

use ochre_resp::Reply;

use super::filter::{self, Filter, Scanned};
use super::gather::{self, Form, Gather};
use crate::commands::args::Args;
use crate::commands::found::Found;
use crate::commands::spec::*;

/// A SCAN that asks for more keys than this is answered in slices.
const LONG_PAGE: usize = 1000;

pub const KEYS: Command = Command {
    summary: "Returns all key names that match a pattern.",
    complexity: "O(N) with N being the number of keys in the database, under the assumption that \
                 the key names in the database and the given pattern have limited length.",
    flags: Flags::READONLY,
    categories: Categories::DANGEROUS,
    args: &[pattern("pattern")],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    ..command("keys", Group::Generic, 2, Run::Keyspace(keys))
};

fn keys(whole: &mut KeyspaceCall<'_, '_, '_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let filter = Filter::matching(args.next()?);
    list(whole, 0, filter, Form::List, out);
    Ok(Flow::Done)
}

pub const SCAN: Command = Command {
    summary: "Iterates over the key names in the database.",
    since: "2.8.0",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command \
                 calls for the cursor to return back to 0. N is the number of elements inside the \
                 collection.",
    flags: Flags::READONLY,
    args: &[
        integer("cursor"),
        pattern("pattern").after("MATCH").opt(),
        integer("count").after("COUNT").opt(),
        string("type").after("TYPE").opt().since("6.0.0"),
    ],
    history: &[("6.0.0", "Added the `TYPE` subcommand.")],
    tips: &["nondeterministic_output", "request_policy:special"],
    ..command("scan", Group::Generic, -2, Run::Keyspace(scan))
};

fn scan(whole: &mut KeyspaceCall<'_, '_, '_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = filter::cursor(args)?;
    let filter = Filter::parse(args, Scanned::Keys)?;
    list(whole, cursor, filter, Form::Page, out);
    Ok(Flow::Done)
}

fn list(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    cursor: u64,
    filter: Filter,
    form: Form,
    out: &mut Reply,
) {
    let view = &mut *whole.view;
    // Within a transaction or script nobody else may have a turn.
    if view.holds_nothing() && filter.count > LONG_PAGE {
        let store = whole.call.server.store.clone();
        return Gather::new(store, view.walk(cursor), filter, form).begin(out);
    }
    let mut found = Found::default();
    let next = view.scan(cursor, filter.count, |entry| {
        if filter.admits(entry) {
            found.add(|out| out.bulk(entry.key()));
        }
    });
    gather::write(form, next, found, out);
}
