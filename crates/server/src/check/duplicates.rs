//! Keys that an RDB has twice in a database: Redis refuses to load such a file, although
//! its checker finds nothing wrong with it.
//!
//! ```text
//!   first pass    8 bytes for each key: a hash of it and its database
//!   sorted        hashes that occur twice, nearly always none
//!   second pass   only then: the keys of these hashes, compared as they are
//! ```
//!
//! Invariant: memory is 8 bytes a key (while the list grows, three times that), and the
//! keys of a bounded number of hashes.

use std::collections::HashMap;
use std::path::Path;

use ochre_rdb::{ChecksumPolicy, LyingEntry, RdbError, RdbErrorKind, Reader, ValueType};
use ochre_structures::hash::hash_bytes;

use super::Check;

/// How many hashes that occur twice are looked into.
const CANDIDATES_MAX: usize = 1000;

/// How many bytes of a file are scanned at a time.
const BATCH_BYTES: usize = 1 << 20;

/// What is known of the keys of a file.
#[derive(Default)]
pub(super) struct SeenKeys(Vec<u64>);

impl SeenKeys {
    /// Notes a key that is loaded.
    pub(super) fn note(&mut self, database: u32, key: &[u8]) {
        self.0.push(mark(database, key));
    }

    /// The hashes that occur more than once, ascending.
    fn candidates(mut self) -> Vec<u64> {
        self.0.sort_unstable();
        let pairs = self.0.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut candidates: Vec<u64> = pairs.map(|pair| pair[0]).collect();
        candidates.dedup();
        candidates.truncate(CANDIDATES_MAX);
        candidates
    }
}

/// A key that was there before.
pub(super) struct Duplicate {
    pub(super) database: u32,
    pub(super) key: Vec<u8>,
    pub(super) value_type: ValueType,
    /// Where the value of the second one starts.
    pub(super) offset: u64,
    /// Where the value of the first one starts.
    pub(super) first_offset: u64,
}

impl Duplicate {
    /// As an error of the file.
    pub(super) fn error(&self) -> RdbError {
        RdbError {
            offset: self.offset,
            what: "key",
            kind: RdbErrorKind::Duplicate,
        }
    }
}

fn mark(database: u32, key: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    hash_bytes(key) ^ u64::from(database).wrapping_mul(ODD)
}

impl Check<'_, '_> {
    /// The keys that occur twice in the RDB at the start of this file, which was read to
    /// its end before. What cannot be read any more is none.
    pub(super) fn duplicates(&self, path: &Path, seen: SeenKeys) -> Vec<Duplicate> {
        let candidates = seen.candidates();
        let mut found = Vec::new();
        if candidates.is_empty() {
            return found;
        }
        let Ok(input) = self.disk.read(path) else {
            return found;
        };
        let mut reader = Reader::new(input, ChecksumPolicy::Ignore);
        let mut firsts: HashMap<(u32, Vec<u8>), u64> = HashMap::new();
        while let Ok(Some(batch)) = reader.next_batch(BATCH_BYTES) {
            for entry in batch.entries() {
                let Some((database, key)) = candidate(entry, &candidates) else {
                    continue;
                };
                let offset = entry.value_offset();
                match firsts.get(&(database, key.clone())) {
                    Some(&first_offset) => found.push(Duplicate {
                        database,
                        key,
                        value_type: entry.value_type(),
                        offset,
                        first_offset,
                    }),
                    None => {
                        firsts.insert((database, key), offset);
                    }
                }
            }
            reader.recycle(batch);
        }
        found
    }
}

/// The database and the key of an entry, if its hash is among these.
fn candidate(entry: LyingEntry<'_>, candidates: &[u64]) -> Option<(u32, Vec<u8>)> {
    let raw = entry.raw().ok()?;
    let mut digits = itoa::Buffer::new();
    let key = raw.key.as_bytes(&mut digits);
    let mark = mark(raw.database, key);
    candidates.binary_search(&mark).ok()?;
    Some((raw.database, key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_one_database_are_candidates() {
        let mut seen = SeenKeys::default();
        for number in 0..1000 {
            seen.note(0, format!("{number}").as_bytes());
            seen.note(1, format!("{number}").as_bytes());
        }
        seen.note(1, b"7");
        seen.note(1, b"7");
        seen.note(2, b"7");
        assert_eq!(seen.candidates(), [mark(1, b"7")]);
    }
}
