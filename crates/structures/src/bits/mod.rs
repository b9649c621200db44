//! Byte strings as arrays of bits: what `BITCOUNT`, `BITPOS`, `BITOP`, `SETBIT` and `BITFIELD` do.
//!
//! ```text
//! byte      0                 1
//! bit       0 1 2 3 4 5 6 7   8 9 ...      the first bit of a byte is its most significant one
//! ```
//!
//! [`range`] reads the ranges of commands, [`count`] counts and finds bits, [`combine`] is the
//! logic of whole strings, [`field`] the integers of any width at any place. Bytes past the end of
//! a string read as zeros; who writes lengthens the string first.
//!
//! Nothing here knows keys or the limit on a string's length, which is checked before a write.

pub mod combine;
pub mod count;
pub mod field;
pub mod range;

pub use combine::{BitLogic, combine};
pub use count::{count_ones, count_ones_in, find_bit};
pub use field::{Field, Overflow, Sign};
pub use range::{BitRange, RangeUnit};

/// The bit at `offset`. O(1).
pub fn bit(bytes: &[u8], offset: u64) -> bool {
    usize::try_from(offset / 8)
        .ok()
        .and_then(|index| bytes.get(index))
        .is_some_and(|byte| byte << (offset % 8) & 0x80 != 0)
}

/// Sets the bit at `offset` and returns the old one. The string must reach that far (see
/// [`length_for`]); past its end nothing is written.
pub fn set_bit(bytes: &mut [u8], offset: u64, value: bool) -> bool {
    let index = usize::try_from(offset / 8).unwrap_or(usize::MAX);
    let Some(byte) = bytes.get_mut(index) else {
        return false;
    };
    let mask = 0x80 >> (offset % 8);
    let old = *byte & mask != 0;
    *byte = if value { *byte | mask } else { *byte & !mask };
    old
}

/// How many bytes a string needs to hold `bits` bits.
pub fn length_for(bits: u64) -> usize {
    usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_are_kept(writes in proptest::collection::vec((0u64..200, any::<bool>()), 0..50)) {
            let mut model = std::collections::BTreeMap::new();
            let mut bytes = Vec::new();
            for (offset, value) in writes {
                if bytes.len() < length_for(offset + 1) {
                    prop_assert!(!set_bit(&mut bytes, offset, true));
                    bytes.resize(length_for(offset + 1), 0);
                }
                let old = model.insert(offset, value).unwrap_or(false);
                prop_assert_eq!(set_bit(&mut bytes, offset, value), old);
            }
            let length = model.keys().next_back().map_or(0, |last| last / 8 + 1);
            prop_assert_eq!(bytes.len() as u64, length);
            for offset in 0..250 {
                prop_assert_eq!(bit(&bytes, offset), model.get(&offset).copied().unwrap_or(false));
            }
            prop_assert!(!bit(&bytes, u64::MAX));
        }
    }
}
