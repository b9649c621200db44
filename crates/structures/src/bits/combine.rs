//! `BITOP`: and, or, exclusive or, and not of whole strings.
//!
//! The result is as long as the longest source; shorter ones count as padded with zeros. The loops
//! are plain zips over slices, which compile to vector instructions.

/// How to combine strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitLogic {
    And,
    Or,
    Xor,
    /// The complement of the first source; others only add to the length.
    Not,
}

impl BitLogic {
    /// Reads the name of an operation, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        [
            ("and", Self::And),
            ("or", Self::Or),
            ("xor", Self::Xor),
            ("not", Self::Not),
        ]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, logic)| logic)
    }
}

/// Combines strings; no sources give the empty string. O(sum of lengths).
pub fn combine(logic: BitLogic, sources: &[&[u8]]) -> Vec<u8> {
    let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    let mut result = Vec::with_capacity(length);
    result.extend_from_slice(first);
    result.resize(length, 0);
    match logic {
        BitLogic::And => {
            for source in others {
                merge(&mut result, source, |ours, theirs| ours & theirs);
                result[source.len()..].fill(0);
            }
        }
        BitLogic::Or => {
            for source in others {
                merge(&mut result, source, |ours, theirs| ours | theirs);
            }
        }
        BitLogic::Xor => {
            for source in others {
                merge(&mut result, source, |ours, theirs| ours ^ theirs);
            }
        }
        BitLogic::Not => {
            for byte in &mut result {
                *byte = !*byte;
            }
        }
    }
    result
}

#[inline]
fn merge(result: &mut [u8], source: &[u8], operation: impl Fn(u8, u8) -> u8) {
    for (ours, &theirs) in result.iter_mut().zip(source) {
        *ours = operation(*ours, theirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read() {
        assert_eq!(BitLogic::parse(b"AND"), Some(BitLogic::And));
        assert_eq!(BitLogic::parse(b"xOr"), Some(BitLogic::Xor));
        assert_eq!(BitLogic::parse(b"nand"), None);
        assert_eq!(combine(BitLogic::Not, &[]), b"");
    }

    proptest! {
        #[test]
        fn combines_byte_by_byte(
            sources in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..70), 1..6),
        ) {
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let length = slices.iter().map(|source| source.len()).max().unwrap();
            let model = |operation: fn(u8, u8) -> u8| -> Vec<u8> {
                (0..length)
                    .map(|index| {
                        slices
                            .iter()
                            .map(|source| source.get(index).copied().unwrap_or(0))
                            .reduce(operation)
                            .unwrap()
                    })
                    .collect()
            };
            prop_assert_eq!(combine(BitLogic::And, &slices), model(|a, b| a & b));
            prop_assert_eq!(combine(BitLogic::Or, &slices), model(|a, b| a | b));
            prop_assert_eq!(combine(BitLogic::Xor, &slices), model(|a, b| a ^ b));
            let complement: Vec<u8> = slices[0].iter().map(|byte| !byte).collect();
            prop_assert_eq!(combine(BitLogic::Not, &slices[..1]), complement);
        }
    }
}
