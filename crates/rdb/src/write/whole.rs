//! Values that are at hand whole.

use std::io::{self, Write};

use ochre_structures::listpack::{self, Element, Listpack};

use super::encoder::{Encoder, EntryHead, Form};
use super::stream::{GroupHead, StreamHead};
use crate::dump::seal_dump;
use crate::string::Str;
use crate::value::{
    ListNode, PlainHash, PlainList, PlainSet, PlainSortedSet, PlainStream, PlainValue,
};

impl PlainValue<'_> {
    /// The form in which [`Encoder::value`] writes the value.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            PlainValue::String(_) => Form::String,
            PlainValue::List(_) => Form::ListNodes,
            PlainValue::Set(PlainSet::Intset(_)) => Form::SetIntset,
            PlainValue::Set(PlainSet::Listpack(_)) => Form::SetListpack,
            PlainValue::Set(PlainSet::Members(_)) => Form::SetMembers,
            PlainValue::SortedSet(PlainSortedSet::Listpack(_)) => Form::SortedSetListpack,
            PlainValue::SortedSet(PlainSortedSet::Pairs(_)) => Form::SortedSetMembers,
            PlainValue::Hash(PlainHash::Listpack(_)) => Form::HashListpack,
            PlainValue::Hash(PlainHash::Pairs(_)) => Form::HashFields,
            PlainValue::Hash(PlainHash::Expiring(_)) => Form::HashExpiringFields,
            PlainValue::Stream(_) => Form::Stream,
        }
    }
}

impl Encoder {
    /// A key and its value, as in a file.
    pub fn entry(
        &mut self,
        out: &mut impl Write,
        head: &EntryHead<'_>,
        value: &PlainValue<'_>,
    ) -> io::Result<()> {
        self.entry_head(out, head, value.form())?;
        self.value(out, value)
    }

    /// A value as a dump payload.
    #[must_use]
    pub fn dump(&mut self, value: &PlainValue<'_>) -> Vec<u8> {
        let mut payload = vec![self.value_type(value.form()).code()];
        // Writing to memory does not fail.
        let written = self.value(&mut payload, value);
        debug_assert!(written.is_ok());
        seal_dump(&mut payload, self.dump_version(value.form()));
        payload
    }

    /// A value without what stands before it.
    pub fn value(&mut self, out: &mut impl Write, value: &PlainValue<'_>) -> io::Result<()> {
        match value {
            PlainValue::String(string) => self.element(out, string.element()),
            PlainValue::List(PlainList::Nodes(nodes)) => {
                self.count(out, nodes.len() as u64)?;
                for node in nodes {
                    match node {
                        ListNode::Packed(listpack) => self.packed_node(out, listpack)?,
                        ListNode::Plain(element) => self.plain_node(out, element)?,
                    }
                }
                Ok(())
            }
            PlainValue::List(PlainList::Elements(elements)) => {
                let nodes = into_nodes(elements);
                self.value(out, &PlainValue::List(PlainList::Nodes(nodes)))
            }
            PlainValue::Set(PlainSet::Intset(intset)) => self.intset(out, intset),
            PlainValue::Set(PlainSet::Listpack(listpack)) => self.set_listpack(out, listpack),
            PlainValue::Set(PlainSet::Members(members)) => {
                self.count(out, members.len() as u64)?;
                for member in members {
                    self.element(out, member.element())?;
                }
                Ok(())
            }
            PlainValue::SortedSet(PlainSortedSet::Listpack(listpack))
            | PlainValue::Hash(PlainHash::Listpack(listpack)) => self.listpack(out, listpack),
            PlainValue::SortedSet(PlainSortedSet::Pairs(pairs)) => {
                self.count(out, pairs.len() as u64)?;
                for (member, score) in pairs {
                    self.scored_member(out, member.element(), *score)?;
                }
                Ok(())
            }
            PlainValue::Hash(PlainHash::Pairs(pairs)) => {
                self.count(out, pairs.len() as u64)?;
                for (field, value) in pairs {
                    self.element(out, field.element())?;
                    self.element(out, value.element())?;
                }
                Ok(())
            }
            PlainValue::Hash(PlainHash::Expiring(fields)) => {
                let deadlines = fields.iter().filter_map(|field| field.expiry_ms);
                let earliest_ms = deadlines.min().unwrap_or_default();
                self.expiring_fields(out, fields.len() as u64, earliest_ms)?;
                for field in fields {
                    self.expiring_field(
                        out,
                        field.field.element(),
                        field.value.element(),
                        field.expiry_ms,
                        earliest_ms,
                    )?;
                }
                Ok(())
            }
            PlainValue::Stream(stream) => self.stream(out, stream),
        }
    }

    fn stream(&mut self, out: &mut impl Write, stream: &PlainStream<'_>) -> io::Result<()> {
        self.count(out, stream.nodes.len() as u64)?;
        for node in &stream.nodes {
            self.stream_node(out, node.id, &node.listpack)?;
        }
        let head = StreamHead {
            length: stream.length,
            last_id: stream.last_id,
            first_id: stream.first_id,
            max_deleted_id: stream.max_deleted_id,
            entries_added: stream.entries_added,
            groups: stream.groups.len() as u64,
        };
        self.stream_head(out, &head)?;
        for group in &stream.groups {
            let head = GroupHead {
                name: &bytes_of(&group.name),
                last_id: group.last_id,
                entries_read: group.entries_read,
                pending: group.pending.len() as u64,
            };
            self.group_head(out, &head)?;
            let mut owned = vec![Vec::new(); group.consumers.len()];
            for pending in &group.pending {
                self.pending(out, pending)?;
                if let Some(ids) = owned.get_mut(pending.consumer) {
                    ids.push(pending.id);
                }
            }
            self.count(out, group.consumers.len() as u64)?;
            for (consumer, ids) in group.consumers.iter().zip(owned) {
                self.consumer(
                    out,
                    &bytes_of(&consumer.name),
                    consumer.seen_time_ms,
                    consumer.active_time_ms,
                    ids.len() as u64,
                )?;
                for id in ids {
                    self.stream_id(out, id)?;
                }
            }
        }
        Ok(())
    }
}

/// Elements in nodes of the size that Redis's default `list-max-listpack-size` gives.
fn into_nodes<'a>(elements: &'a [Str<'_>]) -> Vec<ListNode<'a>> {
    const MAX_NODE_BYTES: usize = 8 << 10;
    let mut nodes = Vec::new();
    let mut packed = listpack::EMPTY.to_vec();
    let close = |packed: &mut Vec<u8>, nodes: &mut Vec<ListNode<'a>>| {
        if !Listpack(packed).is_empty() {
            let full = std::mem::replace(packed, listpack::EMPTY.to_vec());
            nodes.push(ListNode::Packed(full.into()));
        }
    };
    for element in elements.iter().map(Str::element) {
        if packed.len() + listpack::encoded_len(element) > MAX_NODE_BYTES {
            close(&mut packed, &mut nodes);
        }
        match element {
            Element::Str(bytes) if bytes.len() > MAX_NODE_BYTES => {
                nodes.push(ListNode::Plain(bytes.into()));
            }
            element => listpack::append(&mut packed, element),
        }
    }
    close(&mut packed, &mut nodes);
    nodes
}

fn bytes_of(name: &Str<'_>) -> Vec<u8> {
    name.clone().into_vec()
}
