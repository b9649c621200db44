//! From registers to a cardinality: Otmar Ertl's improved estimator ("New cardinality estimation
//! algorithms for HyperLogLog sketches", 2017), as in Redis since 5.0.
//!
//! It needs only the histogram of register values. The floating-point operations and their order
//! are those of Redis, so that the rounded result is the same number.

use super::{INDEX_BITS, REGISTERS};

/// Registers have 6 bits.
pub(super) const HISTOGRAM_LEN: usize = 64;

/// The hash bits that are not used to choose a register.
const VALUE_BITS: usize = (u64::BITS - INDEX_BITS) as usize;

/// The limit of the bias-correcting constant for many registers: `1 / (2 ln 2)`.
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_7;

pub(super) fn cardinality(histogram: &[u32; HISTOGRAM_LEN]) -> u64 {
    let registers = REGISTERS as f64;
    let saturated = f64::from(histogram[VALUE_BITS + 1]);
    let mut z = registers * tau((registers - saturated) / registers);
    for &count in histogram[1..=VALUE_BITS].iter().rev() {
        z += f64::from(count);
        z *= 0.5;
    }
    z += registers * sigma(f64::from(histogram[0]) / registers);
    (ALPHA_INFINITY * registers * registers / z).round() as u64
}

/// The correction for registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let previous = z;
        z += x * y;
        y += y;
        if z == previous {
            return z;
        }
    }
}

/// The correction for registers that are saturated.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let previous = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == previous {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range() {
        let mut histogram = [0; HISTOGRAM_LEN];
        histogram[0] = REGISTERS as u32;
        assert_eq!(cardinality(&histogram), 0);
        histogram[0] -= 1;
        histogram[1] = 1;
        assert_eq!(cardinality(&histogram), 1);
        // All saturated, or damaged beyond it: no panic, whatever the number is.
        let mut saturated = [0; HISTOGRAM_LEN];
        saturated[VALUE_BITS + 1] = REGISTERS as u32;
        assert_eq!(cardinality(&saturated), u64::MAX);
        let mut beyond = [0; HISTOGRAM_LEN];
        beyond[63] = REGISTERS as u32;
        assert_eq!(cardinality(&beyond), u64::MAX);
    }
}
