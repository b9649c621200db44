//! Shifts that do not forget what they lose: the core of all correct rounding here.

/// `wide / 2^count`, rounded to nearest, ties to even.
pub(super) fn shift_right_round(wide: u128, count: u32) -> u128 {
    match count {
        0 => wide,
        1..=127 => {
            let kept = wide >> count;
            let rest = wide & ((1 << count) - 1);
            let half = 1u128 << (count - 1);
            kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
        }
        128 => u128::from(wide > 1 << 127),
        _ => 0,
    }
}

/// `wide / 2^count`, with the lowest bit set if anything was lost.
pub(super) fn shift_right_jam(wide: u128, count: u32) -> u128 {
    match count {
        0 => wide,
        1..=127 => wide >> count | u128::from(wide & ((1 << count) - 1) != 0),
        _ => u128::from(wide != 0),
    }
}
