//! Lists: elements one by one, a ziplist, or a sequence of nodes.

use ochre_structures::listpack::Shape;

use super::{Validation, listpacks, ziplist};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::value::{ListNode, PlainList};

const PLAIN: u64 = 1;
const PACKED: u64 = 2;

pub(super) fn elements<'a>(cursor: &mut Cursor<'a>) -> Result<PlainList<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    cursor.reading("list element");
    let mut elements = Vec::with_capacity(cursor.capacity(count));
    for _ in 0..count {
        elements.push(cursor.string()?);
    }
    Ok(PlainList::Elements(elements))
}

pub(super) fn ziplist<'a>(cursor: &mut Cursor<'a>) -> Result<PlainList<'a>> {
    let start = cursor.position();
    match ziplist::to_listpack(cursor, Shape::Elements)? {
        Some(packed) => Ok(PlainList::Nodes(vec![ListNode::Packed(packed.into())])),
        None => Err(cursor.error_at(start, RdbErrorKind::Empty)),
    }
}

/// A quicklist of Redis 3.2 to 6.2.
pub(super) fn ziplists<'a>(cursor: &mut Cursor<'a>) -> Result<PlainList<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    cursor.reading("list node");
    let mut nodes = Vec::new();
    for _ in 0..count {
        // Redis has written empty nodes, and leaves them out.
        if let Some(packed) = ziplist::to_listpack(cursor, Shape::Elements)? {
            nodes.push(ListNode::Packed(packed.into()));
        }
    }
    not_empty(nodes, start, cursor)
}

/// A quicklist of Redis 7.0 and later.
pub(super) fn nodes<'a>(cursor: &mut Cursor<'a>) -> Result<PlainList<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    cursor.reading("list node");
    let mut nodes = Vec::new();
    for _ in 0..count {
        let node_start = cursor.position();
        match cursor.length()? {
            PLAIN => nodes.push(ListNode::Plain(cursor.blob()?)),
            PACKED => {
                let blob_start = cursor.position();
                let packed = cursor.blob()?;
                let elements = listpacks::check(&packed, Shape::Elements, Validation::Full)
                    .map_err(|kind| cursor.error_at(blob_start, kind))?;
                if elements > 0 {
                    nodes.push(ListNode::Packed(packed));
                }
            }
            container => {
                return Err(cursor.error_at(node_start, RdbErrorKind::Container(container)));
            }
        }
    }
    not_empty(nodes, start, cursor)
}

fn not_empty<'a>(
    nodes: Vec<ListNode<'a>>,
    start: usize,
    cursor: &Cursor<'a>,
) -> Result<PlainList<'a>> {
    if nodes.is_empty() {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    Ok(PlainList::Nodes(nodes))
}
