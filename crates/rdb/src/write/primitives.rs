//! Lengths and plain strings as bytes; see `cursor` for their forms.

use std::io::{self, Write};

const LENGTH_14_BIT: u8 = 0x40;
const LENGTH_32_BIT: u8 = 0x80;
const LENGTH_64_BIT: u8 = 0x81;
const ENCODED_INT8: u8 = 0xc0;
const ENCODED_INT16: u8 = 0xc1;
const ENCODED_INT32: u8 = 0xc2;
const ENCODED_LZF: u8 = 0xc3;

pub(super) fn length(out: &mut impl Write, length: u64) -> io::Result<()> {
    match length {
        0..0x40 => out.write_all(&[length as u8]),
        0x40..0x4000 => out.write_all(&[LENGTH_14_BIT | (length >> 8) as u8, length as u8]),
        0x4000..=0xffff_ffff => {
            let [a, b, c, d] = (length as u32).to_be_bytes();
            out.write_all(&[LENGTH_32_BIT, a, b, c, d])
        }
        _ => {
            out.write_all(&[LENGTH_64_BIT])?;
            out.write_all(&length.to_be_bytes())
        }
    }
}

/// A string as it is.
pub(super) fn plain_string(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    length(out, bytes.len() as u64)?;
    out.write_all(bytes)
}

/// A string that is the decimal form of an integer. Wider than 32 bits it is stored
/// as its digits.
pub(super) fn integer_string(out: &mut impl Write, value: i64) -> io::Result<()> {
    if let Ok(value) = i8::try_from(value) {
        let [a] = value.to_le_bytes();
        out.write_all(&[ENCODED_INT8, a])
    } else if let Ok(value) = i16::try_from(value) {
        let [a, b] = value.to_le_bytes();
        out.write_all(&[ENCODED_INT16, a, b])
    } else if let Ok(value) = i32::try_from(value) {
        let [a, b, c, d] = value.to_le_bytes();
        out.write_all(&[ENCODED_INT32, a, b, c, d])
    } else {
        plain_string(out, itoa::Buffer::new().format(value).as_bytes())
    }
}

/// A string that was compressed from `len` bytes.
pub(super) fn compressed_string(
    out: &mut impl Write,
    compressed: &[u8],
    len: usize,
) -> io::Result<()> {
    out.write_all(&[ENCODED_LZF])?;
    length(out, compressed.len() as u64)?;
    length(out, len as u64)?;
    out.write_all(compressed)
}
