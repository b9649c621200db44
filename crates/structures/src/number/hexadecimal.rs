//! The hexadecimal floats of C (`0x1.8p3`): scanning, before any rounding.
//!
//! The scanner keeps the first 125 to 128 bits and jams what follows into the lowest one, which is
//! all that correct rounding to 53 or 64 bits needs.

/// The magnitude of a hexadecimal float: `mantissa * 2^exponent`. The lowest bit of a mantissa of
/// more than 124 bits is set if anything below it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HexMagnitude {
    pub mantissa: u128,
    pub exponent: i64,
}

/// Exponents beyond this are beyond any format, so arithmetic on them may saturate.
const EXPONENT_LIMIT: i64 = 1 << 40;

/// Scans an unsigned hexadecimal float with its `0x`, to its end. O(length).
pub(super) fn scan(text: &[u8]) -> Option<HexMagnitude> {
    let [b'0', b'x' | b'X', rest @ ..] = text else {
        return None;
    };
    let (mut mantissa, mut exponent) = (0u128, 0i64);
    let (mut digits, mut point) = (0usize, false);
    let mut position = 0;
    while let Some(&byte) = rest.get(position) {
        if byte == b'.' && !point {
            point = true;
        } else if let Some(digit) = (byte as char).to_digit(16) {
            digits += 1;
            if mantissa >> 124 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent -= if point { 4 } else { 0 };
            } else {
                mantissa |= u128::from(digit != 0);
                exponent += if point { 0 } else { 4 };
            }
        } else {
            break;
        }
        position += 1;
    }
    if digits == 0 {
        return None;
    }
    if let Some(tail) = rest.get(position..).filter(|tail| !tail.is_empty()) {
        let [b'p' | b'P', power @ ..] = tail else {
            return None;
        };
        exponent = exponent.saturating_add(decimal_exponent(power)?);
    }
    Some(HexMagnitude { mantissa, exponent })
}

/// Reads an exponent: an optional sign and at least one digit. Saturates far out of any range.
pub(super) fn decimal_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0i64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT))
    })?;
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(text: &str) -> Option<f64> {
        scan(text.as_bytes()).map(|hex| hex.mantissa as f64 * 2f64.powi(hex.exponent as i32))
    }

    #[test]
    fn scans_what_c_scans() {
        assert_eq!(value_of("0x10"), Some(16.0));
        assert_eq!(value_of("0X.8"), Some(0.5));
        assert_eq!(value_of("0x1.8p3"), Some(12.0));
        assert_eq!(value_of("0xA.p-1"), Some(5.0));
        assert_eq!(value_of("0x0p9"), Some(0.0));
        for text in [
            "0x", "0x.", "0x1p", "0x1p+", "0x1.2.3", "0xg", "1", "0x1p1x",
        ] {
            assert_eq!(value_of(text), None, "{text:?}");
        }
    }

    #[test]
    fn remembers_what_is_lost() {
        let scanned = |zeros: usize, last: char| {
            scan(format!("0x8{}{last}", "0".repeat(zeros)).as_bytes()).unwrap()
        };
        let exact = HexMagnitude {
            mantissa: 1 << 127,
            exponent: 40,
        };
        assert_eq!(scanned(40, '0'), exact);
        let jammed = HexMagnitude {
            mantissa: 1 << 127 | 1,
            exponent: 40,
        };
        assert_eq!(scanned(40, '1'), jammed);
    }

    #[test]
    fn an_absurd_exponent_saturates() {
        let huge = scan(b"0x1p99999999999999999999999").unwrap();
        assert!(huge.exponent > 1 << 30);
    }
}
