//! Entries, trims, groups and pending entries against ordered maps of everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type OwnFields = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Debug)]
enum Step {
    Append(NewId, u64, OwnFields),
    Delete(StreamId),
    Trim(Trim),
    SetLastId(StreamId, Option<u64>, Option<StreamId>),
    Create(u8, StreamId, Option<u64>),
    Destroy(u8),
    SetPosition(u8, StreamId),
    Ensure(u8, u8),
    DeleteConsumer(u8, u8),
    DeliverNew(u8, u8, u64, Acknowledgement),
    DeliverAgain(u8, u8, StreamId, u64),
    Acknowledge(u8, StreamId),
    Claim(u8, u8, StreamId, Claim),
    ClaimIdle(u8, u8, StreamId, i64, u64, DeliveryCount),
    Freeze,
    Reload,
}

fn id() -> impl Strategy<Value = StreamId> {
    prop_oneof![
        20 => (0..12_u64, 0..5_u64).prop_map(|(ms, seq)| StreamId::new(ms, seq)),
        1 => Just(StreamId::MAX),
    ]
}

fn new_id() -> impl Strategy<Value = NewId> {
    prop_oneof![
        4 => Just(NewId::Auto),
        2 => (0..12_u64).prop_map(NewId::InMillisecond),
        2 => (0..12_u64, 0..5_u64).prop_map(|(ms, seq)| NewId::Exact(StreamId::new(ms, seq))),
    ]
}

fn fields() -> impl Strategy<Value = OwnFields> {
    let name = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"7".to_vec()),
        vec(any::<u8>(), 0..4)
    ];
    let value = prop_oneof![
        4 => (0..400_i64).prop_map(|i| i.to_string().into_bytes()),
        4 => vec(any::<u8>(), 0..12),
        1 => (60..300_usize).prop_map(|len| vec![b'v'; len]),
    ];
    prop_oneof![
        4 => value.clone().prop_map(|value| vec![(b"name".to_vec(), value)]),
        1 => vec((name, value), 0..4),
    ]
}

fn trim() -> impl Strategy<Value = Trim> {
    let keep = prop_oneof![
        (0..30_u64).prop_map(Keep::MaxLen),
        id().prop_map(Keep::MinId)
    ];
    let precision = prop_oneof![Just(Precision::Exact), Just(Precision::Approximate)];
    (keep, precision, 0..6_u64).prop_map(|(keep, precision, limit)| Trim {
        keep,
        precision,
        limit: limit * 2,
    })
}

fn delivery_count() -> impl Strategy<Value = DeliveryCount> {
    prop_oneof![
        Just(DeliveryCount::Increment),
        Just(DeliveryCount::Keep),
        (0..9_u64).prop_map(DeliveryCount::Set),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let group = || 0..2_u8;
    let consumer = || 0..3_u8;
    let idle = || prop_oneof![Just(0_i64), 0..40_i64];
    let acknowledgement = prop_oneof![
        5 => Just(Acknowledgement::Expected),
        1 => Just(Acknowledgement::None),
    ];
    let claim = (idle(), 0..200_i64, delivery_count(), any::<bool>()).prop_map(
        |(min_idle_ms, delivery_time_ms, delivery_count, force)| Claim {
            min_idle_ms,
            delivery_time_ms,
            delivery_count,
            not_pending: if force {
                NotPending::Create
            } else {
                NotPending::Skip
            },
        },
    );
    prop_oneof![
        30 => (new_id(), 0..12_u64, fields()).prop_map(|(i, now, f)| Step::Append(i, now, f)),
        6 => id().prop_map(Step::Delete),
        3 => trim().prop_map(Step::Trim),
        1 => (id(), proptest::option::of(0..40_u64), proptest::option::of(id()))
            .prop_map(|(id, added, deleted)| Step::SetLastId(id, added, deleted)),
        3 => (group(), id(), proptest::option::of(0..30_u64))
            .prop_map(|(g, id, read)| Step::Create(g, id, read)),
        1 => group().prop_map(Step::Destroy),
        1 => (group(), id()).prop_map(|(g, id)| Step::SetPosition(g, id)),
        1 => (group(), consumer()).prop_map(|(g, c)| Step::Ensure(g, c)),
        1 => (group(), consumer()).prop_map(|(g, c)| Step::DeleteConsumer(g, c)),
        8 => (group(), consumer(), 0..9_u64, acknowledgement)
            .prop_map(|(g, c, n, a)| Step::DeliverNew(g, c, n, a)),
        3 => (group(), consumer(), id(), 0..5_u64)
            .prop_map(|(g, c, id, n)| Step::DeliverAgain(g, c, id, n)),
        5 => (group(), id()).prop_map(|(g, id)| Step::Acknowledge(g, id)),
        6 => (group(), consumer(), id(), claim).prop_map(|(g, c, id, o)| Step::Claim(g, c, id, o)),
        3 => (group(), consumer(), id(), idle(), 1..5_u64, delivery_count())
            .prop_map(|(g, c, id, idle, n, count)| Step::ClaimIdle(g, c, id, idle, n, count)),
        2 => Just(Step::Freeze),
        1 => Just(Step::Reload),
    ]
}

#[derive(Clone, Debug, Default)]
struct Model {
    entries: BTreeMap<StreamId, OwnFields>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: BTreeMap<Vec<u8>, ModelGroup>,
}

#[derive(Clone, Debug, Default)]
struct ModelGroup {
    last_id: StreamId,
    /// Consumer, time, count.
    pending: BTreeMap<StreamId, (Vec<u8>, i64, u64)>,
    /// Seen and active times.
    consumers: BTreeMap<Vec<u8>, (i64, Option<i64>)>,
}

impl ModelGroup {
    fn see(&mut self, name: &[u8], now_ms: i64) {
        self.consumers.entry(name.to_vec()).or_insert((0, None)).0 = now_ms;
    }

    fn activate(&mut self, name: &[u8], now_ms: i64) {
        self.consumers.get_mut(name).expect("a consumer").1 = Some(now_ms);
    }
}

fn name(number: u8) -> Vec<u8> {
    vec![b'n', b'0' + number]
}

fn own(fields: Fields<'_>) -> OwnFields {
    let count = fields.len();
    let own: OwnFields = fields
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(own.len(), count);
    own
}

/// Applies a step to both, comparing what they say.
fn apply(stream: &mut Stream, model: &mut Model, step: Step, now_ms: i64, limits: NodeLimits) {
    match step {
        Step::Append(new_id, clock_ms, fields) => {
            let last = model.last_id;
            let expected = match new_id {
                NewId::Exact(id) => Some(id),
                NewId::Auto if clock_ms > last.ms => Some(StreamId::new(clock_ms, 0)),
                NewId::Auto => last.next(),
                // The last ID is never the greatest of its millisecond here.
                NewId::InMillisecond(ms) if ms == last.ms => last.next(),
                NewId::InMillisecond(ms) => Some(StreamId::new(ms, 0)),
            };
            let pairs = fields.iter().map(|(name, value)| (&name[..], &value[..]));
            let added = stream.append(new_id, clock_ms, pairs, limits);
            let expected = expected.filter(|id| *id > last);
            assert_eq!(added.ok(), expected);
            if let Some(id) = expected {
                model.last_id = id;
                model.entries_added += 1;
                model.entries.insert(id, fields);
            }
        }
        Step::Delete(id) => {
            let deleted = model.entries.remove(&id).is_some();
            assert_eq!(stream.delete(id), deleted);
            if deleted {
                model.max_deleted_id = model.max_deleted_id.max(id);
            }
        }
        Step::Trim(trim) => {
            let before = model.entries.len() as u64;
            let wanted = match trim.keep {
                Keep::MaxLen(max) => before.saturating_sub(max),
                Keep::MinId(min) => model.entries.range(..min).count() as u64,
            };
            let removed = stream.trim(&trim);
            // Which of them go is checked against Redis; how many must be in bounds.
            assert!(removed <= wanted);
            if trim.limit > 0 && trim.precision == Precision::Approximate {
                assert!(removed <= trim.limit);
            } else if trim.limit == 0 && trim.precision == Precision::Exact {
                assert_eq!(removed, wanted);
            }
            for _ in 0..removed {
                model.entries.pop_first();
            }
        }
        Step::SetLastId(id, added, deleted) => {
            let top = model.entries.keys().next_back().copied();
            let too_few = added.is_some_and(|added| added < model.entries.len() as u64);
            let allowed = deleted.is_none_or(|deleted| id >= deleted)
                && id >= model.max_deleted_id
                && top.is_none_or(|top| id >= top)
                && !(too_few && top.is_some())
                // Keep the scenario alive.
                && id != StreamId::MAX;
            if id == StreamId::MAX {
                return;
            }
            assert_eq!(stream.set_last_id(id, added, deleted).is_ok(), allowed);
            if allowed {
                model.last_id = id;
                model.entries_added = added.unwrap_or(model.entries_added);
                if let Some(deleted) = deleted.filter(|id| !id.is_zero()) {
                    model.max_deleted_id = deleted;
                }
            }
        }
        Step::Create(group, id, read) => {
            let created = stream.create_group(&name(group), id, read).is_ok();
            assert_eq!(created, !model.groups.contains_key(&name(group)));
            model
                .groups
                .entry(name(group))
                .or_insert_with(|| ModelGroup {
                    last_id: id,
                    ..ModelGroup::default()
                });
        }
        Step::Destroy(group) => {
            let destroyed = stream.destroy_group(&name(group)).is_some();
            assert_eq!(destroyed, model.groups.remove(&name(group)).is_some());
        }
        Step::Freeze => {}
        Step::Reload => *stream = rebuild(stream).expect("its own parts"),
        step => {
            let (Step::SetPosition(group, ..)
            | Step::Ensure(group, ..)
            | Step::DeleteConsumer(group, ..)
            | Step::DeliverNew(group, ..)
            | Step::DeliverAgain(group, ..)
            | Step::Acknowledge(group, ..)
            | Step::Claim(group, ..)
            | Step::ClaimIdle(group, ..)) = step
            else {
                unreachable!("all others are above");
            };
            let found = stream.log_and_group_mut(&name(group));
            let expected = model.groups.get_mut(&name(group));
            assert_eq!(found.is_some(), expected.is_some());
            if let (Some((log, group)), Some(expected)) = (found, expected) {
                apply_to_group(log, group, &model.entries, expected, step, now_ms);
            }
        }
    }
}

fn apply_to_group(
    log: &Log,
    group: &mut Group,
    entries: &BTreeMap<StreamId, OwnFields>,
    model: &mut ModelGroup,
    step: Step,
    now_ms: i64,
) {
    match step {
        Step::SetPosition(_, id) => {
            group.set_position(id, None);
            model.last_id = id;
        }
        Step::Ensure(_, consumer) => {
            let (_, presence) = group.ensure_consumer(&name(consumer), now_ms);
            let found = model.consumers.contains_key(&name(consumer));
            assert_eq!(presence == Presence::Found, found);
            model
                .consumers
                .entry(name(consumer))
                .or_insert((now_ms, None));
        }
        Step::DeleteConsumer(_, consumer) => {
            let before = model.pending.len();
            model
                .pending
                .retain(|_, (owner, ..)| *owner != name(consumer));
            let expected =
                (model.consumers.remove(&name(consumer))).map(|_| before - model.pending.len());
            assert_eq!(group.delete_consumer(&name(consumer)), expected);
        }
        Step::DeliverNew(_, consumer, count, acknowledgement) => {
            let consumer = name(consumer);
            let number = group.see_consumer(&consumer, now_ms).0;
            model.see(&consumer, now_ms);
            let mut delivered = Vec::new();
            group.deliver_new(
                log,
                number,
                count,
                acknowledgement,
                now_ms,
                |group, entry| {
                    assert_eq!(group.last_id(), entry.id);
                    delivered.push((entry.id, own(entry.fields)));
                },
            );
            let limit = if count == 0 {
                usize::MAX
            } else {
                count as usize
            };
            let after = (
                std::ops::Bound::Excluded(model.last_id),
                std::ops::Bound::Unbounded,
            );
            let expected: Vec<_> = (entries.range(after).take(limit))
                .map(|(id, fields)| (*id, fields.clone()))
                .collect();
            assert_eq!(delivered, expected);
            for (id, _) in expected {
                model.last_id = id;
                if acknowledgement == Acknowledgement::Expected {
                    model.pending.insert(id, (consumer.clone(), now_ms, 1));
                    model.activate(&consumer, now_ms);
                }
            }
        }
        Step::DeliverAgain(_, consumer, from, count) => {
            let consumer = name(consumer);
            let number = group.see_consumer(&consumer, now_ms).0;
            model.see(&consumer, now_ms);
            let mut delivered = Vec::new();
            group.deliver_again(log, number, from, count, now_ms, |id, entry| {
                delivered.push((id, entry.map(|entry| own(entry.fields))));
            });
            let limit = if count == 0 {
                usize::MAX
            } else {
                count as usize
            };
            let expected: Vec<_> = (model.pending.range_mut(from..))
                .filter(|(_, (owner, ..))| *owner == consumer)
                .take(limit)
                .map(|(id, (_, time, count))| {
                    if entries.contains_key(id) {
                        *time = now_ms;
                        *count += 1;
                    }
                    (*id, entries.get(id).cloned())
                })
                .collect();
            assert_eq!(delivered, expected);
        }
        Step::Acknowledge(_, id) => {
            assert_eq!(group.acknowledge(id), model.pending.remove(&id).is_some());
        }
        Step::Claim(_, consumer, id, options) => {
            let consumer = name(consumer);
            let number = group.see_consumer(&consumer, now_ms).0;
            model.see(&consumer, now_ms);
            let claimed = group.claim(log, number, id, &options, now_ms);
            check_claim(claimed, entries, model, &consumer, id, &options, now_ms);
        }
        Step::ClaimIdle(_, consumer, from, min_idle_ms, count, delivery_count) => {
            let consumer = name(consumer);
            let number = group.see_consumer(&consumer, now_ms).0;
            model.see(&consumer, now_ms);
            let options = Claim {
                min_idle_ms,
                delivery_time_ms: now_ms,
                delivery_count,
                not_pending: NotPending::Skip,
            };
            let candidates: Vec<StreamId> = model.pending.range(from..).map(|p| *p.0).collect();
            let mut candidates = candidates.into_iter().peekable();
            let mut left = count;
            let mut visited = BTreeSet::new();
            let next = group.claim_idle(
                log,
                number,
                from,
                min_idle_ms,
                count,
                delivery_count,
                now_ms,
                |claimed| {
                    let id = match &claimed {
                        Claimed::Moved { pending, .. } | Claimed::Deleted { pending } => pending.id,
                        Claimed::Untouched => panic!("shown without cause"),
                    };
                    while let Some(passed) = candidates.next_if(|candidate| *candidate < id) {
                        let untouched = Claimed::Untouched;
                        check_claim(
                            untouched, entries, model, &consumer, passed, &options, now_ms,
                        );
                    }
                    assert_eq!(candidates.next(), Some(id));
                    check_claim(claimed, entries, model, &consumer, id, &options, now_ms);
                    visited.insert(id);
                    left -= 1;
                },
            );
            // With so few pending, the bound on attempts is not met before the end.
            if left == 0 {
                assert_eq!(next, candidates.next().unwrap_or_default());
            } else if candidates.len() <= 9 {
                for passed in candidates {
                    let untouched = Claimed::Untouched;
                    check_claim(
                        untouched, entries, model, &consumer, passed, &options, now_ms,
                    );
                }
                assert_eq!(next, StreamId::MIN);
            }
        }
        _ => unreachable!("no step of a group"),
    }
}

/// Does to the model what a claim does, and compares the answers.
fn check_claim(
    claimed: Claimed<'_>,
    entries: &BTreeMap<StreamId, OwnFields>,
    model: &mut ModelGroup,
    consumer: &[u8],
    id: StreamId,
    options: &Claim,
    now_ms: i64,
) {
    let pending_as = |pending: &Pending<'_>| {
        let (time, count) = (pending.delivery_time_ms, pending.delivery_count);
        (pending.id, (pending.consumer.to_vec(), time, count))
    };
    let old = model.pending.get(&id).cloned();
    let Some(fields) = entries.get(&id) else {
        match (claimed, model.pending.remove(&id)) {
            (Claimed::Deleted { pending }, Some(old)) => {
                assert_eq!(pending_as(&pending), (id, old));
            }
            (Claimed::Untouched, None) => {}
            other => panic!("{other:?}"),
        }
        return;
    };
    let idle_enough = |time: i64| options.min_idle_ms == 0 || now_ms - time >= options.min_idle_ms;
    let count = match old {
        Some((_, time, count)) if idle_enough(time) => Some(count),
        None if options.not_pending == NotPending::Create => Some(1),
        _ => None,
    };
    let Some(count) = count else {
        assert!(matches!(claimed, Claimed::Untouched), "{claimed:?}");
        return;
    };
    let count = match options.delivery_count {
        DeliveryCount::Increment => count + 1,
        DeliveryCount::Keep => count,
        DeliveryCount::Set(count) => count,
    };
    let new = (consumer.to_vec(), options.delivery_time_ms, count);
    model.pending.insert(id, new.clone());
    model.activate(consumer, now_ms);
    let Claimed::Moved { pending, entry } = claimed else {
        panic!("{claimed:?}");
    };
    assert_eq!(pending_as(&pending), (id, new));
    assert_eq!((entry.id, own(entry.fields)), (id, fields.clone()));
}

fn check(stream: &Stream, model: &Model) {
    assert_eq!(stream.len(), model.entries.len() as u64);
    assert_eq!(stream.is_empty(), model.entries.is_empty());
    assert_eq!(stream.last_id(), model.last_id);
    assert_eq!(stream.max_deleted_id(), model.max_deleted_id);
    assert_eq!(stream.entries_added(), model.entries_added);
    let first = model.entries.keys().next().copied();
    assert_eq!(stream.first_id(), first.unwrap_or_default());
    assert_eq!(stream.first().map(|e| e.id), first);
    let last = model.entries.keys().next_back().copied();
    assert_eq!(stream.last().map(|e| e.id), last);
    let all: Vec<_> = stream.iter().map(|e| (e.id, own(e.fields))).collect();
    let expected: Vec<_> = model.entries.clone().into_iter().collect();
    assert_eq!(all, expected);
    for (master, bytes) in stream.nodes() {
        validate_node(bytes, master).expect("a valid node");
    }
    assert_eq!(stream.group_count(), model.groups.len());
    for ((name, group), (model_name, expected)) in stream.groups().zip(&model.groups) {
        assert_eq!(name, model_name);
        assert_eq!(group.last_id(), expected.last_id);
        let pending: Vec<_> = (group.pending())
            .map(|p| {
                (
                    p.id,
                    (p.consumer.to_vec(), p.delivery_time_ms, p.delivery_count),
                )
            })
            .collect();
        let wanted: Vec<_> = expected.pending.clone().into_iter().collect();
        assert_eq!(pending, wanted);
        assert_eq!(group.pending_len(), wanted.len());
        assert_eq!(group.consumer_count(), expected.consumers.len());
        for (consumer, (name, times)) in group.consumers().zip(&expected.consumers) {
            assert_eq!(consumer.name(), name);
            assert_eq!((consumer.seen_time_ms(), consumer.active_time_ms()), *times);
            let own = group.pending_range_of(consumer, StreamId::MIN, StreamId::MAX);
            let ids: Vec<_> = own.map(|p| p.id).collect();
            let wanted = (wanted.iter()).filter(|(_, (owner, ..))| owner == name);
            assert_eq!(ids, wanted.map(|(id, _)| *id).collect::<Vec<_>>());
            assert!(consumer.pending_ids().eq(ids.iter().copied()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn like_ordered_maps(
        steps in vec(step(), 0..120),
        max_bytes in prop_oneof![Just(0_usize), Just(4096), 40..400_usize],
        max_entries in 0..9_u64,
        intervals in vec((id(), id()), 8),
    ) {
        let limits = NodeLimits { max_bytes, max_entries };
        let mut stream = Stream::new();
        let mut model = Model::default();
        let mut frozen = Vec::new();
        for (now_ms, step) in (0..).zip(steps) {
            if matches!(step, Step::Freeze) && frozen.len() < 5 {
                frozen.push((stream.freeze(), describe(&stream)));
            }
            apply(&mut stream, &mut model, step, now_ms, limits);
        }
        check(&stream, &model);
        for (from, to) in intervals {
            let expected: Vec<_> = if from <= to {
                model.entries.range(from..=to).map(|e| *e.0).collect()
            } else {
                Vec::new()
            };
            let forward: Vec<_> = stream.range(from, to).map(|e| e.id).collect();
            prop_assert_eq!(&forward, &expected);
            let mut backward: Vec<_> = stream.range_back(from, to).map(|e| e.id).collect();
            backward.reverse();
            prop_assert_eq!(&backward, &expected);
            let entry = stream.entry(from).map(|e| own(e.fields));
            prop_assert_eq!(entry.as_ref(), model.entries.get(&from));
        }
        for (frozen, description) in &frozen {
            prop_assert_eq!(&describe(frozen), description);
        }
    }
}
