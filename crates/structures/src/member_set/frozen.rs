//! A set as it was at one moment, readable from any thread without a lock.

use super::Member;
use crate::listpack::Element;
use crate::table::FrozenTable;

/// The members of a [`MemberSet`](super::MemberSet) as of
/// [`freeze`](super::MemberSet::freeze).
#[derive(Debug)]
pub struct FrozenMemberSet {
    members: FrozenTable<Member>,
}

impl FrozenMemberSet {
    pub(super) fn new(members: FrozenTable<Member>) -> Self {
        Self { members }
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order of their hashes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Element<'_>> {
        self.members.iter().map(Member::element)
    }

    /// Visits a slice of the members (about 1500), the first one at 0; returns the number
    /// of the next one, `None` after the last.
    pub fn visit_slice(&self, slice: usize, mut visit: impl FnMut(Element<'_>)) -> Option<usize> {
        self.members
            .visit_from(slice, |member| visit(member.element()))
    }

    /// Visits a few of the members not visited by this yet (a hundred or so), each once, and
    /// lets go of them by and by; false when nothing was left.
    pub fn take_slice(&mut self, mut visit: impl FnMut(Element<'_>)) -> bool {
        self.members.take_some(|member| visit(member.element()))
    }
}
