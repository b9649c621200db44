//! The dense form: 16,384 registers of 6 bits, packed from the least significant bit up.
//!
//! ```text
//! +--------+--------+--------+------
//! |11000000|22221111|33333322|55444444 ...    register number of each bit, bytes left to right
//! +--------+--------+--------+------
//! ```
//!
//! Four registers fill three bytes exactly, so whole-array loops go by groups of three bytes.
//! Invariant: the slices given are `PACKED_LEN` bytes, which the caller's check of the value's
//! length ensures.

use super::estimate::HISTOGRAM_LEN;
use super::{HEADER_LEN, REGISTERS};

const REGISTER_BITS: usize = 6;
const REGISTER_MASK: u32 = (1 << REGISTER_BITS) - 1;

pub(super) const PACKED_LEN: usize = REGISTERS * REGISTER_BITS / 8;
pub(super) const DENSE_LEN: usize = HEADER_LEN + PACKED_LEN;

pub(super) fn get(packed: &[u8], index: usize) -> u8 {
    let (byte, shift) = position(index);
    (pair(packed, byte) >> shift & REGISTER_MASK) as u8
}

pub(super) fn set(packed: &mut [u8], index: usize, value: u8) {
    let (byte, shift) = position(index);
    let cleared = pair(packed, byte) & !(REGISTER_MASK << shift);
    let written = cleared | (u32::from(value) & REGISTER_MASK) << shift;
    packed[byte] = written as u8;
    if let Some(next) = packed.get_mut(byte + 1) {
        *next = (written >> 8) as u8;
    }
}

/// Raises a register to at least `value`; says whether that changed it.
pub(super) fn raise(packed: &mut [u8], index: usize, value: u8) -> bool {
    let raised = get(packed, index) < value;
    if raised {
        set(packed, index, value);
    }
    raised
}

/// Raises each of `values` to the packed register of the same number.
pub(super) fn merge(packed: &[u8], values: &mut [u8; REGISTERS]) {
    for (group, values) in packed.chunks_exact(3).zip(values.chunks_exact_mut(4)) {
        for (value, register) in values.iter_mut().zip(unpack(group)) {
            *value = register.max(*value);
        }
    }
}

/// How many registers hold each value.
pub(super) fn histogram(packed: &[u8]) -> [u32; HISTOGRAM_LEN] {
    let mut histogram = [0; HISTOGRAM_LEN];
    for group in packed.chunks_exact(3) {
        for register in unpack(group) {
            histogram[usize::from(register)] += 1;
        }
    }
    histogram
}

fn unpack(group: &[u8]) -> [u8; 4] {
    let bits = u32::from(group[0]) | u32::from(group[1]) << 8 | u32::from(group[2]) << 16;
    [0, 6, 12, 18].map(|shift| (bits >> shift & REGISTER_MASK) as u8)
}

fn position(index: usize) -> (usize, usize) {
    let bit = index * REGISTER_BITS;
    (bit / 8, bit % 8)
}

/// The byte at `byte` and the next one, if there is one.
fn pair(packed: &[u8], byte: usize) -> u32 {
    let next = packed.get(byte + 1).copied().unwrap_or(0);
    u32::from(packed[byte]) | u32::from(next) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_do_not_touch_each_other() {
        let mut packed = vec![0; PACKED_LEN];
        let value = |index: usize| (index * 31 % 64) as u8;
        for index in (0..REGISTERS).rev() {
            set(&mut packed, index, value(index));
        }
        let mut merged = [0; REGISTERS];
        merge(&packed, &mut merged);
        let histogram = histogram(&packed);
        for (index, &register) in merged.iter().enumerate() {
            assert_eq!(get(&packed, index), value(index));
            assert_eq!(register, value(index));
        }
        assert_eq!(histogram, [256; HISTOGRAM_LEN]);
    }

    #[test]
    fn raising_keeps_the_larger() {
        let mut packed = vec![0; PACKED_LEN];
        assert!(raise(&mut packed, REGISTERS - 1, 51));
        assert!(!raise(&mut packed, REGISTERS - 1, 51));
        assert!(!raise(&mut packed, REGISTERS - 1, 7));
        assert_eq!(get(&packed, REGISTERS - 1), 51);
        assert_eq!(get(&packed, REGISTERS - 2), 0);
    }
}
