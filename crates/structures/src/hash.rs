//! The one hash function of the project, seeded once per process.
//!
//! Everything that is looked up by bytes (keys, fields, members, command keys'
//! stripes) uses this function, so that a hash computed once can serve several
//! tables. The seed is random per process: a client cannot choose keys that collide.
//! Nothing may persist a hash or expose it to clients.

use std::sync::OnceLock;

/// Hashes `bytes` to 64 well-mixed bits with the seed of this process.
///
/// Users split the bits among themselves: the store takes bits 8..24 for the
/// stripe, a table takes the top 32 for the position and the low 8 for the tag.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3_seeded(bytes, secrets())
}

#[inline]
fn secrets() -> &'static rapidhash::v3::RapidSecrets {
    static SECRETS: OnceLock<rapidhash::v3::RapidSecrets> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let mut seed = [0_u8; 8];
        // Without a random source the fixed seed costs protection from chosen
        // collisions, not correctness.
        let _ = getrandom::fill(&mut seed);
        rapidhash::v3::RapidSecrets::seed(u64::from_le_bytes(seed))
    })
}

#[cfg(test)]
mod tests {
    use super::hash_bytes;

    #[test]
    fn equal_bytes_hash_equal_and_bits_spread() {
        assert_eq!(hash_bytes(b"key:1"), hash_bytes(b"key:1"));
        let mut tags = std::collections::HashSet::new();
        for i in 0..1000 {
            tags.insert(hash_bytes(format!("key:{i}").as_bytes()) as u8);
        }
        assert!(tags.len() > 200, "only {} distinct tags", tags.len());
    }
}
