//! The longest common subsequence of two byte strings, with the very matches that Redis finds.
//!
//! Redis fills a table of 32-bit lengths. Here only the table's horizontal steps are computed, 64
//! to a word, with the bit-vector recurrence of Hyyrö ("Bit-parallel LCS-length computation
//! revisited", 2004), which needs a 32nd of the memory and less of the time:
//!
//! ```text
//!            b →   0  1  2  3 ...
//!   a   row  0     1  0  1  1       bit j of row i is zero
//!   ↓        1     1  0  0  1       where L(i+1, j+1) = L(i+1, j) + 1,
//!            :                      L being the lengths for prefixes of a and b
//! ```
//!
//! Those bits are enough to walk back through the table: where the bytes differ, `L(i-1, j)` is
//! larger than `L(i, j-1)` exactly if the step at (i, j) is one. On a tie Redis shortens `b`, and so
//! does the walk.

/// What one length takes in the table that Redis would fill.
const LENGTH_BYTES: u128 = 4;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LcsError {
    /// A string of nearly 4 GB or more.
    #[error("String too long for LCS")]
    StringTooLong,
    /// The table of lengths would be larger than the limit.
    #[error("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")]
    TableTooLarge,
}

/// A run of bytes that both strings share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Where it starts in the first string.
    pub a: usize,
    /// Where it starts in the second string.
    pub b: usize,
    /// At least 1.
    pub length: usize,
}

/// The length of the longest common subsequence.
///
/// `limit_bytes` is `proto-max-bulk-len`: Redis's table, four bytes for each pair of prefixes, must
/// not be larger. O(a * b / 64) time, O(256 * b / 8) memory.
pub fn length(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<usize, LcsError> {
    check_size(a, b, limit_bytes)?;
    let mut steps = Steps::new(a, b);
    for &byte in a {
        steps.advance(byte);
    }
    Ok(steps.length())
}

/// The longest common subsequence itself; the limit is that of [`length`]. O(a * b / 64) time,
/// O(a * b / 8) memory.
pub fn subsequence(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<Vec<u8>, LcsError> {
    let (_, matches) = matches(a, b, 0, limit_bytes)?;
    let parts = matches.iter().rev();
    Ok(parts
        .flat_map(|found| &a[found.a..found.a + found.length])
        .copied()
        .collect())
}

/// The length of the longest common subsequence, and the runs it is made of, last one first.
/// Runs shorter than `min_length` are left out. Costs and limit are those of [`subsequence`].
pub fn matches(
    a: &[u8],
    b: &[u8],
    min_length: usize,
    limit_bytes: u64,
) -> Result<(usize, Vec<Match>), LcsError> {
    check_size(a, b, limit_bytes)?;
    let mut steps = Steps::new(a, b);
    let mut table = Vec::with_capacity(a.len() * steps.row.len());
    for &byte in a {
        steps.advance(byte);
        table.extend_from_slice(&steps.row);
    }
    let words = steps.row.len();
    let is_step = |i: usize, j: usize| table[i * words + j / 64] >> (j % 64) & 1 == 0;

    let mut matches = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        let mut length = 0;
        while i > 0 && j > 0 && a[i - 1] == b[j - 1] {
            (i, j, length) = (i - 1, j - 1, length + 1);
        }
        if length > 0 && length >= min_length {
            matches.push(Match { a: i, b: j, length });
        }
        if i > 0 && j > 0 {
            if is_step(i - 1, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }
    Ok((steps.length(), matches))
}

fn check_size(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<(), LcsError> {
    const LONGEST: usize = u32::MAX as usize - 1;
    if a.len() >= LONGEST || b.len() >= LONGEST {
        return Err(LcsError::StringTooLong);
    }
    let pairs = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if pairs * LENGTH_BYTES > u128::from(limit_bytes) {
        return Err(LcsError::TableTooLarge);
    }
    Ok(())
}

/// One row of the table's horizontal steps, and what it takes to compute the next.
struct Steps {
    /// Bit j is zero where the length grows by byte j of `b`. Bits past the end stay one.
    row: Vec<u64>,
    /// For each byte that `a` and `b` share, where it occurs in `b`.
    places: Vec<u64>,
    /// Where in `places` a byte's words start.
    start_of: Box<[Option<usize>; 256]>,
}

impl Steps {
    fn new(a: &[u8], b: &[u8]) -> Self {
        let words = b.len().div_ceil(64);
        let mut in_a = [false; 256];
        for &byte in a {
            in_a[usize::from(byte)] = true;
        }
        // Only for bytes of both, so that masks never outgrow the table itself.
        let mut places = Vec::new();
        let mut start_of = Box::new([None; 256]);
        for (position, &byte) in b.iter().enumerate() {
            if !in_a[usize::from(byte)] {
                continue;
            }
            let start = *start_of[usize::from(byte)].get_or_insert_with(|| {
                places.resize(places.len() + words, 0);
                places.len() - words
            });
            places[start + position / 64] |= 1u64 << (position % 64);
        }
        Self {
            row: vec![u64::MAX; words],
            places,
            start_of,
        }
    }

    /// Goes on to the row of the next byte of `a`.
    fn advance(&mut self, byte: u8) {
        // Without matches a row equals the one above it.
        let Some(start) = self.start_of[usize::from(byte)] else {
            return;
        };
        let places = &self.places[start..start + self.row.len()];
        let mut carry = false;
        for (word, &place) in self.row.iter_mut().zip(places) {
            let (sum, first) = word.overflowing_add(*word & place);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first | second;
            *word = sum | *word & !place;
        }
    }

    fn length(&self) -> usize {
        let zeros = self.row.iter().map(|word| word.count_zeros() as usize);
        zeros.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT_BYTES: u64 = 512 << 20;

    /// The example of Redis's documentation.
    #[test]
    fn a_small_example() {
        let (a, b) = (&b"ohmytext"[..], &b"mynewtext"[..]);
        assert_eq!(length(a, b, LIMIT_BYTES), Ok(6));
        assert_eq!(subsequence(a, b, LIMIT_BYTES), Ok(b"mytext".to_vec()));
        let text = Match {
            a: 4,
            b: 5,
            length: 4,
        };
        let my = Match {
            a: 2,
            b: 0,
            length: 2,
        };
        assert_eq!(matches(a, b, 0, LIMIT_BYTES), Ok((6, vec![text, my])));
        assert_eq!(matches(a, b, 4, LIMIT_BYTES), Ok((6, vec![text])));
        assert_eq!(matches(a, b"", 0, LIMIT_BYTES), Ok((0, vec![])));
        assert_eq!(subsequence(b"", b"", LIMIT_BYTES), Ok(vec![]));
    }

    #[test]
    fn the_limit_is_on_the_table_of_lengths() {
        // 4 * 4 pairs of prefixes of four bytes.
        assert_eq!(length(b"abc", b"abd", 64), Ok(2));
        assert_eq!(length(b"abc", b"abd", 63), Err(LcsError::TableTooLarge));
        assert_eq!(
            subsequence(b"abc", b"abd", 63),
            Err(LcsError::TableTooLarge)
        );
        let long = vec![b'x'; 12_000];
        assert_eq!(
            length(&long, &long, LIMIT_BYTES),
            Err(LcsError::TableTooLarge)
        );
    }

    /// The plain table, and Redis's walk back through it.
    fn model(a: &[u8], b: &[u8]) -> (usize, Vec<Match>) {
        let mut lengths = vec![vec![0usize; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                lengths[i][j] = if a[i - 1] == b[j - 1] {
                    lengths[i - 1][j - 1] + 1
                } else {
                    lengths[i - 1][j].max(lengths[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut matches: Vec<Match> = Vec::new();
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match matches.last_mut() {
                    Some(last) if last.a == i + 1 && last.b == j + 1 => {
                        *last = Match {
                            a: i,
                            b: j,
                            length: last.length + 1,
                        };
                    }
                    _ => matches.push(Match {
                        a: i,
                        b: j,
                        length: 1,
                    }),
                }
            } else if lengths[i - 1][j] > lengths[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        (lengths[a.len()][b.len()], matches)
    }

    fn string() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(b'a'..=b'd', 0..200),
            proptest::collection::vec(any::<u8>(), 0..200),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_table(a in string(), b in string(), min_length in 0usize..4) {
            let (expected_length, mut expected) = model(&a, &b);
            prop_assert_eq!(length(&a, &b, LIMIT_BYTES), Ok(expected_length));
            let text = subsequence(&a, &b, LIMIT_BYTES).unwrap();
            prop_assert_eq!(text.len(), expected_length);
            expected.retain(|found| found.length >= min_length);
            let found = matches(&a, &b, min_length, LIMIT_BYTES);
            prop_assert_eq!(found, Ok((expected_length, expected)));
        }
    }
}
