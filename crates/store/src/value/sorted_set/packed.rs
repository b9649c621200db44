//! Sorted sets as listpacks: members and scores in turn, ascending.
//!
//! Invariant: what is written here is in order, and each score is an integer where it
//! is one, else text. Whatever bytes are read, nothing panics; a score that is no
//! number counts as 0.

use std::ops::Range;

use ochre_structures::listpack::{self, Buffer, Element, Listpack, Place, Position};
use ochre_structures::number;
use ochre_structures::sorted_set::{LexBound, ScoreBound};

use super::{Direction, Members};

/// The largest magnitude of a score that is kept as an integer, as in Redis.
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

/// The score that an element stands for.
#[inline]
pub fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(value) => value as f64,
        Element::Str(text) => number::parse_f64(text).unwrap_or(0.0),
    }
}

/// Where a member is, and its score.
#[inline]
pub fn find(pack: Listpack<'_>, member: &[u8]) -> Option<(Position, f64)> {
    let position = pack.find(member, 1)?;
    let score = pack.entries_from(position).nth(1)?.element;
    Some((position, score_of(score)))
}

/// The rank of a member, and its score.
pub fn rank_and_score(pack: Listpack<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let (rank, (_, score)) = pack
        .pairs()
        .enumerate()
        .find(|(_, (other, _))| other.eq_bytes(member))?;
    Some((rank, score_of(score)))
}

/// The members with a score between two bounds.
pub fn score_ranks(pack: Listpack<'_>, min: ScoreBound, max: ScoreBound) -> Range<usize> {
    let mut scores = pack.pairs().map(|(_, score)| score_of(score)).enumerate();
    let start = scores.find(|&(_, score)| reaches(score, min));
    let Some((start, first)) = start else {
        let len = pack.len() / 2;
        return len..len;
    };
    if !keeps_to(first, max) {
        return start..start;
    }
    let end = scores.find(|&(_, score)| !keeps_to(score, max));
    start..end.map_or(pack.len() / 2, |(rank, _)| rank)
}

fn reaches(score: f64, min: ScoreBound) -> bool {
    match min {
        ScoreBound::Inclusive(bound) => score >= bound,
        ScoreBound::Exclusive(bound) => score > bound,
    }
}

fn keeps_to(score: f64, max: ScoreBound) -> bool {
    match max {
        ScoreBound::Inclusive(bound) => score <= bound,
        ScoreBound::Exclusive(bound) => score < bound,
    }
}

/// The members between two bounds, found as Redis finds them: from one end, after a
/// look at both. It shows only where scores differ. O(n).
pub fn lex_ranks(
    all: Members<'_>,
    min: LexBound<'_>,
    max: LexBound<'_>,
    direction: Direction,
) -> Range<usize> {
    let len = all.len();
    let empty = 0..0;
    let mut digits = itoa::Buffer::new();
    let reaching = |member: Element<'_>| follows(member.as_bytes(&mut itoa::Buffer::new()), min);
    let mut keeping = |member: Element<'_>| precedes(member.as_bytes(&mut digits), max);
    let members = all.map(|(member, _)| member);
    let (Some(first), Some(last)) = (members.clone().next(), members.clone().next_back()) else {
        return empty;
    };
    if never(min, max) || !reaching(last) || !keeping(first) {
        return empty;
    }
    match direction {
        Direction::Ascending => {
            let Some(start) = members.clone().position(reaching) else {
                return empty;
            };
            let run = members.skip(start).take_while(|member| keeping(*member));
            start..start + run.count()
        }
        Direction::Descending => {
            let back = members.rev();
            let over = back.clone().take_while(|member| !keeping(*member)).count();
            let run = back.skip(over).take_while(|member| reaching(*member));
            let end = len - over;
            end - run.count()..end
        }
    }
}

/// Whether no member can lie between the bounds.
fn never(min: LexBound<'_>, max: LexBound<'_>) -> bool {
    use LexBound::{Exclusive, Inclusive, Max, Min};
    match (min, max) {
        (Max, _) | (_, Min) => true,
        (Min, _) | (_, Max) => false,
        (Inclusive(min), Inclusive(max)) => min > max,
        (Inclusive(min) | Exclusive(min), Inclusive(max) | Exclusive(max)) => min >= max,
    }
}

/// Whether a member lies beyond the lower bound.
pub fn follows(member: &[u8], min: LexBound<'_>) -> bool {
    match min {
        LexBound::Min => true,
        LexBound::Max => false,
        LexBound::Inclusive(bound) => member >= bound,
        LexBound::Exclusive(bound) => member > bound,
    }
}

/// Whether a member lies before the upper bound.
pub fn precedes(member: &[u8], max: LexBound<'_>) -> bool {
    match max {
        LexBound::Min => false,
        LexBound::Max => true,
        LexBound::Inclusive(bound) => member <= bound,
        LexBound::Exclusive(bound) => member < bound,
    }
}

/// Adds a member that is not there.
pub fn insert(buffer: &mut impl Buffer, member: &[u8], score: f64) {
    let pack = Listpack(buffer.bytes());
    let mut entries = pack.entries();
    let mut place = None;
    while let (Some(other), Some(other_score)) = (entries.next(), entries.next()) {
        let other_score = score_of(other_score.element);
        let after =
            other_score > score || (other_score == score && is_after(other.element, member));
        if after {
            place = Some(other.position);
            break;
        }
    }
    with_pair(member, score, |pair| match place {
        Some(position) => {
            listpack::insert_all(buffer, position, Place::Before, pair);
        }
        None => listpack::append_all(buffer, pair),
    });
}

/// Adds a member that comes after all that are there.
pub fn append(buffer: &mut impl Buffer, member: &[u8], score: f64) {
    with_pair(member, score, |pair| listpack::append_all(buffer, pair));
}

fn is_after(element: Element<'_>, member: &[u8]) -> bool {
    element.as_bytes(&mut itoa::Buffer::new()) > member
}

/// Removes members, with their scores, from a position on.
pub fn remove(buffer: &mut impl Buffer, position: Position, members: usize) {
    listpack::delete_at(buffer, position, members * 2);
}

/// Runs `use_pair` on the elements of a member and its score.
fn with_pair<R>(member: &[u8], score: f64, use_pair: impl FnOnce([Element<'_>; 2]) -> R) -> R {
    if let Some(integer) = integer_of(score) {
        return use_pair([Element::Str(member), Element::Int(integer)]);
    }
    let text = number::format_f64(score);
    use_pair([Element::Str(member), Element::Str(text.as_bytes())])
}

/// The integer that a score is. As in Redis, -0 loses its sign.
fn integer_of(score: f64) -> Option<i64> {
    (score.abs() <= INTEGER_MAX && score == score.trunc()).then_some(score as i64)
}
