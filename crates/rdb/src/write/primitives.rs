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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{integer_string, length, plain_string};
    use crate::cursor::Cursor;
    use crate::string::Str;

    #[test]
    fn lengths_take_the_bytes_that_redis_gives_them() {
        for (value, expected) in [
            (0, &b"\x00"[..]),
            (63, b"\x3f"),
            (64, b"\x40\x40"),
            (16383, b"\x7f\xff"),
            (16384, b"\x80\x00\x00\x40\x00"),
            (0xffff_ffff, b"\x80\xff\xff\xff\xff"),
            (0x1_0000_0000, b"\x81\0\0\0\x01\0\0\0\0"),
            (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
        ] {
            let mut out = Vec::new();
            length(&mut out, value).unwrap();
            assert_eq!(out, expected, "{value}");
            let mut cursor = Cursor::new(&out, 0, "length");
            assert_eq!(cursor.length().unwrap(), value);
            assert_eq!(cursor.remaining(), 0);
        }
    }

    #[test]
    fn integers_take_the_bytes_that_redis_gives_them() {
        for (value, expected) in [
            (-128, &b"\xc0\x80"[..]),
            (128, b"\xc1\x80\x00"),
            (-32769, b"\xc2\xff\x7f\xff\xff"),
            (i64::from(i32::MAX), b"\xc2\xff\xff\xff\x7f"),
            (1 << 31, b"\x0a2147483648"),
        ] {
            let mut out = Vec::new();
            integer_string(&mut out, value).unwrap();
            assert_eq!(out, expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn strings_and_integers_are_read_and_passed_alike(
            integer in prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from), -200_i64..200],
            bytes in prop::collection::vec(any::<u8>(), 0..20_000),
        ) {
            let mut out = Vec::new();
            integer_string(&mut out, integer).unwrap();
            let middle = out.len();
            plain_string(&mut out, &bytes).unwrap();
            let mut cursor = Cursor::new(&out, 0, "string");
            let digits = integer.to_string();
            prop_assert_eq!(cursor.string().unwrap(), Str::Slice(digits.as_bytes()));
            prop_assert_eq!(cursor.position(), middle);
            prop_assert_eq!(cursor.string().unwrap(), Str::Slice(&bytes[..]));
            prop_assert_eq!(cursor.remaining(), 0);
            cursor.seek(0);
            cursor.skip_string().unwrap();
            prop_assert_eq!(cursor.position(), middle);
            cursor.skip_string().unwrap();
            prop_assert_eq!(cursor.remaining(), 0);
        }
    }
}
