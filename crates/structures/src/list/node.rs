//! One node of a list, and its slot in the spine.

use triomphe::Arc;

use super::strip::Strip;
use super::{NodeLimit, Side};
use crate::listpack::{self, Buffer, Element, Listpack, parse_integer};
use crate::table::prefetch_line;

/// What a node takes beside its content and its slot: the count of its owners and
/// the handle of its bytes.
pub(super) const OVERHEAD_BYTES: usize = size_of::<usize>() + size_of::<Node>();

/// How a node holds its elements; the numbers are those of RDB files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// The bytes are one element.
    Plain = 1,
    /// The bytes are a listpack.
    Packed = 2,
}

/// A node as RDB files and DEBUG see it.
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'a> {
    /// How the bytes hold the elements.
    pub container: Container,
    /// A listpack, or one element.
    pub bytes: &'a [u8],
    /// The number of elements.
    pub count: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Packed(Strip),
    Plain(Box<[u8]>),
}

// With the count of its owners, a block of 32 bytes.
const _: () = assert!(OVERHEAD_BYTES <= 32);

/// A node with the figures one needs to pass it by.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    node: Arc<Node>,
    count: u32,
    bytes: u32,
}

impl Slot {
    /// A plain node.
    pub(super) fn plain(element: Vec<u8>) -> Self {
        Slot {
            bytes: saturated(element.len()),
            count: 1,
            node: Arc::new(Node::Plain(element.into_boxed_slice())),
        }
    }

    /// A packed node of one element.
    pub(super) fn packed_one(element: &[u8]) -> Self {
        let size = listpack::EMPTY.len() + listpack::encoded_len(element);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&listpack::EMPTY);
        listpack::append(&mut bytes, element);
        Slot::packed(bytes)
    }

    /// A packed node of this listpack.
    pub(super) fn packed(bytes: Vec<u8>) -> Self {
        let mut slot = Slot {
            count: 0,
            bytes: 0,
            node: Arc::new(Node::Packed(Strip::new(bytes))),
        };
        slot.refresh();
        slot
    }

    /// See [`super::List::prefetch_step`].
    #[inline]
    pub(super) fn prefetch_step(&self, step: usize, side: Side) {
        match step {
            0 => prefetch_line(self),
            1 => prefetch_line(&*self.node),
            _ => {
                if let Node::Packed(strip) = &*self.node {
                    strip.prefetch(side);
                }
            }
        }
    }

    /// The number of elements.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// The size of the content in bytes.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Whether the node is packed and may take an element of so many bytes.
    #[inline]
    pub(super) fn admits(&self, limit: NodeLimit, element_bytes: usize) -> bool {
        limit.admits(self.bytes(), self.count(), element_bytes) && self.listpack().is_some()
    }

    #[inline]
    pub(super) fn listpack(&self) -> Option<Listpack<'_>> {
        match &*self.node {
            Node::Packed(strip) => Some(Listpack(strip.bytes())),
            Node::Plain(_) => None,
        }
    }

    pub(super) fn as_ref(&self) -> NodeRef<'_> {
        let (container, bytes) = match &*self.node {
            Node::Packed(strip) => (Container::Packed, strip.bytes()),
            Node::Plain(element) => (Container::Plain, &**element),
        };
        NodeRef {
            container,
            bytes,
            count: self.count(),
        }
    }

    /// The element with this index in the node.
    pub(super) fn get(&self, index: usize) -> Option<Element<'_>> {
        match &*self.node {
            Node::Packed(strip) => Listpack(strip.bytes()).index(i64::try_from(index).ok()?),
            Node::Plain(element) => (index == 0).then_some(Element::Str(element)),
        }
    }

    /// The indices in the node of the elements equal to `needle`; can be reversed.
    pub(super) fn matches<'a>(&'a self, needle: &'a [u8]) -> impl Iterator<Item = usize> + use<'a> {
        let number = parse_integer(needle);
        let (packed, plain) = match &*self.node {
            Node::Packed(strip) => (Some(Listpack(strip.bytes())), None),
            Node::Plain(element) => (None, (**element == *needle).then_some(0)),
        };
        packed
            .into_iter()
            .flatten()
            .enumerate()
            .filter(move |(_, element)| match *element {
                Element::Int(value) => number == Some(value),
                Element::Str(bytes) => bytes == needle,
            })
            .map(|(index, _)| index)
            .chain(plain)
    }

    /// Changes the listpack of a packed node, of which this makes the list the only
    /// owner; a plain one is left alone. At least one element must remain.
    #[inline]
    pub(super) fn edit<R>(&mut self, change: impl FnOnce(&mut Strip) -> R) -> Option<R> {
        // Asked first, lest a shared plain node be copied for nothing.
        if matches!(&*self.node, Node::Plain(_)) {
            return None;
        }
        let Node::Packed(strip) = Arc::make_mut(&mut self.node) else {
            return None;
        };
        let result = change(strip);
        self.refresh();
        Some(result)
    }

    /// Gives unused room back, unless the node is shared and will be copied anyway.
    pub(super) fn seal(&mut self) {
        if let Some(Node::Packed(strip)) = Arc::get_mut(&mut self.node) {
            strip.seal();
        }
    }

    #[inline]
    fn refresh(&mut self) {
        if let Node::Packed(strip) = &*self.node {
            self.bytes = saturated(strip.bytes().len());
            self.count = saturated(Listpack(strip.bytes()).len());
        }
    }
}

fn saturated(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
