//! What the tests of this crate share: values reduced to what they mean, generated
//! values, files read whole, and a real server.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod generate;
pub mod old;
pub mod populate;
pub mod server;

use std::collections::{BTreeMap, BTreeSet};

use ochre_rdb::{
    Access, ChecksumPolicy, ChecksumState, Item, ListNode, PlainHash, PlainList, PlainSet,
    PlainSortedSet, PlainStream, PlainValue, RdbError, Reader, Str, Validation,
};
use ochre_structures::intset::Intset;
use ochre_structures::listpack::{Element, Listpack};
use ochre_structures::number;

/// What a value means, whatever its encoding.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    SortedSet(BTreeMap<Vec<u8>, f64>),
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>),
    Stream(StreamMeaning),
}

/// The ID of an entry, its fields and values.
pub type StreamEntry = ((u64, u64), Vec<Vec<u8>>);

/// What a stream means: entries as (ID, fields and values), and groups.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMeaning {
    pub entries: Vec<StreamEntry>,
    pub last_id: (u64, u64),
    pub max_deleted_id: (u64, u64),
    pub entries_added: u64,
    pub groups: Vec<GroupMeaning>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupMeaning {
    pub name: Vec<u8>,
    pub last_id: (u64, u64),
    pub entries_read: Option<u64>,
    /// ID, times delivered, consumer's name.
    pub pending: Vec<((u64, u64), u64, Vec<u8>)>,
    pub consumers: BTreeSet<Vec<u8>>,
}

pub fn meaning(value: &PlainValue<'_>) -> Meaning {
    match value {
        PlainValue::String(string) => Meaning::String(bytes(string)),
        PlainValue::List(PlainList::Elements(elements)) => {
            Meaning::List(elements.iter().map(bytes).collect())
        }
        PlainValue::List(PlainList::Nodes(nodes)) => {
            let mut elements = Vec::new();
            for node in nodes {
                match node {
                    ListNode::Plain(element) => elements.push(element.to_vec()),
                    ListNode::Packed(packed) => {
                        elements.extend(Listpack(packed).iter().map(|e| e.to_vec()));
                    }
                }
            }
            Meaning::List(elements)
        }
        PlainValue::Set(PlainSet::Intset(set)) => {
            let members = Intset::new(set).iter();
            Meaning::Set(members.map(|m| m.to_string().into_bytes()).collect())
        }
        PlainValue::Set(PlainSet::Listpack(packed)) => {
            Meaning::Set(Listpack(packed).iter().map(|e| e.to_vec()).collect())
        }
        PlainValue::Set(PlainSet::Members(members)) => {
            Meaning::Set(members.iter().map(bytes).collect())
        }
        PlainValue::SortedSet(PlainSortedSet::Listpack(packed)) => {
            let pairs = Listpack(packed).pairs();
            Meaning::SortedSet(pairs.map(|(m, s)| (m.to_vec(), score(s))).collect())
        }
        PlainValue::SortedSet(PlainSortedSet::Pairs(pairs)) => {
            Meaning::SortedSet(pairs.iter().map(|(m, s)| (bytes(m), *s)).collect())
        }
        PlainValue::Hash(PlainHash::Listpack(packed)) => {
            let pairs = Listpack(packed).pairs();
            Meaning::Hash(
                pairs
                    .map(|(f, v)| (f.to_vec(), (v.to_vec(), None)))
                    .collect(),
            )
        }
        PlainValue::Hash(PlainHash::Pairs(pairs)) => {
            let pairs = pairs.iter();
            Meaning::Hash(pairs.map(|(f, v)| (bytes(f), (bytes(v), None))).collect())
        }
        PlainValue::Hash(PlainHash::Expiring(fields)) => {
            let fields = fields.iter();
            Meaning::Hash(
                fields
                    .map(|f| (bytes(&f.field), (bytes(&f.value), f.expiry_ms)))
                    .collect(),
            )
        }
        PlainValue::Stream(stream) => Meaning::Stream(stream_meaning(stream)),
    }
}

fn stream_meaning(stream: &PlainStream<'_>) -> StreamMeaning {
    let id = |id: ochre_rdb::StreamId| (id.ms, id.seq);
    let mut entries = Vec::new();
    for node in &stream.nodes {
        let elements: Vec<Element<'_>> = Listpack(&node.listpack).iter().collect();
        let int = |at: usize| elements[at].as_integer().unwrap();
        let fields = int(2) as usize;
        let shared = &elements[3..3 + fields];
        let mut at = 3 + fields + 1;
        while at < elements.len() {
            let flags = int(at);
            let entry_id = (
                node.id.ms.wrapping_add(int(at + 1) as u64),
                node.id.seq.wrapping_add(int(at + 2) as u64),
            );
            at += 3;
            let mut content = Vec::new();
            if flags & 2 != 0 {
                for (field, value) in shared.iter().zip(&elements[at..]) {
                    content.extend([field.to_vec(), value.to_vec()]);
                }
                at += fields;
            } else {
                let own = int(at) as usize;
                content.extend(
                    elements[at + 1..at + 1 + 2 * own]
                        .iter()
                        .map(Element::to_vec),
                );
                at += 1 + 2 * own;
            }
            at += 1;
            if flags & 1 == 0 {
                entries.push((entry_id, content));
            }
        }
    }
    assert_eq!(stream.length, entries.len() as u64);
    assert_eq!(
        id(stream.first_id),
        entries.first().map_or((0, 0), |entry| entry.0)
    );
    let groups = stream.groups.iter().map(|group| GroupMeaning {
        name: bytes(&group.name),
        last_id: id(group.last_id),
        entries_read: group.entries_read,
        pending: (group.pending.iter())
            .map(|p| {
                let consumer = &group.consumers[p.consumer];
                (id(p.id), p.delivery_count, bytes(&consumer.name))
            })
            .collect(),
        consumers: group.consumers.iter().map(|c| bytes(&c.name)).collect(),
    });
    StreamMeaning {
        entries,
        last_id: id(stream.last_id),
        max_deleted_id: id(stream.max_deleted_id),
        entries_added: stream.entries_added,
        groups: groups.collect(),
    }
}

pub fn bytes(string: &Str<'_>) -> Vec<u8> {
    string.clone().into_vec()
}

fn score(element: Element<'_>) -> f64 {
    number::parse_f64(&element.to_vec()).unwrap()
}

/// A file, read whole.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    pub version: u32,
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub functions: Vec<Vec<u8>>,
    pub modules: Vec<String>,
    pub hints: Vec<(u64, u64)>,
    pub keys: BTreeMap<(u32, Vec<u8>), Entry>,
    pub checksum: Option<ChecksumState>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: Meaning,
    pub expiry_ms: Option<i64>,
    pub access: Option<Access>,
    pub type_code: u8,
}

/// Reads a file in batches of this size.
pub fn read_file(input: impl std::io::Read, batch_bytes: usize) -> Result<Contents, RdbError> {
    let mut reader = Reader::new(input, ChecksumPolicy::Verify);
    let mut contents = Contents::default();
    while let Some(batch) = reader.next_batch(batch_bytes)? {
        assert!(!batch.is_empty());
        for item in batch.items() {
            take_item(&mut contents, item?)?;
        }
        reader.recycle(batch);
    }
    contents.version = reader.version().unwrap_or_default();
    Ok(contents)
}

fn take_item(contents: &mut Contents, item: Item<'_>) -> Result<(), RdbError> {
    match item {
        Item::Aux { key, value } => contents.aux.push((bytes(&key), bytes(&value))),
        Item::SelectDb(_) => (),
        Item::ResizeDb { keys, expires } => contents.hints.push((keys, expires)),
        Item::SlotInfo { .. } => (),
        Item::ModuleAux { module } => contents.modules.push(module),
        Item::Function(code) => contents.functions.push(bytes(&code)),
        Item::Entry(raw) => {
            let entry = Entry {
                value: meaning(&raw.decode(Validation::Full)?),
                expiry_ms: raw.expiry_ms,
                access: raw.access,
                type_code: raw.value_type.code(),
            };
            contents.keys.insert((raw.database, bytes(&raw.key)), entry);
        }
        Item::Eof(state) => contents.checksum = Some(state),
    }
    Ok(())
}

/// Gives its bytes a few at a time, as a socket may.
pub struct Trickle<'a> {
    pub rest: &'a [u8],
    pub at_most: usize,
}

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.at_most.min(out.len()).min(self.rest.len());
        out[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}
