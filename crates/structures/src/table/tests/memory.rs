//! Memory per element, and (ignored, to be run in release) the time an operation takes.

use std::num::NonZeroU8;

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

/// The average number of bucket lines that a successful and an unsuccessful search read.
fn lines_read(table: &Table<Number>) -> (f64, f64) {
    let (mut hit_lines, mut miss_lines, mut searches) = (0, 0, 0);
    for (_, segment) in table.directory.segments_from(0) {
        let buckets = segment.buckets();
        for (index, bucket) in buckets.iter().enumerate() {
            for element in bucket.elements() {
                let home = segment.home(element.position());
                hit_lines += 1 + (index + buckets.len() - home) % buckets.len();
            }
            for tag in (1..=8).filter_map(NonZeroU8::new) {
                let run = (0..buckets.len())
                    .take_while(|step| buckets[(index + step) % buckets.len()].overflows(tag))
                    .count();
                miss_lines += (run + 1).min(buckets.len());
                searches += 1;
            }
        }
    }
    let per = |lines: usize, searches: usize| lines as f64 / searches as f64;
    (per(hit_lines, table.len()), per(miss_lines, searches))
}

#[test]
fn searches_read_little_more_than_one_line() {
    let mut table = Table::new();
    let (mut hits, mut misses, mut samples) = (0.0, 0.0, 0.0);
    let mut worst = (0.0, 0.0);
    let mut size = 1_000.0_f64;
    for key in 0..200_000_u64 {
        table.insert(mix(key), Number(mix(key)));
        if table.len() as f64 >= size {
            size *= 1.03;
            let (hit, miss) = lines_read(&table);
            hits += hit;
            misses += miss;
            samples += 1.0;
            worst = (hit.max(worst.0), miss.max(worst.1));
        }
    }
    let (hits, misses) = (hits / samples, misses / samples);
    println!("lines read per hit {hits:.3}, per miss {misses:.3}, at worst {worst:.3?}");
    assert!(hits < 1.2 && misses < 1.3, "{hits:.3}, {misses:.3}");
    // What was pushed aside is forgotten again: removing and inserting for ever changes
    // little.
    for key in 0..600_000_u64 {
        let (old, new) = (mix(key), mix(key + 200_000));
        assert!(table.remove(old, |slot| slot.0 == old).is_some());
        table.insert(new, Number(new));
    }
    let (hit, miss) = lines_read(&table);
    println!("after much exchange {hit:.3} and {miss:.3}");
    assert!(hit < 1.35 && miss < 1.6, "{hit:.3}, {miss:.3}");
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

/// Nanoseconds of processor time that this thread has used: on a busy machine the wall
/// clock measures the neighbours. 0 where the kernel does not tell.
fn cpu_ns() -> u64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = statistics.split(' ').next();
    first.and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// `cargo test --release -p ochre-structures table -- --ignored --nocapture measure`
#[test]
#[ignore = "a measurement, for release builds"]
fn measure() {
    use std::hint::black_box;
    const OPERATIONS: u64 = 4_000_000;
    for count in [1_000_u64, 100_000, 1_000_000, 4_000_000] {
        // Kernels update that figure at every tick only: each line takes many.
        let mut times = [0; 5];
        let mut timed = |line: usize, action: &mut dyn FnMut()| {
            let start = cpu_ns();
            action();
            times[line] += cpu_ns() - start;
        };
        let rounds = OPERATIONS / count;
        let mut tables: Vec<_> = (0..rounds).map(|_| Table::new()).collect();
        timed(0, &mut || {
            for table in &mut tables {
                (0..count).for_each(|key| table.insert(mix(key), Number(mix(key))));
            }
        });
        tables.truncate(1);
        let table = &mut tables[0];
        let bytes = table.memory_bytes() as f64 / count as f64;
        timed(1, &mut || {
            for key in 0..OPERATIONS {
                let hash = mix(mix(key) % count);
                assert!(black_box(table.find(hash, |slot| slot.0 == hash)).is_some());
            }
        });
        timed(2, &mut || {
            for key in 0..OPERATIONS {
                let hash = mix(mix(key) % count + count);
                assert!(black_box(table.find(hash, |slot| slot.0 == hash)).is_none());
            }
        });
        timed(3, &mut || {
            for key in 0..OPERATIONS {
                let hash = mix(mix(key) % count);
                table.remove(hash, |slot| slot.0 == hash);
                table.insert(hash, Number(hash));
            }
        });
        timed(4, &mut || {
            for group in 0..OPERATIONS / 16 {
                let hashes = [(); 16].map({
                    let mut key = group * 16;
                    move |()| {
                        key += 1;
                        mix(mix(key) % count)
                    }
                });
                hashes.iter().for_each(|&hash| table.prefetch_bucket(hash));
                for hash in hashes {
                    assert!(black_box(table.find(hash, |slot| slot.0 == hash)).is_some());
                }
            }
        });
        let [insert, hit, miss, exchange, group] = times.map(|ns| ns as f64 / OPERATIONS as f64);
        println!(
            "{count} elements: insert while growing {insert:.1} ns, hit {hit:.1} ns \
             ({group:.1} prefetched in groups of 16), miss {miss:.1} ns, remove and insert {exchange:.1} ns, {bytes:.2} bytes each"
        );
    }
}
