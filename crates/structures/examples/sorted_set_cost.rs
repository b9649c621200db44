//! What a large sorted set costs: bytes per member and nanoseconds per operation.
//!
//! ```text
//! cargo run --release -p ochre-structures --example sorted_set_cost [MEMBERS]
//! ```
//! Members are 24 bytes, scores random, the allocator is the server's. Memory is what
//! the allocator counts as allocated and what the process holds (RSS), each as the
//! difference to before. Times are this thread's CPU time, but others on the machine
//! still take caches and memory bandwidth: leave it alone meanwhile.

use std::hint::black_box;
use std::time::Instant;

use ochre_structures::sorted_set::{ScoreBound, SortedSet, SortedSetBuilder};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Bytes allocated, and bytes resident.
fn memory() -> (f64, f64) {
    tikv_jemalloc_ctl::epoch::advance().expect("jemalloc counts");
    let allocated = tikv_jemalloc_ctl::stats::allocated::read().expect("jemalloc counts");
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0.0);
    (allocated as f64, pages * 4096.0)
}

/// Members by number without a list of them, so that only the set is measured.
fn write_member(member: &mut [u8; 24], i: usize) {
    let mut rest = i;
    for digit in member[7..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Nanoseconds that this thread has run.
fn cpu_time_ns() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let running = times.split(' ').next().and_then(|ns| ns.parse().ok());
    running.unwrap_or(0.0)
}

fn timed(what: &str, times: usize, mut run: impl FnMut(usize)) {
    let start = cpu_time_ns();
    for i in 0..times {
        run(i);
    }
    let ns = (cpu_time_ns() - start) / times as f64;
    println!("{what:<44} {ns:>9.0} ns");
}

/// Wall clock, since single short runs are what matters here.
fn report_times(what: &str, times_ns: &mut [u128]) {
    times_ns.sort_unstable();
    let at = |share: usize| times_ns[(times_ns.len() - 1) * share / 100];
    println!(
        "{what:<44} {:>9} ns, 90 % {} ns, 99 % {} ns, longest {} ns",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

fn report_memory(what: &str, before: (f64, f64), set: &SortedSet) {
    let (allocated, resident) = memory();
    let members = set.len() as f64;
    println!(
        "{what:<44} {:>9.1} B allocated {:>7.1} B RSS {:>7.1} B by its own count",
        (allocated - before.0) / members,
        (resident - before.1) / members,
        set.memory_bytes() as f64 / members,
    );
}

fn main() {
    let members: usize = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let mut state = 1;
    let mut member = *b"member:00000000000000000";
    println!("{members} members of 24 bytes; per member or per operation");

    let before = memory();
    let mut set = SortedSet::new();
    timed("insert, random scores", members, |i| {
        write_member(&mut member, i);
        set.insert(&member, random(&mut state) as f64);
    });
    report_memory("memory after random inserts", before, &set);
    timed("score", members, |_| {
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        black_box(set.score(&member));
    });
    timed("rank", members, |_| {
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        black_box(set.rank(&member));
    });
    timed("first 10 from a rank", members, |_| {
        let rank = (random(&mut state) % members as u64) as usize;
        for entry in set.by_rank(rank..rank + 10) {
            black_box(entry);
        }
    });
    timed("first 10 from a score", members, |_| {
        let score = random(&mut state) as f64;
        let ranks = set.score_ranks(
            ScoreBound::Inclusive(score),
            ScoreBound::Inclusive(f64::INFINITY),
        );
        for entry in set.by_rank(ranks).take(10) {
            black_box(entry);
        }
    });
    timed("all members, each", members, {
        let mut walk = set.iter();
        move |_| {
            black_box(walk.next());
        }
    });
    timed("update, random score", members, |_| {
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        set.insert(&member, random(&mut state) as f64);
    });
    report_memory("memory after random updates", before, &set);
    timed("update, score a little higher", members, |_| {
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        set.insert_with(&member, |score| score.map(|score| score + 1e10));
    });

    let mut freezing: Vec<u128> = Vec::new();
    let mut writing: Vec<u128> = Vec::new();
    for _ in 0..1_000 {
        let start = Instant::now();
        let frozen = set.freeze();
        freezing.push(start.elapsed().as_nanos());
        let start = Instant::now();
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        set.insert(&member, random(&mut state) as f64);
        writing.push(start.elapsed().as_nanos());
        drop(frozen);
    }
    report_times("freeze", &mut freezing);
    report_times("first update after freezing", &mut writing);
    let frozen = set.freeze();
    timed("update while frozen", members / 10, |_| {
        write_member(&mut member, (random(&mut state) % members as u64) as usize);
        set.insert(&member, random(&mut state) as f64);
    });
    drop(frozen);

    timed("remove, half of them", members / 2, |i| {
        write_member(&mut member, i);
        set.remove(&member);
    });
    report_memory("memory after removing half", before, &set);
    let mut slices = Vec::new();
    loop {
        let start = Instant::now();
        let done = set.drop_some();
        slices.push(start.elapsed().as_nanos());
        if done {
            break;
        }
    }
    println!("{:<44} {:>9}", "slices for dropping it", slices.len());
    report_times("drop a slice", &mut slices);

    for (what, step) in [("ascending", 1.0), ("descending", -1.0)] {
        let before = memory();
        let mut builder = SortedSetBuilder::new();
        timed(&format!("build, {what}"), members, |i| {
            write_member(&mut member, i);
            let _ = builder.push(&member, i as f64 * step);
        });
        let set = builder.finish();
        report_memory("memory after building", before, &set);
    }
    let mut lexical = SortedSet::new();
    timed("insert, equal scores, random members", members, |_| {
        write_member(&mut member, (random(&mut state) >> 12) as usize);
        lexical.insert(&member, 0.0);
    });
}
