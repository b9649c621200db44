//! What the commands on fields' deadlines have in common: moments and lists of fields.

use ochre_structures::number;

use crate::commands::args::Args;
use crate::error::Error;

/// The latest deadline of a field in milliseconds of Unix time: the limit of Redis 7.4.
const DEADLINE_MS_MAX: i64 = (1 << 46) - 1;

/// What is said of a number of fields that is none.
pub const WRONG_COUNT: &str = "ERR Number of fields must be a positive integer";

/// The unit of a moment in an argument or a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    /// Milliseconds in this unit, rounded up.
    pub fn of_ms(self, value_ms: i64) -> i64 {
        match self {
            Self::Seconds => (value_ms + 999) / 1000,
            Self::Milliseconds => value_ms,
        }
    }
}

/// Where a moment is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// From now.
    Relative,
    /// From the start of Unix time.
    Unix,
}

impl Clock {
    pub fn base_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::Relative => now_ms,
            Self::Unix => 0,
        }
    }
}

/// A deadline in milliseconds of Unix time, at least 1.
///
/// # Errors
/// No integer, a negative one, or one too large.
pub fn deadline(
    text: &[u8],
    unit: Unit,
    base_ms: i64,
    command: &'static str,
) -> Result<u64, Error> {
    let value = number::parse_i64(text).ok_or(Error::NotInteger)?;
    if value < 0 {
        return Err(Error::text("ERR invalid expire time, must be >= 0"));
    }
    let value_ms = match unit {
        Unit::Seconds => value.checked_mul(1000),
        Unit::Milliseconds => Some(value),
    };
    value_ms
        .filter(|&value_ms| value_ms <= DEADLINE_MS_MAX - base_ms)
        .map(|value_ms| (value_ms + base_ms).max(1) as u64)
        .ok_or(Error::InvalidExpire(command))
}

/// The fields at the end: FIELDS, their number, their names.
///
/// # Errors
/// They are not there, or not as many; `wrong_count` where their number is none.
pub fn fields<'a>(args: &mut Args<'a>, wrong_count: &'static str) -> Result<&'a [&'a [u8]], Error> {
    if !args.keyword("FIELDS") {
        return Err(Error::text(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = args
        .next()
        .ok()
        .and_then(number::parse_i64)
        .filter(|&count| count > 0)
        .ok_or(Error::text(wrong_count))?;
    let names = args.rest();
    if i64::try_from(names.len()) != Ok(count) {
        return Err(Error::text(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_have_limits() {
        let seconds = |text: &[u8], base_ms| deadline(text, Unit::Seconds, base_ms, "hexpire");
        assert_eq!(seconds(b"10", 5), Ok(10_005));
        assert_eq!(seconds(b"0", 0), Ok(1));
        assert_eq!(seconds(b"x", 0), Err(Error::NotInteger));
        assert!(matches!(seconds(b"-1", 0), Err(Error::Text(_))));
        let too_late = Err(Error::InvalidExpire("hexpire"));
        assert_eq!(seconds(b"9223372036854775807", 0), too_late);
        let limit = DEADLINE_MS_MAX.to_string();
        let millis = |base_ms| deadline(limit.as_bytes(), Unit::Milliseconds, base_ms, "hexpire");
        assert_eq!(millis(0), Ok(DEADLINE_MS_MAX as u64));
        assert_eq!(millis(1), too_late);
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(Unit::Seconds.of_ms(1), 1);
        assert_eq!(Unit::Seconds.of_ms(2000), 2);
        assert_eq!(Unit::Milliseconds.of_ms(1500), 1500);
    }

    #[test]
    fn fields_are_counted() {
        let parse = |words: &[&[u8]]| {
            fields(&mut Args::new(words, 0, &[]), WRONG_COUNT).map(<[&[u8]]>::len)
        };
        assert_eq!(parse(&[b"fields", b"2", b"a", b"b"]), Ok(2));
        assert!(parse(&[b"FIELDS", b"1", b"a", b"b"]).is_err());
        assert!(parse(&[b"FIELDS", b"0"]).is_err());
        assert!(parse(&[b"FIELDS"]).is_err());
        assert!(parse(&[b"2", b"a", b"b"]).is_err());
    }
}
