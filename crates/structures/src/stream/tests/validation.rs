//! Bytes and parts from outside: a typed error or a sound stream, never a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::listpack;

const MASTER: StreamId = StreamId::new(5, 5);

fn pack(elements: &[i64]) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    listpack::append_all(
        &mut bytes,
        elements.iter().map(|&value| Element::Int(value)),
    );
    bytes
}

/// The same, but each integer takes nine bytes, as a foreign writer may have it.
fn wide_pack(elements: &[i64]) -> Vec<u8> {
    let mut bytes = listpack::EMPTY[..listpack::HEADER_BYTES].to_vec();
    for element in elements {
        bytes.push(0xF4);
        bytes.extend_from_slice(&element.to_le_bytes());
        bytes.push(9);
    }
    bytes.push(listpack::END);
    let (size, count) = (bytes.len() as u32, elements.len() as u16);
    bytes[..4].copy_from_slice(&size.to_le_bytes());
    bytes[4..6].copy_from_slice(&count.to_le_bytes());
    bytes
}

/// A node of three entries, the second with fields of its own and deleted.
fn node() -> Vec<i64> {
    vec![
        2, 1, 1, 77, 0, // master
        2, 0, 0, 8, 4, // same fields
        1, 0, 1, 2, 70, 71, 72, 73, 8, // deleted
        0, 1, -3, 1, 80, 81, 6, // other fields, lower sequence
    ]
}

#[test]
fn nodes_are_checked() {
    let check = |elements: &[i64]| validate_node(&pack(elements), MASTER);
    let summary = NodeSummary {
        live: 2,
        deleted: 1,
        last_live: Some(StreamId::new(6, 2)),
    };
    assert_eq!(check(&node()), Ok(summary));
    assert_eq!(check(&[0, 0, 0, 0]), Ok(NodeSummary::default()));

    let with = |at: usize, value: i64| {
        let mut elements = node();
        elements[at] = value;
        check(&elements)
    };
    assert!(matches!(with(0, -1), Err(NodeError::Number { offset: 6 })));
    assert!(matches!(
        with(0, 3),
        Err(NodeError::Counts {
            live: 3,
            deleted: 1
        })
    ));
    assert!(matches!(
        with(1, 2),
        Err(NodeError::Counts {
            live: 2,
            deleted: 2
        })
    ));
    assert_eq!(with(2, i64::MAX), Err(NodeError::Incomplete));
    assert!(matches!(with(4, 1), Err(NodeError::Number { .. })));
    assert!(matches!(with(5, 4), Err(NodeError::Number { .. })));
    assert!(matches!(with(9, 5), Err(NodeError::Size { .. })));
    assert_eq!(with(13, i64::MAX), Err(NodeError::Incomplete));
    assert!(with(13, 1).is_err());
    assert!(matches!(with(20, 0), Err(NodeError::Order { .. })));
    assert!(matches!(with(6, -1), Err(NodeError::Order { .. })));
    for len in 0..26 {
        let cut = check(&node()[..len]);
        assert!(cut.is_err(), "{len}: {cut:?}");
    }
    assert!(matches!(
        validate_node(b"", MASTER),
        Err(NodeError::Listpack(_))
    ));
    let zero = validate_node(&pack(&[1, 0, 0, 0, 2, 0, 0, 3]), StreamId::MIN);
    assert_eq!(zero, Err(NodeError::Order { id: StreamId::MIN }));
}

fn figures(length: u64, last_id: StreamId) -> Figures {
    Figures {
        length,
        last_id,
        max_deleted_id: StreamId::MIN,
        entries_added: None,
    }
}

fn with_node() -> Builder {
    let mut builder = Builder::new();
    builder
        .push_node(MASTER, pack(&node()))
        .expect("a valid node");
    builder
}

#[test]
fn parts_have_to_fit() {
    let top = StreamId::new(6, 2);
    let mut builder = with_node();
    for (master, allowed) in [(top, false), (MASTER, false), (StreamId::new(6, 3), true)] {
        let pushed = builder.push_node(master, pack(&[1, 0, 0, 0, 2, 0, 0, 3]));
        assert_eq!(pushed.is_ok(), allowed, "{master}: {pushed:?}");
    }
    assert!(matches!(
        builder.set_figures(figures(2, StreamId::MAX)),
        Err(BuildError::Length {
            stated: 2,
            actual: 3
        })
    ));
    assert!(matches!(
        with_node().set_figures(figures(2, MASTER)),
        Err(BuildError::LastId { .. })
    ));

    // Deleted entries above the last ID, as 7.0's XSETID may leave them.
    let mut builder = with_node();
    let empty = pack(&[0, 1, 0, 0, 3, 0, 0, 3]);
    builder
        .push_node(StreamId::new(9, 0), empty)
        .expect("a node without live entries");
    builder
        .set_figures(figures(2, top))
        .expect("fitting figures");
    let stream = builder.finish().expect("a whole stream");
    assert_eq!((stream.node_count(), stream.entries_added()), (1, 2));
    assert_eq!((stream.first_id(), stream.last_id()), (MASTER, top));
    assert_eq!(
        describe(&rebuild(&stream).expect("its own parts")),
        describe(&stream)
    );
}

type Change<'a> = &'a dyn Fn(&mut Builder, ConsumerId) -> Result<(), BuildError>;

#[test]
fn groups_have_to_be_whole() {
    let ids = [StreamId::new(5, 5), StreamId::new(6, 2)];
    let build = |change: Change<'_>| {
        let mut builder = with_node();
        builder.set_figures(figures(2, StreamId::new(7, 0)))?;
        builder.begin_group(b"g", ids[1], EntriesRead::Estimated)?;
        builder.push_pending(ids[0], 1, 1)?;
        builder.push_pending(ids[1], 2, 2)?;
        let consumer = builder.push_consumer(b"c", 3, None)?;
        builder.push_consumer_pending(consumer, ids[0])?;
        change(&mut builder, consumer)?;
        builder.finish()
    };
    let stream = build(&|b, c| b.push_consumer_pending(c, ids[1])).expect("a whole group");
    let group = stream.group(b"g").expect("the group");
    assert_eq!((group.pending_len(), group.entries_read()), (2, None));
    let pending = group.pending_entry(ids[1]).expect("pending");
    assert_eq!((pending.consumer, pending.idle_ms(12)), (&b"c"[..], 10));

    let error = |change: Change<'_>| build(change).map(|_| ()).expect_err("a broken group");
    assert_eq!(error(&|_, _| Ok(())), BuildError::Ownerless { id: ids[1] });
    assert_eq!(
        error(&|b, _| b.begin_group(b"h", ids[0], EntriesRead::Estimated)),
        BuildError::Ownerless { id: ids[1] }
    );
    assert_eq!(
        error(&|b, c| b.push_consumer_pending(c, ids[0])),
        BuildError::StrayPending { id: ids[0] }
    );
    assert_eq!(
        error(&|b, c| b.push_consumer_pending(c, MASTER.next().expect("not the last"))),
        BuildError::StrayPending {
            id: StreamId::new(5, 6)
        }
    );
    assert_eq!(
        error(&|b, _| b.push_pending(ids[0], 0, 0)),
        BuildError::DuplicatePending { id: ids[0] }
    );
    assert_eq!(
        error(&|b, _| b.push_consumer(b"c", 0, None).map(|_| ())),
        BuildError::DuplicateConsumer
    );
    assert_eq!(
        error(&|b, c| {
            b.push_consumer_pending(c, ids[1])?;
            b.begin_group(b"g", ids[0], EntriesRead::from_file(u64::MAX))
        }),
        BuildError::DuplicateGroup
    );
    assert!(Builder::new().push_pending(ids[0], 0, 0).is_err());
    assert!(Builder::new().push_consumer(b"c", 0, None).is_err());
}

/// Reads and edits whatever validation has let through.
fn exercise(bytes: Vec<u8>, master: StreamId) {
    let mut builder = Builder::new();
    if builder.push_node(master, bytes).is_err() {
        return;
    }
    assert!(builder.push_node(StreamId::MAX, Vec::new()).is_err());
    let fits = |length: &u64| {
        let figures = figures(*length, StreamId::MAX);
        builder.set_figures(figures).is_ok()
    };
    let length = (0..200).find(fits).expect("one of these lengths");
    let mut stream = builder.finish().expect("no groups");
    let ids: Vec<StreamId> = (stream.iter())
        .map(|entry| {
            assert_eq!(entry.fields.len(), entry.fields.clone().count());
            entry.id
        })
        .collect();
    assert_eq!(ids.len() as u64, length);
    assert!(ids.is_sorted());
    let back = stream.range_back(StreamId::MIN, StreamId::MAX);
    assert!(back.map(|entry| entry.id).eq(ids.iter().rev().copied()));

    let mut trimmed = stream.duplicate();
    for max in (0..length).rev() {
        let (keep, precision) = (Keep::MaxLen(max), Precision::Exact);
        let limit = 0;
        let trim = Trim {
            keep,
            precision,
            limit,
        };
        assert_eq!(trimmed.trim(&trim), 1);
        let left = &ids[ids.len() - max as usize..];
        assert!(
            trimmed
                .iter()
                .map(|entry| entry.id)
                .eq(left.iter().copied())
        );
        for (master, bytes) in trimmed.nodes() {
            validate_node(bytes, master).expect("a valid node");
        }
    }
    for id in ids {
        assert!(stream.delete(id));
        for (master, bytes) in stream.nodes() {
            validate_node(bytes, master).expect("a valid node");
        }
    }
    assert!(stream.is_empty());
}

#[test]
fn integers_wider_than_needed_are_edited() {
    let elements = [3, 0, 1, 7, 0, 2, 0, 0, 8, 4, 2, 0, 1, 8, 4, 2, 0, 2, 8, 4];
    let bytes = wide_pack(&elements);
    validate_node(&bytes, MASTER).expect("a valid node");
    exercise(bytes.clone(), MASTER);
    let mut builder = Builder::new();
    builder.push_node(MASTER, bytes).expect("a valid node");
    builder
        .set_figures(figures(3, StreamId::MAX))
        .expect("fitting figures");
    let mut stream = builder.finish().expect("no groups");
    let trim = Trim {
        keep: Keep::MaxLen(1),
        precision: Precision::Exact,
        limit: 0,
    };
    assert_eq!(stream.trim(&trim), 2);
    assert_eq!(stream.first_id(), StreamId::new(5, 7));
    let (master, bytes) = stream.nodes().next().expect("a node");
    let summary = validate_node(bytes, master).expect("a valid node");
    assert_eq!((summary.live, summary.deleted), (1, 2));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..80)) {
        exercise(bytes, MASTER);
    }

    #[test]
    fn any_elements_are_survived(
        elements in vec(prop_oneof![0..4_i64, -3..30_i64, any::<i64>()], 0..40),
        header in vec(0..3_i64, 0..4),
    ) {
        exercise(pack(&[header, elements].concat()), MASTER);
    }

    #[test]
    fn damaged_nodes_are_survived(
        at in 0..26_usize,
        value in prop_oneof![-3..12_i64, any::<i64>()],
        byte in 6..60_usize,
        flip in any::<u8>(),
    ) {
        let mut elements = node();
        elements[at] = value;
        exercise(wide_pack(&elements), MASTER);
        let mut bytes = pack(&elements);
        exercise(bytes.clone(), MASTER);
        if let Some(byte) = bytes.get_mut(byte) {
            *byte ^= flip;
        }
        exercise(bytes, MASTER);
    }
}
