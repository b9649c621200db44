//! The self-test behind `PFSELFTEST`: register access, and the accuracy of estimates.
//!
//! It follows the plan of Redis's test with fewer elements, so that it takes a fraction of a
//! second instead of several.

use super::dense::{self, PACKED_LEN};
use super::{REGISTERS, add, empty, estimate, to_dense};

const REGISTER_CYCLES: usize = 20;
const MAX_ELEMENTS: u64 = 1_000_000;

/// Beyond the default limit of 3,000 bytes the forms are no longer compared.
const COMPARED_ELEMENTS: u64 = 1_000;
const SPARSE_MAX_BYTES: usize = 3_000;

/// What the self-test found. The texts are Redis's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestFailure {
    #[error("TESTFAILED Register {register} should be {expected} but is {found}")]
    Register {
        register: usize,
        expected: u8,
        found: u8,
    },
    #[error("TESTFAILED dense/sparse disagree")]
    FormsDisagree,
    #[error("TESTFAILED Too big error. card:{cardinality} abserr:{error}")]
    Inaccurate { cardinality: u64, error: u64 },
}

/// Runs the self-test; `seed` chooses the random registers and elements.
pub fn self_test(seed: u64) -> Result<(), SelfTestFailure> {
    let mut state = seed;
    test_registers(&mut state)?;
    test_accuracy(next_random(&mut state))
}

fn test_registers(state: &mut u64) -> Result<(), SelfTestFailure> {
    let mut packed = vec![0; PACKED_LEN];
    for _ in 0..REGISTER_CYCLES {
        let expected: Vec<u8> = (0..REGISTERS)
            .map(|_| (next_random(state) & 63) as u8)
            .collect();
        for (register, &value) in expected.iter().enumerate() {
            dense::set(&mut packed, register, value);
        }
        for (register, &expected) in expected.iter().enumerate() {
            let found = dense::get(&packed, register);
            if found != expected {
                return Err(SelfTestFailure::Register {
                    register,
                    expected,
                    found,
                });
            }
        }
    }
    Ok(())
}

fn test_accuracy(salt: u64) -> Result<(), SelfTestFailure> {
    /// 1.04 / sqrt(16384): the standard error of the estimate.
    const RELATIVE_ERROR: f64 = 0.008_125;

    let (mut dense, mut sparse) = (empty(), empty());
    let damaged = |_| SelfTestFailure::FormsDisagree;
    to_dense(&mut dense).map_err(damaged)?;
    let mut checkpoint = 1;
    for cardinality in 1..=MAX_ELEMENTS {
        let element = (cardinality ^ salt).to_le_bytes();
        add(&mut dense, &element, SPARSE_MAX_BYTES).map_err(damaged)?;
        if cardinality <= COMPARED_ELEMENTS {
            add(&mut sparse, &element, SPARSE_MAX_BYTES).map_err(damaged)?;
        }
        if cardinality == checkpoint {
            let estimated = estimate(&dense).map_err(damaged)?;
            if cardinality <= COMPARED_ELEMENTS && estimate(&sparse).map_err(damaged)? != estimated
            {
                return Err(SelfTestFailure::FormsDisagree);
            }
            let error = estimated.abs_diff(cardinality);
            let mut tolerance = (RELATIVE_ERROR * 6.0 * checkpoint as f64).ceil() as u64;
            // With ten elements, two in one register are likelier than six deviations.
            if cardinality == 10 {
                tolerance = 1;
            }
            if error > tolerance {
                return Err(SelfTestFailure::Inaccurate { cardinality, error });
            }
            checkpoint *= 10;
        }
    }
    Ok(())
}

/// SplitMix64: random enough to fill registers.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes() {
        assert_eq!(self_test(1), Ok(()));
    }
}
