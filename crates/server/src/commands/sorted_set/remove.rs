//! Removing members: ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use std::ops::Range;

use ochre_resp::Reply;
use ochre_store::WriteView;
use ochre_store::value::sorted_set::{Direction, SortedSetRef};

use super::{bounds, value};
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const ZREM: Command = Command {
    summary: "Remove one or more members from a sorted set.",
    since: "1.2.0",
    complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), string("member").many()],
    history: &[("2.4.0", "Accepts multiple elements.")],
    ..command("zrem", Group::SortedSet, -3, Run::Write(zrem))
};

pub const ZREMRANGEBYRANK: Command = Command {
    summary: "Remove all members in a sorted set within the given indexes.",
    since: "2.0.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), integer("start"), integer("stop")],
    ..command(
        "zremrangebyrank",
        Group::SortedSet,
        4,
        Run::Write(zremrangebyrank),
    )
};

pub const ZREMRANGEBYSCORE: Command = Command {
    summary: "Remove all members in a sorted set within the given scores.",
    since: "1.2.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), double("min"), double("max")],
    ..command(
        "zremrangebyscore",
        Group::SortedSet,
        4,
        Run::Write(zremrangebyscore),
    )
};

pub const ZREMRANGEBYLEX: Command = Command {
    summary: "Remove all members in a sorted set between the given lexicographical range.",
    since: "2.8.9",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), string("min"), string("max")],
    ..command(
        "zremrangebylex",
        Group::SortedSet,
        4,
        Run::Write(zremrangebylex),
    )
};

fn zrem(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let done = value::change(view, key, |set| {
        let removed = args
            .rest()
            .iter()
            .filter(|member| set.remove(member).is_some())
            .count();
        (removed, set.len())
    })?;
    let (removed, left) = done.unwrap_or((0, 0));
    value::removed(view, key, "zrem", removed, left);
    out.count(removed);
    Ok(Flow::Done)
}

fn zremrangebyrank(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let ranks = |set: SortedSetRef<'_>| bounds::ranks(start, stop, set.len());
    remove_ranks(view, key, "zremrangebyrank", ranks, out)
}

fn zremrangebyscore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (min, max) = bounds::scores(args.next()?, args.next()?)?;
    let ranks = |set: SortedSetRef<'_>| set.score_ranks(min, max);
    remove_ranks(view, key, "zremrangebyscore", ranks, out)
}

fn zremrangebylex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (min, max) = bounds::members(args.next()?, args.next()?)?;
    let ranks = |set: SortedSetRef<'_>| set.lex_ranks(min, max, Direction::Ascending);
    remove_ranks(view, key, "zremrangebylex", ranks, out)
}

fn remove_ranks(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    event: &'static str,
    ranks: impl FnOnce(SortedSetRef<'_>) -> Range<usize>,
    out: &mut Reply,
) -> Outcome {
    let done = value::change(view, key, |set| {
        let ranks = ranks(set.read());
        // A key that goes as a whole is left to be freed as a whole.
        if ranks.len() == set.len() {
            return (ranks.len(), 0);
        }
        (set.remove_ranks(ranks), set.len())
    })?;
    let (removed, left) = done.unwrap_or((0, 0));
    value::removed(view, key, event, removed, left);
    out.count(removed);
    Ok(Flow::Done)
}
