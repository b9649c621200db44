//! Byte matching within a 64-bit word, for machines without SSE2.

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const LOW_SEVENS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Bit `i` of the answer says whether byte `i` (from the lowest) of `control` equals `byte`.
#[inline]
#[cfg_attr(all(target_arch = "x86_64", target_feature = "sse2"), allow(dead_code))]
pub(super) fn equal_bytes(control: u64, byte: u8) -> u32 {
    let difference = control ^ (LOW_BITS * u64::from(byte));
    // Exact: a byte's top bit ends up set if and only if the byte is zero. The
    // shorter subtraction trick has false positives, and a slot taken for free
    // because of one would lose an element.
    let zeroes = !(((difference & LOW_SEVENS) + LOW_SEVENS) | difference | LOW_SEVENS);
    // Gathers the eight top bits into the top byte.
    ((zeroes >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}
