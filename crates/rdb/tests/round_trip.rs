//! What was written is read again: values, dumps and files, in every version.

mod support;

use ochre_rdb::{
    Access, Batch, ChecksumPolicy, ChecksumState, Compression, DumpPayload, Encoder, EntryHead,
    Form, Item, PlainValue, Preamble, Reader, Replication, Str, Validation, Version, Writer,
};
use proptest::prelude::*;
use support::{Contents, Entry, Meaning, Trickle, generate, meaning, read_file};

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V10), Just(Version::V11), Just(Version::V12)]
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(Compression::Lzf), Just(Compression::Off)]
}

/// Without what version 10 cannot hold.
fn without_active_times(mut value: PlainValue<'static>) -> PlainValue<'static> {
    if let PlainValue::Stream(stream) = &mut value {
        for consumer in stream
            .groups
            .iter_mut()
            .flat_map(|group| &mut group.consumers)
        {
            consumer.active_time_ms = consumer.seen_time_ms;
        }
    }
    value
}

fn access() -> impl Strategy<Value = Option<Access>> {
    prop_oneof![
        Just(None),
        any::<u8>().prop_map(|frequency| Some(Access::Frequency(frequency))),
        any::<u64>().prop_map(|seconds| Some(Access::Idle { seconds })),
    ]
}

type Key = (u32, Vec<u8>);
type Data = (PlainValue<'static>, Option<i64>, Option<Access>);

fn keys() -> impl Strategy<Value = std::collections::BTreeMap<Key, Data>> {
    let data = (generate::value(), any::<Option<i64>>(), access());
    prop::collection::btree_map((0_u32..3, generate::text()), data, 0..8)
}

fn write_file(
    keys: &std::collections::BTreeMap<Key, Data>,
    version: Version,
    compression: Compression,
    policy: ChecksumPolicy,
) -> Vec<u8> {
    let encoder = Encoder::new(version, compression);
    let mut writer = Writer::new(Vec::new(), encoder, policy).unwrap();
    let preamble = Preamble {
        redis_version: "7.2.4",
        created_s: 1_700_000_000,
        used_memory: 123_456,
        replication: Some(Replication {
            database: 0,
            id: "0123456789abcdef0123456789abcdef01234567",
            offset: 1 << 40,
        }),
        aof_base: true,
    };
    writer.preamble(&preamble).unwrap();
    writer
        .function(b"#!lua name=lib\nredis.register_function('f', function() end)")
        .unwrap();
    let mut database = None;
    for ((db, key), (value, expiry_ms, access)) in keys {
        if database.replace(*db) != Some(*db) {
            writer.select_db(*db).unwrap();
            writer.resize_db(keys.len() as u64, 0).unwrap();
        }
        let head = EntryHead {
            key,
            expiry_ms: *expiry_ms,
            access: *access,
        };
        writer.entry(&head, value).unwrap();
    }
    let size = writer.offset();
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, size + 9);
    file
}

fn keys_of(keys: &std::collections::BTreeMap<Key, Data>, contents: &Contents) -> bool {
    let expected = keys
        .iter()
        .map(|(key, (value, expiry_ms, access))| (key, (meaning(value), *expiry_ms, *access)));
    let found = contents.keys.iter().map(|(key, entry): (_, &Entry)| {
        (key, (entry.value.clone(), entry.expiry_ms, entry.access))
    });
    expected.eq(found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn dumps(value in generate::value(), version in version(), compression in compression()) {
        let mut encoder = Encoder::new(version, compression);
        let payload = encoder.dump(&value);
        let dump = DumpPayload::open(&payload, ChecksumPolicy::Verify).unwrap();
        prop_assert_eq!(dump.version, encoder.dump_version(value.form()).number());
        let read = dump.decode(Validation::Full).unwrap();
        let structure_only = dump.decode(Validation::Structure).unwrap();
        prop_assert_eq!(&read, &structure_only);
        prop_assert_eq!(meaning(&read), meaning(&value));
        if let PlainValue::Stream(_) = value {
            let value = match version {
                Version::V10 => without_active_times(value),
                _ => value,
            };
            prop_assert_eq!(read, value);
        }
    }

    #[test]
    fn files(
        keys in keys(),
        version in version(),
        compression in compression(),
        at_most in 1_usize..200,
        batch_bytes in prop_oneof![Just(1_usize), 1_usize..500, Just(1 << 20)],
    ) {
        let file = write_file(&keys, version, compression, ChecksumPolicy::Verify);
        let whole = read_file(&file[..], batch_bytes).unwrap();
        prop_assert_eq!(whole.version, u32::from(version.number()));
        prop_assert_eq!(whole.checksum, Some(ChecksumState::Verified));
        prop_assert_eq!(whole.functions.len(), 1);
        prop_assert!(keys_of(&keys, &whole), "{:?}", whole.keys);
        let trickled = read_file(Trickle { rest: &file, at_most }, batch_bytes).unwrap();
        prop_assert_eq!(trickled, whole);
    }

    #[test]
    fn what_follows_the_end_is_given_back(keys in keys(), tail: Vec<u8>, at_most in 1_usize..99) {
        let file = write_file(&keys, Version::V11, Compression::Lzf, ChecksumPolicy::Verify);
        let both = [&file[..], &tail].concat();
        let mut reader = Reader::new(Trickle { rest: &both, at_most }, ChecksumPolicy::Verify);
        while reader.next_batch(100).unwrap().is_some() {}
        prop_assert_eq!(reader.offset(), file.len() as u64);
        let (input, mut rest) = reader.into_input();
        rest.extend_from_slice(input.rest);
        prop_assert_eq!(rest, tail);
    }
}

#[test]
fn the_preamble_is_that_of_redis() {
    let file = write_file(
        &Default::default(),
        Version::V11,
        Compression::Lzf,
        ChecksumPolicy::Verify,
    );
    assert_eq!(&file[..9], b"REDIS0011");
    let contents = read_file(&file[..], 100).unwrap();
    let names: Vec<&[u8]> = contents.aux.iter().map(|(name, _)| &name[..]).collect();
    let expected: [&[u8]; 8] = [
        b"redis-ver",
        b"redis-bits",
        b"ctime",
        b"used-mem",
        b"repl-stream-db",
        b"repl-id",
        b"repl-offset",
        b"aof-base",
    ];
    assert_eq!(names, expected);
    assert_eq!(contents.aux[2].1, b"1700000000");
    assert_eq!(contents.aux[6].1, (1_u64 << 40).to_string().as_bytes());
}

#[test]
fn without_a_checksum() {
    let file = write_file(
        &Default::default(),
        Version::V11,
        Compression::Lzf,
        ChecksumPolicy::Ignore,
    );
    assert_eq!(&file[file.len() - 8..], &[0; 8]);
    let contents = read_file(&file[..], 100).unwrap();
    assert_eq!(contents.checksum, Some(ChecksumState::Unchecked));
}

#[test]
fn a_large_value_is_written_in_slices() {
    const MEMBERS: u64 = 100_000;
    let encoder = Encoder::new(Version::V11, Compression::Lzf);
    let mut writer = Writer::new(Vec::new(), encoder, ChecksumPolicy::Verify).unwrap();
    let head = EntryHead {
        key: b"large",
        expiry_ms: None,
        access: None,
    };
    let (encoder, out) = writer.parts();
    encoder
        .entry_head(out, &head, Form::SortedSetMembers)
        .unwrap();
    encoder.count(out, MEMBERS).unwrap();
    for slice in 0..100 {
        let (encoder, out) = writer.parts();
        for member in slice * 1000..(slice + 1) * 1000 {
            let name = format!("member:{member}");
            encoder
                .scored_member(out, name.as_bytes().into(), member as f64)
                .unwrap();
        }
    }
    let file = writer.finish().unwrap();
    let contents = read_file(&file[..], 10_000).unwrap();
    let Meaning::SortedSet(members) = &contents.keys[&(0, b"large".to_vec())].value else {
        panic!("another type");
    };
    assert_eq!(members.len() as u64, MEMBERS);
    assert_eq!(members[&b"member:77777"[..]], 77777.0);
}

#[test]
fn batches_are_decoded_on_other_threads() {
    const KEYS: u32 = 20_000;
    let encoder = Encoder::new(Version::V11, Compression::Lzf);
    let mut writer = Writer::new(Vec::new(), encoder, ChecksumPolicy::Verify).unwrap();
    for database in 0..2 {
        writer.select_db(database).unwrap();
        for at in 0..KEYS {
            let key = format!("key:{at}").into_bytes();
            let head = EntryHead {
                key: &key,
                expiry_ms: None,
                access: None,
            };
            let value = PlainValue::String(Str::Integer(i64::from(at * (database + 1))));
            writer.entry(&head, &value).unwrap();
        }
    }
    let file = writer.finish().unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Batch>(4);
    let receiver = std::sync::Mutex::new(receiver);
    let sum = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let batch = receiver.lock().unwrap().recv();
                    let Ok(batch) = batch else { return };
                    for item in batch.items() {
                        let Item::Entry(raw) = item.unwrap() else {
                            continue;
                        };
                        let value = raw.decode(Validation::Structure).unwrap();
                        let PlainValue::String(Str::Integer(value)) = value else {
                            panic!("another type");
                        };
                        let key = support::bytes(&raw.key);
                        let factor = i64::from(raw.database + 1);
                        assert_eq!(key, format!("key:{}", value / factor).into_bytes());
                        sum.fetch_add(value as u64, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
        let mut reader = Reader::new(&file[..], ChecksumPolicy::Verify);
        let mut batches = 0;
        while let Some(batch) = reader.next_batch(16 << 10).unwrap() {
            batches += 1;
            sender.send(batch).unwrap();
        }
        assert!(batches > 10, "{batches}");
        drop(sender);
    });
    let once = u64::from(KEYS) * u64::from(KEYS - 1) / 2;
    assert_eq!(sum.into_inner(), 3 * once);
}
