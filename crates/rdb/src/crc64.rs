//! The checksum of RDB files and dump payloads: CRC-64 with Jones's polynomial, as
//! Redis computes it, over bytes that arrive in pieces.
//!
//! Every byte of a snapshot passes through it, so it takes 16 bytes a step.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static TABLES: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum in the making.
#[derive(Clone)]
pub struct Crc64(Digest<'static, u64, Table<16>>);

impl Crc64 {
    /// The checksum of no bytes.
    #[must_use]
    pub fn new() -> Self {
        Crc64(TABLES.digest())
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

impl std::fmt::Debug for Crc64 {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Crc64({:016x})", self.value())
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of these bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    TABLES.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Crc64, checksum};

    /// Bit by bit, from the polynomial.
    fn plain(bytes: &[u8]) -> u64 {
        const REFLECTED: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { REFLECTED } else { 0 }
            })
        })
    }

    #[test]
    fn known_answer() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(checksum(b""), 0);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes: Vec<u8>, cut: usize) {
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            let mut crc = Crc64::new();
            crc.update(head);
            crc.update(tail);
            prop_assert_eq!(crc.value(), plain(&bytes));
            prop_assert_eq!(checksum(&bytes), plain(&bytes));
        }
    }
}
