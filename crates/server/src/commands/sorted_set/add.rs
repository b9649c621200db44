//! Adding members and changing scores: ZADD, ZINCRBY.

use ochre_resp::Reply;
use ochre_store::value::sorted_set::{Limits, SortedSetMut, new_payload};
use ochre_store::{EventClass, Expiry, WriteView};
use ochre_structures::number;
use ochre_structures::sorted_set::Insertion;

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const ZADD: Command = Command {
    summary: "Add one or more members to a sorted set, or update its score if it already exists.",
    since: "1.2.0",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        one_of("condition", &[token("nx", "NX"), token("xx", "XX")])
            .since("3.0.2")
            .opt(),
        one_of("comparison", &[token("gt", "GT"), token("lt", "LT")])
            .since("6.2.0")
            .opt(),
        token("change", "CH").since("3.0.2").opt(),
        token("increment", "INCR").since("3.0.2").opt(),
        block("score_member", &[double("score"), string("member")]).many(),
    ],
    history: &[
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ],
    ..command("zadd", Group::SortedSet, -4, Run::Write(zadd))
};

pub const ZINCRBY: Command = Command {
    summary: "Increment the score of a member in a sorted set.",
    since: "1.2.0",
    complexity: "O(log(N)) where N is the number of elements in the sorted set.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), integer("increment"), string("member")],
    ..command("zincrby", Group::SortedSet, 4, Run::Write(zincrby))
};

/// When a member is added, when its score is changed, and what is answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Add only (NX).
    pub only_new: bool,
    /// Change only (XX).
    pub only_present: bool,
    /// Change only to a greater score (GT).
    pub only_greater: bool,
    /// Change only to a lesser score (LT).
    pub only_less: bool,
    /// Count changed members too (CH).
    pub count_changed: bool,
    /// Add to the score (INCR).
    pub increment: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Self {
        let mut options = Self::default();
        loop {
            if args.keyword("NX") {
                options.only_new = true;
            } else if args.keyword("XX") {
                options.only_present = true;
            } else if args.keyword("CH") {
                options.count_changed = true;
            } else if args.keyword("INCR") {
                options.increment = true;
            } else if args.keyword("GT") {
                options.only_greater = true;
            } else if args.keyword("LT") {
                options.only_less = true;
            } else {
                return options;
            }
        }
    }

    fn check(self, pairs: usize) -> Result<(), Error> {
        if self.only_new && self.only_present {
            return Err(Error::text(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        let comparisons = usize::from(self.only_new)
            + usize::from(self.only_greater)
            + usize::from(self.only_less);
        if comparisons > 1 {
            return Err(Error::text(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increment && pairs > 1 {
            return Err(Error::text(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }
}

fn zadd(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let options = Options::parse(args);
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    options.check(args.len() / 2)?;
    add_pairs(view, key, args, options, out)
}

fn zincrby(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let options = Options {
        increment: true,
        ..Options::default()
    };
    add_pairs(view, key, args, options, out)
}

/// Adds the pairs of scores and members that are left of the arguments.
fn add_pairs(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    args: &Args<'_>,
    options: Options,
    out: &mut Reply,
) -> Outcome {
    let pairs = args.rest().as_chunks::<2>().0;
    // All scores are read before anything is changed; of a single one, the usual case,
    // nothing is kept.
    if let [[score, member]] = pairs {
        let score = number::parse_f64(score).ok_or(Error::NotFloat)?;
        return add(view, key, [(*member, score)].into_iter(), options, out);
    }
    for [score, _] in pairs {
        number::parse_f64(score).ok_or(Error::NotFloat)?;
    }
    let members = pairs.iter().map(|[score, member]| {
        let score = number::parse_f64(score).expect("it was read before");
        (*member, score)
    });
    add(view, key, members, options, out)
}

/// What became of the members.
#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The score of the last member that the options let through.
    score: Option<f64>,
    not_a_number: bool,
}

/// Adds members to the sorted set of `key` and answers as ZADD does.
///
/// # Errors
/// Another type, and a sum that is not a number.
pub fn add<'m>(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    members: impl ExactSizeIterator<Item = (&'m [u8], f64)> + Clone,
    options: Options,
    out: &mut Reply,
) -> Outcome {
    let (expected, first) = (members.len(), members.clone().next());
    let mut tally = Tally::default();
    let found = value::change(view, key, |set| {
        set.expect_members(expected);
        add_all(set, members.clone(), options, &mut tally);
    })?;
    if found.is_none() && !options.only_present {
        let limits = Limits::from(view.settings());
        let first_bytes = first.map_or(0, |(member, _)| member.len());
        view.set(
            key,
            new_payload(limits, expected, first_bytes),
            Expiry::Clear,
        );
        value::change(view, key, |set| add_all(set, members, options, &mut tally))?;
    }
    let changes = tally.added + tally.updated;
    if changes > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        view.modified(key, EventClass::SortedSet, event);
        view.dirty(changes as u64 - 1);
    }
    if tally.not_a_number {
        return Err(Error::text("ERR resulting score is not a number (NaN)"));
    }
    if options.increment {
        match tally.score {
            Some(score) => value::write_score(out, score),
            None => out.null(),
        }
    } else if options.count_changed {
        out.count(changes);
    } else {
        out.count(tally.added);
    }
    Ok(Flow::Done)
}

fn add_all<'m>(
    set: &mut SortedSetMut<'_>,
    members: impl Iterator<Item = (&'m [u8], f64)>,
    options: Options,
    tally: &mut Tally,
) {
    for (member, given) in members {
        let insertion = set.insert_with(member, |present| {
            let score = match present {
                Some(_) if options.only_new => return None,
                None if options.only_present => return None,
                Some(present) if options.increment => present + given,
                _ => given,
            };
            if score.is_nan() {
                tally.not_a_number = true;
                return None;
            }
            let refused = present.is_some_and(|present| {
                (options.only_greater && score <= present)
                    || (options.only_less && score >= present)
            });
            if refused {
                return None;
            }
            tally.score = Some(score);
            Some(score)
        });
        if tally.not_a_number {
            return;
        }
        match insertion {
            Insertion::Inserted => tally.added += 1,
            Insertion::Updated(_) => tally.updated += 1,
            Insertion::Unchanged => {}
        }
    }
}
