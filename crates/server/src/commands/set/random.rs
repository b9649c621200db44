//! Drawing members at random: SRANDMEMBER.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::set::SetRef;

use super::{read, slices};
use crate::commands::args::Args;
use crate::commands::element;
use crate::commands::sampling::{self, Draw, Drawn, MANY_DRAWS, Selection};
use crate::commands::spec::*;
use crate::error::Error;

pub const SRANDMEMBER: Command = Command {
    summary: "Returns members of a set drawn at random.",
    since: "1.0.0",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), integer("count").since("2.6.0").opt()],
    history: &[("2.6.0", "Added the optional `count` argument.")],
    tips: &["nondeterministic_output"],
    ..command("srandmember", Group::Set, -2, Run::Read(srandmember))
};

fn srandmember(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    if args.is_empty() {
        let set = read::find(view, key)?;
        match set.and_then(|set| set.random(&mut || view.random())) {
            Some(member) => element::write(member, out),
            None => out.null(),
        }
        return Ok(Flow::Done);
    }
    if args.len() > 1 {
        return Err(Error::Syntax);
    }
    let draw = Draw::parse(args)?;
    match (read::find(view, key)?, draw) {
        (None, _) | (_, Draw::Distinct(0) | Draw::Repeated(0)) => out.array(0),
        (Some(set), Draw::Distinct(count)) => distinct(view, set, count, out),
        (Some(set), Draw::Repeated(count)) => {
            out.array(count);
            if count > MANY_DRAWS {
                slices::write_draws(set, count, view.random(), out);
            } else {
                for _ in 0..count {
                    if let Some(member) = set.random(&mut || view.random()) {
                        element::write(member, out);
                    }
                }
            }
        }
    }
    Ok(Flow::Done)
}

fn distinct(view: &ReadView<'_>, set: SetRef<'_>, count: usize, out: &mut Reply) {
    let size = set.len();
    let count = count.min(size);
    out.array(count);
    if count > MANY_DRAWS && slices::write_distinct(set, count, view.random(), out) {
        return;
    }
    if sampling::are_few(count, size) {
        let mut drawn = Drawn::default();
        while drawn.count() < count {
            let Some(member) = set.random(&mut || view.random()) else {
                break;
            };
            if drawn.is_new(member) {
                element::write(member, out);
            }
        }
        return;
    }
    let mut selection = Selection::new(count, size);
    set.visit(|member| {
        if selection.chooses(view.random()) {
            element::write(member, out);
        }
    });
}
