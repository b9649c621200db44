//! How fast files are written and read, by the thread's processor time, so that the
//! machine may be busy. Run with
//! `cargo test --release -p ochre-rdb --test throughput -- --ignored --nocapture`.

mod support;

use std::hint::black_box;

use ochre_rdb::{
    ChecksumPolicy, Compression, Encoder, EntryHead, Form, Item, PlainHash, PlainSet,
    PlainSortedSet, PlainValue, Reader, Str, Validation, Version, Writer, crc64, lzf,
};
use ochre_structures::{intset, listpack};
use support::populate::noise;

const BATCH_BYTES: usize = 256 << 10;

/// The processor time of this thread, in seconds.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn report(what: &str, bytes: usize, things: usize, work: impl Fn()) {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = cpu_s();
        work();
        best = best.min(cpu_s() - start);
    }
    println!(
        "{what:<66} {:>8.0} MB/s {:>8.2} M/s",
        bytes as f64 / best / 1e6,
        things as f64 / best / 1e6,
    );
}

fn file(compression: Compression, policy: ChecksumPolicy, entries: &[Entry]) -> Vec<u8> {
    let encoder = Encoder::new(Version::V11, compression);
    let mut writer = Writer::new(Vec::new(), encoder, policy).unwrap();
    for (key, value) in entries {
        let head = EntryHead {
            key,
            expiry_ms: None,
            access: None,
        };
        writer.entry(&head, value).unwrap();
    }
    writer.finish().unwrap()
}

type Entry = (Vec<u8>, PlainValue<'static>);

fn read(file: &[u8], policy: ChecksumPolicy, validation: Option<Validation>) {
    let mut reader = Reader::new(file, policy);
    while let Some(batch) = reader.next_batch(BATCH_BYTES).unwrap() {
        for item in batch.items() {
            if let Item::Entry(entry) = item.unwrap()
                && let Some(validation) = validation
            {
                black_box(entry.decode(validation).unwrap());
            }
        }
        reader.recycle(batch);
    }
}

fn measure(what: &str, entries: &[Entry], count: usize) {
    for (compression, policy) in [
        (Compression::Lzf, ChecksumPolicy::Verify),
        (Compression::Off, ChecksumPolicy::Verify),
        (Compression::Off, ChecksumPolicy::Ignore),
    ] {
        let bytes = file(compression, policy, entries);
        let how = format!("{what}, {compression:?}, {policy:?}");
        report(&format!("write {how}"), bytes.len(), count, || {
            black_box(file(compression, policy, entries));
        });
        report(&format!("scan {how}"), bytes.len(), count, || {
            read(&bytes, policy, None)
        });
        report(&format!("read {how}"), bytes.len(), count, || {
            read(&bytes, policy, Some(Validation::Structure));
        });
    }
    let bytes = file(Compression::Lzf, ChecksumPolicy::Verify, entries);
    report(
        &format!("read fully checked {what}, Lzf"),
        bytes.len(),
        count,
        || {
            read(&bytes, ChecksumPolicy::Verify, Some(Validation::Full));
        },
    );
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    let data = noise(64 << 20);
    report("CRC-64", data.len(), 1, || {
        black_box(crc64::checksum(&data));
    });
    let text = b"some text that repeats itself, in a way, and some that does not ".repeat(1 << 14);
    let mut compressor = lzf::Compressor::new();
    let compressed = compressor.compress(&text, text.len()).unwrap().to_vec();
    const TIMES: usize = 500;
    report(
        "LZF decompress, repetitive 1 MB",
        TIMES * text.len(),
        TIMES,
        || {
            for _ in 0..TIMES {
                black_box(lzf::decompress(&compressed, text.len()));
            }
        },
    );
    for (what, data) in [("noise", &data[..text.len()]), ("repetitive", &text[..])] {
        report(
            &format!("LZF compress, {what} 1 MB"),
            TIMES * data.len(),
            TIMES,
            || {
                let mut compressor = lzf::Compressor::new();
                for _ in 0..TIMES {
                    black_box(compressor.compress(data, data.len() - 4));
                }
            },
        );
    }

    let strings: Vec<Entry> = (0..1_000_000_usize)
        .map(|at| {
            let value = data[at * 32..(at + 1) * 32].to_vec();
            (
                format!("key:{at:012}").into_bytes(),
                PlainValue::String(Str::Owned(value)),
            )
        })
        .collect();
    measure("1M strings of 32 B", &strings, strings.len());
    drop(strings);

    let hashes: Vec<Entry> = (0..100_000)
        .map(|at| {
            let mut packed = listpack::EMPTY.to_vec();
            for field in 0..5 {
                listpack::append(&mut packed, format!("field{field}").as_bytes());
                listpack::append(&mut packed, format!("value {at} of {field}").as_bytes());
            }
            let value = PlainValue::Hash(PlainHash::Listpack(packed.into()));
            (format!("hash:{at}").into_bytes(), value)
        })
        .collect();
    measure("100k hashes of five fields", &hashes, hashes.len());
    drop(hashes);

    let members = (0..1_000_000_u32).map(|at| {
        (
            Str::Owned(format!("member:{at:017}").into_bytes()),
            f64::from(at),
        )
    });
    let members = PlainSortedSet::Pairs(members.collect());
    let value = PlainValue::SortedSet(members);
    measure(
        "one sorted set of 1M (members)",
        &[(b"zset".to_vec(), value)],
        1_000_000,
    );
    let mut integers = intset::EMPTY.to_vec();
    for at in 0..500_i64 {
        intset::insert(&mut integers, at * at * 1_000_003);
    }
    let sets: Vec<Entry> = (0..20_000)
        .map(|at| {
            let value = PlainValue::Set(PlainSet::Intset(integers.clone().into()));
            (format!("set:{at}").into_bytes(), value)
        })
        .collect();
    measure("20k intsets of 500", &sets, sets.len());

    assert_eq!(sets[0].1.form(), Form::SetIntset);
}
