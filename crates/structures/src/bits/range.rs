//! The ranges that commands give: inclusive, negative from the end, in bytes or in bits.

/// The unit of a range's ends: the `BYTE` or `BIT` argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RangeUnit {
    #[default]
    Byte,
    Bit,
}

/// A range of bits that is not empty and lies within its string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitRange {
    /// The first bit.
    pub first: u64,
    /// The last bit, which is in the range.
    pub last: u64,
}

impl BitRange {
    /// All of a string of `length` bytes; `None` if it is empty.
    pub fn whole(length: usize) -> Option<Self> {
        Self::for_position(0, -1, RangeUnit::Byte, length)
    }

    /// The part of a string of `length` bytes that the ends given to `BITCOUNT` select; `None` if
    /// that is nothing. Negative ends the wrong way round (-1 to -9) select nothing, even where
    /// [`Self::for_position`] clamps them both to the first unit.
    pub fn for_count(start: i64, end: i64, unit: RangeUnit, length: usize) -> Option<Self> {
        if start < 0 && end < 0 && start > end {
            return None;
        }
        Self::for_position(start, end, unit, length)
    }

    /// The part of a string of `length` bytes that the ends given to `BITPOS` select; `None` if
    /// that is nothing. Each end is clamped to the string by itself.
    pub fn for_position(start: i64, end: i64, unit: RangeUnit, length: usize) -> Option<Self> {
        let units = match unit {
            RangeUnit::Byte => length as i128,
            RangeUnit::Bit => length as i128 * 8,
        };
        let from_end = |index: i64| match i128::from(index) {
            index if index < 0 => index + units,
            index => index,
        };
        let start = from_end(start).max(0);
        let end = from_end(end).max(0).min(units - 1);
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(match unit {
            RangeUnit::Byte => Self {
                first: start * 8,
                last: end * 8 + 7,
            },
            RangeUnit::Bit => Self {
                first: start,
                last: end,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_resolved() {
        let resolve = |start, end, unit, length| {
            BitRange::for_count(start, end, unit, length).map(|range| (range.first, range.last))
        };
        assert_eq!(resolve(0, -1, RangeUnit::Byte, 2), Some((0, 15)));
        assert_eq!(resolve(-1, 100, RangeUnit::Byte, 2), Some((8, 15)));
        assert_eq!(resolve(-3, -1, RangeUnit::Bit, 2), Some((13, 15)));
        assert_eq!(resolve(-100, -50, RangeUnit::Bit, 2), Some((0, 0)));
        assert_eq!(resolve(-50, -100, RangeUnit::Bit, 2), None);
        assert_eq!(resolve(2, 5, RangeUnit::Byte, 2), None);
        assert_eq!(resolve(1, 0, RangeUnit::Byte, 2), None);
        assert_eq!(resolve(0, -1, RangeUnit::Byte, 0), None);
        assert_eq!(
            resolve(i64::MIN, i64::MAX, RangeUnit::Bit, 2),
            Some((0, 15))
        );
        let clamped = BitRange::for_position(-50, -100, RangeUnit::Bit, 2);
        assert_eq!(clamped, Some(BitRange { first: 0, last: 0 }));
        assert_eq!(BitRange::whole(3).map(|range| range.last), Some(23));
        assert_eq!(BitRange::whole(0), None);
    }
}
