//! Searches that have many members to look at: from the sorted set as it was, in slices,
//! while others have their turn. What is found is sorted in runs, and merged as it is sent.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use ochre_resp::{Reply, Source};
use ochre_store::value::sorted_set::{Frozen, SortedSetRef};
use ochre_structures::geo::{self, Search};

use super::query::{Order, PlaceForm, Query};
use crate::commands::merging::Runs;

/// Members looked at in a slice: about 0.1 ms.
const SLICE_MEMBERS: usize = 512;

/// The most places written in a slice, each of which is looked for in the set again.
const SLICE_PLACES: usize = 256;

/// A place that was found.
struct Found {
    rank: usize,
    distance_m: f64,
}

fn by_distance(order: Order) -> impl Fn(&Found, &Found) -> Ordering {
    move |a, b| order.compare(a.distance_m, b.distance_m)
}

/// A search, or the sending of what it has found.
struct Places {
    set: Frozen,
    area: Search,
    /// The ranks of members not looked at yet.
    left: VecDeque<Range<usize>>,
    order: Order,
    form: PlaceForm,
    /// After how many places the search ends.
    enough: usize,
    /// The most places that are sent.
    wanted: usize,
    found: Runs<Found>,
    is_working: bool,
}

impl Places {
    /// Looks at a slice of members; returns whether there are more.
    fn work(&mut self) -> bool {
        let compare = by_distance(self.order);
        let Some(ranks) = self.left.front_mut() else {
            return false;
        };
        let slice = ranks.start..ranks.end.min(ranks.start + SLICE_MEMBERS);
        ranks.start = slice.end;
        if ranks.start == ranks.end {
            self.left.pop_front();
        }
        for (rank, (_, score)) in slice.clone().zip(self.set.by_rank(slice)) {
            if let Some(distance_m) = self.area.distance_within(geo::decode(score)) {
                self.found.push(Found { rank, distance_m }, &compare);
                if self.found.len() >= self.enough {
                    return false;
                }
            }
        }
        !self.left.is_empty()
    }
}

impl Source for Places {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_working {
            if self.work() {
                return true;
            }
            self.is_working = false;
            self.wanted = self.wanted.min(self.found.len());
            out.array(self.wanted);
            return true;
        }
        if self.wanted == 0 {
            return !self.set.drop_some();
        }
        let compare = by_distance(self.order);
        let full = out.len().saturating_add(budget_bytes);
        for _ in 0..self.wanted.min(SLICE_PLACES) {
            let Some(Found { rank, distance_m }) = self.found.pop(&compare) else {
                break;
            };
            if let Some((member, score)) = self.set.by_rank(rank..rank + 1).next() {
                let position = geo::decode(score);
                self.form.write(member, score, position, distance_m, out);
            }
            self.wanted -= 1;
            if out.len() >= full {
                break;
            }
        }
        true
    }
}

/// Writes the places that a search finds among members of these ranks.
pub fn write(
    set: SortedSetRef<'_>,
    area: Search,
    candidates: Vec<Range<usize>>,
    query: &Query<'_>,
    out: &mut Reply,
) {
    let left = candidates.into_iter().filter(|ranks| !ranks.is_empty());
    out.source(Box::new(Places {
        set: set.freeze(),
        area,
        left: left.collect(),
        order: query.order,
        form: query.form,
        enough: query.enough(),
        wanted: match query.count {
            0 => usize::MAX,
            count => count,
        },
        found: Runs::default(),
        is_working: true,
    }));
}
