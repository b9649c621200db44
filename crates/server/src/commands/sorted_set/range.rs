//! Ranges of members: ZRANGE and its older relatives, ZRANGESTORE.

use std::ops::Range;

use ochre_resp::{Reply, Source};
use ochre_store::value::sorted_set::{
    Direction, Frozen, Members, SLICED_MEMBERS_MIN, SortedSetRef,
};
use ochre_store::{ReadView, WriteView};
use ochre_structures::sorted_set::{LexBound, ScoreBound};

use super::value::{self, Counted, Scores};
use super::{bounds, name::Name};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const ZRANGE: Command = Command {
    summary: "Return a range of members in a sorted set.",
    since: "1.2.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("start"),
        string("stop"),
        one_of(
            "sortby",
            &[token("byscore", "BYSCORE"), token("bylex", "BYLEX")],
        )
        .since("6.2.0")
        .opt(),
        token("rev", "REV").since("6.2.0").opt(),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .since("6.2.0")
            .opt(),
        token("withscores", "WITHSCORES").opt(),
    ],
    history: &[(
        "6.2.0",
        "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.",
    )],
    ..command("zrange", Group::SortedSet, -4, Run::Read(zrange))
};

pub const ZRANGESTORE: Command = Command {
    summary: "Store a range of members from sorted set into another key.",
    since: "6.2.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::one(2, RO_ACCESS)],
    args: &[
        key("dst"),
        key("src").spec(1),
        string("min"),
        string("max"),
        one_of(
            "sortby",
            &[token("byscore", "BYSCORE"), token("bylex", "BYLEX")],
        )
        .opt(),
        token("rev", "REV").opt(),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .opt(),
    ],
    ..command("zrangestore", Group::SortedSet, -5, Run::Write(zrangestore))
};

pub const ZRANGEBYSCORE: Command = Command {
    summary: "Return a range of members in a sorted set, by score.",
    since: "1.0.5",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        double("min"),
        double("max"),
        token("withscores", "WITHSCORES").since("2.0.0").opt(),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .opt(),
    ],
    history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`ZRANGE` with the `BYSCORE` argument"),
    ..command(
        "zrangebyscore",
        Group::SortedSet,
        -4,
        Run::Read(zrangebyscore),
    )
};

pub const ZREVRANGEBYSCORE: Command = Command {
    summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low.",
    since: "2.2.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        double("max"),
        double("min"),
        token("withscores", "WITHSCORES").opt(),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .opt(),
    ],
    history: &[("2.1.6", "`min` and `max` can be exclusive.")],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`ZRANGE` with the `REV` and `BYSCORE` arguments"),
    ..command(
        "zrevrangebyscore",
        Group::SortedSet,
        -4,
        Run::Read(zrevrangebyscore),
    )
};

pub const ZRANGEBYLEX: Command = Command {
    summary: "Return a range of members in a sorted set, by lexicographical range.",
    since: "2.8.9",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("min"),
        string("max"),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .opt(),
    ],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`ZRANGE` with the `BYLEX` argument"),
    ..command("zrangebylex", Group::SortedSet, -4, Run::Read(zrangebylex))
};

pub const ZREVRANGEBYLEX: Command = Command {
    summary: "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
    since: "2.8.9",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("max"),
        string("min"),
        block("offset_count", &[integer("offset"), integer("count")])
            .after("LIMIT")
            .opt(),
    ],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`ZRANGE` with the `REV` and `BYLEX` arguments"),
    ..command(
        "zrevrangebylex",
        Group::SortedSet,
        -4,
        Run::Read(zrevrangebylex),
    )
};

pub const ZREVRANGE: Command = Command {
    summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low.",
    since: "1.2.0",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        integer("start"),
        integer("stop"),
        token("withscores", "WITHSCORES").opt(),
    ],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`ZRANGE` with the `REV` argument"),
    ..command("zrevrange", Group::SortedSet, -4, Run::Read(zrevrange))
};

/// What the ends of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// The ends of a range.
enum Ends<'a> {
    Rank(i64, i64),
    Score(ScoreBound, ScoreBound),
    Lex(LexBound<'a>, LexBound<'a>),
}

/// A range as a command asks for it.
struct Query<'a> {
    ends: Ends<'a>,
    direction: Direction,
    scores: Scores,
    /// Members passed over; a negative number passes over all.
    offset: i64,
    /// Members taken; a negative number takes all.
    limit: i64,
}

/// What a command leaves to be said by its options.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    direction: Option<Direction>,
    may_show_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the ends and the options behind them.
    fn parse(args: &mut Args<'a>, form: Form) -> Result<Self, Error> {
        let (first, second) = (args.next()?, args.next()?);
        let (mut by, mut direction) = (form.by, form.direction);
        let mut scores = Scores::Without;
        let (mut offset, mut limit) = (0, -1);
        while !args.is_empty() {
            if form.may_show_scores && args.keyword("WITHSCORES") {
                scores = Scores::With;
            } else if args.len() > 2 && args.keyword("LIMIT") {
                (offset, limit) = (args.integer()?, args.integer()?);
            } else if direction.is_none() && args.keyword("REV") {
                direction = Some(Direction::Descending);
            } else if by.is_none() && args.keyword("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.keyword("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::Syntax);
            }
        }
        let by = by.unwrap_or(By::Rank);
        let direction = direction.unwrap_or(Direction::Ascending);
        if limit != -1 && by == By::Rank {
            return Err(Error::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if scores == Scores::With && by == By::Lex {
            return Err(Error::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (min, max) = match direction {
            Direction::Ascending => (first, second),
            Direction::Descending => (second, first),
        };
        let ends = match by {
            By::Rank => Ends::Rank(rank(first)?, rank(second)?),
            By::Score => {
                let (min, max) = bounds::scores(min, max)?;
                Ends::Score(min, max)
            }
            By::Lex => {
                let (min, max) = bounds::members(min, max)?;
                Ends::Lex(min, max)
            }
        };
        Ok(Self {
            ends,
            direction,
            scores,
            offset,
            limit,
        })
    }

    /// The ranks of what is asked for, ascending.
    fn ranks(&self, set: SortedSetRef<'_>) -> Range<usize> {
        let ranks = match self.ends {
            Ends::Rank(start, stop) => {
                let len = set.len();
                let ranks = bounds::ranks(start, stop, len);
                return match self.direction {
                    Direction::Ascending => ranks,
                    // Counted from the greatest.
                    Direction::Descending => len - ranks.end..len - ranks.start,
                };
            }
            Ends::Score(min, max) => set.score_ranks(min, max),
            Ends::Lex(min, max) => set.lex_ranks(min, max, self.direction),
        };
        let offset = usize::try_from(self.offset)
            .unwrap_or(usize::MAX)
            .min(ranks.len());
        let taken = usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .min(ranks.len() - offset);
        match self.direction {
            Direction::Ascending => {
                let start = ranks.start + offset;
                start..start + taken
            }
            Direction::Descending => {
                let end = ranks.end - offset;
                end - taken..end
            }
        }
    }
}

fn rank(text: &[u8]) -> Result<i64, Error> {
    ochre_structures::number::parse_i64(text).ok_or(Error::NotInteger)
}

fn zrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(view, args, None, None, out)
}

fn zrevrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(view, args, Some(By::Rank), Some(Direction::Descending), out)
}

fn zrangebyscore(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(view, args, Some(By::Score), Some(Direction::Ascending), out)
}

fn zrevrangebyscore(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(
        view,
        args,
        Some(By::Score),
        Some(Direction::Descending),
        out,
    )
}

fn zrangebylex(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(view, args, Some(By::Lex), Some(Direction::Ascending), out)
}

fn zrevrangebylex(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    range(view, args, Some(By::Lex), Some(Direction::Descending), out)
}

fn range(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    by: Option<By>,
    direction: Option<Direction>,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    let form = Form {
        by,
        direction,
        may_show_scores: true,
    };
    let query = Query::parse(args, form)?;
    match value::find(view, key)? {
        Some(set) => reply(set, query.ranks(set), query.direction, query.scores, out),
        None => out.array(0),
    }
    Ok(Flow::Done)
}

fn zrangestore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (to, from) = (args.next()?, args.next()?);
    let form = Form {
        by: None,
        direction: None,
        may_show_scores: false,
    };
    let query = Query::parse(args, form)?;
    let new = match value::find(&view.read(), from)? {
        Some(set) => {
            let members = set.by_rank(query.ranks(set));
            let members = members.map(|(name, score)| (Name::from(name), score));
            value::assemble(view, members.collect())
        }
        None => None,
    };
    value::store(view, to, new, "zrangestore", Counted::Once, out);
    Ok(Flow::Done)
}

/// Answers a run of ranks. A long one is made in slices from the set as it is now.
pub fn reply(
    set: SortedSetRef<'_>,
    ranks: Range<usize>,
    direction: Direction,
    scores: Scores,
    out: &mut Reply,
) {
    value::write_header(out, ranks.len(), scores);
    if ranks.len() > SLICED_MEMBERS_MIN {
        out.source(Box::new(Slices {
            walk: Walk {
                set: set.freeze(),
                ranks,
                direction,
            },
            scores,
        }));
        return;
    }
    write(set.by_rank(ranks), direction, scores, out);
}

fn write(members: Members<'_>, direction: Direction, scores: Scores, out: &mut Reply) {
    match direction {
        Direction::Ascending => {
            for (member, score) in members {
                value::write_member(out, member, score, scores);
            }
        }
        Direction::Descending => {
            for (member, score) in members.rev() {
                value::write_member(out, member, score, scores);
            }
        }
    }
}

/// A run of ranks of a set as it was, walked bit by bit.
pub struct Walk {
    pub set: Frozen,
    pub ranks: Range<usize>,
    pub direction: Direction,
}

impl Walk {
    /// Has members written until `out` holds about `budget_bytes` more, then lets go of the
    /// set, bit by bit as well. Returns whether anything is left to do.
    pub fn draw(
        &mut self,
        out: &mut Reply,
        budget_bytes: usize,
        mut write: impl FnMut(&mut Reply, Members<'_>),
    ) -> bool {
        /// Between looks at how much is written.
        const STEP_MEMBERS: usize = 64;
        if self.ranks.is_empty() {
            return !self.set.drop_some();
        }
        let full = out.len().saturating_add(budget_bytes);
        while !self.ranks.is_empty() && out.len() < full {
            let step = self.ranks.len().min(STEP_MEMBERS);
            let run = match self.direction {
                Direction::Ascending => {
                    let run = self.ranks.start..self.ranks.start + step;
                    self.ranks.start = run.end;
                    run
                }
                Direction::Descending => {
                    let run = self.ranks.end - step..self.ranks.end;
                    self.ranks.end = run.start;
                    run
                }
            };
            write(out, self.set.by_rank(run));
        }
        true
    }
}

/// A run of ranks that is answered bit by bit.
struct Slices {
    walk: Walk,
    scores: Scores,
}

impl Source for Slices {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let (direction, scores) = (self.walk.direction, self.scores);
        self.walk.draw(out, budget_bytes, |out, members| {
            write(members, direction, scores, out);
        })
    }
}
