//! Whole files, by one thread and by several.

use std::collections::BTreeMap;

use ochre_rdb::{Compression, Encoder, Preamble, RdbErrorKind, Version, Writer};
use ochre_store::Entry;

use super::*;
use crate::persistence::image::{Captured, KeptAccess, capture};
use crate::persistence::samples::{all, describe};

#[derive(Default)]
struct Heard {
    facts: Vec<(Vec<u8>, Vec<u8>)>,
    functions: Vec<Vec<u8>>,
    notes: Vec<String>,
}

impl LoadSink for Heard {
    fn aux(&mut self, key: &[u8], value: &[u8]) {
        self.facts.push((key.to_vec(), value.to_vec()));
    }

    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        if code == b"bad" {
            return Err("no library".to_owned());
        }
        self.functions.push(code.to_vec());
        Ok(())
    }

    fn note(&mut self, line: String) {
        self.notes.push(line);
    }
}

fn options(threads: usize) -> LoadOptions {
    LoadOptions {
        delay_us: 0,
        threads,
        begin: ThreadBegin::default(),
        expired: ExpiredKeys::Keep,
        existing: Existing::Refuse,
        checksum: ChecksumPolicy::Verify,
        validation: Validation::Structure,
        settings: Settings::default(),
        now_ms: 1_000,
    }
}

fn store() -> Arc<Store> {
    Store::start(64, 16).unwrap().0
}

fn write(writer: &mut Writer<Vec<u8>>, entry: &Entry) {
    let (encoder, mut out) = writer.parts();
    let mut small = Vec::new();
    match capture(entry, KeptAccess::Nothing, encoder, &mut small) {
        Captured::Encoded => std::io::Write::write_all(&mut out, &small).unwrap(),
        Captured::Frozen(frozen) => frozen.encode(encoder, &mut out).unwrap(),
    }
}

fn writer() -> Writer<Vec<u8>> {
    let encoder = Encoder::new(Version::V11, Compression::Lzf);
    Writer::new(Vec::new(), encoder, ChecksumPolicy::Verify).unwrap()
}

/// A file of all samples in database 0, as many plain keys in database 3, and a library.
fn file(plain_keys: u32) -> Vec<u8> {
    let mut writer = writer();
    writer.preamble(&Preamble::default()).unwrap();
    writer.function(b"a library").unwrap();
    writer.select_db(0).unwrap();
    // A lie, which nothing is sized by.
    writer.resize_db(u64::MAX >> 1, u64::MAX >> 1).unwrap();
    for entry in all() {
        write(&mut writer, &entry);
    }
    writer.select_db(3).unwrap();
    for at in 0..plain_keys {
        let (key, value) = (format!("key:{at}"), format!("value {at}"));
        let expiry_ms = (at % 5 == 0).then_some(i64::from(at));
        let payload = crate::commands::string::value::payload(value.as_bytes());
        write(&mut writer, &Entry::new(key.as_bytes(), payload, expiry_ms));
    }
    writer.finish().unwrap()
}

type Described = BTreeMap<(u16, Vec<u8>), String>;

fn contents(store: &Store) -> Described {
    let mut all = BTreeMap::new();
    let held = store.stripes.exclusive();
    for index in 0..store.stripes.count() as u32 {
        let stripe = held.stripe(index).unwrap();
        for (db, database) in stripe.databases() {
            let mut expiring = 0;
            for entry in database.table().iter() {
                expiring += usize::from(entry.expiry_ms().is_some());
                assert_eq!(store.stripe_of(entry.key()), index);
                let place = (db, entry.key().to_vec());
                let before = all.insert(place, format!("{:?}", describe(entry)));
                assert_eq!(before, None, "one entry a key");
            }
            assert_eq!(database.expiring(), expiring);
        }
    }
    all
}

#[test]
fn a_file_is_loaded_whole_by_any_number_of_threads() {
    let file = file(50_000);
    let mut expected = Described::new();
    for entry in all() {
        expected.insert((0, entry.key().to_vec()), format!("{:?}", describe(&entry)));
    }
    for threads in [1, 2, 5] {
        let store = store();
        let (mut heard, progress) = (Heard::default(), LoadProgress::default());
        // What follows the RDB is given back.
        let mut input = file.clone();
        input.extend_from_slice(b"*1\r\n");
        let loaded = load(&store, &input[..], &options(threads), &mut heard, &progress).unwrap();
        assert_eq!(loaded.bytes, file.len() as u64);
        assert_eq!(loaded.checksum, ChecksumState::Verified);
        assert_eq!((loaded.version, progress.bytes()), (11, file.len() as u64));
        assert_eq!([&loaded.rest[..], loaded.input].concat(), b"*1\r\n");
        assert_eq!(heard.functions, [b"a library"]);
        assert_eq!(
            heard.facts.last().unwrap(),
            &(b"aof-base".to_vec(), b"0".to_vec())
        );
        let found = contents(&store);
        assert_eq!(loaded.counts.keys, found.len() as u64);
        assert_eq!(progress.keys(), loaded.counts.keys);
        assert_eq!(found.keys().filter(|(db, _)| *db == 3).count(), 50_000);
        for (place, described) in &expected {
            assert_eq!(found.get(place), Some(described), "{place:?}");
        }
        // A deadline is known, so that it is met.
        assert!(store.deadlines().refresh() <= 0);
    }
}

#[test]
fn expired_keys_are_dropped_by_a_primary() {
    let store = store();
    let options = LoadOptions {
        expired: ExpiredKeys::Drop,
        ..options(2)
    };
    let (mut heard, progress) = (Heard::default(), LoadProgress::default());
    let file = file(2_000);
    let loaded = load(&store, &file[..], &options, &mut heard, &progress).unwrap();
    let past = |entry: &&Entry| entry.expiry_ms().is_some_and(|at| at < 1_000);
    let samples = all();
    let expired = samples.iter().filter(past).count() as u64;
    // Every fifth of the plain keys has its number for a deadline.
    assert_eq!(loaded.counts.expired, expired + 200);
    assert_eq!(loaded.counts.keys, samples.len() as u64 - expired + 1_800);
    assert_eq!(contents(&store).len() as u64, loaded.counts.keys);
}

#[test]
fn a_key_that_is_there_is_refused_or_replaced() {
    let store = store();
    let file = |value: i64| {
        let mut writer = writer();
        writer.select_db(0).unwrap();
        let payload = ochre_store::Payload::Int(value);
        write(&mut writer, &Entry::new(b"k", payload, Some(5 + value)));
        writer.finish().unwrap()
    };
    let (mut heard, progress) = (Heard::default(), LoadProgress::default());
    load(&store, &file(1)[..], &options(1), &mut heard, &progress).unwrap();
    let refused = load(&store, &file(2)[..], &options(1), &mut heard, &progress).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "RDB has duplicated key 'k' in DB 0, at byte 23"
    );
    let replacing = LoadOptions {
        existing: Existing::Replace,
        ..options(1)
    };
    load(&store, &file(2)[..], &replacing, &mut heard, &progress).unwrap();
    let found = contents(&store);
    assert_eq!(found.len(), 1);
    assert!(found[&(0, b"k".to_vec())].contains("Some(7)"), "{found:?}");
}

#[test]
fn empty_keys_are_left_out_with_a_line_in_the_log() {
    let mut bytes = b"REDIS0011".to_vec();
    // A set, a hash and a list without elements.
    bytes.extend_from_slice(b"\x02\x01a\x00\x04\x01b\x00\x12\x01c\x00\x00\x01d\x01x\xff");
    bytes.extend_from_slice(&[0; 8]);
    let store = store();
    let (mut heard, progress) = (Heard::default(), LoadProgress::default());
    let loaded = load(&store, &bytes[..], &options(1), &mut heard, &progress).unwrap();
    assert_eq!((loaded.counts.keys, loaded.counts.empty), (1, 3));
    assert_eq!(heard.notes.len(), 3);
    assert_eq!(heard.notes[0], "Skipping empty key: a");
}

#[test]
fn errors_say_where() {
    let store = store();
    let whole = file(100);
    let try_load = |bytes: &[u8]| {
        let (mut heard, progress) = (Heard::default(), LoadProgress::default());
        load(&store, bytes, &options(2), &mut heard, &progress).map(|loaded| loaded.counts)
    };
    let cut = try_load(&whole[..whole.len() / 2]).unwrap_err();
    assert!(matches!(
        cut.fault,
        LoadFault::Rdb {
            kind: RdbErrorKind::Truncated { .. },
            ..
        }
    ));
    let mut writer = writer();
    writer.function(b"bad").unwrap();
    let bad = try_load(&writer.finish().unwrap()).unwrap_err();
    assert_eq!(bad.to_string(), "function library: no library, at byte 0");
    let far = b"REDIS0011\xfe\x40\xff\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let far = try_load(far).unwrap_err();
    let expected = "key of database 255, but there are 16 databases, at byte 15";
    assert_eq!(far.to_string(), expected);
    let twice = b"REDIS0011\x02\x01k\x02\x01a\x01a\xff\0\0\0\0\0\0\0\0";
    let twice = try_load(twice).unwrap_err();
    assert!(twice.to_string().contains("duplicate"), "{twice}");
}

#[test]
fn a_load_can_be_aborted() {
    let store = store();
    let (mut heard, progress) = (Heard::default(), LoadProgress::default());
    progress.abort();
    let aborted = load(&store, &file(10)[..], &options(2), &mut heard, &progress).unwrap_err();
    assert!(matches!(aborted.fault, LoadFault::Aborted));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn corrupt_files_are_refused_or_harmless(
        edits in proptest::collection::vec(
            (proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()),
            1..8,
        ),
        cut in proptest::option::of(proptest::prelude::any::<proptest::sample::Index>()),
    ) {
        static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = FILE.get_or_init(|| file(500)).clone();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let store = store();
        let options = LoadOptions {
            checksum: ChecksumPolicy::Ignore,
            existing: Existing::Replace,
            ..options(2)
        };
        let (mut heard, progress) = (Heard::default(), LoadProgress::default());
        // Whatever was taken can be read, whether the file was refused or not.
        let loaded = load(&store, &bytes[..], &options, &mut heard, &progress);
        let found = contents(&store).len() as u64;
        proptest::prop_assert!(loaded.is_err() || found <= progress.keys());
    }
}
