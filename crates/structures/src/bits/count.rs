//! Counting ones, and finding the first one or zero.
//!
//! Both go eight bytes at a time in loops that the compiler can turn into vector code.

use super::BitRange;

/// How many bits are one. O(length).
pub fn count_ones(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let whole: u64 = (&mut words)
        .map(|word| u64::from(load(word).count_ones()))
        .sum();
    whole + u64::from(load(words.remainder()).count_ones())
}

/// How many bits of a range are one; the range lies within the string, or is cut to it.
pub fn count_ones_in(bytes: &[u8], range: BitRange) -> u64 {
    let Some((bytes, head, tail)) = window(bytes, range) else {
        return 0;
    };
    match bytes {
        [] => 0,
        [only] => u64::from((only & head & tail).count_ones()),
        [first, middle @ .., last] => {
            u64::from((first & head).count_ones())
                + count_ones(middle)
                + u64::from((last & tail).count_ones())
        }
    }
}

/// The offset of the first bit in the range that equals `wanted`. O(length).
///
/// What `BITPOS` replies when there is none depends on its arguments: -1, or for a zero that is
/// sought without an end, the first bit after the string.
pub fn find_bit(bytes: &[u8], wanted: bool, range: BitRange) -> Option<u64> {
    let (window, head, tail) = window(bytes, range)?;
    // Seek a one, in the string or in its complement.
    let flip = if wanted { 0 } else { 0xff };
    let last = window.len() - 1;
    let masked = |index: usize| {
        let mut byte = window[index] ^ flip;
        if index == 0 {
            byte &= head;
        }
        if index == last {
            byte &= tail;
        }
        byte
    };
    let found = |index: usize| {
        let byte = masked(index);
        let offset = (range.first / 8 + index as u64) * 8 + u64::from(byte.leading_zeros());
        (byte != 0).then_some(offset)
    };
    if let Some(offset) = found(0) {
        return Some(offset);
    }
    let middle = window.get(1..last).unwrap_or(&[]);
    let blank = u64::from_ne_bytes([flip; 8]);
    let mut index = 1;
    for word in middle.chunks_exact(8) {
        if load(word) != blank {
            break;
        }
        index += 8;
    }
    (index..=last).find_map(found)
}

/// The bytes that a range touches, and the masks of its bits in the first and the last of them.
fn window(bytes: &[u8], range: BitRange) -> Option<(&[u8], u8, u8)> {
    let end = (bytes.len() as u64) * 8;
    if range.first > range.last || range.first >= end {
        return None;
    }
    let last = range.last.min(end - 1);
    let touched = &bytes[(range.first / 8) as usize..=(last / 8) as usize];
    Some((touched, 0xff >> (range.first % 8), 0xff << (7 - last % 8)))
}

/// Up to eight bytes as a word; missing ones are zero.
fn load(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(word) => u64::from_ne_bytes(word),
        Err(_) => bytes
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::bit;
    use proptest::prelude::*;

    /// Long uniform runs, so that the word loops are entered and left everywhere.
    fn string() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(0u8), 4 => Just(0xff), 1 => any::<u8>()];
        let run = (byte, 1usize..30).prop_map(|(byte, length)| vec![byte; length]);
        proptest::collection::vec(run, 0..6).prop_map(|runs| runs.concat())
    }

    proptest! {
        #[test]
        fn counts_as_bit_by_bit(bytes in string(), first in 0u64..1500, last in 0u64..1500) {
            let end = bytes.len() as u64 * 8;
            let model = (first..=last).filter(|&offset| bit(&bytes, offset)).count() as u64;
            prop_assert_eq!(count_ones_in(&bytes, BitRange { first, last }), model);
            let all = (0..end).filter(|&offset| bit(&bytes, offset)).count() as u64;
            prop_assert_eq!(count_ones(&bytes), all);
        }

        #[test]
        fn finds_as_bit_by_bit(
            bytes in string(), wanted: bool, first in 0u64..1500, last in 0u64..1500,
        ) {
            let end = bytes.len() as u64 * 8;
            let model = (first..=last).find(|&offset| offset < end && bit(&bytes, offset) == wanted);
            prop_assert_eq!(find_bit(&bytes, wanted, BitRange { first, last }), model);
        }
    }
}
