//! Freezing, copying, slices of reading and of freeing.

use super::*;

/// A stream of this many entries, of which a group has this many pending.
fn sample(entries: u64, pending: u64, consumers: u64) -> Stream {
    let mut stream = Stream::new();
    for seq in 0..entries {
        append(
            &mut stream,
            StreamId::new(1 + seq / 10, seq % 10),
            &[("name", "value")],
        );
    }
    stream
        .create_group(b"group", StreamId::MIN, Some(0))
        .expect("the first group");
    let (log, group) = stream.log_and_group_mut(b"group").expect("the group");
    for number in 0..consumers {
        let consumer = group
            .see_consumer(format!("consumer-{number}").as_bytes(), 5)
            .0;
        // A count of 0 would be all.
        if let count @ 1.. = pending / consumers {
            let acknowledgement = Acknowledgement::Expected;
            group.deliver_new(log, consumer, count, acknowledgement, 7, |_, _| {});
        }
    }
    stream
}

#[test]
fn a_frozen_stream_stays_and_shares() {
    let mut stream = sample(4950, 3000, 3);
    let frozen = stream.freeze();
    let before = describe(&frozen);
    let nodes = |stream: &Stream| -> Vec<*const u8> {
        stream.nodes().map(|(_, bytes)| bytes.as_ptr()).collect()
    };
    append(&mut stream, StreamId::new(9999, 0), &[("name", "value")]);
    stream.delete(StreamId::new(100, 5));
    let (log, group) = stream.log_and_group_mut(b"group").expect("the group");
    let consumer = group.see_consumer(b"new", 9).0;
    group.deliver_new(log, consumer, 1, Acknowledgement::Expected, 9, |_, _| {});
    group.acknowledge(StreamId::new(2, 2));
    group.delete_consumer(b"consumer-1");
    stream
        .create_group(b"other", StreamId::MIN, None)
        .expect("another group");
    assert_eq!(describe(&frozen), before);
    assert_ne!(describe(&stream), before);
    let own = nodes(&stream);
    let copied = (own.iter()).zip(nodes(&frozen)).filter(|(a, b)| **a != *b);
    assert_eq!(copied.count(), 2, "the two nodes written to");

    let copy = stream.duplicate();
    assert_eq!(describe(&copy), describe(&stream));
    assert!(stream.destroy_group(b"other").is_some());
    assert_eq!(copy.group_count(), 2);
}

#[test]
fn a_frozen_stream_is_read_in_slices() {
    let frozen = sample(1000, 0, 1).freeze();
    for (from, to) in [
        (StreamId::MIN, StreamId::MAX),
        (StreamId::new(3, 3), StreamId::new(77, 0)),
        (StreamId::MAX, StreamId::MAX),
    ] {
        for slice in [0, 1, 7, 100, 5000] {
            let mut forward = Vec::new();
            let mut cursor = Some(from);
            while let Some(from) = cursor {
                let before = forward.len();
                cursor = frozen.visit(from, to, slice, |entry| forward.push(entry.id));
                assert!(forward.len() - before <= slice.max(1));
            }
            assert!(
                frozen
                    .range(from, to)
                    .map(|entry| entry.id)
                    .eq(forward.iter().copied())
            );
            let mut backward = Vec::new();
            let mut cursor = Some(to);
            while let Some(to) = cursor {
                cursor = frozen.visit_back(from, to, slice, |entry| backward.push(entry.id));
            }
            backward.reverse();
            assert_eq!(backward, forward);
        }
    }
}

#[test]
fn dropping_in_slices_ends() {
    for shared in [false, true] {
        let mut stream = sample(20_000, 9000, 3);
        stream
            .create_group(b"empty", StreamId::MIN, None)
            .expect("another group");
        let frozen = shared.then(|| stream.freeze());
        let description = describe(&stream);
        let mut slices = 0;
        while !stream.drop_some(500) {
            slices += 1;
            assert!(slices < 1000);
        }
        // 200 nodes; 9,000 pending entries, once for the group and once for consumers.
        assert!(shared || slices >= 2 * 9000 / 600, "{slices} slices");
        assert_eq!((stream.node_count(), stream.group_count()), (0, 0));
        if let Some(frozen) = frozen {
            assert_eq!(describe(&frozen), description);
        }
    }
    assert!(Stream::new().drop_some(0));
}

#[test]
fn memory_follows_the_content() {
    let empty = Stream::new().memory_bytes();
    assert!(empty < 300, "{empty}");
    let stream = sample(10_000, 0, 1);
    let content: usize = stream.nodes().map(|(_, bytes)| bytes.len()).sum();
    let plain = stream.memory_bytes();
    assert!(
        (content..content * 5 / 4 + 8192).contains(&plain),
        "{plain} for {content}"
    );
    let pending = sample(10_000, 9000, 3).memory_bytes() - plain;
    assert!((9000 * 56..9000 * 70).contains(&pending), "{pending}");
}
