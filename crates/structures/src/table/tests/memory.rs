//! Memory per element, and (ignored, to be run in release) the time an operation takes.

use super::super::Table;
use super::*;

/// Bytes of a slot's share of its bucket.
const SLOT_BYTES: f64 = 64.0 / 7.0;

#[test]
fn small_tables_are_small() {
    let mut table = Table::new();
    let mut sizes = Vec::new();
    for key in 0..64_u64 {
        table.insert(mix(key), Number(mix(key)));
        sizes.push(table.memory_bytes());
    }
    assert_eq!(sizes[0], 128);
    assert_eq!(sizes[6], 128);
    assert!(sizes[15] <= 256, "{}", sizes[15]);
    assert!(sizes[63] <= 896, "{}", sizes[63]);
}

#[test]
fn the_load_stays_high_while_a_table_grows() {
    let mut table = Table::new();
    let (mut loads, mut samples) = (0.0, 0);
    let mut size = 1_000.0_f64;
    for key in 0..1_000_000_u64 {
        table.insert(mix(key), Number(mix(key)));
        if table.len() as f64 >= size {
            // Steps of 2 %: every size counts alike on a logarithmic scale.
            size *= 1.02;
            loads += table.len() as f64 * SLOT_BYTES / table.memory_bytes() as f64;
            samples += 1;
        }
    }
    check(&table);
    let average = loads / f64::from(samples);
    let bytes = table.memory_bytes() as f64 / table.len() as f64;
    println!("average load, directory and headers included: {average:.3}");
    println!("bytes per element at 1M: {bytes:.2}");
    assert!(average >= 0.72, "average load {average:.3}");
    assert!(bytes <= 12.2, "{bytes:.2} bytes per element at 1M");
    for key in 0..999_000_u64 {
        assert!(table.remove(mix(key), |slot| slot.0 == mix(key)).is_some());
    }
    check(&table);
    println!(
        "bytes after removing all but 1000: {}",
        table.memory_bytes()
    );
    assert!(table.memory_bytes() < 64 * 1000, "{}", table.memory_bytes());
}

/// `cargo test --release -p ochre-structures table -- --ignored --nocapture measure`
#[test]
#[ignore = "a measurement, for release builds"]
fn measure() {
    use std::hint::black_box;
    use std::time::Instant;
    for count in [1_000_u64, 100_000, 1_000_000, 4_000_000] {
        let per = |start: Instant| start.elapsed().as_nanos() as f64 / count as f64;
        let mut table = Table::new();
        let start = Instant::now();
        for key in 0..count {
            table.insert(mix(key), Number(mix(key)));
        }
        let insert = per(start);
        let start = Instant::now();
        for key in 0..count {
            let hash = mix(mix(key) % count);
            assert!(black_box(table.find(hash, |slot| slot.0 == hash)).is_some());
        }
        let hit = per(start);
        let start = Instant::now();
        for key in 0..count {
            let hash = mix(key + count);
            assert!(black_box(table.find(hash, |slot| slot.0 == hash)).is_none());
        }
        let miss = per(start);
        let bytes = table.memory_bytes() as f64 / count as f64;
        let start = Instant::now();
        for key in 0..count {
            let hash = mix(key);
            black_box(table.remove(hash, |slot| slot.0 == hash));
        }
        let remove = per(start);
        println!(
            "{count} elements: insert {insert:.1} ns, hit {hit:.1} ns, miss {miss:.1} ns, \
             remove {remove:.1} ns, {bytes:.2} bytes each"
        );
    }
}
