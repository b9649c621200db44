//! Taking the least or greatest members: ZPOPMIN, ZPOPMAX, ZMPOP, and those that wait
//! for one: BZPOPMIN, BZPOPMAX, BZMPOP.
//!
//! Many are written in slices, from the set as it was.

use ochre_resp::{Reply, Source};
use ochre_store::WriteView;
use ochre_store::effects::recorded;
use ochre_store::value::sorted_set::{Direction, Members, SLICED_MEMBERS_MIN, SortedSetRef};
use ochre_structures::listpack::Element;
use ochre_structures::number;

use super::range::Walk;
use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::timeout;
use crate::error::Error;

pub const ZPOPMIN: Command = Command {
    summary: "Remove and return members with the lowest scores in a sorted set.",
    since: "5.0.0",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
    args: &[key("key"), integer("count").opt()],
    ..command("zpopmin", Group::SortedSet, -2, Run::Write(zpopmin))
};

pub const ZPOPMAX: Command = Command {
    summary: "Remove and return members with the highest scores in a sorted set.",
    since: "5.0.0",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
    args: &[key("key"), integer("count").opt()],
    ..command("zpopmax", Group::SortedSet, -2, Run::Write(zpopmax))
};

pub const ZMPOP: Command = Command {
    summary: "Remove and return members with scores in a sorted set.",
    since: "7.0.0",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RW_ACCESS_DELETE)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        one_of("where", &[token("min", "MIN"), token("max", "MAX")]),
        integer("count").after("COUNT").opt(),
    ],
    ..command("zmpop", Group::SortedSet, -4, Run::Write(zmpop))
};

pub const BZPOPMIN: Command = Command {
    summary: "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available.",
    since: "5.0.0",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    flags: Flags::NOSCRIPT.or(Flags::BLOCKING).or(Flags::FAST),
    keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
    args: &[key("key").many(), double("timeout")],
    history: &[(
        "6.0.0",
        "`timeout` is interpreted as a double instead of an integer.",
    )],
    ..command("bzpopmin", Group::SortedSet, -3, Run::Write(bzpopmin))
};

pub const BZPOPMAX: Command = Command {
    summary: "Remove and return the member with the highest score from one or more sorted sets, or block until one is available.",
    since: "5.0.0",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    flags: Flags::NOSCRIPT.or(Flags::BLOCKING).or(Flags::FAST),
    keys: &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)],
    args: &[key("key").many(), double("timeout")],
    history: &[(
        "6.0.0",
        "`timeout` is interpreted as a double instead of an integer.",
    )],
    ..command("bzpopmax", Group::SortedSet, -3, Run::Write(bzpopmax))
};

pub const BZMPOP: Command = Command {
    summary: "Remove and return members with scores in a sorted set or block until one is available.",
    since: "7.0.0",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
    flags: Flags::BLOCKING.or(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(2, RW_ACCESS_DELETE)],
    args: &[
        double("timeout"),
        integer("numkeys"),
        key("key").many(),
        one_of("where", &[token("min", "MIN"), token("max", "MAX")]),
        integer("count").after("COUNT").opt(),
    ],
    ..command("bzmpop", Group::SortedSet, -5, Run::Write(bzmpop))
};

/// The end that members are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }
}

fn zpopmin(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop_from_one(view, args, End::Min, out)
}

fn zpopmax(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop_from_one(view, args, End::Max, out)
}

fn pop_from_one(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    end: End,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    if args.len() > 1 {
        return Err(Error::Syntax);
    }
    let count = match args.is_empty() {
        true => None,
        false => Some(
            number::parse_i64(args.next()?)
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(Error::text("ERR value is out of range, must be positive"))?,
        ),
    };
    if members_of(view, key)? == 0 || count == Some(0) {
        out.array(0);
        return Ok(Flow::Done);
    }
    // With a count, RESP3 pairs each member with its score.
    let nested = count.is_some() && out.is_resp3();
    pop(view, key, end, count.unwrap_or(1), out, |out, members| {
        out.array(if nested { members } else { members * 2 });
        if nested { Layout::Pairs } else { Layout::Flat }
    })?;
    Ok(Flow::Done)
}

fn zmpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let request = MultiPop::parse(args)?;
    if !request.serve(view, out)? {
        out.null_array();
    }
    Ok(Flow::Done)
}

fn bzmpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let seconds = args.next()?;
    let request = MultiPop::parse(args)?;
    let timeout_ms = timeout::seconds(seconds, view.now_ms())?;
    if request.serve(view, out)? {
        return Ok(Flow::Done);
    }
    Ok(wait(request.keys, timeout_ms))
}

/// ZMPOP and BZMPOP: what is taken from the first key that has members.
struct MultiPop<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads `numkeys key… MIN|MAX [COUNT count]`.
    fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let positive = |text: &[u8], error: &'static str| {
            number::parse_i64(text)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|&count| count > 0)
                .ok_or(Error::text(error))
        };
        let keys = positive(args.next()?, "ERR numkeys should be greater than 0")?;
        if keys >= args.len() {
            return Err(Error::Syntax);
        }
        let keys = &args.rest()[..keys];
        args.skip(keys.len());
        let end = if args.keyword("MIN") {
            End::Min
        } else if args.keyword("MAX") {
            End::Max
        } else {
            return Err(Error::Syntax);
        };
        let mut count = None;
        while !args.is_empty() {
            if count.is_some() || args.len() < 2 || !args.keyword("COUNT") {
                return Err(Error::Syntax);
            }
            count = Some(positive(
                args.next()?,
                "ERR count should be greater than 0",
            )?);
        }
        Ok(Self {
            keys,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Takes members from the first key that has any, and answers them. False if none
    /// has.
    fn serve(&self, view: &mut WriteView<'_, '_>, out: &mut Reply) -> Result<bool, Error> {
        for key in self.keys {
            if members_of(view, key)? == 0 {
                continue;
            }
            let popped = pop(view, key, self.end, self.count, out, |out, members| {
                out.array(2);
                out.bulk(key);
                out.array(members);
                Layout::Pairs
            })?;
            let command = self.end.command();
            view.effects.propagate_as(|| {
                let count = popped.to_string();
                vec![recorded(&[command, key, count.as_bytes()])]
            });
            return Ok(true);
        }
        Ok(false)
    }
}

fn bzpopmin(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop_or_wait(view, args, End::Min, out)
}

fn bzpopmax(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop_or_wait(view, args, End::Max, out)
}

fn pop_or_wait(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    end: End,
    out: &mut Reply,
) -> Outcome {
    let keys = args.rest();
    let Some(keys) = keys.split_last().map(|(_, keys)| keys) else {
        return Err(Error::Syntax);
    };
    args.skip(keys.len());
    let timeout_ms = timeout::seconds(args.next()?, view.now_ms())?;
    for key in keys {
        if members_of(view, key)? == 0 {
            continue;
        }
        pop(view, key, end, 1, out, |out, _| {
            out.array(3);
            out.bulk(key);
            Layout::Flat
        })?;
        view.effects
            .propagate_as(|| vec![recorded(&[end.command(), key])]);
        return Ok(Flow::Done);
    }
    Ok(wait(keys, timeout_ms))
}

fn wait(keys: &[&[u8]], timeout_ms: Option<u64>) -> Flow {
    Flow::Block(Box::new(Wait {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        timeout_ms,
        on_timeout: TimeoutReply::NullArray,
        unblock_on_missing: false,
        argv: None,
        until: Until::KeysReady,
    }))
}

fn members_of(view: &WriteView<'_, '_>, key: &[u8]) -> Result<usize, Error> {
    match view.find(key) {
        Some(entry) => Ok(SortedSetRef::of(entry)?.len()),
        None => Ok(0),
    }
}

/// How popped members and scores are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Flat,
    Pairs,
}

impl Layout {
    fn write(self, member: Element<'_>, score: f64, out: &mut Reply) {
        if self == Self::Pairs {
            out.array(2);
        }
        value::write_name(out, member);
        value::write_score(out, score);
    }

    fn write_all(self, members: Members<'_>, end: End, out: &mut Reply) {
        match end {
            End::Min => members.for_each(|(member, score)| self.write(member, score, out)),
            End::Max => (members.rev()).for_each(|(member, score)| self.write(member, score, out)),
        }
    }
}

/// Many members that were taken out, being sent.
struct Popped {
    walk: Walk,
    end: End,
    layout: Layout,
}

impl Source for Popped {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let (layout, end) = (self.layout, self.end);
        self.walk.draw(out, budget_bytes, |out, members| {
            layout.write_all(members, end, out);
        })
    }
}

/// Takes up to `count` members out of the sorted set of `key` and answers them behind
/// the header that `head` writes for their number. Returns that number.
fn pop(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    end: End,
    count: usize,
    out: &mut Reply,
    head: impl FnOnce(&mut Reply, usize) -> Layout,
) -> Result<usize, Error> {
    let popped = value::change(view, key, |set| {
        let len = set.len();
        let members = count.min(len);
        let layout = head(out, members);
        let ranks = match end {
            End::Min => 0..members,
            End::Max => len - members..len,
        };
        if members > SLICED_MEMBERS_MIN {
            let direction = match end {
                End::Min => Direction::Ascending,
                End::Max => Direction::Descending,
            };
            let walk = Walk {
                set: set.read().freeze(),
                ranks: ranks.clone(),
                direction,
            };
            out.source(Box::new(Popped { walk, end, layout }));
        } else {
            layout.write_all(set.read().by_rank(ranks.clone()), end, out);
        }
        // A key that goes as a whole is left to be freed as a whole.
        if members < len {
            set.remove_ranks(ranks);
        }
        (members, len - members)
    })?;
    let (members, left) = popped.unwrap_or((0, 0));
    value::removed(view, key, end.event(), members, left);
    Ok(members)
}
