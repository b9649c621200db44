//! One node of a stream: a listpack with a meaning, checked.
//!
//! ```text
//! node    live | deleted | fields | field … | 0 | entry …
//! entry   flags | ms - node's | sequence - node's
//!         | [fields | field | value …]  or, with the flag "same fields",  value …
//!         | number of elements since the flags
//! flags   1: deleted, 2: same fields as the node
//! ```

use ochre_structures::listpack::{Iter, Listpack};

use crate::value::StreamId;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Entries that are not deleted.
    pub(super) live: u64,
    /// The first of them.
    pub(super) first_live: Option<StreamId>,
    /// The last entry, deleted or not.
    pub(super) last: Option<StreamId>,
}

/// Checks a node, whose bytes are a well-formed listpack.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(bytes: &[u8], node_id: StreamId) -> Result<Summary, &'static str> {
    let mut elements = Listpack(bytes).iter();
    let live = count(&mut elements).ok_or("stream node without count of entries")?;
    let deleted = count(&mut elements).ok_or("stream node without count of deleted entries")?;
    let fields = count(&mut elements).ok_or("stream node without count of fields")?;
    skip(&mut elements, fields).ok_or("stream node without its fields")?;
    if integer(&mut elements) != Some(0) {
        return Err("stream node without end of its fields");
    }

    let mut summary = Summary::default();
    let mut found_deleted = 0;
    while let Some(flags) = elements.next() {
        let flags = flags.as_integer().ok_or("stream entry without flags")?;
        let id = entry_id(&mut elements, node_id).ok_or("stream entry without ID")?;
        let size = if flags & SAME_FIELDS == 0 {
            let own = count(&mut elements).ok_or("stream entry without count of fields")?;
            let size = own
                .checked_mul(2)
                .ok_or("stream entry with too many fields")?;
            skip(&mut elements, size).ok_or("stream entry without its fields")?;
            size + 1
        } else {
            skip(&mut elements, fields).ok_or("stream entry without its values")?;
            fields
        };
        if count(&mut elements) != Some(size + 3) {
            return Err("stream entry with wrong size");
        }
        if summary.last.is_some_and(|last| last >= id) || id < node_id {
            return Err("stream entries out of order");
        }
        summary.last = Some(id);
        if flags & DELETED == 0 {
            summary.live += 1;
            summary.first_live = summary.first_live.or(Some(id));
        } else {
            found_deleted += 1;
        }
    }
    if summary.live != live || found_deleted != deleted {
        return Err("stream node with wrong count of entries");
    }
    Ok(summary)
}

fn entry_id(elements: &mut Iter<'_>, node_id: StreamId) -> Option<StreamId> {
    // The differences are those of unsigned numbers, stored as signed ones.
    let ms = integer(elements)? as u64;
    let sequence = integer(elements)? as u64;
    Some(StreamId {
        ms: node_id.ms.wrapping_add(ms),
        seq: node_id.seq.wrapping_add(sequence),
    })
}

fn integer(elements: &mut Iter<'_>) -> Option<i64> {
    elements.next()?.as_integer()
}

/// A count that is small enough to be reckoned with.
fn count(elements: &mut Iter<'_>) -> Option<u64> {
    integer(elements).and_then(|count| u64::try_from(count).ok())
}

fn skip(elements: &mut Iter<'_>, count: u64) -> Option<()> {
    for _ in 0..count {
        elements.next()?;
    }
    Some(())
}
