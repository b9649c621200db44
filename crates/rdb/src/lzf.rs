//! LZF, the compression of strings in RDB files, in the format of liblzf.
//!
//! ```text
//! 000LLLLL            a literal: L + 1 bytes follow (1 to 32)
//! LLLooooo oooooooo   a copy of L + 2 bytes (3 to 8) from offset o + 1 back
//! 111ooooo LLLLLLLL oooooooo   a copy of L + 9 bytes (9 to 264)
//! ```
//!
//! Offsets reach 8192 bytes back into what was decompressed. The format has no
//! header: both lengths are stored beside it.
//!
//! Invariant: decompression gives exactly the announced number of bytes or nothing,
//! and never holds more than that.

const MAX_LITERAL: usize = 32;
const MAX_OFFSET: usize = 1 << 13;
const MAX_COPY: usize = 264;

/// How many places are left out between two, at most.
const MAX_STRIDE: usize = 15;

/// How large an output the compressor keeps the allocation of.
const KEPT_BYTES: usize = 1 << 20;

const TABLE_BITS: u32 = 13;

/// The most that `compressed_bytes` can expand to: copies of 264 bytes that take
/// three bytes each.
#[must_use]
pub fn max_decompressed_bytes(compressed_bytes: usize) -> usize {
    compressed_bytes.saturating_mul(MAX_COPY / 3)
}

/// Decompresses `input`. `None` when it is malformed or does not give `len` bytes.
/// O(len).
#[must_use]
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > max_decompressed_bytes(input.len()) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let Some((&control, after)) = rest.split_first() {
        let control = usize::from(control);
        if control < MAX_LITERAL {
            let (literal, after) = after.split_at_checked(control + 1)?;
            if literal.len() > len - out.len() {
                return None;
            }
            out.extend_from_slice(literal);
            rest = after;
            continue;
        }
        let (size, after) = match control >> 5 {
            7 => {
                let (&more, after) = after.split_first()?;
                (usize::from(more) + 9, after)
            }
            size => (size + 2, after),
        };
        let (&low, after) = after.split_first()?;
        let offset = ((control & 0x1f) << 8 | usize::from(low)) + 1;
        let start = out.len().checked_sub(offset)?;
        if size > len - out.len() {
            return None;
        }
        copy_within(&mut out, start, size);
        rest = after;
    }
    (out.len() == len).then_some(out)
}

/// Appends `size` bytes from `start` on, which may reach into what is appended.
fn copy_within(out: &mut Vec<u8>, start: usize, size: usize) {
    let mut left = size;
    while left > 0 {
        // Each round doubles what is there of the repeating pattern.
        let chunk = left.min(out.len() - start);
        out.extend_from_within(start..start + chunk);
        left -= chunk;
    }
}

/// Compresses strings. Holds a table of 32 KB, so it is made once and kept.
#[derive(Clone, Debug)]
pub struct Compressor {
    /// Where three bytes with this hash were seen last, counted over all inputs,
    /// so that the table need not be cleared for each.
    table: Box<[u32]>,
    /// The count at which the next input starts.
    base: u32,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor with an empty table.
    #[must_use]
    pub fn new() -> Self {
        Compressor {
            table: vec![0; 1 << TABLE_BITS].into_boxed_slice(),
            base: 1,
            out: Vec::new(),
        }
    }

    /// The compressed form of `input`, unless it takes more than `max_bytes`.
    /// O(input).
    pub fn compress(&mut self, input: &[u8], max_bytes: usize) -> Option<&[u8]> {
        let len = u32::try_from(input.len())
            .ok()
            .filter(|&len| len < u32::MAX / 2)?;
        if self.base.checked_add(len).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base += len;
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        self.out.clear();

        let mut literal_start = 0;
        let mut at = 0;
        let mut misses = 0;
        while let Some(&[a, b, c]) = input.get(at..).and_then(<[u8]>::first_chunk::<3>) {
            let slot = &mut self.table[hash(a, b, c)];
            let seen = std::mem::replace(slot, base + at as u32);
            let from = match seen.checked_sub(base) {
                Some(from) if at - (from as usize) <= MAX_OFFSET => from as usize,
                _ => usize::MAX,
            };
            if from == usize::MAX || input[from..from + 3] != [a, b, c] {
                misses += 1;
                // In data without repetitions, look at fewer and fewer places.
                at += 1 + (misses >> 6).min(MAX_STRIDE);
                continue;
            }
            misses = 0;
            let limit = (input.len() - at).min(MAX_COPY);
            let size = common_prefix(&input[from..], &input[at..at + limit]);
            self.push_literals(&input[literal_start..at]);
            self.push_copy(at - from, size);
            if self.out.len() > max_bytes {
                return None;
            }
            at += size;
            literal_start = at;
            // The last places of the copy are worth knowing too.
            for place in at.saturating_sub(2)..at {
                if let Some(&[a, b, c]) = input.get(place..).and_then(<[u8]>::first_chunk::<3>) {
                    self.table[hash(a, b, c)] = base + place as u32;
                }
            }
        }
        let tail = &input[literal_start..];
        if self.out.len() + tail.len() + tail.len().div_ceil(MAX_LITERAL) > max_bytes {
            return None;
        }
        self.push_literals(tail);
        Some(&self.out)
    }

    fn push_literals(&mut self, literals: &[u8]) {
        for literal in literals.chunks(MAX_LITERAL) {
            self.out.push((literal.len() - 1) as u8);
            self.out.extend_from_slice(literal);
        }
    }

    fn push_copy(&mut self, distance: usize, size: usize) {
        let offset = distance - 1;
        let high = (offset >> 8) as u8;
        if size < 9 {
            self.out.push(((size - 2) as u8) << 5 | high);
        } else {
            self.out.push(7 << 5 | high);
            self.out.push((size - 9) as u8);
        }
        self.out.push(offset as u8);
    }
}

#[inline]
fn hash(a: u8, b: u8, c: u8) -> usize {
    let word = u32::from_le_bytes([a, b, c, 0]);
    (word.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_BITS)) as usize
}

/// How many bytes agree from the start; at most the length of `b`.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut size = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let (Ok(a), Ok(b)) = (a.try_into(), b.try_into()) else {
            break;
        };
        let difference = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
        if difference != 0 {
            return size + (difference.trailing_zeros() / 8) as usize;
        }
        size += 8;
    }
    let rest = a[size..].iter().zip(&b[size..]);
    size + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Compressor, decompress, max_decompressed_bytes};

    #[test]
    fn known_streams() {
        assert_eq!(decompress(b"\x00a", 1).unwrap(), b"a");
        assert_eq!(decompress(b"\x01ab\x20\x01", 5).unwrap(), b"ababa");
        // A copy of one byte back repeats it.
        assert_eq!(decompress(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        assert_eq!(decompress(b"", 0).unwrap(), b"");
        for (input, len) in [
            (&b"\x00"[..], 1),
            (b"\x00a", 2),
            (b"\x00a", 0),
            (b"\x20\x00", 3),
            (b"\x00a\x20\x01", 4),
            (b"\x00a\x20", 4),
            (b"\x00a\xe0\x00", 10),
            (b"\x00a", usize::MAX),
        ] {
            assert_eq!(decompress(input, len), None, "{input:?} {len}");
        }
    }

    #[test]
    fn repetitive_data_shrinks() {
        let mut compressor = Compressor::new();
        let input = b"0123456789abcdef".repeat(1000);
        let compressed = compressor.compress(&input, input.len()).unwrap();
        assert!(compressed.len() * 50 < input.len(), "{}", compressed.len());
        assert_eq!(decompress(compressed, input.len()).unwrap(), input);
    }

    #[test]
    fn the_count_of_places_may_wrap() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 100;
        let input = b"abcabcabcabc".repeat(10);
        for _ in 0..3 {
            let compressed = compressor.compress(&input, input.len()).unwrap();
            assert_eq!(decompress(compressed, input.len()).unwrap(), input);
        }
    }

    /// Few letters, so that there is something to find, over several inputs.
    fn inputs() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let runs = prop::collection::vec((0_u8..6, 1_usize..300), 0..60);
        let runs = runs.prop_map(|runs| {
            let bytes = runs.into_iter().map(|(byte, count)| vec![byte; count]);
            bytes.flatten().collect()
        });
        let letters = prop::collection::vec(0_u8..4, 0..2000);
        let input = prop_oneof![runs, letters, prop::collection::vec(any::<u8>(), 0..200)];
        prop::collection::vec(input, 1..5)
    }

    proptest! {
        #[test]
        fn round_trip(inputs in inputs()) {
            let mut compressor = Compressor::new();
            for input in inputs {
                if let Some(compressed) = compressor.compress(&input, input.len() + 100) {
                    prop_assert!(input.len() <= max_decompressed_bytes(compressed.len()));
                    let back = decompress(compressed, input.len());
                    prop_assert_eq!(back.as_deref(), Some(&input[..]));
                }
            }
        }

        #[test]
        fn the_limit_holds(input in prop::collection::vec(0_u8..9, 0..500), limit in 0_usize..500) {
            if let Some(compressed) = Compressor::new().compress(&input, limit) {
                prop_assert!(compressed.len() <= limit);
            }
        }

        #[test]
        fn any_bytes_decompress_to_the_length_or_nothing(input: Vec<u8>, len in 0_usize..2000) {
            if let Some(out) = decompress(&input, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
