//! What unions, intersections and differences are made from: sorted sets, and sets
//! whose members all have the score 1.

use ochre_store::ReadView;
use ochre_store::value::set::SetRef;
use ochre_store::value::sorted_set::SortedSetRef;
use ochre_structures::listpack::Element;

use crate::error::Error;

/// One input.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// There is no such key.
    Missing,
    Sorted(SortedSetRef<'a>),
    Plain(SetRef<'a>),
}

impl<'a> Input<'a> {
    /// The sorted set or set of `key`.
    ///
    /// # Errors
    /// [`Error::WrongType`] if it is something else.
    pub fn find(view: &ReadView<'a>, key: &[u8]) -> Result<Self, Error> {
        let Some(entry) = view.find(key) else {
            return Ok(Self::Missing);
        };
        Ok(match SortedSetRef::of(entry) {
            Ok(set) => Self::Sorted(set),
            Err(_) => Self::Plain(SetRef::of(entry)?),
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Sorted(set) => set.score(member),
            Self::Plain(set) => set.contains(Element::Str(member)).then_some(1.0),
        }
    }

    /// Visits the members with their scores, in any order, until `visit` says to stop.
    pub fn visit_while(&self, mut visit: impl FnMut(Element<'a>, f64) -> bool) {
        match self {
            Self::Missing => {}
            Self::Sorted(set) => {
                let _ = set.iter().all(|(member, score)| visit(member, score));
            }
            Self::Plain(set) => set.visit_while(|member| visit(member, 1.0)),
        }
    }
}
