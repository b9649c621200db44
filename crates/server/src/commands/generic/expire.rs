//! Setting and clearing deadlines: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST.
//!
//! Whatever the form, what is recorded is PEXPIREAT, or the deletion when the deadline
//! has passed already.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView, recorded};
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::{Error, quoted};

const CONDITION: Arg = one_of(
    "condition",
    &[
        token("nx", "NX"),
        token("xx", "XX"),
        token("gt", "GT"),
        token("lt", "LT"),
    ],
)
.opt()
.since("7.0.0");

const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];

const KEYS: &[KeySpec] = &[KeySpec::one(1, RW_UPDATE)];

/// What the four commands have in common.
const fn setter(name: &'static str, run: Run) -> Command {
    Command {
        flags: Flags::FAST,
        keys: KEYS,
        history: HISTORY,
        ..command(name, Group::Generic, -3, run)
    }
}

pub const EXPIRE: Command = Command {
    summary: "Sets the expiration time of a key in seconds.",
    args: &[key("key"), integer("seconds"), CONDITION],
    ..setter("expire", Run::Write(expire))
};

pub const PEXPIRE: Command = Command {
    summary: "Sets the expiration time of a key in milliseconds.",
    since: "2.6.0",
    args: &[key("key"), integer("milliseconds"), CONDITION],
    ..setter("pexpire", Run::Write(pexpire))
};

pub const EXPIREAT: Command = Command {
    summary: "Sets the expiration time of a key to a Unix timestamp.",
    since: "1.2.0",
    args: &[key("key"), unix_time("unix-time-seconds"), CONDITION],
    ..setter("expireat", Run::Write(expireat))
};

pub const PEXPIREAT: Command = Command {
    summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
    since: "2.6.0",
    args: &[key("key"), unix_time("unix-time-milliseconds"), CONDITION],
    ..setter("pexpireat", Run::Write(pexpireat))
};

/// How a command says when.
#[derive(Debug, Clone, Copy)]
struct Form {
    name: &'static str,
    unit_ms: i64,
    /// From now on, rather than from 1970.
    is_relative: bool,
}

impl Form {
    const fn new(name: &'static str, unit_ms: i64, is_relative: bool) -> Self {
        Self {
            name,
            unit_ms,
            is_relative,
        }
    }

    /// The deadline in milliseconds of Unix time; `None` when there is no such time.
    fn deadline_ms(self, amount: i64, now_ms: i64) -> Option<i64> {
        let base = if self.is_relative { now_ms } else { 0 };
        amount.checked_mul(self.unit_ms)?.checked_add(base)
    }
}

fn expire(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_deadline(view, args, out, Form::new("expire", 1000, true))
}

fn pexpire(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_deadline(view, args, out, Form::new("pexpire", 1, true))
}

fn expireat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_deadline(view, args, out, Form::new("expireat", 1000, false))
}

fn pexpireat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_deadline(view, args, out, Form::new("pexpireat", 1, false))
}

/// When a deadline is to be set, compared with the one there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Condition {
    /// Only where there is none.
    nx: bool,
    /// Only where there is one.
    xx: bool,
    /// Only to a later one; none is the latest.
    gt: bool,
    /// Only to an earlier one.
    lt: bool,
}

impl Condition {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut condition = Self::default();
        for word in words {
            let flag = match word.to_ascii_lowercase().as_slice() {
                b"nx" => &mut condition.nx,
                b"xx" => &mut condition.xx,
                b"gt" => &mut condition.gt,
                b"lt" => &mut condition.lt,
                _ => {
                    let quoted = quoted(word, usize::MAX);
                    return Err(Error::Bytes([b"ERR Unsupported option ", quoted].concat()));
                }
            };
            *flag = true;
        }
        if condition.nx && (condition.xx || condition.gt || condition.lt) {
            return Err(Error::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.gt && condition.lt {
            return Err(Error::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    fn admits(self, current_ms: Option<i64>, deadline_ms: i64) -> bool {
        match current_ms {
            None => !self.xx && !self.gt,
            Some(current_ms) => {
                !self.nx
                    && (!self.gt || deadline_ms > current_ms)
                    && (!self.lt || deadline_ms < current_ms)
            }
        }
    }
}

fn set_deadline(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
    form: Form,
) -> Outcome {
    let key = args.next()?;
    let amount = args.next()?;
    let options = args.rest();
    let condition = Condition::parse(options)?;
    let amount = number::parse_i64(amount).ok_or(Error::NotInteger)?;
    let deadline_ms = form
        .deadline_ms(amount, view.now_ms())
        .ok_or(Error::InvalidExpire(form.name))?;
    let Some(entry) = view.find(key) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    if !condition.admits(entry.expiry_ms(), deadline_ms) {
        out.integer(0);
        return Ok(Flow::Done);
    }
    if deadline_ms <= view.now_ms() && view.enforces_deadlines() {
        let name: &[u8] = if view.settings().lazy_expire {
            b"UNLINK"
        } else {
            b"DEL"
        };
        view.remove(key);
        view.modified(key, EventClass::Generic, "del");
        view.effects.propagate_as(|| vec![recorded(&[name, key])]);
    } else {
        view.set_expiry(key, Some(deadline_ms));
        view.modified(key, EventClass::Generic, "expire");
        if form.is_relative || form.unit_ms != 1 {
            view.effects.propagate_as(|| {
                let mut digits = itoa::Buffer::new();
                let deadline = digits.format(deadline_ms).as_bytes();
                vec![recorded(
                    &[&[b"PEXPIREAT", key, deadline], options].concat(),
                )]
            });
        }
    }
    out.integer(1);
    Ok(Flow::Done)
}

pub const PERSIST: Command = Command {
    summary: "Removes the expiration time of a key.",
    since: "2.2.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[key("key")],
    ..command("persist", Group::Generic, 2, Run::Write(persist))
};

fn persist(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let has_deadline = view
        .find(key)
        .is_some_and(|entry| entry.expiry_ms().is_some());
    if has_deadline {
        view.set_expiry(key, None);
        view.modified(key, EventClass::Generic, "persist");
    }
    out.integer(i64::from(has_deadline));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_do_not_exist() {
        let expire = Form::new("expire", 1000, true);
        assert_eq!(expire.deadline_ms(2, 500), Some(2500));
        assert_eq!(expire.deadline_ms(-2, 500), Some(-1500));
        assert_eq!(expire.deadline_ms(i64::MAX / 1000 + 1, 0), None);
        assert_eq!(expire.deadline_ms(i64::MIN / 1000 - 1, 0), None);
        let pexpire = Form::new("pexpire", 1, true);
        assert_eq!(pexpire.deadline_ms(i64::MAX - 5, 6), None);
        assert_eq!(pexpire.deadline_ms(i64::MAX - 5, 5), Some(i64::MAX));
        let at = Form::new("pexpireat", 1, false);
        assert_eq!(at.deadline_ms(i64::MAX, 5), Some(i64::MAX));
    }

    #[test]
    fn conditions_compare_with_no_deadline_as_the_latest() {
        let parse = |words: &[&[u8]]| Condition::parse(words).unwrap();
        assert!(parse(&[b"nx"]).admits(None, 5));
        assert!(!parse(&[b"NX"]).admits(Some(9), 5));
        assert!(!parse(&[b"GT"]).admits(None, 5));
        assert!(parse(&[b"LT"]).admits(None, 5));
        assert!(!parse(&[b"XX", b"LT"]).admits(None, 5));
        assert!(parse(&[b"XX", b"LT"]).admits(Some(6), 5));
        assert!(!parse(&[b"GT"]).admits(Some(5), 5));
        assert!(Condition::parse(&[b"NX", b"XX"]).is_err());
        assert!(Condition::parse(&[b"GT", b"LT"]).is_err());
        assert!(Condition::parse(&[b"EQ"]).is_err());
    }
}
