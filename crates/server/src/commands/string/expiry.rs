//! The options that SET and GETEX share, and deadlines from what clients give.

use ochre_structures::number;

use crate::commands::args::Args;
use crate::error::Error;

/// The unit in which a client gives a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Seconds,
    Milliseconds,
}

/// What a client's time counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Now,
    /// The start of 1970.
    Epoch,
}

/// How a client gives a deadline: EX, PX, EXAT, PXAT.
pub type Clock = (TimeUnit, Origin);

pub const EX: Clock = (TimeUnit::Seconds, Origin::Now);
pub const PX: Clock = (TimeUnit::Milliseconds, Origin::Now);
pub const EXAT: Clock = (TimeUnit::Seconds, Origin::Epoch);
pub const PXAT: Clock = (TimeUnit::Milliseconds, Origin::Epoch);

/// What the options say about the key's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime<'a> {
    /// Nothing.
    Unsaid,
    /// KEEPTTL
    Keep,
    /// PERSIST
    Persist,
    /// A deadline in a client's words.
    Until(Clock, &'a [u8]),
}

/// On what the key must do for SET to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    None,
    /// NX: not be there.
    Absent,
    /// XX: be there.
    Present,
}

/// The options behind the value of SET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetOptions<'a> {
    pub condition: Condition,
    /// GET: answer with the old value.
    pub get: bool,
    pub lifetime: Lifetime<'a>,
}

impl<'a> SetOptions<'a> {
    /// Reads the options of SET to the end of the arguments. Like Redis, lets an option
    /// be repeated where it does not contradict another.
    ///
    /// # Errors
    /// [`Error::Syntax`] for unknown or contradicting words.
    pub fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let mut options = Self {
            condition: Condition::None,
            get: false,
            lifetime: Lifetime::Unsaid,
        };
        while !args.is_empty() {
            if args.keyword("NX") {
                options.require(Condition::Absent)?;
            } else if args.keyword("XX") {
                options.require(Condition::Present)?;
            } else if args.keyword("GET") {
                options.get = true;
            } else if args.keyword("KEEPTTL") {
                if !matches!(options.lifetime, Lifetime::Unsaid | Lifetime::Keep) {
                    return Err(Error::Syntax);
                }
                options.lifetime = Lifetime::Keep;
            } else {
                options.lifetime = until(args, options.lifetime)?;
            }
        }
        Ok(options)
    }

    fn require(&mut self, condition: Condition) -> Result<(), Error> {
        if self.condition != Condition::None && self.condition != condition {
            return Err(Error::Syntax);
        }
        self.condition = condition;
        Ok(())
    }
}

/// Reads the options of GETEX to the end of the arguments.
///
/// # Errors
/// [`Error::Syntax`] for unknown or contradicting words.
pub fn parse_getex<'a>(args: &mut Args<'a>) -> Result<Lifetime<'a>, Error> {
    let mut lifetime = Lifetime::Unsaid;
    while !args.is_empty() {
        if args.keyword("PERSIST") {
            if !matches!(lifetime, Lifetime::Unsaid | Lifetime::Persist) {
                return Err(Error::Syntax);
            }
            lifetime = Lifetime::Persist;
        } else {
            lifetime = until(args, lifetime)?;
        }
    }
    Ok(lifetime)
}

/// Reads EX, PX, EXAT or PXAT and its time.
fn until<'a>(args: &mut Args<'a>, said: Lifetime<'a>) -> Result<Lifetime<'a>, Error> {
    let clock = if args.keyword("EX") {
        EX
    } else if args.keyword("PX") {
        PX
    } else if args.keyword("EXAT") {
        EXAT
    } else if args.keyword("PXAT") {
        PXAT
    } else {
        return Err(Error::Syntax);
    };
    match said {
        Lifetime::Unsaid => {}
        Lifetime::Until(same, _) if same == clock => {}
        _ => return Err(Error::Syntax),
    }
    Ok(Lifetime::Until(clock, args.next()?))
}

/// The deadline in milliseconds of Unix time that a client's `text` says, for the
/// command of this name.
///
/// # Errors
/// [`Error::NotInteger`], and [`Error::InvalidExpire`] for what is not positive or too
/// far away to be counted.
pub fn deadline_ms(
    (unit, origin): Clock,
    text: &[u8],
    now_ms: i64,
    command: &'static str,
) -> Result<i64, Error> {
    let time = number::parse_i64(text).ok_or(Error::NotInteger)?;
    let invalid = Error::InvalidExpire(command);
    if time <= 0 {
        return Err(invalid);
    }
    let time_ms = match unit {
        TimeUnit::Seconds => time.checked_mul(1000),
        TimeUnit::Milliseconds => Some(time),
    };
    let deadline = match origin {
        Origin::Now => time_ms.and_then(|time| time.checked_add(now_ms)),
        Origin::Epoch => time_ms,
    };
    deadline.ok_or(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &str) -> Option<(Condition, bool, String)> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let options = SetOptions::parse(&mut Args::new(&words, 0, &[])).ok()?;
        let lifetime = match options.lifetime {
            Lifetime::Until(clock, text) => format!("{clock:?} {}", text.escape_ascii()),
            other => format!("{other:?}"),
        };
        Some((options.condition, options.get, lifetime))
    }

    /// Each row was asked of a real server.
    #[test]
    fn options_may_be_repeated_but_not_contradict() {
        let unsaid = || "Unsaid".to_owned();
        assert_eq!(set("nx get get"), Some((Condition::Absent, true, unsaid())));
        assert_eq!(
            set("EX 1 XX ex 20"),
            Some((Condition::Present, false, "(Seconds, Now) 20".to_owned()))
        );
        assert_eq!(
            set("keepttl KEEPTTL"),
            Some((Condition::None, false, "Keep".to_owned()))
        );
        for words in [
            "nx xx",
            "ex",
            "ex 1 px 1",
            "keepttl ex 1",
            "pxat 1 keepttl",
            "persist",
            "",
            "exx 1",
        ] {
            assert_eq!(set(words), None, "{words:?}");
        }
        let getex = |words: &[&[u8]]| parse_getex(&mut Args::new(words, 0, &[])).is_ok();
        assert!(getex(&[b"persist", b"PERSIST"]));
        assert!(getex(&[b"Exat", b"5"]));
        assert!(!getex(&[b"persist", b"ex", b"1"]));
        assert!(!getex(&[b"keepttl"]));
    }

    #[test]
    fn deadlines_at_the_edges() {
        let deadline = |clock, text: &str| deadline_ms(clock, text.as_bytes(), 1_000, "set");
        assert_eq!(deadline(EX, "2"), Ok(3_000));
        assert_eq!(deadline(PX, "2"), Ok(1_002));
        assert_eq!(deadline(EXAT, "2"), Ok(2_000));
        assert_eq!(deadline(PXAT, "2"), Ok(2));
        assert_eq!(deadline(PXAT, "9223372036854775807"), Ok(i64::MAX));
        assert_eq!(deadline(EX, "x"), Err(Error::NotInteger));
        for (clock, text) in [
            (EX, "0"),
            (PXAT, "-1"),
            (EX, "9223372036854775"),
            (EXAT, "9223372036854776"),
            (PX, "9223372036854775807"),
        ] {
            assert_eq!(
                deadline(clock, text),
                Err(Error::InvalidExpire("set")),
                "{text}"
            );
        }
    }
}
