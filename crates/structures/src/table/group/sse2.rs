//! Byte matching with SSE2, which every x86-64 has.

use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_set1_epi8};

/// Bit `i` of the answer says whether byte `i` (from the lowest) of `control` equals `byte`.
#[inline]
pub(super) fn equal_bytes(control: u64, byte: u8) -> u32 {
    // SAFETY: these need nothing but SSE2, which this file is compiled with only where
    // the target has it.
    let bits = unsafe {
        let bytes = _mm_cvtsi64_si128(control as i64);
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8)))
    };
    bits as u32 & 0xff
}
