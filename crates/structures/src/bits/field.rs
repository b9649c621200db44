//! `BITFIELD`: integers of 1 to 64 bits at any bit offset of a string.
//!
//! ```text
//! i5 at offset 6:    byte 0      byte 1
//!                    ......SV    VVV.....      sign first, most significant bit first
//! ```
//!
//! Invariant: a value that is read or written lies within [`Field::min`] and [`Field::max`].

/// The type of a field: its sign and its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    sign: Sign,
    width: u32,
}

/// Whether a field holds negative numbers, in two's complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Signed,
    Unsigned,
}

/// What to do with a value that its field cannot hold: the `OVERFLOW` argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Keep the low bits.
    #[default]
    Wrap,
    /// Take the nearest value that fits.
    Saturate,
    /// Write nothing, and reply nil.
    Fail,
}

impl Overflow {
    /// Reads `WRAP`, `SAT` or `FAIL`, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        [
            ("wrap", Self::Wrap),
            ("sat", Self::Saturate),
            ("fail", Self::Fail),
        ]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, overflow)| overflow)
    }
}

impl Field {
    /// A field of 1 to 64 bits, or to 63 if unsigned, because replies are signed.
    pub fn new(sign: Sign, width: u32) -> Option<Self> {
        let widest = match sign {
            Sign::Signed => 64,
            Sign::Unsigned => 63,
        };
        (1..=widest)
            .contains(&width)
            .then_some(Self { sign, width })
    }

    /// Reads a type like `i5` or `u63`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (sign, width) = match text {
            [b'i', width @ ..] => (Sign::Signed, width),
            [b'u', width @ ..] => (Sign::Unsigned, width),
            _ => return None,
        };
        let width = crate::number::parse_i64(width)?;
        Self::new(sign, u32::try_from(width).ok()?)
    }

    pub fn sign(self) -> Sign {
        self.sign
    }

    /// In bits.
    pub fn width(self) -> u32 {
        self.width
    }

    pub fn min(self) -> i64 {
        match self.sign {
            Sign::Signed => i64::MIN >> (64 - self.width),
            Sign::Unsigned => 0,
        }
    }

    pub fn max(self) -> i64 {
        match self.sign {
            Sign::Signed => i64::MAX >> (64 - self.width),
            Sign::Unsigned => (u64::MAX >> (64 - self.width)) as i64,
        }
    }

    /// The value at a bit offset; bits past the end of the string are zero. O(1).
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let start = usize::try_from(offset / 8).unwrap_or(usize::MAX);
        let mut window = [0; WINDOW];
        if let Some(present) = bytes.get(start..) {
            let length = present.len().min(WINDOW);
            window[..length].copy_from_slice(&present[..length]);
        }
        let aligned = window_bits(window) << (offset % 8);
        // The field is at the top of the 128 bits: shifting down brings in zeros or the sign.
        let unused = 128 - self.width;
        match self.sign {
            Sign::Signed => ((aligned as i128) >> unused) as i64,
            Sign::Unsigned => (aligned >> unused) as i64,
        }
    }

    /// Sets the value at a bit offset and returns the old one, or `None` if the new one does not
    /// fit and must not be forced. The string must be long enough to hold the field; past its end
    /// nothing is written.
    pub fn set(self, bytes: &mut [u8], offset: u64, value: i64, overflow: Overflow) -> Option<i64> {
        let old = self.read(bytes, offset);
        // Redis reads the argument for an unsigned field as unsigned: -1 is too large, not small.
        let wanted = match self.sign {
            Sign::Signed => i128::from(value),
            Sign::Unsigned => i128::from(value as u64),
        };
        let fitted = if overflow == Overflow::Saturate && self.is_too_far_below(wanted) {
            self.max()
        } else {
            self.fit(wanted, overflow)?
        };
        self.write(bytes, offset, fitted);
        Some(old)
    }

    /// Adds to the value at a bit offset and returns the sum, or `None` if it does not fit and
    /// must not be forced. The string must be long enough, as for [`Self::set`].
    pub fn increment(
        self,
        bytes: &mut [u8],
        offset: u64,
        by: i64,
        overflow: Overflow,
    ) -> Option<i64> {
        let sum = i128::from(self.read(bytes, offset)) + i128::from(by);
        let fitted = self.fit(sum, overflow)?;
        self.write(bytes, offset, fitted);
        Some(fitted)
    }

    /// Whether Redis takes a value to set for one above the field's range, although it is
    /// below: its distance from the maximum overflows 64 bits.
    fn is_too_far_below(self, value: i128) -> bool {
        self.sign == Sign::Signed
            && self.width < 64
            && i128::from(self.max()) - value > i128::from(i64::MAX)
    }

    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = (i128::from(self.min()), i128::from(self.max()));
        if (min..=max).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => {
                let unused = 64 - self.width;
                let low = (value as u64) << unused;
                Some(match self.sign {
                    Sign::Signed => (low as i64) >> unused,
                    Sign::Unsigned => (low >> unused) as i64,
                })
            }
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }

    /// Writes a value that fits.
    fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let start = usize::try_from(offset / 8).unwrap_or(usize::MAX);
        let length = bytes.len().saturating_sub(start).min(WINDOW);
        if length == 0 {
            return;
        }
        let mut window = [0; WINDOW];
        window[..length].copy_from_slice(&bytes[start..start + length]);
        let unused = 128 - self.width;
        let mask = (u128::MAX << unused) >> (offset % 8);
        let placed = ((value as u128) << unused) >> (offset % 8);
        let written = (window_bits(window) & !mask | placed).to_be_bytes();
        bytes[start..start + length].copy_from_slice(&written[..length]);
    }
}

/// A field of 64 bits touches at most nine bytes.
const WINDOW: usize = 9;

/// The window's bytes at the top of 128 bits.
fn window_bits(window: [u8; WINDOW]) -> u128 {
    let mut wide = [0; 16];
    wide[..WINDOW].copy_from_slice(&window);
    u128::from_be_bytes(wide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{bit, length_for, set_bit};
    use proptest::prelude::*;

    #[test]
    fn types_are_read() {
        let read =
            |text: &str| Field::parse(text.as_bytes()).map(|field| (field.sign(), field.width()));
        assert_eq!(read("i64"), Some((Sign::Signed, 64)));
        assert_eq!(read("u63"), Some((Sign::Unsigned, 63)));
        assert_eq!(read("u1"), Some((Sign::Unsigned, 1)));
        for text in ["u64", "i65", "i0", "u-1", "I8", "8", "i", "", "i08", "i8 "] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(Overflow::parse(b"SaT"), Some(Overflow::Saturate));
        assert_eq!(Overflow::parse(b"saturate"), None);
    }

    #[test]
    fn limits() {
        let limits =
            |text: &str| Field::parse(text.as_bytes()).map(|field| (field.min(), field.max()));
        assert_eq!(limits("i64"), Some((i64::MIN, i64::MAX)));
        assert_eq!(limits("u63"), Some((0, i64::MAX)));
        assert_eq!(limits("i1"), Some((-1, 0)));
        assert_eq!(limits("u8"), Some((0, 255)));
    }

    /// Asked of a server: `BITFIELD k OVERFLOW SAT SET u8 0 -1 GET u8 0`.
    #[test]
    fn a_negative_value_for_an_unsigned_field_is_too_large() {
        let field = Field::parse(b"u8").unwrap();
        let mut bytes = vec![5];
        assert_eq!(field.set(&mut bytes, 0, -1, Overflow::Saturate), Some(5));
        assert_eq!(bytes, [255]);
        assert_eq!(
            field.increment(&mut bytes, 0, -300, Overflow::Saturate),
            Some(0)
        );
        assert_eq!(field.set(&mut bytes, 0, -2, Overflow::Fail), None);
        assert_eq!(field.set(&mut bytes, 0, -2, Overflow::Wrap), Some(0));
        assert_eq!(bytes, [254]);
    }

    /// Asked of a server: `BITFIELD k OVERFLOW SAT SET i16 0 -9223372036854775807`.
    #[test]
    fn a_value_very_far_below_saturates_at_the_top() {
        let field = Field::parse(b"i16").unwrap();
        let mut bytes = vec![0; 2];
        let far = i64::MIN + 1;
        assert_eq!(field.set(&mut bytes, 0, far, Overflow::Saturate), Some(0));
        assert_eq!(bytes, [0x7f, 0xff]);
        let nearest = i64::from(i16::MAX) - i64::MAX;
        field.set(&mut bytes, 0, nearest, Overflow::Saturate);
        assert_eq!(bytes, [0x80, 0]);
    }

    fn field() -> impl Strategy<Value = Field> {
        prop_oneof![
            (1u32..=64).prop_map(|width| Field::new(Sign::Signed, width).unwrap()),
            (1u32..=63).prop_map(|width| Field::new(Sign::Unsigned, width).unwrap()),
        ]
    }

    fn model_read(field: Field, bytes: &[u8], offset: u64) -> i64 {
        let bits = (0..u64::from(field.width())).map(|place| bit(bytes, offset + place));
        let value = bits.fold(0i128, |value, bit| value << 1 | i128::from(bit));
        let top = 1i128 << (field.width() - 1);
        match field.sign() {
            Sign::Signed if value >= top => (value - 2 * top) as i64,
            _ => value as i64,
        }
    }

    fn model_write(field: Field, bytes: &mut [u8], offset: u64, value: i64) {
        for place in 0..u64::from(field.width()) {
            let shift = u64::from(field.width()) - 1 - place;
            set_bit(bytes, offset + place, value >> shift & 1 == 1);
        }
    }

    proptest! {
        #[test]
        fn reads_and_writes_as_bit_by_bit(
            field in field(), bytes: Vec<u8>, offset in 0u64..900, value: i64,
        ) {
            prop_assert_eq!(field.read(&bytes, offset), model_read(field, &bytes, offset));
            let fitted = field.fit(i128::from(value), Overflow::Wrap).unwrap();
            let mut written = bytes.clone();
            written.resize(bytes.len().max(length_for(offset + u64::from(field.width()))), 0);
            let mut model = written.clone();
            field.write(&mut written, offset, fitted);
            model_write(field, &mut model, offset, fitted);
            prop_assert_eq!(&written, &model);
            prop_assert_eq!(field.read(&written, offset), fitted);
            prop_assert_eq!(field.read(&bytes, u64::MAX - 64), 0);
        }

        #[test]
        fn sums_follow_the_model(field in field(), start: i64, by: i64, offset in 0u64..20) {
            let start = field.fit(i128::from(start), Overflow::Wrap).unwrap();
            let (min, max) = (i128::from(field.min()), i128::from(field.max()));
            let sum = i128::from(start) + i128::from(by);
            let span = max - min + 1;
            for (overflow, expected) in [
                (Overflow::Wrap, Some((sum - min).rem_euclid(span) + min)),
                (Overflow::Saturate, Some(sum.clamp(min, max))),
                (Overflow::Fail, Some(sum).filter(|sum| (min..=max).contains(sum))),
            ] {
                let mut bytes = vec![0; 11];
                field.write(&mut bytes, offset, start);
                let got = field.increment(&mut bytes, offset, by, overflow);
                prop_assert_eq!(got.map(i128::from), expected);
                let after = expected.unwrap_or(i128::from(start));
                prop_assert_eq!(i128::from(field.read(&bytes, offset)), after);
            }
        }
    }
}
