//! The timeout of a blocking command.

use ochre_structures::number;

use super::args::Args;
use crate::error::Error;

/// The next argument as seconds to wait, fractions allowed: milliseconds, rounded up,
/// or `None` for 0, which is for ever.
///
/// # Errors
/// `timeout is not a float or out of range`, `timeout is out of range`, `timeout is
/// negative`; what lies beyond the calendar as seen at `now_ms` is out of range.
pub fn timeout_ms(args: &mut Args<'_>, now_ms: i64) -> Result<Option<u64>, Error> {
    let seconds = number::parse_f64(args.next()?)
        .ok_or(Error::text("ERR timeout is not a float or out of range"))?;
    let milliseconds = seconds * 1000.0;
    if milliseconds > i64::MAX as f64 {
        return Err(Error::text("ERR timeout is out of range"));
    }
    // Saturates where the number is far below zero, or just 2^63.
    let milliseconds = milliseconds.ceil() as i64;
    if milliseconds > i64::MAX - now_ms {
        return Err(Error::text("ERR timeout is out of range"));
    }
    match u64::try_from(milliseconds) {
        Ok(0) => Ok(None),
        Ok(timeout) => Ok(Some(timeout)),
        Err(_) => Err(Error::text("ERR timeout is negative")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Option<u64>, String> {
        timeout_ms(&mut Args::new(&[text], 0, &[]), 1_700_000_000_000)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(read(b"0"), Ok(None));
        assert_eq!(read(b"-0"), Ok(None));
        assert_eq!(read(b"1.5"), Ok(Some(1500)));
        assert_eq!(read(b"0.0001"), Ok(Some(1)));
        assert_eq!(read(b"-1"), Err("ERR timeout is negative".into()));
        for far in [&b"1e300"[..], b"inf", b"9223372036854775"] {
            assert_eq!(read(far), Err("ERR timeout is out of range".into()));
        }
        for wrong in [&b""[..], b"x", b"nan"] {
            assert_eq!(
                read(wrong),
                Err("ERR timeout is not a float or out of range".into())
            );
        }
    }
}
