//! Replies drawn from large sets in slices, while others go on changing the set.

use ochre_resp::{Reply, Source};
use ochre_store::value::set::SetRef;
use ochre_structures::member_set::{FrozenMemberSet, MemberSet};

use crate::commands::element::{self, LONG_REPLY};
use crate::commands::sampling::{self, Dice, Drawn, FewDistinct, Selection, Urn};

/// All members of a frozen set.
pub struct Members(pub FrozenMemberSet);

impl Source for Members {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while out.len() < end {
            if !self.0.take_slice(|member| element::write(member, out)) {
                return false;
            }
        }
        !self.0.is_empty()
    }
}

/// Writes all members of `set` as a set.
pub fn write_members(set: SetRef<'_>, out: &mut Reply) {
    out.set(set.len());
    match set.freeze() {
        Some(frozen) if frozen.len() > LONG_REPLY => out.source(Box::new(Members(frozen))),
        _ => set.visit(|member| element::write(member, out)),
    }
}

/// Members drawn at random, the same ones again and again.
struct Draws {
    set: MemberSet,
    left: usize,
    dice: Dice,
}

impl Source for Draws {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while self.left > 0 && out.len() < end {
            let Some(member) = self.set.random(&mut || self.dice.roll()) else {
                return false;
            };
            element::write(member, out);
            self.left -= 1;
        }
        self.left > 0
    }
}

/// Writes `count` members drawn at random, whose header is written already.
pub fn write_draws(set: SetRef<'_>, count: usize, seed: u64, out: &mut Reply) {
    out.source(Box::new(Draws {
        set: set.to_table(),
        left: count,
        dice: Dice::seeded(seed),
    }));
}

impl Urn for MemberSet {
    fn draw_new(&self, dice: &mut Dice, drawn: &mut Drawn, out: &mut Reply) -> Option<bool> {
        let member = self.random(&mut || dice.roll())?;
        let is_new = drawn.is_new(member);
        if is_new {
            element::write(member, out);
        }
        Some(is_new)
    }
}

/// Different members drawn at random, many of all there are: each one is looked at.
struct ManyDistinct {
    left: FrozenMemberSet,
    selection: Selection,
    dice: Dice,
}

impl Source for ManyDistinct {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        let (selection, dice) = (&mut self.selection, &mut self.dice);
        while out.len() < end {
            let taken = self.left.take_slice(|member| {
                if selection.chooses(dice.roll()) {
                    element::write(member, out);
                }
            });
            if !taken {
                return false;
            }
        }
        true
    }
}

/// Writes `count` different members drawn at random, all where there are no more; the
/// header is written already. False, with nothing written, where the set is small.
pub fn write_distinct(set: SetRef<'_>, count: usize, seed: u64, out: &mut Reply) -> bool {
    let SetRef::Table(table) = set else {
        return false;
    };
    let (size, dice) = (table.len(), Dice::seeded(seed));
    out.source(if sampling::are_few(count, size) {
        Box::new(FewDistinct::new(table.clone(), count, dice))
    } else if count < size {
        Box::new(ManyDistinct {
            left: table.freeze(),
            selection: Selection::new(count, size),
            dice,
        })
    } else {
        Box::new(Members(table.freeze()))
    });
    true
}
