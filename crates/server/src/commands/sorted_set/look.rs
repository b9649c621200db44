//! Looking at members: ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::sorted_set::Direction;

use super::{bounds, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const ZCARD: Command = Command {
    summary: "Get the number of members in a sorted set.",
    since: "1.2.0",
    complexity: "O(1).",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("zcard", Group::SortedSet, 2, Run::Read(zcard))
};

pub const ZSCORE: Command = Command {
    summary: "Get the score associated with the given member in a sorted set.",
    since: "1.2.0",
    complexity: "O(1).",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("member")],
    ..command("zscore", Group::SortedSet, 3, Run::Read(zscore))
};

pub const ZMSCORE: Command = Command {
    summary: "Get the score associated with the given members in a sorted set.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of members being requested.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("member").many()],
    ..command("zmscore", Group::SortedSet, -3, Run::Read(zmscore))
};

pub const ZRANK: Command = Command {
    summary: "Determine the index of a member in a sorted set.",
    since: "2.0.0",
    complexity: "O(log(N)).",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("member"),
        token("withscore", "WITHSCORE").since("7.2.0").opt(),
    ],
    history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
    ..command("zrank", Group::SortedSet, -3, Run::Read(zrank))
};

pub const ZREVRANK: Command = Command {
    summary: "Determine the index of a member in a sorted set, with scores ordered from high to low.",
    since: "2.0.0",
    complexity: "O(log(N)).",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("member"),
        token("withscore", "WITHSCORE").since("7.2.0").opt(),
    ],
    history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
    ..command("zrevrank", Group::SortedSet, -3, Run::Read(zrevrank))
};

pub const ZCOUNT: Command = Command {
    summary: "Count the members in a sorted set with scores within the given values.",
    since: "2.0.0",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), double("min"), double("max")],
    ..command("zcount", Group::SortedSet, 4, Run::Read(zcount))
};

pub const ZLEXCOUNT: Command = Command {
    summary: "Count the number of members in a sorted set between a given lexicographical range.",
    since: "2.8.9",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("min"), string("max")],
    ..command("zlexcount", Group::SortedSet, 4, Run::Read(zlexcount))
};

fn zcard(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = value::find(view, args.next()?)?;
    out.count(set.map_or(0, |set| set.len()));
    Ok(Flow::Done)
}

fn zscore(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = value::find(view, args.next()?)?;
    let member = args.next()?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => value::write_score(out, score),
        None => out.null(),
    }
    Ok(Flow::Done)
}

fn zmscore(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = value::find(view, args.next()?)?;
    out.array(args.len());
    for member in args.rest() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => value::write_score(out, score),
            None => out.null(),
        }
    }
    Ok(Flow::Done)
}

fn zrank(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    rank(view, args, Direction::Ascending, "zrank", out)
}

fn zrevrank(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    rank(view, args, Direction::Descending, "zrevrank", out)
}

fn rank(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    direction: Direction,
    name: &'static str,
    out: &mut Reply,
) -> Outcome {
    let (key, member) = (args.next()?, args.next()?);
    if args.len() > 1 {
        return Err(Error::Arity(name.into()));
    }
    let with_score = args.keyword("WITHSCORE");
    args.end()?;
    let set = value::find(view, key)?;
    match set.and_then(|set| Some((set, set.rank_and_score(member)?))) {
        Some((set, (rank, score))) => {
            if with_score {
                out.array(2);
            }
            out.count(match direction {
                Direction::Ascending => rank,
                Direction::Descending => set.len() - 1 - rank,
            });
            if with_score {
                value::write_score(out, score);
            }
        }
        None if with_score => out.null_array(),
        None => out.null(),
    }
    Ok(Flow::Done)
}

fn zcount(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (min, max) = bounds::scores(args.next()?, args.next()?)?;
    let set = value::find(view, key)?;
    out.count(set.map_or(0, |set| set.score_ranks(min, max).len()));
    Ok(Flow::Done)
}

fn zlexcount(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (min, max) = bounds::members(args.next()?, args.next()?)?;
    let set = value::find(view, key)?;
    out.count(set.map_or(0, |set| set.lex_ranks(min, max, Direction::Ascending).len()));
    Ok(Flow::Done)
}
