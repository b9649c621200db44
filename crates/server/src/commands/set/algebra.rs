//! Intersections, unions and differences of large sets, worked out in slices from the sets
//! as they were: the command's locks are held for as long as it takes to share their
//! segments, and other connections have their turn between slices.
//!
//! ```text
//!   working    a slice: some hundred members looked up, added or removed; nothing written
//!      |
//!   writing    the header, which tells how many there are, then the members, as the
//!              connection drains
//! ```

use std::collections::VecDeque;

use ochre_resp::{Reply, Source};
use ochre_store::value::set::SetRef;
use ochre_structures::member_set::{FrozenMemberSet, MemberSet};

use super::slices::Members;
use crate::commands::element;
use crate::commands::found::Found;

/// Times of about a hundred members each that are worked at in a slice: 0.2 ms when every
/// one is a cache miss or two.
const STEPS: usize = 5;

fn freeze(set: SetRef<'_>) -> FrozenMemberSet {
    set.freeze().unwrap_or_else(|| set.to_table().freeze())
}

/// Which members of one set are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those that all the others have.
    InAll,
    /// Those that none of the others has.
    InNone,
}

/// The number of members that all of several sets have, up to a limit.
struct Count {
    left: FrozenMemberSet,
    others: Vec<MemberSet>,
    limit: usize,
    found: usize,
}

impl Source for Count {
    fn draw(&mut self, out: &mut Reply, _budget_bytes: usize) -> bool {
        for _ in 0..STEPS {
            let (others, found) = (&self.others, &mut self.found);
            let taken = self.left.take_slice(|member| {
                *found += usize::from(others.iter().all(|set| set.contains(member)));
            });
            if !taken || self.found >= self.limit {
                out.count(self.found.min(self.limit));
                return false;
            }
        }
        true
    }
}

/// Writes how many members of `first` all of `others` have; `limit` at most.
pub fn write_count(first: SetRef<'_>, others: &[SetRef<'_>], limit: usize, out: &mut Reply) {
    out.source(Box::new(Count {
        left: freeze(first),
        others: others.iter().map(SetRef::to_table).collect(),
        limit,
        found: 0,
    }));
}

/// The members of one set that others do or do not have.
struct Sieve {
    left: FrozenMemberSet,
    others: Vec<MemberSet>,
    wanted: Wanted,
    found: Found,
    is_working: bool,
}

impl Sieve {
    /// Looks a slice of members up; returns whether there are more.
    fn work(&mut self) -> bool {
        let (others, wanted, found) = (&self.others, self.wanted, &mut self.found);
        (0..STEPS).all(|_| {
            self.left.take_slice(|member| {
                let is_wanted = match wanted {
                    Wanted::InAll => others.iter().all(|set| set.contains(member)),
                    Wanted::InNone => !others.iter().any(|set| set.contains(member)),
                };
                if is_wanted {
                    found.add(|out| element::write(member, out));
                }
            })
        })
    }
}

impl Source for Sieve {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_working {
            if self.work() {
                return true;
            }
            self.is_working = false;
            out.set(self.found.count());
        }
        self.found.write(out, budget_bytes)
    }
}

/// Writes the members of `first` that `others` have or have not, as a set.
pub fn write_sieved(first: SetRef<'_>, others: &[SetRef<'_>], wanted: Wanted, out: &mut Reply) {
    out.source(Box::new(Sieve {
        left: freeze(first),
        others: others.iter().map(SetRef::to_table).collect(),
        wanted,
        found: Found::default(),
        is_working: true,
    }));
}

/// What is done with the members of sets to make another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Add,
    Remove,
}

/// A set in the making.
struct Assembly {
    set: MemberSet,
    change: Change,
    /// What is left of the sets to be added or removed.
    left: VecDeque<FrozenMemberSet>,
    /// Once the set is made.
    members: Option<Members>,
}

impl Assembly {
    /// Adds or removes a slice of members; returns whether there are more.
    fn work(&mut self) -> bool {
        let (set, change) = (&mut self.set, self.change);
        for _ in 0..STEPS {
            let Some(next) = self.left.front_mut() else {
                return false;
            };
            let taken = next.take_slice(|member| {
                match change {
                    Change::Add => set.insert(member),
                    Change::Remove => set.remove(member),
                };
            });
            if !taken {
                self.left.pop_front();
            }
        }
        true
    }
}

impl Source for Assembly {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if let Some(members) = &mut self.members {
            return members.draw(out, budget_bytes);
        }
        if self.work() {
            return true;
        }
        out.set(self.set.len());
        let set = std::mem::take(&mut self.set);
        self.members
            .insert(Members(set.freeze()))
            .draw(out, budget_bytes)
    }
}

/// Writes the set that becomes of `start` when the members of `others` are added or
/// removed.
pub fn write_changed(start: MemberSet, others: &[SetRef<'_>], change: Change, out: &mut Reply) {
    out.source(Box::new(Assembly {
        set: start,
        change,
        left: others.iter().copied().map(freeze).collect(),
        members: None,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use ochre_resp::Protocol;
    use proptest::prelude::*;

    /// Draws everything, changing nothing in between; returns the members.
    fn drawn(write: impl FnOnce(&mut Reply), budget_bytes: usize) -> (usize, Vec<Vec<u8>>) {
        let mut out = Reply::new(Protocol::Resp2);
        write(&mut out);
        let (header, inserts) = out.into_parts();
        assert!(header.is_empty() && inserts.len() == 1);
        let Some((_, ochre_resp::Insert::Source(mut source))) = inserts.into_iter().next() else {
            panic!("no source");
        };
        let mut bytes = Vec::new();
        loop {
            let mut out = Reply::new(Protocol::Resp2);
            let more = source.draw(&mut out, budget_bytes);
            bytes.extend(out.into_parts().0);
            if !more {
                break;
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.split_terminator("\r\n");
        let count = lines.next().unwrap()[1..].parse().unwrap();
        let members = lines
            .skip(1)
            .step_by(2)
            .map(|line| line.as_bytes().to_vec());
        (count, members.collect())
    }

    fn set_of(members: &BTreeSet<u32>) -> MemberSet {
        let mut set = MemberSet::new();
        for member in members {
            // Integers, and what is none.
            if member % 2 == 0 {
                set.insert(i64::from(*member));
            } else {
                set.insert(format!("m{member}").as_bytes());
            }
        }
        set
    }

    fn names(members: impl IntoIterator<Item = u32>) -> BTreeSet<Vec<u8>> {
        set_of(&members.into_iter().collect())
            .iter()
            .map(|member| member.to_vec())
            .collect()
    }

    fn members() -> impl Strategy<Value = BTreeSet<u32>> {
        (0..3000_u32, 1..2500_u32, 1..4_usize)
            .prop_map(|(from, len, step)| (from..from + len).step_by(step).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn slices_make_what_the_sets_make(
            sets in prop::collection::vec(members(), 1..4),
            budget_bytes in 1..40_000_usize,
        ) {
            let owned: Vec<MemberSet> = sets.iter().map(set_of).collect();
            let refs: Vec<SetRef<'_>> = owned.iter().map(SetRef::Table).collect();
            let others: BTreeSet<u32> = sets[1..].iter().flatten().copied().collect();
            let difference = names(sets[0].difference(&others).copied());
            let common = sets[0].iter().copied();
            let common = names(common.filter(|m| sets.iter().all(|set| set.contains(m))));
            let union = names(sets.iter().flatten().copied());
            let check = |expected: &BTreeSet<Vec<u8>>, (count, got): (usize, Vec<Vec<u8>>)| {
                assert_eq!(count, got.len());
                assert_eq!(got.len(), expected.len());
                assert_eq!(&got.into_iter().collect::<BTreeSet<_>>(), expected);
            };
            check(&common, drawn(
                |out| write_sieved(refs[0], &refs[1..], Wanted::InAll, out), budget_bytes));
            for limit in [1, common.len(), usize::MAX] {
                let mut out = Reply::new(Protocol::Resp2);
                write_count(refs[0], &refs[1..], limit.max(1), &mut out);
                let counted = format!(":{}\r\n", common.len().min(limit.max(1)));
                assert_eq!(out.into_bytes(), counted.as_bytes());
            }
            check(&difference, drawn(
                |out| write_sieved(refs[0], &refs[1..], Wanted::InNone, out), budget_bytes));
            check(&difference, drawn(
                |out| write_changed(refs[0].to_table(), &refs[1..], Change::Remove, out),
                budget_bytes));
            check(&union, drawn(
                |out| write_changed(MemberSet::new(), &refs, Change::Add, out), budget_bytes));
        }
    }
}
