//! Plain values, as they come out of an RDB, to entries of the store.
//!
//! A value gets the encoding that the configured thresholds ask for, by the rules by
//! which Redis 7.2 converts what it loads: a listpack or intset stays one unless it has
//! too many elements, single elements are packed if they are few and short enough.
//!
//! Invariant: memory taken is a small multiple of the value's bytes; nothing is sized
//! by a number that the value merely states.

use std::borrow::Cow;
use std::sync::Arc;

use ochre_rdb::{
    Access, ExpiringField, ListNode, PlainGroup, PlainHash, PlainList, PlainSet, PlainSortedSet,
    PlainStream, PlainValue, Str,
};
use ochre_store::clock::AccessPolicy;
use ochre_store::value::hash::{HashMut, empty_hash};
use ochre_store::value::set::{NewSet, SetEncoding};
use ochre_store::value::sorted_set::{Limits, NewSortedSet};
use ochre_store::{Entry, Kind, Object, Payload, Settings};
use ochre_structures::field_map::{FieldDeadline, FieldMap};
use ochre_structures::intset::Intset;
use ochre_structures::list::{List, Side};
use ochre_structures::listpack::{self, Listpack};
use ochre_structures::member_set::MemberSet;
use ochre_structures::sorted_set::SortedSetBuilder;
use ochre_structures::stream::{BuildError, Builder, EntriesRead, Figures, Stream};

use crate::commands::string::value as string;

/// Redis keeps no larger intset, whatever the limit.
const INTSET_LEN_MAX: usize = 1 << 30;

/// Why a value that is well-formed in its parts is none as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A member or field occurs twice.
    #[error("duplicate {0}")]
    Duplicate(&'static str),
    /// The parts of a stream do not agree.
    #[error("{0}")]
    Stream(#[from] BuildError),
    /// A node of a list cannot be read.
    #[error("{0}")]
    List(listpack::Error),
}

/// An entry of this key, value and deadline. O(bytes), and O(n log n) for a sorted set
/// that does not come in order.
///
/// # Errors
/// See [`RestoreError`].
pub fn entry(
    key: &[u8],
    value: PlainValue<'_>,
    expiry_ms: Option<i64>,
    settings: &Settings,
) -> Result<Entry, RestoreError> {
    let make = |payload: Payload<'_>| Entry::new(key, payload, expiry_ms);
    match value {
        PlainValue::String(text) => Ok(string_entry(text, make)),
        PlainValue::List(list) => list_entry(list, settings, make),
        PlainValue::Set(set) => set_entry(set, settings, make),
        PlainValue::SortedSet(set) => sorted_set_entry(set, settings, make),
        PlainValue::Hash(hash) => hash_entry(hash, settings, make),
        PlainValue::Stream(stream) => Ok(make(object(Object::Stream(build_stream(stream)?)))),
    }
}

/// The access clock of an entry restored at `now_ms`, given what was said of its use
/// and what the eviction policy wants to know.
pub fn access_clock(policy: AccessPolicy, now_ms: i64, access: Option<Access>) -> u32 {
    /// The clock counts so many seconds before it starts again.
    const CLOCK_SECONDS: i64 = 1 << 24;
    let born = policy.born(now_ms);
    match (policy, access) {
        (AccessPolicy::Lru, Some(Access::Idle { seconds })) => {
            let clock_s = (now_ms / 1000).rem_euclid(CLOCK_SECONDS);
            let idle_s = i64::try_from(seconds).unwrap_or(i64::MAX);
            // As in Redis: idle for longer than the clock shows is idle for long.
            let idle_s = if idle_s > clock_s {
                CLOCK_SECONDS / 2
            } else {
                idle_s
            };
            policy.born(now_ms - idle_s * 1000)
        }
        (AccessPolicy::Lfu { .. }, Some(Access::Frequency(counter))) => {
            born & !0xff | u32::from(counter)
        }
        _ => born,
    }
}

fn object(object: Object) -> Payload<'static> {
    Payload::Object(Box::new(object))
}

fn string_entry(text: Str<'_>, make: impl FnOnce(Payload<'_>) -> Entry) -> Entry {
    match text {
        Str::Integer(value) => make(Payload::Int(value)),
        Str::Slice(bytes) => make(string::payload(bytes)),
        Str::Owned(bytes) if bytes.len() > string::INLINE_BYTES_MAX => {
            make(object(Object::String(Arc::new(bytes))))
        }
        Str::Owned(bytes) => make(string::payload(&bytes)),
    }
}

fn list_entry(
    list: PlainList<'_>,
    settings: &Settings,
    make: impl FnOnce(Payload<'_>) -> Entry,
) -> Result<Entry, RestoreError> {
    let limit = settings.list_node_limit;
    if let PlainList::Nodes(nodes) = &list
        && let [ListNode::Packed(bytes)] = &nodes[..]
        && !limit.is_exceeded_by(bytes.len(), Listpack(bytes).len())
    {
        return Ok(make(Payload::Inline(Kind::PackedList, bytes)));
    }
    let mut large = List::new(limit);
    match list {
        PlainList::Elements(elements) => {
            let mut digits = itoa::Buffer::new();
            for element in &elements {
                large.push(Side::Back, element.as_bytes(&mut digits));
            }
        }
        PlainList::Nodes(nodes) => {
            for node in nodes {
                match node {
                    ListNode::Packed(bytes) => large
                        .push_packed_node(bytes.into_owned())
                        .map_err(RestoreError::List)?,
                    ListNode::Plain(bytes) => large.push_plain_node(bytes.into_owned()),
                }
            }
        }
    }
    if let Some(bytes) = large.as_listpack()
        && !limit.is_exceeded_by(bytes.len(), large.len())
    {
        return Ok(make(Payload::Inline(Kind::PackedList, bytes)));
    }
    Ok(make(object(Object::List(large))))
}

fn set_entry(
    set: PlainSet<'_>,
    settings: &Settings,
    make: impl FnOnce(Payload<'_>) -> Entry,
) -> Result<Entry, RestoreError> {
    const DUPLICATE: RestoreError = RestoreError::Duplicate("set member");
    let intset_max = settings.set_max_intset_entries.min(INTSET_LEN_MAX);
    let mut table = MemberSet::new();
    match set {
        PlainSet::Intset(bytes) => {
            let ints = Intset::new(&bytes);
            if ints.len() <= intset_max {
                return Ok(make(Payload::Inline(Kind::IntSet, &bytes)));
            }
            for member in ints.iter() {
                table.insert(member);
            }
        }
        PlainSet::Listpack(bytes) => {
            let pack = Listpack(&bytes);
            if pack.len() <= settings.set_max_listpack_entries {
                return Ok(make(Payload::Inline(Kind::PackedSet, &bytes)));
            }
            for member in pack.iter() {
                if !table.insert(member) {
                    return Err(DUPLICATE);
                }
            }
        }
        PlainSet::Members(members) if members.len() <= intset_max => {
            let mut small = NewSet::new(SetEncoding::IntSet, settings);
            for member in &members {
                // An integer's text of another form (`007`) is no integer.
                if !small.edit().add(member.element()) {
                    return Err(DUPLICATE);
                }
            }
            return Ok(small.store(make));
        }
        PlainSet::Members(members) => {
            for member in &members {
                if !table.insert(member.element()) {
                    return Err(DUPLICATE);
                }
            }
        }
    }
    Ok(make(object(Object::Set(table))))
}

fn sorted_set_entry(
    set: PlainSortedSet<'_>,
    settings: &Settings,
    make: impl FnOnce(Payload<'_>) -> Entry,
) -> Result<Entry, RestoreError> {
    const DUPLICATE: RestoreError = RestoreError::Duplicate("member of a sorted set");
    let limits = Limits::from(settings);
    let mut digits = itoa::Buffer::new();
    let mut builder = SortedSetBuilder::new();
    match set {
        PlainSortedSet::Listpack(bytes) => {
            let pack = Listpack(&bytes);
            if pack.len() / 2 <= limits.entries_max {
                return Ok(make(Payload::Inline(Kind::PackedSortedSet, &bytes)));
            }
            for (member, score) in ochre_store::value::sorted_set::SortedSetRef::Packed(pack).iter()
            {
                let pushed = builder.push(member.as_bytes(&mut digits), score);
                pushed.map_err(|_| DUPLICATE)?;
            }
        }
        PlainSortedSet::Pairs(pairs) => {
            let lengths = || pairs.iter().map(|(member, _)| member.len());
            let packed = pairs.len() <= limits.entries_max
                && lengths().max().unwrap_or(0) <= limits.member_bytes_max
                && listpack::fits(0, lengths().sum());
            if packed {
                return Ok(packed_sorted_set(pairs, limits)?.store(make));
            }
            for (member, score) in &pairs {
                let pushed = builder.push(member.as_bytes(&mut digits), *score);
                pushed.map_err(|_| DUPLICATE)?;
            }
        }
    }
    Ok(make(object(Object::SortedSet(builder.finish()))))
}

fn packed_sorted_set(
    pairs: Vec<(Str<'_>, f64)>,
    limits: Limits,
) -> Result<NewSortedSet, RestoreError> {
    let mut members: Vec<(Cow<'_, [u8]>, f64)> = pairs
        .into_iter()
        .map(|(member, score)| (member.into_bytes(), score))
        .collect();
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(RestoreError::Duplicate("member of a sorted set"));
    }
    // Stable: members of one score stay in their order. No score is NaN.
    members.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal));
    Ok(NewSortedSet::of(limits, &members))
}

fn hash_entry(
    hash: PlainHash<'_>,
    settings: &Settings,
    make: impl FnOnce(Payload<'_>) -> Entry,
) -> Result<Entry, RestoreError> {
    let table = match hash {
        PlainHash::Listpack(bytes) => {
            let pack = Listpack(&bytes);
            if pack.len() / 2 <= settings.hash_max_listpack_entries {
                return Ok(make(Payload::Inline(Kind::PackedHash, &bytes)));
            }
            let fields = pack
                .pairs()
                .map(|(field, value)| (Str::from(field), Str::from(value), None));
            field_map(fields)?
        }
        PlainHash::Pairs(pairs) => {
            let fields = pairs
                .iter()
                .map(|(field, value)| (field.clone(), value.clone(), None));
            let table = field_map(fields)?;
            let lengths = pairs.iter().flat_map(|(f, v)| [f.len(), v.len()]);
            if is_packable(pairs.len(), lengths, settings) {
                let mut bytes = listpack::EMPTY.to_vec();
                for (field, value) in &pairs {
                    listpack::append_all(&mut bytes, [field.element(), value.element()]);
                }
                return Ok(make(Payload::Inline(Kind::PackedHash, &bytes)));
            }
            table
        }
        PlainHash::Expiring(fields) => {
            let lengths = fields.iter().flat_map(|f| [f.field.len(), f.value.len()]);
            if is_packable(fields.len(), lengths, settings) {
                return packed_dated_hash(&fields, settings, make);
            }
            field_map(
                fields
                    .into_iter()
                    .map(|field| (field.field, field.value, field.expiry_ms)),
            )?
        }
    };
    Ok(make(object(Object::Hash(table))))
}

fn is_packable(
    fields: usize,
    lengths: impl Iterator<Item = usize> + Clone,
    settings: &Settings,
) -> bool {
    fields <= settings.hash_max_listpack_entries
        && lengths.clone().max().unwrap_or(0) <= settings.hash_max_listpack_value
        && listpack::fits(0, lengths.sum())
}

fn field_map<'a>(
    fields: impl Iterator<Item = (Str<'a>, Str<'a>, Option<u64>)>,
) -> Result<FieldMap, RestoreError> {
    let mut table = FieldMap::new();
    let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
    for (field, value, deadline) in fields {
        let deadline = deadline.map_or(FieldDeadline::Clear, FieldDeadline::AtMs);
        if !table.set(
            field.as_bytes(&mut name),
            value.as_bytes(&mut text),
            deadline,
        ) {
            return Err(RestoreError::Duplicate("hash field"));
        }
    }
    Ok(table)
}

/// A hash with deadlines that fits into a listpack.
fn packed_dated_hash(
    fields: &[ExpiringField<'_>],
    settings: &Settings,
    make: impl FnOnce(Payload<'_>) -> Entry,
) -> Result<Entry, RestoreError> {
    let mut entry = make(empty_hash());
    let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
    if let Ok(mut hash) = HashMut::of(&mut entry, settings) {
        for field in fields {
            let deadline = field
                .expiry_ms
                .map_or(FieldDeadline::Clear, FieldDeadline::AtMs);
            let (field, value) = (&field.field, &field.value);
            if !hash.set(
                field.as_bytes(&mut name),
                value.as_bytes(&mut text),
                deadline,
            ) {
                return Err(RestoreError::Duplicate("hash field"));
            }
        }
    }
    Ok(entry)
}

fn build_stream(stream: PlainStream<'_>) -> Result<Stream, BuildError> {
    let mut builder = Builder::new();
    for node in stream.nodes {
        builder.push_node(node.id, node.listpack.into_owned())?;
    }
    builder.set_figures(Figures {
        length: stream.length,
        last_id: stream.last_id,
        max_deleted_id: stream.max_deleted_id,
        entries_added: Some(stream.entries_added),
    })?;
    for group in &stream.groups {
        build_group(&mut builder, group)?;
    }
    builder.finish()
}

fn build_group(builder: &mut Builder, group: &PlainGroup<'_>) -> Result<(), BuildError> {
    let mut digits = itoa::Buffer::new();
    builder.begin_group(
        group.name.as_bytes(&mut digits),
        group.last_id,
        EntriesRead::Stated(group.entries_read),
    )?;
    for pending in &group.pending {
        builder.push_pending(pending.id, pending.delivery_time_ms, pending.delivery_count)?;
    }
    let mut consumers = Vec::new();
    for consumer in &group.consumers {
        let active_time_ms = Some(consumer.active_time_ms).filter(|&at| at >= 0);
        consumers.push(builder.push_consumer(
            consumer.name.as_bytes(&mut digits),
            consumer.seen_time_ms,
            active_time_ms,
        )?);
    }
    for pending in &group.pending {
        match consumers.get(pending.consumer) {
            Some(&consumer) => builder.push_consumer_pending(consumer, pending.id)?,
            None => return Err(BuildError::Ownerless { id: pending.id }),
        }
    }
    Ok(())
}
