//! Members by chance: ZRANDMEMBER.

use ochre_resp::{Reply, Source};
use ochre_store::ReadView;
use ochre_store::value::sorted_set::{Direction, Frozen, SLICED_MEMBERS_MIN, SortedSetRef};
use ochre_structures::number;

use super::value::{self, Scores};
use crate::commands::args::Args;
use crate::commands::sampling::{DRAWN_PER_SLICE, Dice};
use crate::commands::spec::*;
use crate::error::Error;

pub const ZRANDMEMBER: Command = Command {
    summary: "Get one or multiple random elements from a sorted set.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of elements returned.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        block(
            "options",
            &[integer("count"), token("withscores", "WITHSCORES").opt()],
        )
        .opt(),
    ],
    tips: &["nondeterministic_output"],
    ..command("zrandmember", Group::SortedSet, -2, Run::Read(zrandmember))
};

fn zrandmember(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    if args.is_empty() {
        let set = value::find(view, key)?;
        match set.and_then(|set| set.at(draw(view.random(), set.len()))) {
            Some((member, _)) => value::write_name(out, member),
            None => out.null(),
        }
        return Ok(Flow::Done);
    }
    let count = number::parse_i64(args.next()?).ok_or(Error::NotInteger)?;
    if count == i64::MIN {
        return Err(Error::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let scores = Scores::when(args.keyword("WITHSCORES"));
    args.end()?;
    if scores == Scores::With && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OutOfRange);
    }
    let set = value::find(view, key)?.filter(|set| !set.is_empty());
    let Some(set) = set.filter(|_| count != 0) else {
        out.array(0);
        return Ok(Flow::Done);
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        repeating(view, set, wanted, scores, out);
    } else if wanted >= set.len() {
        super::range::reply(set, 0..set.len(), Direction::Descending, scores, out);
    } else {
        distinct(view, set, wanted, scores, out);
    }
    Ok(Flow::Done)
}

/// A number below `len`, each about equally likely.
fn draw(random: u64, len: usize) -> usize {
    ((u128::from(random) * len as u128) >> 64) as usize
}

/// `wanted` members, each drawn afresh.
fn repeating(
    view: &ReadView<'_>,
    set: SortedSetRef<'_>,
    wanted: usize,
    scores: Scores,
    out: &mut Reply,
) {
    value::write_header(out, wanted, scores);
    if wanted > SLICED_MEMBERS_MIN {
        out.source(Box::new(Draws {
            set: set.freeze(),
            left: wanted,
            dice: Dice::seeded(view.random()),
            scores,
        }));
        return;
    }
    for _ in 0..wanted {
        if let Some((member, score)) = set.at(draw(view.random(), set.len())) {
            value::write_member(out, member, score, scores);
        }
    }
}

/// `wanted` different members, fewer than there are.
fn distinct(
    view: &ReadView<'_>,
    set: SortedSetRef<'_>,
    wanted: usize,
    scores: Scores,
    out: &mut Reply,
) {
    let len = set.len();
    if wanted > SLICED_MEMBERS_MIN {
        value::write_header(out, wanted, scores);
        out.source(Box::new(Distinct {
            set: set.freeze(),
            chosen: vec![0; len.div_ceil(64)],
            ranks: Vec::with_capacity(wanted),
            wanted,
            is_choosing: true,
            dice: Dice::seeded(view.random()),
            scores,
        }));
        return;
    }
    // Floyd's way: one number for each member wanted, whatever the size of the set.
    let mut chosen = std::collections::HashSet::with_capacity(wanted);
    let mut ranks = Vec::with_capacity(wanted);
    for last in len - wanted..len {
        let rank = draw(view.random(), last + 1);
        let rank = if chosen.insert(rank) { rank } else { last };
        chosen.insert(rank);
        ranks.push(rank);
    }
    // Which members are chosen is fair already; where they stand is not yet.
    for i in (1..ranks.len()).rev() {
        ranks.swap(i, draw(view.random(), i + 1));
    }
    value::write_header(out, wanted, scores);
    for rank in ranks {
        if let Some((member, score)) = set.at(rank) {
            value::write_member(out, member, score, scores);
        }
    }
}

/// Many different members drawn by chance: chosen bit by bit, as [`distinct`] does it, then
/// answered bit by bit, in an order that is drawn on the way.
struct Distinct {
    set: Frozen,
    /// A bit for each rank.
    chosen: Vec<u64>,
    /// Those chosen and not answered yet.
    ranks: Vec<usize>,
    wanted: usize,
    is_choosing: bool,
    dice: Dice,
    scores: Scores,
}

impl Distinct {
    /// Marks a rank as chosen; says whether it was not.
    fn choose(&mut self, rank: usize) -> bool {
        let (word, bit) = (&mut self.chosen[rank / 64], 1 << (rank % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn choose_some(&mut self) {
        let first = self.set.len() - self.wanted;
        for _ in 0..4 * DRAWN_PER_SLICE {
            if self.ranks.len() == self.wanted {
                self.is_choosing = false;
                return;
            }
            let last = first + self.ranks.len();
            let drawn = draw(self.dice.roll(), last + 1);
            let rank = if self.choose(drawn) { drawn } else { last };
            self.choose(rank);
            self.ranks.push(rank);
        }
    }
}

impl Source for Distinct {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_choosing {
            self.choose_some();
            return true;
        }
        let full = out.len().saturating_add(budget_bytes);
        for _ in 0..DRAWN_PER_SLICE {
            if self.ranks.is_empty() || out.len() >= full {
                break;
            }
            let rank = self
                .ranks
                .swap_remove(draw(self.dice.roll(), self.ranks.len()));
            if let Some((member, score)) = self.set.by_rank(rank..rank + 1).next() {
                value::write_member(out, member, score, self.scores);
            }
        }
        !self.ranks.is_empty()
    }
}

/// Members drawn by chance, the same ones again and again, answered bit by bit.
struct Draws {
    set: Frozen,
    left: usize,
    dice: Dice,
    scores: Scores,
}

impl Source for Draws {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let full = out.len().saturating_add(budget_bytes);
        let len = self.set.len();
        while self.left > 0 && out.len() < full {
            let rank = draw(self.dice.roll(), len);
            if let Some((member, score)) = self.set.by_rank(rank..rank + 1).next() {
                value::write_member(out, member, score, self.scores);
            }
            self.left -= 1;
        }
        self.left > 0
    }
}
