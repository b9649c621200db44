//! The digits of a double, short and exact: Grisu2 (Florian Loitsch, "Printing floating-point
//! numbers quickly and accurately with integers", 2010).
//!
//! The digits always read back to the same double. They are the shortest such digits for about
//! 999 of 1,000 doubles; for the others Grisu2's 64-bit estimate is not sharp enough. A printer
//! that is always shortest exists, but Redis 7.2 prints with this algorithm, and its digits go
//! into replies and into `DEBUG DIGEST`, so they have to be the same for those others too.
//!
//! ```text
//!      lower   value   upper           the interval of what reads back to the value
//! -------(-------+-------)------       scaled by a power of ten, so that upper is an integer
//!            ^                         part of at most ten digits and a fraction;
//!            first digits of upper,    digits are generated until the rest is within the
//!            rounded towards value     interval
//! ```

use std::sync::LazyLock;

use super::big::Natural;

/// `digits * 10^power`; the digits are ASCII.
pub(super) struct Decimal {
    digits: [u8; Self::MAX_DIGITS],
    count: usize,
    pub power: i32,
}

impl Decimal {
    const MAX_DIGITS: usize = 20;

    pub fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    fn push(&mut self, digit: u64) {
        // No leading zeros.
        if (digit != 0 || self.count != 0) && self.count < Self::MAX_DIGITS {
            self.digits[self.count] = b'0' + digit as u8;
            self.count += 1;
        }
    }

    /// Lowers the last digit while that brings the number nearer to the value, which lies
    /// `distance` below upper; `rest` is how far below upper the digits are, `unit` the weight of
    /// the last digit.
    fn round(&mut self, interval: u64, mut rest: u64, unit: u64, distance: u64) {
        let Some(last) = self.digits[..self.count].last_mut() else {
            return;
        };
        while rest < distance
            && interval - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            *last -= 1;
            rest += unit;
        }
    }
}

/// Computes the digits of a positive, finite double.
pub(super) fn decimal(value: f64) -> Decimal {
    const FRACTION_BITS: u32 = 52;
    const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;

    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    let (mantissa, exponent) = match (bits >> FRACTION_BITS) as i32 {
        0 => (fraction, -1074),
        biased => (fraction | HIDDEN_BIT, biased - 1075),
    };
    // Halfway to the neighbours; below a power of two the lower one is nearer.
    let upper = Float::new((mantissa << 1) + 1, exponent - 1).normalized();
    let closeness = if mantissa == HIDDEN_BIT { 2 } else { 1 };
    let lower = Float {
        mantissa: ((mantissa << closeness) - 1) << (exponent - closeness - upper.exponent),
        exponent: upper.exponent,
    };
    let (scale, scale_power) = scale_for(upper.exponent);
    let value = Float::new(mantissa, exponent).normalized().times(scale);
    // Safely inside the interval, whatever the scaling rounded.
    let upper = Float::new(upper.times(scale).mantissa - 1, upper.times(scale).exponent);
    let lower = lower.times(scale).mantissa + 1;

    let point = upper.exponent.unsigned_abs();
    let fraction_mask = (1u64 << point) - 1;
    let mut distance = upper.mantissa - value.mantissa;
    let mut interval = upper.mantissa - lower;
    let mut whole = upper.mantissa >> point;
    let mut rest = upper.mantissa & fraction_mask;
    let mut decimal = Decimal {
        digits: [0; Decimal::MAX_DIGITS],
        count: 0,
        power: -scale_power,
    };
    let mut unit = 1_000_000_000u64;
    for power in (0..10).rev() {
        decimal.push(whole / unit);
        whole %= unit;
        let below = (whole << point) + rest;
        if below <= interval {
            decimal.power += power;
            decimal.round(interval, below, unit << point, distance);
            return decimal;
        }
        unit /= 10;
    }
    loop {
        rest = rest.wrapping_mul(10);
        interval = interval.wrapping_mul(10);
        distance = distance.wrapping_mul(10);
        decimal.power -= 1;
        decimal.push(rest >> point);
        rest &= fraction_mask;
        if rest < interval {
            decimal.round(interval, rest, 1 << point, distance);
            return decimal;
        }
    }
}

/// `mantissa * 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Float {
    mantissa: u64,
    exponent: i32,
}

impl Float {
    fn new(mantissa: u64, exponent: i32) -> Self {
        Self { mantissa, exponent }
    }

    fn normalized(self) -> Self {
        let shift = self.mantissa.leading_zeros();
        Self::new(self.mantissa << shift, self.exponent - shift as i32)
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        let rounded = (product + (1 << 63)) >> 64;
        Self::new(rounded as u64, self.exponent + other.exponent + 64)
    }
}

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;
const POWERS: usize = 87;

/// Every eighth power of ten from 10^-348 to 10^340, rounded to 64 bits.
static POWERS_OF_TEN: LazyLock<[Float; POWERS]> = LazyLock::new(|| {
    std::array::from_fn(|index| power_of_ten(FIRST_POWER + index as i32 * POWER_STEP))
});

/// The tabulated power of ten that brings a number of this exponent to one of -60 to -32, so that
/// its integer part has at most ten digits. Where two would do, it is the one that a search from
/// the estimate of fpconv finds first.
fn scale_for(exponent: i32) -> (Float, i32) {
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    const WANTED: std::ops::RangeInclusive<i32> = -60..=-32;

    let estimate = (-f64::from(exponent + POWERS as i32) * LOG10_OF_2) as i32;
    let mut index = ((estimate - FIRST_POWER) / POWER_STEP) as usize;
    loop {
        let scale = POWERS_OF_TEN[index];
        let scaled = exponent + scale.exponent + 64;
        if WANTED.contains(&scaled) {
            return (scale, FIRST_POWER + index as i32 * POWER_STEP);
        }
        if scaled < *WANTED.start() {
            index += 1;
        } else {
            index -= 1;
        }
    }
}

/// `10^power` with a normalised mantissa, rounded to nearest.
fn power_of_ten(power: i32) -> Float {
    let mut magnitude = Natural::from_u64(1);
    magnitude.multiply_power_of_ten(power.unsigned_abs() as usize);
    let (top, exponent) = if power >= 0 {
        let (top, exponent) = magnitude.top_bits();
        (top, exponent as i32)
    } else {
        let mut numerator = Natural::from_u64(1);
        let shift = magnitude.bits() + 100;
        numerator.shift_left(shift);
        let (quotient, _) = numerator.divide_small_quotient(&magnitude);
        (quotient, -(shift as i32))
    };
    let excess = 64 - top.leading_zeros() as i32;
    if excess <= 0 {
        return Float::new(top as u64, exponent).normalized();
    }
    // No power here is near a tie, nor rounds up to a power of two.
    let rounded = (top >> excess) + (top >> (excess - 1) & 1);
    Float::new(rounded as u64, exponent + excess)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_are_rounded_to_64_bits() {
        assert_eq!(power_of_ten(4), Float::new(10_000 << 50, -50));
        assert_eq!(power_of_ten(20), Float::new(12_500_000_000_000_000_000, 3));
        assert_eq!(
            power_of_ten(-4),
            Float::new(15_111_572_745_182_864_684, -77)
        );
        assert_eq!(
            power_of_ten(340),
            Float::new(12_648_080_533_535_911_531, 1066)
        );
        assert_eq!(
            power_of_ten(-348),
            Float::new(18_054_884_314_459_144_840, -1220)
        );
    }

    fn text(value: f64) -> String {
        let decimal = decimal(value);
        let digits = String::from_utf8(decimal.digits().to_vec()).unwrap();
        format!("{digits}e{}", decimal.power)
    }

    #[test]
    fn known_digits() {
        for (value, expected) in [
            (0.1, "1e-1"),
            (5e-324, "5e-324"),
            (f64::MAX, "17976931348623157e292"),
            (f64::MIN_POSITIVE, "22250738585072014e-324"),
            (9007199254740993.0, "9007199254740992e0"),
            // Grisu2 keeps clear of the interval's ends, and this is one.
            (1e23, "9999999999999999e7"),
            // Not the shortest: asked of fpconv itself.
            (0.891931660095237, "8919316600952371e-16"),
            (0.42509213199359, "42509213199358997e-17"),
            (577_206_441_111_000_000.0, "5772064411110001e2"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    /// Against a printer that is always shortest.
    #[test]
    fn almost_all_digits_are_shortest() {
        let mut longer = 0;
        for seed in 1..20_000u64 {
            let value = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
            let value = value as f64 / (1u64 << 53) as f64;
            let mut buffer = zmij::Buffer::new();
            let printed = buffer.format_finite(value);
            let mantissa = printed.split('e').next().unwrap().replace('.', "");
            let shortest = mantissa.trim_matches('0').len();
            let count = decimal(value).digits().len();
            assert!(count >= shortest, "{printed}");
            longer += usize::from(count > shortest);
        }
        assert!(longer < 40, "{longer} of 20,000");
    }

    proptest! {
        #[test]
        fn digits_read_back(bits: u64) {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            prop_assume!(value.is_finite() && value != 0.0);
            prop_assert_eq!(text(value).parse::<f64>().unwrap(), value);
            prop_assert!(decimal(value).digits().len() <= 17);
        }
    }
}
