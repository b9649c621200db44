//! Matching one byte against the seven tags of a bucket, all at once.
//!
//! Input is a bucket's control word (seven tags from the lowest byte up, then the
//! overflow filter); the
//! answer is a bit per tag. `sse2` and `generic` are twins: the same answer for every
//! input, which a property test asserts.

mod generic;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2;

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
use generic as chosen;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use sse2 as chosen;

/// The bits of the seven tags; the overflow filter's bit is never part of an answer.
const TAG_BITS: u32 = 0x7f;

/// The slots of a bucket that matched, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matches(u32);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// The slots whose tag is `byte`.
#[inline]
pub(super) fn matching(control: u64, byte: u8) -> Matches {
    Matches(chosen::equal_bytes(control, byte) & TAG_BITS)
}

/// The slots that hold an element.
#[inline]
pub(super) fn occupied(control: u64) -> Matches {
    Matches(!chosen::equal_bytes(control, 0) & TAG_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn twins_agree_with_the_plain_loop(
            control in prop::array::uniform8(prop_oneof![Just(0_u8), Just(1), Just(0x80), any::<u8>()]),
            byte in prop_oneof![Just(0_u8), Just(1), Just(0x80), any::<u8>()],
        ) {
            let word = u64::from_le_bytes(control);
            let plain = (0..8).filter(|&i| control[i] == byte).fold(0, |bits, i| bits | 1 << i);
            prop_assert_eq!(generic::equal_bytes(word, byte), plain);
            prop_assert_eq!(chosen::equal_bytes(word, byte), plain);
            let matched: Vec<usize> = matching(word, byte).collect();
            prop_assert_eq!(matched, (0..7).filter(|&i| control[i] == byte).collect::<Vec<_>>());
            let full: Vec<usize> = occupied(word).collect();
            prop_assert_eq!(full, (0..7).filter(|&i| control[i] != 0).collect::<Vec<_>>());
        }
    }
}
