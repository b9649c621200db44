//! Values of every type, generated.

use std::collections::{BTreeMap, BTreeSet};

use ochre_rdb::{
    ExpiringField, ListNode, PlainConsumer, PlainGroup, PlainHash, PlainList, PlainPending,
    PlainSet, PlainSortedSet, PlainStream, PlainValue, Str, StreamId, StreamNode,
};
use ochre_structures::{intset, listpack};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// Strings of all the kinds that are stored differently.
pub fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..12),
        any::<i8>().prop_map(|value| value.to_string().into_bytes()),
        any::<i16>().prop_map(|value| value.to_string().into_bytes()),
        any::<i32>().prop_map(|value| value.to_string().into_bytes()),
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        vec(any::<u8>(), 60..70),
        (any::<u8>(), 20_usize..5000).prop_map(|(byte, count)| std::vec![byte; count]),
        vec(0_u8..3, 20..300),
    ]
}

fn string() -> impl Strategy<Value = Str<'static>> {
    text().prop_map(Str::Owned)
}

fn packed<'a>(elements: impl IntoIterator<Item = &'a Vec<u8>, IntoIter: Clone>) -> Vec<u8> {
    let mut packed = listpack::EMPTY.to_vec();
    listpack::append_all(&mut packed, elements);
    packed
}

fn list() -> impl Strategy<Value = PlainList<'static>> {
    let node = prop_oneof![
        vec(text(), 1..8).prop_map(|elements| ListNode::Packed(packed(&elements).into())),
        text().prop_map(|element| ListNode::Plain(element.into())),
    ];
    prop_oneof![
        vec(node, 1..5).prop_map(PlainList::Nodes),
        vec(string(), 1..8).prop_map(PlainList::Elements),
    ]
}

fn set() -> impl Strategy<Value = PlainSet<'static>> {
    let integers = prop_oneof![
        any::<i64>(),
        -100_i64..100,
        any::<i32>().prop_map(i64::from)
    ];
    prop_oneof![
        btree_set(integers, 1..20).prop_map(|members| {
            let mut set = intset::EMPTY.to_vec();
            for member in members {
                intset::insert(&mut set, member);
            }
            PlainSet::Intset(set.into())
        }),
        btree_set(text(), 1..8).prop_map(|members| PlainSet::Listpack(packed(&members).into())),
        btree_set(text(), 1..8).prop_map(|members: BTreeSet<_>| {
            PlainSet::Members(members.into_iter().map(Str::Owned).collect())
        }),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("a score is a number", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ]
}

fn sorted_set() -> impl Strategy<Value = PlainSortedSet<'static>> {
    let pairs = btree_map(text(), score(), 1..8);
    (pairs, any::<bool>()).prop_map(|(pairs, small)| {
        if !small {
            let pairs = pairs.into_iter().map(|(m, s)| (Str::Owned(m), s));
            return PlainSortedSet::Pairs(pairs.collect());
        }
        let mut pairs: Vec<(Vec<u8>, f64)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
        let mut elements = Vec::new();
        for (member, score) in pairs {
            elements.push(member);
            let text = ochre_structures::number::format_f64(score);
            elements.push(text.as_bytes().to_vec());
        }
        PlainSortedSet::Listpack(packed(&elements).into())
    })
}

fn hash() -> impl Strategy<Value = PlainHash<'static>> {
    let pairs = || btree_map(text(), text(), 1..8);
    let deadline = prop::option::of(1_u64..1 << 47);
    prop_oneof![
        pairs().prop_map(|pairs| {
            PlainHash::Listpack(packed(pairs.iter().flat_map(|(f, v)| [f, v])).into())
        }),
        pairs().prop_map(|pairs: BTreeMap<_, _>| {
            let pairs = pairs.into_iter();
            PlainHash::Pairs(pairs.map(|(f, v)| (Str::Owned(f), Str::Owned(v))).collect())
        }),
        btree_map(text(), (text(), deadline), 1..8).prop_map(|fields| {
            let fields = fields
                .into_iter()
                .map(|(field, (value, expiry_ms))| ExpiringField {
                    field: Str::Owned(field),
                    value: Str::Owned(value),
                    expiry_ms,
                });
            PlainHash::Expiring(fields.collect())
        }),
    ]
}

/// An entry of a stream: how far its ID is from that before, whether it has the
/// fields of its node, whether it was deleted, its fields and values.
#[derive(Clone, Debug)]
struct EntryPlan {
    ms: u64,
    sequence: u64,
    same_fields: bool,
    deleted: bool,
    content: Vec<(Vec<u8>, Vec<u8>)>,
}

fn entry_plan() -> impl Strategy<Value = EntryPlan> {
    let content = vec((text(), text()), 0..3);
    let flags = (any::<bool>(), prop::bool::weighted(0.2));
    (0_u64..5, 0_u64..5, flags, content).prop_map(
        |(ms, sequence, (same_fields, deleted), content)| EntryPlan {
            ms,
            sequence,
            same_fields,
            deleted,
            content,
        },
    )
}

/// A node whose entries come after `last`, and the ID of the last.
fn stream_node(plans: &[EntryPlan], last: &mut StreamId) -> (StreamNode<'static>, Vec<StreamId>) {
    let fields: Vec<Vec<u8>> = vec_of_fields(plans);
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut live = Vec::new();
    let mut node_id = None;
    for plan in plans {
        let id = if plan.ms == 0 {
            StreamId {
                ms: last.ms,
                seq: last.seq + 1 + plan.sequence,
            }
        } else {
            StreamId {
                ms: last.ms + plan.ms,
                seq: plan.sequence,
            }
        };
        *last = id;
        let node_id = *node_id.get_or_insert(id);
        let mut push = |value: i64| entries.push(value.to_string().into_bytes());
        push(i64::from(plan.deleted) + if plan.same_fields { 2 } else { 0 });
        push(id.ms.wrapping_sub(node_id.ms) as i64);
        push(id.seq.wrapping_sub(node_id.seq) as i64);
        let size = if plan.same_fields {
            let values = (0..fields.len()).map(|at| {
                plan.content
                    .get(at)
                    .map_or(Vec::new(), |(_, value)| value.clone())
            });
            entries.extend(values);
            fields.len()
        } else {
            push(plan.content.len() as i64);
            for (field, value) in &plan.content {
                entries.extend([field.clone(), value.clone()]);
            }
            2 * plan.content.len() + 1
        };
        entries.push((size + 3).to_string().into_bytes());
        if !plan.deleted {
            live.push(id);
        }
    }
    let mut head: Vec<Vec<u8>> = std::vec![
        live.len().to_string().into_bytes(),
        (plans.len() - live.len()).to_string().into_bytes(),
        fields.len().to_string().into_bytes(),
    ];
    head.extend(fields);
    head.push(b"0".to_vec());
    let node = StreamNode {
        id: node_id.unwrap(),
        listpack: packed(head.iter().chain(&entries)).into(),
    };
    (node, live)
}

fn vec_of_fields(plans: &[EntryPlan]) -> Vec<Vec<u8>> {
    let first = plans.iter().map(|plan| &plan.content).next().unwrap();
    first.iter().map(|(field, _)| field.clone()).collect()
}

fn stream() -> impl Strategy<Value = PlainStream<'static>> {
    let nodes = vec(vec(entry_plan(), 1..5), 0..4);
    let group = (
        any::<u64>(),
        prop::option::of(0_u64..1000),
        btree_map(
            any::<(u64, u64)>(),
            (any::<i64>(), any::<u64>(), any::<usize>()),
            0..5,
        ),
        btree_map(text(), any::<(i64, i64)>(), 1..4),
    );
    let groups = btree_map(text(), group, 0..3);
    (nodes, groups, 0_u64..1 << 48, any::<u64>()).prop_map(|(plans, groups, start, added)| {
        let mut last_id = StreamId { ms: start, seq: 0 };
        let mut live = Vec::new();
        let mut nodes = Vec::new();
        for plans in &plans {
            let (node, ids) = stream_node(plans, &mut last_id);
            nodes.push(node);
            live.extend(ids);
        }
        let groups = groups
            .into_iter()
            .map(|(name, (ms, read, pending, consumers))| {
                let consumer_count = consumers.len();
                let pending = pending.into_iter().map(
                    |((ms, sequence), (delivery_time_ms, delivery_count, consumer))| PlainPending {
                        id: StreamId { ms, seq: sequence },
                        delivery_time_ms,
                        delivery_count,
                        consumer: consumer % consumer_count,
                    },
                );
                let consumers = consumers
                    .into_iter()
                    .map(|(name, (seen, active))| PlainConsumer {
                        name: Str::Owned(name),
                        seen_time_ms: seen,
                        active_time_ms: active,
                    });
                PlainGroup {
                    name: Str::Owned(name),
                    last_id: StreamId { ms, seq: 7 },
                    entries_read: read,
                    pending: pending.collect(),
                    consumers: consumers.collect(),
                }
            });
        PlainStream {
            nodes,
            length: live.len() as u64,
            last_id,
            first_id: live.first().copied().unwrap_or_default(),
            max_deleted_id: StreamId { ms: added, seq: 3 },
            entries_added: added,
            groups: groups.collect(),
        }
    })
}

/// A value of any type in any encoding.
pub fn value() -> impl Strategy<Value = PlainValue<'static>> {
    prop_oneof![
        string().prop_map(PlainValue::String),
        list().prop_map(PlainValue::List),
        set().prop_map(PlainValue::Set),
        sorted_set().prop_map(PlainValue::SortedSet),
        hash().prop_map(PlainValue::Hash),
        stream().prop_map(PlainValue::Stream),
    ]
}
