//! Doubles as text: what Redis takes for a score and how it prints one.
//!
//! Reading follows C's `strtod` with the checks of Redis's `string2d` around it. Printing comes in
//! two forms: [`format_f64`], a short text that reads back to the same double, as in Redis 7.2; and [`format_f64_17g`], C's `%.17g`, which Redis 7.0 used throughout.
//!
//! Invariant: either printed form of a number that is not NaN, read by [`parse_f64`], gives that
//! number back, bit for bit.

use super::hexadecimal;
use super::rounding::shift_right_round;
use super::shortest::{self, Decimal};

/// Reads a double as Redis's `string2d` does.
///
/// Accepted: decimal with or without point and exponent, C's hexadecimal floats, `inf` and
/// `infinity` in any case, each with an optional sign. Refused: the empty text, white space, NaN,
/// trailing bytes, a finite number too large for a double (`1e400`), and a number that is not zero
/// but rounds to zero (`1e-400`); subnormal results are accepted. O(length).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let value = match magnitude.first()? {
        b'i' | b'I' => {
            let named = magnitude.eq_ignore_ascii_case(b"inf")
                || magnitude.eq_ignore_ascii_case(b"infinity");
            named.then_some(f64::INFINITY)?
        }
        b'0' if matches!(magnitude.get(1), Some(b'x' | b'X')) => parse_hexadecimal(magnitude)?,
        b'0'..=b'9' | b'.' => parse_decimal(magnitude)?,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

fn parse_decimal(magnitude: &[u8]) -> Option<f64> {
    // The standard library rounds correctly and, after the first byte was checked to be a digit or
    // a point, takes the same texts as strtod.
    let value: f64 = std::str::from_utf8(magnitude).ok()?.parse().ok()?;
    if value.is_infinite() {
        return None;
    }
    if value == 0.0 {
        let mut digits = magnitude
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'));
        if digits.any(|byte| matches!(byte, b'1'..=b'9')) {
            return None;
        }
    }
    Some(value)
}

fn parse_hexadecimal(magnitude: &[u8]) -> Option<f64> {
    const MIN_EXPONENT: i64 = -1074;
    const MAX_EXPONENT: i64 = 971;
    let hex = hexadecimal::scan(magnitude)?;
    if hex.mantissa == 0 {
        return Some(0.0);
    }
    // To 53 bits, or to fewer when the result is subnormal.
    let bits = 128 - i64::from(hex.mantissa.leading_zeros());
    let exponent = (hex.exponent + bits - 53).max(MIN_EXPONENT);
    let kept = match exponent - hex.exponent {
        up @ ..=0 => hex.mantissa << up.unsigned_abs(),
        down => shift_right_round(hex.mantissa, u32::try_from(down).unwrap_or(u32::MAX)),
    };
    if exponent > MAX_EXPONENT {
        return None;
    }
    // Both factors are exact: kept has 53 bits, or is 2^53. So is the product, or it overflows.
    let value = kept as f64 * power_of_two(exponent);
    (value != 0.0 && value.is_finite()).then_some(value)
}

/// `2^exponent`, for exponents from -1074 to 1023.
fn power_of_two(exponent: i64) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (exponent + 1074).clamp(0, 51))
    }
}

/// A double as text, in place.
#[derive(Debug, Clone)]
pub struct F64Text {
    bytes: [u8; Self::CAPACITY],
    length: u8,
}

impl F64Text {
    /// 17 digits, a sign, a point, five zeros or an exponent of five bytes, and some air.
    const CAPACITY: usize = 32;

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn empty() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            length: 0,
        }
    }

    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.length);
        self.bytes[start..start + text.len()].copy_from_slice(text);
        self.length += text.len() as u8;
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&b"00000000"[..count]);
    }
}

/// Prints a double as Redis 7.2 does (`d2string`): `inf`, `-inf`, `nan`, `-0`; integers up to
/// 2^62 in full; anything else as [`format_f64_fpconv`] does.
pub fn format_f64(value: f64) -> F64Text {
    /// Redis leaves a margin of one bit in its test for "is a 64-bit integer".
    const INTEGER_LIMIT: f64 = (i64::MAX / 2) as f64;

    let mut text = F64Text::empty();
    if value.is_nan() {
        text.push(b"nan");
    } else if value != 0.0 && value.abs() <= INTEGER_LIMIT && value == value.trunc() {
        text.push(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        text = format_f64_fpconv(value);
    }
    text
}

/// Prints a double as the fpconv library does: its short digits (see Grisu2), in positional form
/// while that is short, in exponent form otherwise. Redis 7.2 computes `DEBUG DIGEST` of scores
/// from this form; replies have large integers in full, see [`format_f64`].
pub fn format_f64_fpconv(value: f64) -> F64Text {
    let mut text = F64Text::empty();
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if value == 0.0 {
        text.push(b"0");
    } else if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(b"inf");
    } else {
        push_layout(&mut text, &shortest::decimal(value.abs()));
    }
    text
}

/// Appends what [`format_f64`] prints to `out`.
pub fn push_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(format_f64(value).as_bytes());
}

/// Lays out `digits * 10^power`.
fn push_layout(text: &mut F64Text, decimal: &Decimal) {
    let (digits, power) = (decimal.digits(), decimal.power);
    let count = digits.len();
    let leading_power = power + count as i32 - 1;
    if (0..8).contains(&power) {
        text.push(digits);
        text.push_zeros(power as usize);
    } else if power < 0 && (power > -7 || leading_power.abs() < 4) {
        if leading_power < 0 {
            text.push(b"0.");
            text.push_zeros((-leading_power - 1) as usize);
            text.push(digits);
        } else {
            let (whole, fraction) = digits.split_at(leading_power as usize + 1);
            text.push(whole);
            text.push(b".");
            text.push(fraction);
        }
    } else {
        text.push(&digits[..1]);
        if count > 1 {
            text.push(b".");
            text.push(&digits[1..]);
        }
        text.push(if leading_power < 0 { b"e-" } else { b"e+" });
        let exponent = leading_power.unsigned_abs();
        text.push(itoa::Buffer::new().format(exponent).as_bytes());
    }
}

/// Appends a double as C's `%.17g` prints it: 17 significant digits, trailing zeros removed, an
/// exponent of at least two digits when it is below -4 or above 16. The form of Redis 7.0 replies
/// and of Redis's `DEBUG DIGEST`.
pub fn format_f64_17g(out: &mut Vec<u8>, value: f64) {
    const PRECISION: i32 = 17;
    if !value.is_finite() || value == 0.0 {
        return push_f64(out, value);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    // "d.dddddddddddddddde-d", rounded exactly, ties to even.
    let scientific = format!("{:.16e}", value.abs());
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the exponent format has an e");
    let exponent: i32 = exponent.parse().expect("a printed exponent is an integer");
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    if !(-4..PRECISION).contains(&exponent) {
        out.push(digits[0]);
        push_fraction(out, &digits[1..]);
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(&b"0.0000"[..(1 - exponent) as usize]);
        out.extend_from_slice(&digits);
    } else {
        let whole = exponent as usize + 1;
        if digits.len() < whole {
            digits.resize(whole, b'0');
        }
        out.extend_from_slice(&digits[..whole]);
        push_fraction(out, &digits[whole..]);
    }
}

fn push_fraction(out: &mut Vec<u8>, digits: &[u8]) {
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shortest(value: f64) -> String {
        String::from_utf8(format_f64(value).as_bytes().to_vec()).unwrap()
    }

    fn digits17(value: f64) -> String {
        let mut out = Vec::new();
        format_f64_17g(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    /// Each row was asked of a real server with `ZADD` and `ZSCORE`.
    #[test]
    fn reads_what_a_server_reads() {
        let accepted = [
            ("1e-320", "9.9998886718268301e-321"),
            ("4.9e-324", "4.9406564584124654e-324"),
            ("2.5e-324", "4.9406564584124654e-324"),
            ("2.2250738585072011e-308", "2.2250738585072009e-308"),
            ("inf", "inf"),
            ("+inf", "inf"),
            ("-INF", "-inf"),
            ("Infinity", "inf"),
            ("0x1p3", "8"),
            ("0X1.8P-2", "0.375"),
            ("0x.8", "0.5"),
            ("0x1.8p+1", "3"),
            ("0x1p-1074", "4.9406564584124654e-324"),
            ("0x0p99999", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+5", "5"),
            ("1.e5", "100000"),
            ("00012", "12"),
            ("0e999", "0"),
            ("0e-99999999999999999999", "0"),
            ("-.5e-3", "-0.00050000000000000001"),
            ("1125899906842624.25", "1125899906842624.2"),
            ("4503599627370496", "4503599627370496"),
            ("1e17", "1e+17"),
            ("123456789012345678", "1.2345678901234568e+17"),
            ("0.1", "0.10000000000000001"),
            ("1e-5", "1.0000000000000001e-05"),
            ("1e-4", "0.0001"),
            ("0.0001234", "0.00012339999999999999"),
            ("3e300", "3.0000000000000002e+300"),
        ];
        for (text, printed) in accepted {
            let value = parse_f64(text.as_bytes()).unwrap_or_else(|| panic!("refused {text:?}"));
            assert_eq!(digits17(value), printed, "{text:?}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "1a",
            "+",
            "-",
            ".",
            ".e5",
            "--5",
            "+-5",
            "1e",
            "1e+",
            "1_0",
            "0x",
            "0x1p",
            "0x1p-1075",
            "0x1p-1080",
            "0x1p1024",
            "0x1.fffffffffffffffp1023",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "1e99999999999999999999",
            "nan",
            "NaN",
            "-nan",
            "nan(12)",
            "infinit",
            "INFINITYx",
            "e5",
            "1\0",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_rounds_to_even() {
        let read = |text: &str| parse_f64(text.as_bytes());
        assert_eq!(read("0x1.00000000000008p0"), Some(1.0));
        assert_eq!(read("0x1.00000000000018p0"), Some(1.0 + 2.0 * f64::EPSILON));
        assert_eq!(
            read("0x1.000000000000080000000001p0"),
            Some(1.0 + f64::EPSILON)
        );
        assert_eq!(read("0x1.fffffffffffffp1023"), Some(f64::MAX));
        assert_eq!(read("0x1.8p-1075"), Some(f64::from_bits(1)));
        assert_eq!(read("0x1p-1022"), Some(f64::MIN_POSITIVE));
        assert_eq!(read("0x0.fffffffffffff8p-1022"), Some(f64::MIN_POSITIVE));
    }

    #[test]
    fn prints_the_shortest_form_in_fpconv_layout() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (3.0, "3"),
            (1e17, "100000000000000000"),
            (4e18, "4000000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (5e18, "5e+18"),
            (1.2345678901234567e19, "12345678901234567000"),
            (1e20, "1e+20"),
            (1.5e300, "1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (1e-5, "0.00001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-6, "1.5e-6"),
            (1.5e-3, "0.0015"),
            (1.234567891e-3, "0.001234567891"),
            (1.234567891e-4, "1.234567891e-4"),
            (12345.678901234567, "1.2345678901234567e+4"),
            (123.45678901234567, "123.45678901234567"),
            (1234567.125, "1234567.125"),
            (f64::from_bits(1), "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(shortest(value), expected);
        }
    }

    #[test]
    fn the_fpconv_form_knows_no_integers() {
        for (value, expected) in [
            (1e7, "10000000"),
            (1e8, "1e+8"),
            (123456789.0, "123456789"),
            (-3.0, "-3"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
            (0.25, "0.25"),
        ] {
            assert_eq!(format_f64_fpconv(value).as_bytes(), expected.as_bytes());
        }
    }

    fn any_double() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-1_000_000_000i64..1_000_000_000, 0i32..12)
                .prop_map(|(digits, scale)| digits as f64 / 10f64.powi(scale)),
        ]
    }

    proptest! {
        #[test]
        fn both_forms_read_back(value in any_double()) {
            prop_assume!(!value.is_nan());
            for text in [shortest(value), digits17(value)] {
                let back = parse_f64(text.as_bytes());
                prop_assert_eq!(back.map(f64::to_bits), Some(value.to_bits()), "{}", text);
            }
        }

        #[test]
        fn hexadecimal_reads_back(value in any_double()) {
            prop_assume!(value.is_finite());
            let bits = value.abs().to_bits();
            let (leading, exponent) = match bits >> 52 {
                0 => (0, -1022),
                biased => (1, biased as i64 - 1023),
            };
            let text = format!("0x{leading}.{:013x}p{exponent}", bits & ((1 << 52) - 1));
            prop_assert_eq!(parse_f64(text.as_bytes()), Some(value.abs()), "{}", text);
        }

        #[test]
        fn any_bytes_are_safe(text: Vec<u8>) {
            if let Some(value) = parse_f64(&text) {
                prop_assert!(!value.is_nan());
            }
        }
    }
}
