//! Sorted sets as the commands see them: looking one up, changing one, storing a new
//! one, and the form of members and scores in replies.

use ochre_resp::Reply;
use ochre_store::value::sorted_set::{Limits, NewSortedSet, SortedSetMut, SortedSetRef};
use ochre_store::{EventClass, Expiry, ReadView, WriteView};
use ochre_structures::listpack::Element;
use ochre_structures::number;

use crate::error::Error;

/// The sorted set of `key`, or `None` if there is no such key.
///
/// # Errors
/// [`Error::WrongType`] if it is something else.
#[inline]
pub fn find<'a>(view: &ReadView<'a>, key: &[u8]) -> Result<Option<SortedSetRef<'a>>, Error> {
    match view.find(key) {
        Some(entry) => Ok(Some(SortedSetRef::of(entry)?)),
        None => Ok(None),
    }
}

/// Runs `work` on the sorted set of `key`, if there is one.
///
/// # Errors
/// [`Error::WrongType`] if it is something else.
#[inline]
pub fn change<R>(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    work: impl FnOnce(&mut SortedSetMut<'_>) -> R,
) -> Result<Option<R>, Error> {
    let limits = Limits::from(view.settings());
    match view.find_mut(key) {
        Some(mut entry) => Ok(Some(work(&mut SortedSetMut::of(entry.inner(), limits)?))),
        None => Ok(None),
    }
}

/// Records that members were removed from `key`, and removes the key with its last
/// member.
pub fn removed(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    event: &'static str,
    members: usize,
    left: usize,
) {
    if members == 0 {
        return;
    }
    view.modified(key, EventClass::SortedSet, event);
    view.dirty(members as u64 - 1);
    if left == 0 {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
}

/// Whether a new sorted set counts as one change or as one for each member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Once,
    PerMember,
}

/// Makes `members` (distinct) the value of `key`, or removes the key when there are
/// none; answers their number.
pub fn store(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    new: Option<(NewSortedSet, usize)>,
    event: &'static str,
    counted: Counted,
    out: &mut Reply,
) {
    let Some((set, members)) = new else {
        if view.remove(key) {
            view.modified(key, EventClass::Generic, "del");
        }
        out.count(0);
        return;
    };
    set.store(|payload| view.set(key, payload, Expiry::Clear));
    view.modified(key, EventClass::SortedSet, event);
    if counted == Counted::PerMember {
        view.dirty(members as u64 - 1);
    }
    out.count(members);
}

/// Makes a sorted set of distinct members in any order, to be stored.
pub fn assemble(
    view: &WriteView<'_, '_>,
    mut members: Vec<(impl AsRef<[u8]>, f64)>,
) -> Option<(NewSortedSet, usize)> {
    if members.is_empty() {
        return None;
    }
    sort(&mut members);
    let set = NewSortedSet::of(Limits::from(view.settings()), &members);
    Some((set, members.len()))
}

/// Sorts members as a sorted set has them.
pub fn sort(members: &mut [(impl AsRef<[u8]>, f64)]) {
    members.sort_by(|(a, a_score), (b, b_score)| {
        a_score
            .partial_cmp(b_score)
            .unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| a.as_ref().cmp(b.as_ref()))
    });
}

/// Whether a reply shows scores beside members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    Without,
    With,
}

impl Scores {
    /// With scores, if `asked`.
    pub fn when(asked: bool) -> Self {
        if asked { Self::With } else { Self::Without }
    }
}

/// Writes the header of a reply of members.
pub fn write_header(out: &mut Reply, members: usize, scores: Scores) {
    if scores == Scores::With && !out.is_resp3() {
        out.array(members * 2);
    } else {
        out.array(members);
    }
}

/// Writes one member of a reply whose header is written.
#[inline]
pub fn write_member(out: &mut Reply, member: Element<'_>, score: f64, scores: Scores) {
    if scores == Scores::With && out.is_resp3() {
        out.array(2);
    }
    write_name(out, member);
    if scores == Scores::With {
        write_score(out, score);
    }
}

/// Writes a member's bytes.
#[inline]
pub fn write_name(out: &mut Reply, member: Element<'_>) {
    match member {
        Element::Int(value) => out.bulk_integer(value),
        Element::Str(bytes) => out.bulk(bytes),
    }
}

/// Writes a score.
#[inline]
pub fn write_score(out: &mut Reply, score: f64) {
    out.double_text(number::format_f64(score).as_bytes());
}
