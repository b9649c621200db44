//! The x87 80-bit `long double`, in integer arithmetic.
//!
//! `INCRBYFLOAT` and `HINCRBYFLOAT` compute in C's `long double`, and clients see its 64-bit
//! mantissa: `0.1 + 0.2` prints `0.3` there, not `0.30000000000000004`. This type gives those
//! results on every machine. Only what the commands need is here: read, add, print.
//!
//! ```text
//! finite value = (-1)^sign * mantissa * 2^exponent
//!
//!   mantissa   64 bits; the top bit is set, unless the value is zero or subnormal
//!   exponent   -16445 (the scale of subnormals) ..= 16320
//! ```
//!
//! Rounding is to nearest, ties to even. Invariant: the representation of a value is unique, and
//! zero has the least exponent.

use super::big::Natural;
use super::hexadecimal;
use super::rounding::{shift_right_jam, shift_right_round};

/// An x87 80-bit extended-precision float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i32 },
    Infinite,
    NotANumber,
}

const MIN_EXPONENT: i32 = -16445;
const MAX_EXPONENT: i32 = 16320;

/// Redis reads a `long double` through a buffer of 5 KB; a longer text is refused.
const MAX_TEXT_LEN: usize = 5 * 1024 - 1;

/// No value has its first digit at or above `10^4933`, nor below `10^-4952`.
const DECIMAL_EXPONENT_BOUND: i64 = 5_000;

impl Extended {
    pub const ZERO: Self = Self {
        negative: false,
        magnitude: Magnitude::Finite {
            mantissa: 0,
            exponent: MIN_EXPONENT,
        },
    };

    /// Reads a number as Redis's `string2ld` does (C's `strtold` and the checks around it).
    ///
    /// Accepted: decimal and hexadecimal floats and `inf`/`infinity` in any case, signed or not.
    /// Refused: the empty text, one of 5,120 bytes or more, white space, NaN, trailing bytes, and
    /// what overflows, or rounds to zero without being zero. Correctly rounded. O(length) for
    /// common numbers, O(length^2 + exponent^2) at worst, which the length limit bounds to about
    /// a millisecond.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_TEXT_LEN {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let magnitude = match unsigned.first()? {
            b'i' | b'I' => {
                let named = unsigned.eq_ignore_ascii_case(b"inf")
                    || unsigned.eq_ignore_ascii_case(b"infinity");
                named.then_some(Magnitude::Infinite)?
            }
            b'0' if matches!(unsigned.get(1), Some(b'x' | b'X')) => {
                let hex = hexadecimal::scan(unsigned)?;
                round_in_range(hex.mantissa, hex.exponent)?
            }
            b'0'..=b'9' | b'.' => parse_decimal(unsigned)?,
            _ => return None,
        };
        Some(Self {
            negative,
            magnitude,
        })
    }

    pub fn is_nan(self) -> bool {
        self.magnitude == Magnitude::NotANumber
    }

    pub fn is_infinite(self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// Prints as Redis's `ld2string` does in its human-friendly mode, C's `%.17Lf` without
    /// trailing zeros: 17 digits after the point at most, no exponent, no `-0`. At most 4,934
    /// bytes.
    pub fn format_human(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        let (mantissa, exponent) = match self.magnitude {
            Magnitude::NotANumber => return b"nan".to_vec(),
            Magnitude::Infinite if self.negative => return b"-inf".to_vec(),
            Magnitude::Infinite => return b"inf".to_vec(),
            Magnitude::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        if self.negative {
            out.push(b'-');
        }
        if exponent >= 0 {
            let mut natural = Natural::from_u64(mantissa);
            natural.shift_left(exponent as usize);
            natural.push_decimal(&mut out);
            return out;
        }
        // In units of 10^-17 the value fits 121 bits before the shift.
        const SCALE: u128 = 10u128.pow(17);
        let units = shift_right_round(u128::from(mantissa) * SCALE, exponent.unsigned_abs());
        if units == 0 {
            return b"0".to_vec();
        }
        out.extend_from_slice(itoa::Buffer::new().format(units / SCALE).as_bytes());
        let fraction = units % SCALE;
        if fraction != 0 {
            let digits = format!(".{fraction:017}");
            out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
        }
        out
    }

    /// The same value: every double is exact in this format.
    pub fn from_f64(value: f64) -> Self {
        let bits = value.abs().to_bits();
        let (biased, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
        let magnitude = match (biased, fraction) {
            (0x7ff, 0) => Magnitude::Infinite,
            (0x7ff, _) => Magnitude::NotANumber,
            (0, fraction) => round(u128::from(fraction), -1074),
            (biased, fraction) => round(u128::from(1 << 52 | fraction), biased - 1075),
        };
        Self {
            negative: value.is_sign_negative(),
            magnitude,
        }
    }
}

/// The sum, rounded once. `inf + -inf` is NaN; an overflow is an infinity.
impl std::ops::Add for Extended {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        use Magnitude::{Finite, Infinite, NotANumber};
        let (large, small) = match (self.magnitude, other.magnitude) {
            (NotANumber, _) => return self,
            (_, NotANumber) => return other,
            (Infinite, Infinite) if self.negative != other.negative => {
                return Self {
                    negative: false,
                    magnitude: NotANumber,
                };
            }
            (Infinite, _) => return self,
            (_, Infinite) => return other,
            (
                Finite {
                    mantissa: a,
                    exponent: x,
                },
                Finite {
                    mantissa: b,
                    exponent: y,
                },
            ) => {
                if (x, a) >= (y, b) {
                    ((self.negative, a, x), (other.negative, b, y))
                } else {
                    ((other.negative, b, y), (self.negative, a, x))
                }
            }
        };
        // 62 bits of room below the larger mantissa, one above for the carry. What the smaller
        // one loses below them is jammed into the lowest bit, which keeps the rounding right.
        const ROOM: u32 = 62;
        let wide_large = u128::from(large.1) << ROOM;
        let wide_small = shift_right_jam(u128::from(small.1) << ROOM, (large.2 - small.2) as u32);
        let (negative, sum) = if large.0 == small.0 {
            (large.0, wide_large + wide_small)
        } else if wide_large == wide_small {
            (false, 0)
        } else {
            (large.0, wide_large - wide_small)
        };
        Self {
            negative,
            magnitude: round(sum, i64::from(large.2) - i64::from(ROOM)),
        }
    }
}

fn parse_decimal(unsigned: &[u8]) -> Option<Magnitude> {
    let end_of_digits = unsigned
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'.'))
        .unwrap_or(unsigned.len());
    let (digits, tail) = unsigned.split_at(end_of_digits);
    let written_exponent = match tail {
        [] => 0,
        [b'e' | b'E', exponent @ ..] => hexadecimal::decimal_exponent(exponent)?,
        _ => return None,
    };
    let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[digits.len()..]),
    };
    if fraction.contains(&b'.') || whole.len() + fraction.len() == 0 {
        return None;
    }
    // Significant digits only: D * 10^power with no zero at either end of D.
    let all = || whole.iter().chain(fraction).copied();
    let total = whole.len() + fraction.len();
    let leading = all().take_while(|&digit| digit == b'0').count();
    if leading == total {
        return Some(Extended::ZERO.magnitude);
    }
    let trailing = all().rev().take_while(|&digit| digit == b'0').count();
    let count = total - leading - trailing;
    let significant = || all().skip(leading).take(count);
    let power = written_exponent - fraction.len() as i64 + trailing as i64;
    let leading_power = power + count as i64 - 1;
    if leading_power.abs() > DECIMAL_EXPONENT_BOUND {
        return None;
    }
    if count <= 19 {
        let value = significant().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        if let Some(magnitude) = scale_small(value, power) {
            return round_in_range(magnitude.0, magnitude.1);
        }
    }
    let mut numerator = Natural::from_decimal(significant());
    let (wide, exponent) = if power >= 0 {
        numerator.multiply_power_of_ten(power as usize);
        let (top, exponent) = numerator.top_bits();
        (top, exponent as i64)
    } else {
        let mut divisor = Natural::from_u64(1);
        divisor.multiply_power_of_ten(power.unsigned_abs() as usize);
        // A quotient of 67 or 68 bits: the mantissa and at least three more. When the numerator is
        // already longer than that, the divisor's side is left as it is and the quotient is cut.
        let wanted = divisor.bits() as i64 + 67 - numerator.bits() as i64;
        if wanted >= 0 {
            numerator.shift_left(wanted as usize);
        } else {
            divisor.shift_left(wanted.unsigned_abs() as usize);
        }
        let (quotient, inexact) = numerator.divide_small_quotient(&divisor);
        (quotient << 1 | u128::from(inexact), -wanted - 1)
    };
    round_in_range(wide, exponent)
}

/// `value * 10^power` in 128 bits with a jammed lowest bit, for small powers.
fn scale_small(value: u64, power: i64) -> Option<(u128, i64)> {
    match power {
        0..=19 => Some((u128::from(value) * 10u128.pow(power as u32), 0)),
        -18..=-1 => {
            let divisor = 10u128.pow(power.unsigned_abs() as u32);
            let shift = u128::from(value).leading_zeros();
            let dividend = u128::from(value) << shift;
            // The quotient has at least 68 bits, so its lowest one is well below the rounding.
            let jam = u128::from(!dividend.is_multiple_of(divisor));
            Some(((dividend / divisor) | jam, -i64::from(shift)))
        }
        _ => None,
    }
}

/// Rounds a value that is not zero; `None` where C reports a range error that Redis refuses.
fn round_in_range(wide: u128, exponent: i64) -> Option<Magnitude> {
    match round(wide, exponent) {
        Magnitude::Finite { mantissa: 0, .. } if wide != 0 => None,
        Magnitude::Infinite => None,
        magnitude => Some(magnitude),
    }
}

/// Rounds `wide * 2^exponent` to the format, ties to even.
fn round(wide: u128, exponent: i64) -> Magnitude {
    if wide == 0 {
        return Extended::ZERO.magnitude;
    }
    let bits = 128 - i64::from(wide.leading_zeros());
    // The exponent of the result's lowest bit, held at the scale of subnormals.
    let mut target = (exponent + bits - 64).max(i64::from(MIN_EXPONENT));
    let mut mantissa = match target - exponent {
        // All of it is kept, so the bits fit the 64 of the mantissa.
        up @ ..=0 => wide << up.unsigned_abs(),
        down => shift_right_round(wide, u32::try_from(down).unwrap_or(u32::MAX)),
    };
    if mantissa >> 64 != 0 {
        mantissa >>= 1;
        target += 1;
    }
    if mantissa == 0 {
        Extended::ZERO.magnitude
    } else if target > i64::from(MAX_EXPONENT) {
        Magnitude::Infinite
    } else {
        Magnitude::Finite {
            mantissa: mantissa as u64,
            exponent: target as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Extended {
        Extended::parse(text.as_bytes()).unwrap_or_else(|| panic!("refused {text:?}"))
    }

    fn human(value: Extended) -> String {
        String::from_utf8(value.format_human()).unwrap()
    }

    /// Each row was asked of a real server with `SET` and `INCRBYFLOAT`.
    #[test]
    fn sums_are_those_of_a_server() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0", "1.000000000000000005", "4.00000000000000001"),
            ("1", "-1", "0"),
            ("0.1", "-0.3", "-0.2"),
            ("-0", "-0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            ("5e-18", "0", "0"),
            ("1.5e-17", "0", "0.00000000000000002"),
            ("2.5e-17", "0", "0.00000000000000002"),
            ("-1e-30", "0", "0"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551617", "1", "18446744073709551616"),
            ("9007199254740993", "0.5", "9007199254740993.5"),
            ("1e19", "0.5", "10000000000000000000"),
            ("1e22", "1e3", "10000000000000000001024"),
            (
                "123456789.123456789",
                "987654321.987654321",
                "1111111111.11111110995989293",
            ),
            ("0x1p-60", "1", "1"),
            ("0x1.00000000000000018p64", "0", "18446744073709551618"),
            ("0x1.00000000000000008p64", "0", "18446744073709551616"),
            ("1e30", "-1e30", "0"),
            (
                "99999999999999999999.99999999999999999999",
                "0",
                "100000000000000000000",
            ),
            (
                "3.14159265358979323846264338327950288",
                "2.71828182845904523536028747135266249",
                "5.85987448204883847",
            ),
        ] {
            assert_eq!(human(read(a) + read(b)), sum, "{a} + {b}");
        }
    }

    #[test]
    fn the_edges_of_the_range() {
        let largest = read("0x1.fffffffffffffffep16383");
        assert!(!largest.is_infinite());
        assert!((largest + largest).is_infinite());
        assert_eq!(human(largest + largest), "inf");
        assert_eq!(largest + read("0x1p16318"), largest);
        assert!((largest + read("0x1p16319")).is_infinite());
        assert_eq!(human(largest).len(), 4933);
        assert_eq!(read("1.18973149535723176502e4932"), largest);
        let least = read("0x1p-16445");
        assert_eq!(read("3.6e-4951"), least);
        assert_eq!(least + least, read("0x1p-16444"));
        assert_eq!(
            read("0x1p-16382") + read("-0x1p-16445"),
            read("0x0.fffffffffffffffep-16382")
        );
        for text in [
            "0x1p16384",
            "0x1p-16446",
            "1.2e4932",
            "1e5000",
            "1e-5000",
            "1e99999999999999",
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn infinities_and_what_comes_of_them() {
        let (plus, minus) = (read("+Infinity"), read("-inf"));
        assert!(plus.is_infinite() && !plus.is_nan());
        assert_eq!(human(plus + read("1")), "inf");
        assert_eq!(human(minus + minus), "-inf");
        assert!((plus + minus).is_nan());
        assert!((plus + minus + read("1")).is_nan());
        assert_eq!(human(plus + minus), "nan");
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "", " 1", "1 ", "+", ".", "..1", "1..", "1.2.3", "e5", "1e", "1e+", "nan", "infinit",
            "0x", "0x1p", "1f", "--1", "1\0",
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(Extended::parse(&[b'0'; MAX_TEXT_LEN]).is_some());
        assert!(Extended::parse(&[b'0'; MAX_TEXT_LEN + 1]).is_none());
    }

    proptest! {
        /// Both paths of the decimal reader: trailing digits that do not matter force the slow one.
        #[test]
        fn slow_and_fast_readers_agree(digits in 1u64..10_000_000_000, power in -18i32..=9) {
            let short = format!("{digits}e{power}");
            let long = format!("{digits}{}e{}", "0".repeat(30), power - 30);
            let nudged = format!("{digits}{}1e{}", "0".repeat(40), power - 41);
            prop_assert_eq!(read(&short), read(&long));
            prop_assert_eq!(human(read(&short)), human(read(&nudged)));
        }

        #[test]
        fn integers_add_exactly(a: i32, b: i32, c in -1_000_000_000_000i64..1_000_000_000_000) {
            let sum = i64::from(a) + i64::from(b);
            prop_assert_eq!(human(read(&a.to_string()) + read(&b.to_string())), sum.to_string());
            let half = read(&format!("{c}.5"));
            prop_assert_eq!(half + read(&(-c).to_string()), read(if c < 0 { "-0.5" } else { "0.5" }));
        }

        #[test]
        fn doubles_are_exact(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let sign = if value.is_sign_negative() { "-" } else { "" };
            let magnitude = bits & (u64::MAX >> 1);
            let (leading, exponent) = match magnitude >> 52 {
                0 => (0, -1022),
                biased => (1, biased as i64 - 1023),
            };
            let fraction = magnitude & ((1 << 52) - 1);
            let text = format!("{sign}0x{leading}.{fraction:013x}p{exponent}");
            prop_assert_eq!(read(&text), Extended::from_f64(value));
        }

        #[test]
        fn addition_commutes(a: u64, b: u64) {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            let (a, b) = (Extended::from_f64(a), Extended::from_f64(b));
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(a + b, b + a);
            prop_assert_eq!(a + Extended::ZERO, if a == Extended::from_f64(-0.0) { Extended::ZERO } else { a });
        }

        #[test]
        fn any_bytes_are_safe(text: Vec<u8>) {
            if let Some(value) = Extended::parse(&text) {
                value.format_human();
            }
        }
    }
}
