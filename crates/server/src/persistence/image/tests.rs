//! Captured and read back: every type, encoding and deadline.

use ochre_rdb::{Access, ChecksumPolicy, Compression, Encoder, Item, Reader, Validation, Version};
use ochre_store::clock::AccessPolicy;
use ochre_store::{Entry, Payload, Settings};

use super::*;
use crate::persistence::restore;
use crate::persistence::samples::{all, describe};

const KEPT: [KeptAccess; 2] = [KeptAccess::Nothing, KeptAccess::Idle { now_ms: 9_000_000 }];

/// The item of an entry, and whether it was written at once.
fn item(entry: &Entry, kept: KeptAccess, encoder: &mut Encoder) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    match capture(entry, kept, encoder, &mut out) {
        Captured::Encoded => (out, true),
        Captured::Frozen(frozen) => {
            assert!(out.is_empty());
            frozen.encode(encoder, &mut out).unwrap();
            (out, false)
        }
    }
}

/// The only entry of a file with this item.
fn read_back(item: &[u8], version: Version, settings: &Settings) -> (Entry, Option<Access>) {
    let mut file = format!("REDIS{:04}", version.number()).into_bytes();
    file.extend_from_slice(item);
    file.push(0xff);
    file.extend_from_slice(&[0; 8]);
    let mut reader = Reader::new(&file[..], ChecksumPolicy::Verify);
    let batch = reader.next_batch(1 << 20).unwrap().unwrap();
    let items: Vec<_> = batch.items().map(Result::unwrap).collect();
    let [Item::Entry(raw), Item::Eof(_)] = &items[..] else {
        panic!("another file than was written: {items:?}");
    };
    let mut digits = itoa::Buffer::new();
    let value = raw.decode(Validation::Full).unwrap();
    let key = raw.key.as_bytes(&mut digits);
    let entry = restore::entry(key, value, raw.expiry_ms, settings).unwrap();
    (entry, raw.access)
}

#[test]
fn what_is_captured_reads_back_as_it_was() {
    let settings = Settings::default();
    let mut at_once = 0;
    let entries = all();
    for version in [Version::V10, Version::V11] {
        for compression in [Compression::Off, Compression::Lzf] {
            let mut encoder = Encoder::new(version, compression);
            for entry in &entries {
                for kept in KEPT {
                    let (item, encoded) = item(entry, kept, &mut encoder);
                    at_once += usize::from(encoded);
                    let (read, access) = read_back(&item, version, &settings);
                    assert_eq!(access, kept.of(entry));
                    let same = describe(&read) == describe(entry);
                    let loses_active_times =
                        version == Version::V10 && entry.value_type() == ochre_store::Type::Stream;
                    assert!(same || loses_active_times, "{entry:?}");
                }
            }
        }
    }
    assert!(
        at_once > 0 && at_once < 8 * entries.len(),
        "both ways are taken"
    );
}

#[test]
fn frozen_and_live_values_are_written_alike() {
    let mut encoder = Encoder::new(Version::V11, Compression::Lzf);
    for entry in all() {
        let head = EntryHead {
            key: entry.key(),
            expiry_ms: entry.expiry_ms(),
            access: None,
        };
        let mut live = Vec::new();
        encode(&head, &ValueImage::of(&entry), &mut encoder, &mut live).unwrap();
        let mut frozen = Vec::new();
        let captured = FrozenEntry::new(&entry, KeptAccess::Nothing);
        captured.encode(&mut encoder, &mut frozen).unwrap();
        assert!(live == frozen, "{entry:?}");
        let mut live = Vec::new();
        commands::write(
            entry.key(),
            entry.expiry_ms(),
            &ValueImage::of(&entry),
            &mut live,
        )
        .unwrap();
        let mut frozen = Vec::new();
        let captured = FrozenEntry::new(&entry, KeptAccess::Nothing);
        captured.encode_as_commands(&mut frozen).unwrap();
        assert!(live == frozen, "{entry:?}");
    }
}

#[test]
fn little_is_encoded_at_once() {
    let mut encoder = Encoder::new(Version::V11, Compression::Off);
    for entry in all() {
        let (item, encoded) = item(&entry, KeptAccess::Nothing, &mut encoder);
        if encoded {
            assert!(item.len() < 2 * AT_ONCE_BYTES, "{entry:?}: {}", item.len());
        }
    }
}

#[test]
fn a_dump_is_a_type_a_value_and_a_footer() {
    let mut encoder = Encoder::new(Version::V10, Compression::Lzf);
    let entry = Entry::new(b"k", Payload::Int(5), None);
    let value = ValueImage::of(&entry);
    let payload = dump(&value, &mut encoder);
    // As redis-server 7.0 answers.
    assert_eq!(
        payload,
        b"\x00\xc0\x05\x0a\x00\x63\x2f\x5f\x66\x83\x2f\xb3\x51"
    );
    assert_eq!(encoded_len(&value, &mut encoder), 2);
}

#[test]
fn the_access_clock_survives() {
    let now_ms = 1_700_000_000_000;
    let lru = AccessPolicy::Lru;
    let entry = Entry::new(b"k", Payload::Int(5), None);
    entry.set_access(lru.born(now_ms - 100_000));
    let access = KeptAccess::Idle { now_ms }.of(&entry);
    assert_eq!(access, Some(Access::Idle { seconds: 100 }));
    let restored = restore::access_clock(lru, now_ms, access);
    assert_eq!(lru.idle_seconds(restored, now_ms), 100);
    // As Redis has it, idle for longer than the clock has run is idle for long.
    let access = Some(Access::Idle { seconds: u64::MAX });
    let restored = restore::access_clock(lru, now_ms, access);
    assert_eq!(lru.idle_seconds(restored, now_ms), 1 << 23);
    let policy = AccessPolicy::Lfu {
        log_factor: 10,
        decay_minutes: 1,
    };
    entry.set_access(policy.born(now_ms) & !0xff | 200);
    let access = KeptAccess::Frequency { now_ms, policy }.of(&entry);
    assert_eq!(access, Some(Access::Frequency(200)));
    let restored = restore::access_clock(policy, now_ms, access);
    assert_eq!(policy.frequency(restored, now_ms), 200);
    // What another policy wants to know is not taken for what this one wants.
    let restored = restore::access_clock(policy, now_ms, Some(Access::Idle { seconds: 5 }));
    assert_eq!(restored, policy.born(now_ms));
}
