//! Broken input: an error that says where, never a panic, and no more memory than a
//! small multiple of the input.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ochre_rdb::{
    ChecksumPolicy, Compression, DumpPayload, Encoder, EntryHead, RdbError, RdbErrorKind, Reader,
    Validation, ValueType, Version, Writer, lzf, seal_dump,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use support::{Trickle, generate, meaning, old, read_file};

/// Counts what a thread has allocated and not freed, and the most it ever was.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator as it is; counting in
// cells of the thread allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were allocated at a time while `work` ran.
fn peak_bytes(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before).max(0) as usize
}

/// What reading takes without any input: buffers of the reader.
const CONSTANT_BYTES: usize = 200 << 10;

/// How much a byte of input may take: an empty string in a list, which is one byte
/// there and a `Str` here, and the search for duplicates beside it.
const BYTES_PER_BYTE: usize = 160;

/// Reads all that can be read of a file; decodes all values.
fn read_all(file: &[u8], policy: ChecksumPolicy, at_most: usize) -> Result<usize, RdbError> {
    let input = Trickle {
        rest: file,
        at_most,
    };
    let mut reader = Reader::new(input, policy);
    let mut items = 0;
    let mut failure = None;
    while let Some(batch) = reader.next_batch(4096)? {
        for item in batch.items() {
            items += 1;
            match item {
                Ok(ochre_rdb::Item::Entry(raw)) => {
                    // A value that is accepted can be taken apart without a panic.
                    match raw.decode(Validation::Full) {
                        Ok(value) => drop(meaning(&value)),
                        Err(error) => failure = failure.or(Some(error)),
                    }
                    let _ = raw.decode(Validation::Structure);
                }
                Ok(_) => (),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    failure.map_or(Ok(items), Err)
}

/// A file with values of all types, new and old, of a few kilobytes.
fn sample() -> Vec<u8> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let encoder = Encoder::new(Version::V12, Compression::Lzf);
    let mut writer = Writer::new(Vec::new(), encoder, ChecksumPolicy::Verify).unwrap();
    writer.aux(b"redis-ver", b"7.2.0").unwrap();
    writer.function(b"#!lua name=x").unwrap();
    writer.select_db(1).unwrap();
    for at in 0..25_i64 {
        let value = generate::value().new_tree(&mut runner).unwrap().current();
        let key = format!("key:{at}");
        let head = EntryHead {
            key: key.as_bytes(),
            expiry_ms: (at % 3 == 0).then_some(at),
            access: None,
        };
        writer.entry(&head, &value).unwrap();
    }
    let mut file = writer.finish().unwrap();
    file.truncate(file.len() - 9);
    for value in old::values() {
        file.push(value.type_code);
        file.extend(old::string(value.name.as_bytes()));
        file.extend_from_slice(&value.body);
    }
    file.push(0xff);
    let checksum = ochre_rdb::crc64::checksum(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

#[test]
fn truncated_anywhere() {
    let file = sample();
    let items = read_all(&file, ChecksumPolicy::Verify, 1 << 20).unwrap();
    assert!(items > 40);
    for len in 0..file.len() {
        let error = read_all(&file[..len], ChecksumPolicy::Verify, 777).unwrap_err();
        let truncated = matches!(error.kind, RdbErrorKind::Truncated { missing: 1.. });
        assert!(truncated, "{len} bytes: {error}");
        assert!(error.offset <= len as u64, "{len} bytes: {error}");
    }
}

#[test]
fn changed_anywhere() {
    let file = sample();
    for at in 0..file.len() {
        let change = [0x01, 0x80, 0xff, 0x40, 0x10][at % 5];
        let mut changed = file.clone();
        changed[at] ^= change;
        let peak = peak_bytes(|| {
            let _ = read_all(&changed, ChecksumPolicy::Ignore, 1 << 20);
        });
        let limit = CONSTANT_BYTES + BYTES_PER_BYTE * file.len();
        assert!(peak < limit, "byte {at}, {change:#x}: {peak} bytes");
        if at % 64 == 0 {
            let result = read_all(&changed, ChecksumPolicy::Verify, 1 << 20);
            assert!(result.is_err(), "byte {at}");
            // What is wrong, and where, does not depend on how the bytes arrived.
            let of_batches = |batch_bytes, at_most| {
                let input = Trickle {
                    rest: &changed,
                    at_most,
                };
                read_file(input, batch_bytes).unwrap_err().to_string()
            };
            assert_eq!(
                of_batches(50, 33),
                of_batches(1 << 20, 1 << 20),
                "byte {at}"
            );
        }
    }
}

#[test]
fn announced_sizes_allocate_nothing() {
    let huge = [&[0x81][..], &(1_u64 << 60).to_be_bytes()].concat();
    let gigabyte = [&[0x80][..], &(1_u32 << 30).to_be_bytes()].concat();
    let mut hostile = vec![
        // Strings, plain and compressed, of a length that is not there.
        [&[0, 1, b'k'], &huge[..], b"x"].concat(),
        [&[0, 1, b'k'], &gigabyte[..], b"x"].concat(),
        [&[0, 1, b'k', 0xc3, 2], &gigabyte[..], b"\x00a"].concat(),
        [&[0, 1, b'k', 0xc3], &gigabyte[..], &gigabyte, b"\x00a"].concat(),
        // Keys and functions likewise.
        [&[0], &huge[..], b"x"].concat(),
        [&[0xf5, 0xc3, 2], &gigabyte[..], b"\x00a"].concat(),
        [&[0xfa], &gigabyte[..]].concat(),
    ];
    for value_type in ValueType::ALL {
        // Counts of elements, nodes, groups, and of what is in those.
        for zeros in 0..12 {
            let mut body = vec![value_type.code(), 1, b'k'];
            body.extend(std::iter::repeat_n(0, zeros));
            body.extend_from_slice(&huge);
            body.extend([1, b'a', 1, b'b']);
            hostile.push(body);
        }
    }
    for body in hostile {
        let file = [b"REDIS0012", &body[..], &[0xff], &[0; 8]].concat();
        let peak = peak_bytes(|| {
            let result = read_all(&file, ChecksumPolicy::Verify, 1 << 20);
            assert!(result.is_err(), "{body:?}");
        });
        // And of the length that is asked for while it may yet come.
        assert!(peak < CONSTANT_BYTES + (1 << 20), "{body:?}: {peak} bytes");

        let mut payload = body;
        payload.drain(1..3.min(payload.len()));
        seal_dump(&mut payload, Version::V11);
        let peak = peak_bytes(|| {
            if let Ok(dump) = DumpPayload::open(&payload, ChecksumPolicy::Verify) {
                assert!(dump.decode(Validation::Full).is_err(), "{payload:?}");
            }
        });
        assert!(
            peak < BYTES_PER_BYTE * payload.len(),
            "{payload:?}: {peak} bytes"
        );
    }
}

#[test]
fn metadata_without_end_is_not_kept() {
    let mut file = b"REDIS0011".to_vec();
    for _ in 0..1 << 20 {
        file.extend_from_slice(b"\xf9\x01");
    }
    let peak = peak_bytes(|| {
        let error = read_all(&file, ChecksumPolicy::Verify, 5000).unwrap_err();
        assert_eq!(error.offset, file.len() as u64);
    });
    assert!(peak < CONSTANT_BYTES, "{peak} bytes");
}

#[test]
fn dumps_with_wrong_footers() {
    let mut encoder = Encoder::new(Version::V11, Compression::Lzf);
    let value = ochre_rdb::PlainValue::String(ochre_rdb::Str::Slice(b"value"));
    let payload = encoder.dump(&value);
    assert_eq!(payload.len(), 1 + 6 + 10);
    let open = |payload: &[u8]| DumpPayload::open(payload, ChecksumPolicy::Verify).map(drop);
    open(&payload).unwrap();
    for len in 0..payload.len() {
        assert!(open(&payload[..len]).is_err(), "{len} bytes");
    }
    for at in 0..payload.len() {
        let mut changed = payload.clone();
        changed[at] ^= 1;
        assert!(open(&changed).is_err(), "byte {at}");
    }
    let reseal = |content: &[u8], version: u16| {
        let mut payload = [content, &version.to_le_bytes()].concat();
        let checksum = ochre_rdb::crc64::checksum(&payload);
        payload.extend_from_slice(&checksum.to_le_bytes());
        payload
    };
    let content = &payload[..payload.len() - 10];
    for version in [1, 6, 10, 11, 12] {
        open(&reseal(content, version)).unwrap();
    }
    let error = open(&reseal(content, 13)).unwrap_err();
    assert!(matches!(error.kind, RdbErrorKind::Version(13)), "{error}");
    let longer = reseal(&[content, b"x"].concat(), 11);
    let dump = DumpPayload::open(&longer, ChecksumPolicy::Verify).unwrap();
    let error = dump.decode(Validation::Full).unwrap_err();
    assert!(matches!(error.kind, RdbErrorKind::Trailing(1)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_after_a_header(bytes: Vec<u8>, at_most in 1_usize..300) {
        let file = [&b"REDIS0011"[..], &bytes].concat();
        let peak = peak_bytes(|| {
            let _ = read_all(&file, ChecksumPolicy::Ignore, at_most);
        });
        prop_assert!(peak < CONSTANT_BYTES + (1 << 20) + BYTES_PER_BYTE * file.len());
    }

    #[test]
    fn any_bytes_as_a_value(
        value_type in prop::sample::select(&ValueType::ALL[..]),
        bytes: Vec<u8>,
        as_string: bool,
    ) {
        let mut payload = vec![value_type.code()];
        if as_string {
            payload.extend(old::string(&bytes));
        } else {
            payload.extend_from_slice(&bytes);
        }
        seal_dump(&mut payload, Version::V11);
        let dump = DumpPayload::open(&payload, ChecksumPolicy::Verify).unwrap();
        for validation in [Validation::Full, Validation::Structure] {
            if let Ok(value) = dump.decode(validation) {
                meaning(&value);
            }
        }
    }

    #[test]
    fn generated_values_with_a_change(
        value in generate::value(),
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut payload = Encoder::new(Version::V11, Compression::Off).dump(&value);
        payload.truncate(payload.len() - 10);
        for (place, byte) in places {
            let len = payload.len();
            payload[place % len] = byte;
        }
        seal_dump(&mut payload, Version::V11);
        if let Ok(dump) = DumpPayload::open(&payload, ChecksumPolicy::Verify)
            && let Ok(value) = dump.decode(Validation::Full)
        {
            meaning(&value);
        }
    }

    #[test]
    fn compressed_strings_stay_within_their_length(bytes: Vec<u8>, len in 0_usize..1 << 40) {
        let peak = peak_bytes(|| {
            let _ = lzf::decompress(&bytes, len);
        });
        prop_assert!(peak <= lzf::max_decompressed_bytes(bytes.len()).min(len));
    }
}
