//! The timeouts of blocking commands: seconds, with fractions.

use ochre_structures::number::{self, Extended};

use crate::error::Error;

/// Reads a timeout in seconds: milliseconds, rounded up, or `None` to wait for ever.
///
/// # Errors
/// In Redis 7.2's words: not a number, too far away to be a time, negative.
pub fn seconds(text: &[u8], now_ms: i64) -> Result<Option<u64>, Error> {
    const NOT_A_FLOAT: Error = Error::text("ERR timeout is not a float or out of range");
    const TOO_FAR: Error = Error::text("ERR timeout is out of range");
    const NEGATIVE: Error = Error::text("ERR timeout is negative");
    if text.contains(&b'\0') {
        return Err(NOT_A_FLOAT);
    }
    let Some(extended) = Extended::parse(text).filter(|number| !number.is_nan()) else {
        return Err(NOT_A_FLOAT);
    };
    // What is a number only in extended precision is too large, or as good as nothing.
    let seconds = match number::parse_f64(text) {
        Some(seconds) => seconds,
        None if extended.is_infinite() || !text.contains(&b'-') => f64::INFINITY,
        None => f64::NEG_INFINITY,
    };
    let milliseconds = (seconds * 1000.0).ceil();
    // As a double, the largest integer is one too large.
    if milliseconds >= i64::MAX as f64 {
        return Err(TOO_FAR);
    }
    if milliseconds < 0.0 {
        return Err(NEGATIVE);
    }
    // Between 0 and the largest integer now.
    let milliseconds = milliseconds as i64;
    if milliseconds > i64::MAX - now_ms {
        return Err(TOO_FAR);
    }
    Ok((milliseconds > 0).then_some(milliseconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_milliseconds_or_an_error() {
        let now_ms = 1_700_000_000_000;
        for (text, milliseconds) in [
            ("0", None),
            ("-0", None),
            ("-0.0001", None),
            ("0.0", None),
            ("1", Some(1000)),
            ("0.001", Some(1)),
            ("0.0001", Some(1)),
            ("1.5", Some(1500)),
            ("1e3", Some(1_000_000)),
            ("0x10", Some(16_000)),
            ("+2", Some(2000)),
        ] {
            assert_eq!(seconds(text.as_bytes(), now_ms), Ok(milliseconds), "{text}");
        }
        for (text, error) in [
            ("", "ERR timeout is not a float or out of range"),
            ("abc", "ERR timeout is not a float or out of range"),
            ("nan", "ERR timeout is not a float or out of range"),
            (" 1", "ERR timeout is not a float or out of range"),
            ("1 ", "ERR timeout is not a float or out of range"),
            ("-1", "ERR timeout is negative"),
            ("-inf", "ERR timeout is negative"),
            ("inf", "ERR timeout is out of range"),
            ("1e400", "ERR timeout is out of range"),
            ("0x7FFFFFFFFFFFFFFF", "ERR timeout is out of range"),
            ("9223372036854775", "ERR timeout is out of range"),
        ] {
            assert_eq!(
                seconds(text.as_bytes(), now_ms),
                Err(Error::text(error)),
                "{text}"
            );
        }
    }
}
