//! Numbers as redis.conf writes them: strict decimals, octals, bytes with units.
//!
//! Invariant: what [`with_largest_unit`] writes, [`parse`] reads back.

use std::fmt;

use super::directive::Unit;

/// A limit given in bytes or as a percentage of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryShare {
    /// So many bytes; 0 is no limit.
    Bytes(u64),
    /// So many hundredths of `maxmemory`, from 1 to 100.
    PercentOfMaxmemory(u8),
}

impl MemoryShare {
    /// Reads `5%` or a memory value.
    ///
    /// # Errors
    /// Redis's text for a word that is neither, or above 100 %.
    pub fn parse(word: &[u8]) -> Result<MemoryShare, String> {
        const NEITHER: &str = "argument must be a memory or percent value";
        if let Some(digits) = word.strip_suffix(b"%") {
            return match decimal(digits) {
                Some(0) => Ok(MemoryShare::Bytes(0)),
                Some(percent @ 1..=100) => Ok(MemoryShare::PercentOfMaxmemory(percent as u8)),
                Some(percent) if percent > 100 => {
                    Err("percentage argument must be less or equal to 100".into())
                }
                _ => Err(NEITHER.into()),
            };
        }
        let bytes = memory(word).ok_or(NEITHER)?;
        check(bytes.into(), 0, i64::MAX.into(), Unit::Bytes)?;
        Ok(MemoryShare::Bytes(bytes))
    }

    /// The limit in bytes under a given `maxmemory`; None is no limit.
    pub fn bytes_of(self, maxmemory_bytes: u64) -> Option<u64> {
        let bytes = match self {
            MemoryShare::Bytes(bytes) => bytes,
            MemoryShare::PercentOfMaxmemory(percent) => {
                (u128::from(maxmemory_bytes) * u128::from(percent) / 100) as u64
            }
        };
        (bytes > 0).then_some(bytes)
    }
}

impl fmt::Display for MemoryShare {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryShare::Bytes(bytes) => write!(out, "{bytes}"),
            MemoryShare::PercentOfMaxmemory(percent) => write!(out, "{percent}%"),
        }
    }
}

/// Reads a number in the given unit.
///
/// # Errors
/// Redis's text for a word that is no such number.
pub fn parse(word: &[u8], unit: Unit) -> Result<i128, String> {
    match unit {
        Unit::Count => decimal(word)
            .map(i128::from)
            .ok_or_else(|| "argument couldn't be parsed into an integer".into()),
        Unit::Bytes => memory(word)
            .map(i128::from)
            .ok_or_else(|| "argument must be a memory value".into()),
        Unit::Octal => std::str::from_utf8(word)
            .ok()
            .and_then(|text| i64::from_str_radix(text, 8).ok())
            .map(i128::from)
            .ok_or_else(|| "argument couldn't be parsed as an octal number".into()),
    }
}

/// Refuses a value outside its limits (both included).
///
/// # Errors
/// Redis's text, with the limits written in the value's unit.
pub fn check(value: i128, min: i128, max: i128, unit: Unit) -> Result<(), String> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(match unit {
        Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
        _ => format!("argument must be between {min} and {max} inclusive"),
    })
}

/// A decimal integer as Redis's protocol spells it: no plus sign, no leading zero, no space.
pub fn decimal(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let plain = match digits {
        [b'0'] => word.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Bytes with an optional unit: `k m g` are powers of 1000, `kb mb gb` powers of 1024, `b` and
/// none are bytes. As in Redis, no digits at all are zero.
pub fn memory(word: &[u8]) -> Option<u64> {
    let split = word
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(word.len());
    let (digits, unit) = word.split_at(split);
    let scale: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1000 * 1000,
        b"mb" => 1 << 20,
        b"g" => 1000 * 1000 * 1000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let mut value: u64 = 0;
    for digit in digits {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    value.checked_mul(scale)
}

/// Bytes with the largest unit that divides them: `1gb`, `1025kb`, `2000`.
pub fn with_largest_unit(bytes: i128) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        let scale = 1i128 << shift;
        if bytes != 0 && bytes % scale == 0 {
            return format!("{}{unit}", bytes / scale);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_units_are_those_of_redis_conf() {
        for (word, bytes) in [
            ("1k", 1000),
            ("1kB", 1024),
            ("5m", 5_000_000),
            ("1mb", 1 << 20),
            ("1G", 1_000_000_000),
            ("2gb", 2 << 30),
            ("17b", 17),
            ("", 0),
        ] {
            assert_eq!(memory(word.as_bytes()), Some(bytes), "{word}");
        }
        for word in [
            "1.5gb",
            "-1",
            "foo",
            "1 kb",
            "99999999999999999999",
            "18446744073709551615gb",
        ] {
            assert_eq!(memory(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn decimals_are_strict() {
        for word in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "0x10",
            "10.0",
            "9223372036854775808",
        ] {
            assert_eq!(decimal(word.as_bytes()), None, "{word}");
        }
        assert_eq!(decimal(b"-9223372036854775808"), Some(i64::MIN));
    }

    proptest! {
        #[test]
        fn the_largest_unit_reads_back(bytes: u64, shift in 0u32..40) {
            let bytes = (bytes >> 24) << (shift % 24);
            let text = with_largest_unit(bytes.into());
            prop_assert_eq!(memory(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn no_word_makes_the_parsers_panic(word: Vec<u8>) {
            let _ = (decimal(&word), memory(&word), MemoryShare::parse(&word));
            let _ = parse(&word, Unit::Octal);
        }
    }
}
