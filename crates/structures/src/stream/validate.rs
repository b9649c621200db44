//! Deep validation of a node from outside: a RESTORE payload, an RDB file.
//!
//! What passes is read to the last element by the rest of this module, and its counts
//! and IDs are what they claim to be: stricter than Redis, which takes counts and IDs
//! on trust. Never panics, allocates nothing.

use super::StreamId;
use super::node::{DELETED, FIXED_ELEMENTS, SAME_FIELDS};
use crate::listpack::{self, Entries, Listpack, Shape};

/// Why bytes are no node of a stream. Offsets are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Not even a listpack.
    #[error(transparent)]
    Listpack(#[from] listpack::Error),
    /// The listpack ends within the master entry or another.
    #[error("stream node ends within an entry")]
    Incomplete,
    /// An element must be an integer, of a certain range in some places.
    #[error("stream node has a wrong number at offset {offset}")]
    Number {
        /// Where the element starts.
        offset: usize,
    },
    /// An entry does not end with its size.
    #[error("stream node has an entry of wrong size that ends at offset {offset}")]
    Size {
        /// Where the element starts that should be the size.
        offset: usize,
    },
    /// There are other numbers of live and deleted entries than stated.
    #[error("stream node says {live} live and {deleted} deleted entries, which is wrong")]
    Counts {
        /// How many entries should be live.
        live: i64,
        /// How many should be deleted.
        deleted: i64,
    },
    /// The ID of a live entry is not greater than the one before.
    #[error("stream node has entries out of order, at ID {id}")]
    Order {
        /// The ID.
        id: StreamId,
    },
}

/// What a valid node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSummary {
    /// How many entries are live.
    pub live: u64,
    /// How many are deleted.
    pub deleted: u64,
    /// The ID of the last live entry, if there is any.
    pub last_live: Option<StreamId>,
}

/// Checks every byte of a node with this key. O(n).
///
/// # Errors
/// What is wrong, and where.
pub fn validate_node(bytes: &[u8], master: StreamId) -> Result<NodeSummary, NodeError> {
    listpack::validate(bytes, Shape::Elements)?;
    let mut elements = Numbers(Listpack(bytes).entries());
    let live = elements.count()?;
    let deleted = elements.count()?;
    let master_fields = elements.count()?;
    elements.skip(master_fields)?;
    elements.exactly(0)?;

    let mut summary = NodeSummary::default();
    while !elements.is_at_end() {
        let flags = elements.below(DELETED | SAME_FIELDS)?;
        let ms = elements.any()?;
        let seq = elements.any()?;
        let id = StreamId {
            ms: master.ms.wrapping_add(ms as u64),
            seq: master.seq.wrapping_add(seq as u64),
        };
        let size = if flags & SAME_FIELDS != 0 {
            elements.skip(master_fields)?;
            FIXED_ELEMENTS.checked_add(master_fields)
        } else {
            let own_fields = elements.count()?;
            let doubled = own_fields.checked_mul(2);
            elements.skip(doubled.ok_or(NodeError::Incomplete)?)?;
            doubled.and_then(|doubled| doubled.checked_add(FIXED_ELEMENTS + 1))
        };
        elements.size(size)?;
        if flags & DELETED != 0 {
            summary.deleted += 1;
            continue;
        }
        summary.live += 1;
        if id < master || id.is_zero() || summary.last_live.is_some_and(|last| id <= last) {
            return Err(NodeError::Order { id });
        }
        summary.last_live = Some(id);
    }
    if u64::try_from(live) != Ok(summary.live) || u64::try_from(deleted) != Ok(summary.deleted) {
        return Err(NodeError::Counts { live, deleted });
    }
    Ok(summary)
}

/// Reads a listpack, known to be one, as numbers.
struct Numbers<'a>(Entries<'a>);

impl Numbers<'_> {
    fn is_at_end(&self) -> bool {
        self.0.clone().next().is_none()
    }

    fn checked(&mut self, allowed: impl Fn(i64) -> bool) -> Result<i64, NodeError> {
        let entry = self.0.next().ok_or(NodeError::Incomplete)?;
        match entry.element.as_integer() {
            Some(value) if allowed(value) => Ok(value),
            _ => Err(NodeError::Number {
                offset: entry.position.offset(),
            }),
        }
    }

    fn any(&mut self) -> Result<i64, NodeError> {
        self.checked(|_| true)
    }

    fn count(&mut self) -> Result<i64, NodeError> {
        self.checked(|value| value >= 0)
    }

    fn below(&mut self, max: i64) -> Result<i64, NodeError> {
        self.checked(|value| (0..=max).contains(&value))
    }

    fn exactly(&mut self, expected: i64) -> Result<i64, NodeError> {
        self.checked(|value| value == expected)
    }

    fn size(&mut self, expected: Option<i64>) -> Result<(), NodeError> {
        let entry = self.0.next().ok_or(NodeError::Incomplete)?;
        if expected.is_some() && entry.element.as_integer() == expected {
            return Ok(());
        }
        Err(NodeError::Size {
            offset: entry.position.offset(),
        })
    }

    /// Passes `count` elements by.
    fn skip(&mut self, count: i64) -> Result<(), NodeError> {
        let Some(last) = count.checked_sub(1).filter(|&last| last >= 0) else {
            return Ok(());
        };
        let last = usize::try_from(last).map_err(|_| NodeError::Incomplete)?;
        self.0.nth(last).map(|_| ()).ok_or(NodeError::Incomplete)
    }
}
