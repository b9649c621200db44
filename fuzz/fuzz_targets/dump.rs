//! RDB files and DUMP payloads of untrusted bytes: an error or a value, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_rdb::{ChecksumPolicy, DumpPayload, Item, Reader, Validation};

fuzz_target!(|data: &[u8]| {
    if let Ok(payload) = DumpPayload::open(data, ChecksumPolicy::Ignore) {
        let _ = payload.decode(Validation::Full);
    }
    let mut reader = Reader::new(data, ChecksumPolicy::Ignore);
    while let Ok(Some(batch)) = reader.next_batch(1 << 16) {
        for item in batch.items() {
            if let Ok(Item::Entry(entry)) = item {
                let _ = entry.decode(Validation::Full);
            }
        }
    }
});
