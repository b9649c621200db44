//! What large hashes and sets cost in memory: bytes per element.
//!
//! ```text
//! cargo run -p ochre-structures --example hash_and_set_memory [ELEMENTS]
//! ```
//! The allocator is the server's. Memory is what the allocator counts as allocated and
//! what the process holds (RSS), each as the difference to before, beside what the
//! structure says of itself.

use ochre_structures::field_map::{FieldDeadline, FieldMap};
use ochre_structures::member_set::MemberSet;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes allocated, and bytes resident.
fn memory() -> (f64, f64) {
    tikv_jemalloc_ctl::epoch::advance().expect("jemalloc counts");
    let allocated = tikv_jemalloc_ctl::stats::allocated::read().expect("jemalloc counts");
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    (allocated as f64, pages.unwrap_or(0.0) * 4096.0)
}

/// Makes a structure and prints what it costs per element.
fn measure<T>(what: &str, elements: usize, make: impl FnOnce() -> T, bytes: impl Fn(&T) -> usize) {
    let before = memory();
    let made = make();
    let after = memory();
    let each = |bytes: f64| bytes / elements as f64;
    println!(
        "{what:<46} {:6.1} allocated {:6.1} RSS {:6.1} by its own account",
        each(after.0 - before.0),
        each(after.1 - before.1),
        each(bytes(&made) as f64),
    );
    std::mem::forget(made);
}

fn main() {
    let elements = std::env::args()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(1_000_000);
    measure(
        "set of 16-byte members",
        elements,
        || -> MemberSet {
            let mut set = MemberSet::new();
            for i in 0..elements {
                set.insert(format!("member:{i:09}").as_bytes());
            }
            set
        },
        MemberSet::memory_bytes,
    );
    measure(
        "set of integers",
        elements,
        || (0..elements as i64).collect::<MemberSet>(),
        MemberSet::memory_bytes,
    );
    for (what, deadline) in [
        (
            "hash of 16-byte fields, 32-byte values",
            FieldDeadline::Clear,
        ),
        ("the same with deadlines", FieldDeadline::AtMs(1 << 40)),
    ] {
        measure(
            what,
            elements,
            || {
                let mut map = FieldMap::new();
                for i in 0..elements {
                    map.set(format!("field:{i:010}").as_bytes(), &[b'v'; 32], deadline);
                }
                map
            },
            FieldMap::memory_bytes,
        );
    }
}
