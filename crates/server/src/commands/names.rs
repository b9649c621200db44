//! Names to numbers, for the names of commands: what every request is looked up by.
//!
//! A name of up to 16 bytes, which nearly all are, is read as two words that overlap
//! where it is shorter, made lower case in registers, and found in a table of open
//! addressing:
//!
//! ```text
//!   HINCRBYFLOAT   first: HINCRBYF   last: RBYFLOAT   length: 12
//!   GET            first: G..E..T    last: the same   length: 3
//! ```
//!
//! Invariant: the words and the length determine the name; longer names are in a map.

use std::collections::HashMap;

/// The longest name that is read as two words.
const WORDS_MAX: usize = 16;

/// A name in lower case, as two words and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Words {
    first: u64,
    last: u64,
    len: u8,
}

impl Words {
    /// The words of a name in any case; `None` for one that is too long, or empty.
    #[inline]
    fn of(name: &[u8]) -> Option<Self> {
        let (first, last) = match name.len() {
            8..=WORDS_MAX => (
                u64::from_le_bytes(*name.first_chunk()?),
                u64::from_le_bytes(*name.last_chunk()?),
            ),
            4..8 => (
                u64::from(u32::from_le_bytes(*name.first_chunk()?)),
                u64::from(u32::from_le_bytes(*name.last_chunk()?)),
            ),
            1..4 => {
                // First, middle and last byte: all there are.
                let bytes = [name[0], name[name.len() / 2], name[name.len() - 1]];
                let word = bytes
                    .iter()
                    .fold(0, |word, &byte| word << 8 | u64::from(byte));
                (word, word)
            }
            _ => return None,
        };
        Some(Self {
            first: lower_case(first),
            last: lower_case(last),
            len: name.len() as u8,
        })
    }

    #[inline]
    fn place(self, bits: u32) -> usize {
        let mixed =
            (self.first ^ self.last.rotate_left(29) ^ u64::from(self.len)).wrapping_mul(MULTIPLIER);
        (mixed >> (64 - bits)) as usize
    }
}

/// An odd number without pattern: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes the capital ASCII letters among eight bytes small.
#[inline]
fn lower_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (EACH * 0x7f);
    let from_a = low_bits + EACH * (0x80 - b'A' as u64);
    let above_z = low_bits + EACH * (0x7f - b'Z' as u64);
    let capital = (from_a ^ above_z) & !word & (EACH * 0x80);
    word | capital >> 2
}

/// The numbers of names, in any case.
#[derive(Debug, Default)]
pub struct Names {
    /// A power of two of places, at most half of them in use.
    short: Vec<Option<(Words, u16)>>,
    bits: u32,
    /// In lower case.
    long: HashMap<Box<[u8]>, u16>,
}

impl Names {
    /// Finds each of these names, which are in lower case.
    pub fn new<'n>(names: impl Iterator<Item = (&'n [u8], u16)> + Clone) -> Self {
        let bits = (names.clone().count().max(1) * 2)
            .next_power_of_two()
            .ilog2();
        let mut table = Self {
            short: vec![None; 1 << bits],
            bits,
            long: HashMap::new(),
        };
        for (name, id) in names {
            match Words::of(name) {
                Some(words) => {
                    let mut place = words.place(bits);
                    while table.short[place].is_some() {
                        place = (place + 1) & (table.short.len() - 1);
                    }
                    table.short[place] = Some((words, id));
                }
                None => {
                    table.long.insert(name.into(), id);
                }
            }
        }
        table
    }

    /// The number of a name, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let Some(words) = Words::of(name) else {
            return self.find_long(name);
        };
        let mut place = words.place(self.bits);
        loop {
            match self.short.get(place)? {
                Some((known, id)) if *known == words => return Some(*id),
                Some(_) => place = (place + 1) & (self.short.len() - 1),
                None => return None,
            }
        }
    }

    #[cold]
    fn find_long(&self, name: &[u8]) -> Option<u16> {
        let longest = self.long.keys().map(|name| name.len()).max()?;
        if name.len() > longest {
            return None;
        }
        self.long.get(name.to_ascii_lowercase().as_slice()).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_found_as_in_a_map(
            names in proptest::collection::btree_set("[a-d|_-]{0,20}", 0..60),
            others in proptest::collection::vec("[A-Da-d|_-]{0,20}", 0..60),
        ) {
            let map: BTreeMap<String, u16> =
                names.into_iter().enumerate().map(|(id, name)| (name, id as u16)).collect();
            let table = Names::new(map.iter().map(|(name, &id)| (name.as_bytes(), id)));
            for (name, &id) in &map {
                prop_assert_eq!(table.find(name.to_uppercase().as_bytes()), Some(id));
            }
            for name in others {
                let expected = map.get(&name.to_lowercase()).copied();
                prop_assert_eq!(table.find(name.as_bytes()), expected);
            }
        }

        #[test]
        fn letters_become_small_and_nothing_else_changes(bytes: [u8; 8]) {
            let expected = bytes.map(|byte| byte.to_ascii_lowercase());
            prop_assert_eq!(lower_case(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }
    }
}
