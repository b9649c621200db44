//! Unions, intersections and differences: ZUNION, ZINTER, ZDIFF, what stores them, and
//! ZINTERCARD.
//!
//! Large ones are only begun here, and worked out in slices ([`super::algebra`]), but for
//! those that are stored: a change is whole when its locks are released.

use ochre_resp::Reply;
use ochre_store::{ReadView, WriteView};
use ochre_structures::number;

use super::algebra::{self, Answer};
use super::input::Input;
use super::name::Name;
use super::value::{self, Counted, Scores};
use crate::commands::args::Args;
use crate::commands::element::LONG_REPLY;
use crate::commands::spec::*;
use crate::error::Error;

const INTERSECTION_COMPLEXITY: &str = "O(N*K)+O(M*log(M)) worst case with N being the smallest \
                                       input sorted set, K being the number of input sorted \
                                       sets and M being the number of elements in the resulting \
                                       sorted set.";
const DIFFERENCE_COMPLEXITY: &str = "O(L + (N-K)log(N)) worst case where L is the total number \
                                     of elements in all the sets, N is the size of the first \
                                     set, and K is the size of the result set.";

const WEIGHTS: Arg = integer("weight").after("WEIGHTS").many().opt();
const AGGREGATE: Arg = one_of(
    "aggregate",
    &[
        token("sum", "SUM"),
        token("min", "MIN"),
        token("max", "MAX"),
    ],
)
.after("AGGREGATE")
.opt();
const WITHSCORES: Arg = token("withscores", "WITHSCORES").opt();

pub const ZUNION: Command = Command {
    summary: "Add multiple sorted sets.",
    since: "6.2.0",
    complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RO_ACCESS)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        WEIGHTS,
        AGGREGATE,
        WITHSCORES,
    ],
    ..command("zunion", Group::SortedSet, -3, Run::Read(zunion))
};

pub const ZINTER: Command = Command {
    summary: "Intersect multiple sorted sets.",
    since: "6.2.0",
    complexity: INTERSECTION_COMPLEXITY,
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RO_ACCESS)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        WEIGHTS,
        AGGREGATE,
        WITHSCORES,
    ],
    ..command("zinter", Group::SortedSet, -3, Run::Read(zinter))
};

pub const ZDIFF: Command = Command {
    summary: "Subtract multiple sorted sets.",
    since: "6.2.0",
    complexity: DIFFERENCE_COMPLEXITY,
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RO_ACCESS)],
    args: &[integer("numkeys"), key("key").many(), WITHSCORES],
    ..command("zdiff", Group::SortedSet, -3, Run::Read(zdiff))
};

pub const ZINTERCARD: Command = Command {
    summary: "Intersect multiple sorted sets and return the cardinality of the result.",
    since: "7.0.0",
    complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RO_ACCESS)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        integer("limit").after("LIMIT").opt(),
    ],
    ..command("zintercard", Group::SortedSet, -3, Run::Read(zintercard))
};

pub const ZUNIONSTORE: Command = Command {
    summary: "Add multiple sorted sets and store the resulting sorted set in a new key.",
    since: "2.0.0",
    complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
    flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS),
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
    args: &[
        key("destination"),
        integer("numkeys"),
        key("key").spec(1).many(),
        WEIGHTS,
        AGGREGATE,
    ],
    ..command("zunionstore", Group::SortedSet, -4, Run::Write(zunionstore))
};

pub const ZINTERSTORE: Command = Command {
    summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key.",
    since: "2.0.0",
    complexity: INTERSECTION_COMPLEXITY,
    flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS),
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
    args: &[
        key("destination"),
        integer("numkeys"),
        key("key").spec(1).many(),
        WEIGHTS,
        AGGREGATE,
    ],
    ..command("zinterstore", Group::SortedSet, -4, Run::Write(zinterstore))
};

pub const ZDIFFSTORE: Command = Command {
    summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key.",
    since: "6.2.0",
    complexity: DIFFERENCE_COMPLEXITY,
    flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS),
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::counted(2, RO_ACCESS)],
    args: &[
        key("destination"),
        integer("numkeys"),
        key("key").spec(1).many(),
    ],
    ..command("zdiffstore", Group::SortedSet, -4, Run::Write(zdiffstore))
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What is done with the result, which decides what options there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Answer,
    Store,
    Count,
}

/// How scores of one member are made one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Makes the scores `a` and `b`, which came in this order, one.
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinities of both signs make nothing.
            Self::Sum => number_or_zero(a + b),
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// The score, or 0 where it is none, as infinity times 0 is.
pub fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A request, read and with its inputs looked up.
struct Request<'v> {
    operation: Operation,
    inputs: Vec<(Input<'v>, f64)>,
    aggregate: Aggregate,
    scores: Scores,
    /// Members after which counting stops.
    limit: usize,
}

/// Members with their scores, in any order.
type Members<'v> = Vec<(Name<'v>, f64)>;

impl<'v> Request<'v> {
    /// Reads `numkeys key…` and the options. The inputs are looked up before the
    /// options are read, as an error tells which is wrong first.
    fn parse(
        view: &ReadView<'v>,
        args: &mut Args<'_>,
        operation: Operation,
        purpose: Purpose,
        name: &'static str,
    ) -> Result<Self, Error> {
        let count = args.integer()?;
        if count < 1 {
            return Err(Error::owned(format!(
                "ERR at least 1 input key is needed for '{name}' command"
            )));
        }
        let keys = usize::try_from(count)
            .ok()
            .and_then(|count| args.rest().get(..count))
            .ok_or(Error::Syntax)?;
        args.skip(keys.len());
        let mut request = Self {
            operation,
            inputs: Vec::with_capacity(keys.len()),
            aggregate: Aggregate::Sum,
            scores: Scores::Without,
            limit: usize::MAX,
        };
        for key in keys {
            request.inputs.push((Input::find(view, key)?, 1.0));
        }
        request.parse_options(args, purpose)?;
        if operation != Operation::Difference {
            request.inputs.sort_by_key(|(input, _)| input.len());
        }
        Ok(request)
    }

    fn parse_options(&mut self, args: &mut Args<'_>, purpose: Purpose) -> Result<(), Error> {
        let weighs = self.operation != Operation::Difference && purpose != Purpose::Count;
        while !args.is_empty() {
            if weighs && args.len() > self.inputs.len() && args.keyword("WEIGHTS") {
                for (_, weight) in &mut self.inputs {
                    *weight = number::parse_f64(args.next()?)
                        .ok_or(Error::text("ERR weight value is not a float"))?;
                }
            } else if weighs && args.len() >= 2 && args.keyword("AGGREGATE") {
                self.aggregate = if args.keyword("SUM") {
                    Aggregate::Sum
                } else if args.keyword("MIN") {
                    Aggregate::Min
                } else if args.keyword("MAX") {
                    Aggregate::Max
                } else {
                    return Err(Error::Syntax);
                };
            } else if purpose == Purpose::Answer && args.keyword("WITHSCORES") {
                self.scores = Scores::With;
            } else if purpose == Purpose::Count && args.len() >= 2 && args.keyword("LIMIT") {
                let limit = number::parse_i64(args.next()?)
                    .and_then(|limit| usize::try_from(limit).ok())
                    .ok_or(Error::text("ERR LIMIT can't be negative"))?;
                self.limit = if limit == 0 { usize::MAX } else { limit };
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(())
    }

    /// Whether it takes long to go through the members that have to be looked at.
    fn is_long(&self) -> bool {
        let first = self.inputs.first().map_or(0, |(input, _)| input.len());
        let members = match self.operation {
            Operation::Union => self.inputs.iter().map(|(input, _)| input.len()).sum(),
            Operation::Intersection | Operation::Difference => first,
        };
        members > LONG_REPLY
    }

    /// Answers in slices.
    fn write_long(&self, answer: Answer, out: &mut Reply) {
        algebra::write(self.operation, &self.inputs, self.aggregate, answer, out);
    }

    fn members(&self) -> Members<'v> {
        match self.operation {
            Operation::Union => self.union(),
            Operation::Intersection => self.intersection(),
            Operation::Difference => self.difference(),
        }
    }

    fn union(&self) -> Members<'v> {
        let mut all: Members<'v> = Vec::new();
        for (input, weight) in &self.inputs {
            input.visit_while(|member, score| {
                all.push((Name::from(member), number_or_zero(score * weight)));
                true
            });
        }
        if self.inputs.len() == 1 {
            return all;
        }
        // Equal members come together, in the order of their inputs.
        all.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        all.dedup_by(|(member, score), (first, total)| {
            let same = (*member).as_ref() == (*first).as_ref();
            if same {
                *total = self.aggregate.apply(*total, *score);
            }
            same
        });
        all
    }

    fn intersection(&self) -> Members<'v> {
        let mut all = Vec::new();
        self.visit_intersection(usize::MAX, |member, score| {
            all.push((member, score));
            true
        });
        all
    }

    /// Visits the members that all inputs have, until `visit` says to stop or `looked_at`
    /// of the first input's have been looked at.
    fn visit_intersection(&self, looked_at: usize, mut visit: impl FnMut(Name<'v>, f64) -> bool) {
        let mut left = looked_at;
        let Some(((smallest, weight), others)) = self.inputs.split_first() else {
            return;
        };
        smallest.visit_while(|member, score| {
            left -= 1;
            let member = Name::from(member);
            let mut total = number_or_zero(score * weight);
            for (other, weight) in others {
                let Some(score) = other.score(member.as_ref()) else {
                    return left > 0;
                };
                total = self.aggregate.apply(total, score * weight);
            }
            visit(member, total) && left > 0
        });
    }

    fn difference(&self) -> Members<'v> {
        let mut left = Vec::new();
        let Some(((first, _), others)) = self.inputs.split_first() else {
            return left;
        };
        first.visit_while(|member, score| {
            let member = Name::from(member);
            let is_elsewhere = others
                .iter()
                .any(|(other, _)| other.score(member.as_ref()).is_some());
            if !is_elsewhere {
                left.push((member, score));
            }
            true
        });
        left
    }
}

fn zunion(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Operation::Union, "zunion", out)
}

fn zinter(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Operation::Intersection, "zinter", out)
}

fn zdiff(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Operation::Difference, "zdiff", out)
}

fn answer(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    operation: Operation,
    name: &'static str,
    out: &mut Reply,
) -> Outcome {
    let request = Request::parse(view, args, operation, Purpose::Answer, name)?;
    if request.is_long() {
        request.write_long(Answer::Members(request.scores), out);
        return Ok(Flow::Done);
    }
    let mut members = request.members();
    value::sort(&mut members);
    value::write_header(out, members.len(), request.scores);
    for (member, score) in &members {
        value::write_member(out, member.as_ref().into(), *score, request.scores);
    }
    Ok(Flow::Done)
}

fn zintercard(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let operation = Operation::Intersection;
    let request = Request::parse(view, args, operation, Purpose::Count, "zintercard")?;
    let limit = request.limit;
    let is_long = request.is_long();
    // A low limit is reached soon, most times.
    let looked_at = if is_long { LONG_REPLY } else { usize::MAX };
    let mut count = 0;
    if !is_long || limit <= LONG_REPLY {
        request.visit_intersection(looked_at, |_, _| {
            count += 1;
            count < limit
        });
    }
    if is_long && count < limit {
        request.write_long(Answer::Count { limit }, out);
    } else {
        out.count(count);
    }
    Ok(Flow::Done)
}

fn zunionstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    store(view, args, Operation::Union, "zunionstore", out)
}

fn zinterstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    store(view, args, Operation::Intersection, "zinterstore", out)
}

fn zdiffstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    store(view, args, Operation::Difference, "zdiffstore", out)
}

fn store(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    operation: Operation,
    name: &'static str,
    out: &mut Reply,
) -> Outcome {
    let to = args.next()?;
    let request = Request::parse(&view.read(), args, operation, Purpose::Store, name)?;
    let new = value::assemble(view, request.members());
    value::store(view, to, new, name, Counted::Once, out);
    Ok(Flow::Done)
}
