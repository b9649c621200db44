//! Drawing fields at random: HRANDFIELD.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::hash::{Field, HashRef};
use ochre_structures::field_map::FieldMap;

use super::read;
use super::slices::{self, Part};
use crate::commands::args::Args;
use crate::commands::element;
use crate::commands::sampling::{self, Draw, Drawn, MANY_DRAWS, Selection};
use crate::commands::spec::*;
use crate::error::Error;

pub const HRANDFIELD: Command = Command {
    summary: "Returns fields of a hash drawn at random.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of fields returned",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        block(
            "options",
            &[integer("count"), token("withvalues", "WITHVALUES").opt()],
        )
        .opt(),
    ],
    tips: &["nondeterministic_output"],
    ..command("hrandfield", Group::Hash, -2, Run::Read(hrandfield))
};

fn hrandfield(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    if args.is_empty() {
        let hash = read::find(view, key)?;
        match hash.and_then(|hash| hash.random(&mut || view.random())) {
            Some(field) => element::write(field.name, out),
            None => out.null(),
        }
        return Ok(Flow::Done);
    }
    let draw = Draw::parse(args)?;
    let part = match args.len() {
        0 => Part::Names,
        1 if args.keyword("WITHVALUES") => Part::Both,
        _ => return Err(Error::Syntax),
    };
    let (Draw::Distinct(count) | Draw::Repeated(count)) = draw;
    if part == Part::Both && count > (i64::MAX / 2) as usize {
        return Err(Error::OutOfRange);
    }
    match (read::find(view, key)?, draw) {
        (None, _) | (_, Draw::Distinct(0) | Draw::Repeated(0)) => out.array(0),
        (Some(hash), Draw::Distinct(count)) => distinct(view, hash, part, count, out),
        (Some(hash), Draw::Repeated(count)) => repeated(view, hash, part, count, out),
    }
    Ok(Flow::Done)
}

/// The header of `count` fields: with values, pairs in RESP3, one flat row in RESP2.
fn header(count: usize, part: Part, out: &mut Reply) {
    out.array(if part == Part::Both && !out.is_resp3() {
        count * 2
    } else {
        count
    });
}

fn write(field: &Field<'_>, part: Part, out: &mut Reply) {
    if part == Part::Both {
        slices::pair_header(out);
    }
    slices::write_field(field, part, out);
}

fn distinct(view: &ReadView<'_>, hash: HashRef<'_>, part: Part, count: usize, out: &mut Reply) {
    let size = hash.len();
    let count = count.min(size);
    header(count, part, out);
    if count > MANY_DRAWS {
        let map = live_table(view, hash);
        return slices::write_distinct(map, part, count, view.random(), out);
    }
    if sampling::are_few(count, size) {
        let mut drawn = Drawn::default();
        while drawn.count() < count {
            let Some(field) = hash.random(&mut || view.random()) else {
                break;
            };
            if drawn.is_new(field.name) {
                write(&field, part, out);
            }
        }
        return;
    }
    let mut selection = Selection::new(count, size);
    hash.visit(|field| {
        if selection.chooses(view.random()) {
            write(&field, part, out);
        }
    });
}

/// The fields that are not past their deadlines, as a table that shares the hash's segments.
fn live_table(view: &ReadView<'_>, hash: HashRef<'_>) -> FieldMap {
    let mut map = hash.to_table();
    while map.expire_due(view.deadline_now_ms(), usize::MAX, |_| {}) {}
    map
}

fn repeated(view: &ReadView<'_>, hash: HashRef<'_>, part: Part, count: usize, out: &mut Reply) {
    if hash.is_empty() {
        return out.array(0);
    }
    header(count, part, out);
    if count > MANY_DRAWS {
        let map = live_table(view, hash);
        return slices::write_draws(map, part, count, view.random(), out);
    }
    for _ in 0..count {
        if let Some(field) = hash.random(&mut || view.random()) {
            write(&field, part, out);
        }
    }
}
