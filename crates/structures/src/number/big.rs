//! Natural numbers of any size: the few operations that exact decimal conversion needs.
//!
//! Not a general bignum: schoolbook algorithms on little-endian 32-bit limbs, for numbers of at
//! most some 60,000 bits. Invariant: no leading zero limb; zero has no limbs.

use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural {
    limbs: Vec<u32>,
}

impl Natural {
    pub fn from_u64(value: u64) -> Self {
        let mut natural = Self {
            limbs: vec![value as u32, (value >> 32) as u32],
        };
        natural.trim();
        natural
    }

    /// Reads ASCII decimal digits, which the caller has checked. O(length^2).
    pub fn from_decimal(digits: impl Iterator<Item = u8>) -> Self {
        let mut natural = Self { limbs: Vec::new() };
        let (mut chunk, mut scale) = (0u32, 1u32);
        for digit in digits {
            chunk = chunk * 10 + u32::from(digit - b'0');
            scale *= 10;
            if scale == 1_000_000_000 {
                natural.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        natural.multiply_add(scale, chunk);
        natural
    }

    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// The position of the top set bit, plus one.
    pub fn bits(&self) -> usize {
        match self.limbs.last() {
            Some(top) => self.limbs.len() * 32 - top.leading_zeros() as usize,
            None => 0,
        }
    }

    pub fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
        self.trim();
    }

    /// Multiplies by `10^power`. O(power * size / 9).
    pub fn multiply_power_of_ten(&mut self, power: usize) {
        for _ in 0..power / 9 {
            self.multiply_add(1_000_000_000, 0);
        }
        self.multiply_add(10u32.pow((power % 9) as u32), 0);
    }

    pub fn shift_left(&mut self, count: usize) {
        if self.is_zero() || count == 0 {
            return;
        }
        let (limbs, bits) = (count / 32, count % 32);
        if bits != 0 {
            self.multiply_add(1 << bits, 0);
        }
        self.limbs.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    /// The number as `top * 2^exponent` with `top` of at most 128 bits; if more are set, the lowest
    /// one of `top` is set for them.
    pub fn top_bits(&self) -> (u128, usize) {
        let below = self.limbs.len().saturating_sub(4);
        let top = self.limbs[below..]
            .iter()
            .rev()
            .fold(0u128, |top, &limb| top << 32 | u128::from(limb));
        let lost = self.limbs[..below].iter().any(|&limb| limb != 0);
        (top | u128::from(lost), below * 32)
    }

    /// Divides `self` by `divisor`, giving a quotient that the caller knows to be below 2^127, and
    /// whether there is a remainder. One subtraction of the divisor per bit of the quotient.
    pub fn divide_small_quotient(mut self, divisor: &Self) -> (u128, bool) {
        let steps = (self.bits() + 1).saturating_sub(divisor.bits());
        let mut shifted = divisor.clone();
        shifted.shift_left(steps);
        let mut quotient = 0u128;
        for _ in 0..=steps {
            quotient <<= 1;
            if self.compare(&shifted) != Ordering::Less {
                self.subtract(&shifted);
                quotient |= 1;
            }
            shifted.halve();
        }
        (quotient, !self.is_zero())
    }

    /// Appends the decimal digits to `out`. O(size^2).
    pub fn push_decimal(mut self, out: &mut Vec<u8>) {
        if self.is_zero() {
            out.push(b'0');
            return;
        }
        let start = out.len();
        while !self.is_zero() {
            let mut remainder = 0u64;
            for limb in self.limbs.iter_mut().rev() {
                let dividend = remainder << 32 | u64::from(*limb);
                *limb = (dividend / 1_000_000_000) as u32;
                remainder = dividend % 1_000_000_000;
            }
            self.trim();
            for _ in 0..9 {
                out.push(b'0' + (remainder % 10) as u8);
                remainder /= 10;
            }
        }
        while out.len() > start + 1 && out.last() == Some(&b'0') {
            out.pop();
        }
        out[start..].reverse();
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.limbs
            .len()
            .cmp(&other.limbs.len())
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// Subtracts `other`, which must not be larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (position, limb) in self.limbs.iter_mut().enumerate() {
            let subtrahend = other.limbs.get(position).copied().unwrap_or(0);
            let (difference, first) = limb.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u32::from(borrow));
            *limb = difference;
            borrow = first | second;
        }
        debug_assert!(!borrow, "subtracted a larger number");
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.limbs.iter_mut().rev() {
            let next = *limb << 31;
            *limb = *limb >> 1 | carry;
            carry = next;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(natural: &Natural) -> String {
        let mut out = Vec::new();
        natural.clone().push_decimal(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn natural(value: u128) -> Natural {
        Natural::from_decimal(value.to_string().bytes())
    }

    #[test]
    fn powers_of_ten_are_a_one_and_zeros() {
        let mut power = Natural::from_u64(1);
        power.multiply_power_of_ten(4932);
        assert_eq!(decimal(&power), format!("1{}", "0".repeat(4932)));
        assert_eq!(decimal(&Natural::from_u64(0)), "0");
    }

    proptest! {
        #[test]
        fn decimal_round_trips(digits in "[1-9][0-9]{0,200}") {
            prop_assert_eq!(decimal(&Natural::from_decimal(digits.bytes())), digits);
        }

        #[test]
        fn agrees_with_u128(a: u64, b in 1u64.., shift in 0usize..63) {
            let mut shifted = Natural::from_u64(a);
            shifted.shift_left(shift);
            let model = u128::from(a) << shift;
            prop_assert_eq!(&shifted, &natural(model));
            prop_assert_eq!(shifted.bits(), 128 - model.leading_zeros() as usize);
            prop_assert_eq!(shifted.top_bits(), (model, 0));
            let mut long = natural(model.max(1));
            long.shift_left(320);
            prop_assert_eq!(long.top_bits().1, (long.limbs.len() - 4) * 32);
            prop_assert_eq!(long.top_bits().0 & 1, 0);
            long.multiply_add(1, 1);
            prop_assert_eq!(long.top_bits().0 & 1, 1);
            let (quotient, inexact) = shifted.divide_small_quotient(&Natural::from_u64(b));
            prop_assert_eq!(quotient, model / u128::from(b));
            prop_assert_eq!(inexact, model % u128::from(b) != 0);
        }
    }
}
