//! Deadlines of fields: HEXPIRE and its kin, HTTL and its kin, HPERSIST.

use ochre_resp::Reply;
use ochre_store::value::hash::{HashMut, HashRef};
use ochre_store::{EventClass, ReadView, WriteView, recorded};

use super::field_options::{self, Clock, Unit};
use super::read;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

const FIELDS: Arg =
    block("fields", &[integer("numfields"), string("field").many()]).after("FIELDS");

const CONDITION: Arg = one_of(
    "condition",
    &[
        token("nx", "NX"),
        token("xx", "XX"),
        token("gt", "GT"),
        token("lt", "LT"),
    ],
)
.opt();

/// The answer for a field that is not there.
const NO_FIELD: i64 = -2;
/// The answer for a field without a deadline.
const NO_DEADLINE: i64 = -1;

const COMPLEXITY: &str = "O(N) where N is the number of specified fields";

const CHANGED_KEY: &[KeySpec] = &[KeySpec::one(1, RW_UPDATE)];
const READ_KEY: &[KeySpec] = &[KeySpec::one(1, RO_ACCESS)];
const NAMED_FIELDS: &[Arg] = &[key("key"), FIELDS];

const fn expire_command(name: &'static str, run: Run) -> Command {
    Command {
        since: "7.4.0",
        complexity: COMPLEXITY,
        flags: Flags::DENYOOM.or(Flags::FAST),
        keys: CHANGED_KEY,
        ..command(name, Group::Hash, -6, run)
    }
}

const fn look_command(name: &'static str, run: Run) -> Command {
    Command {
        since: "7.4.0",
        complexity: COMPLEXITY,
        flags: Flags::FAST,
        keys: READ_KEY,
        args: NAMED_FIELDS,
        ..command(name, Group::Hash, -5, run)
    }
}

pub const HEXPIRE: Command = Command {
    summary: "Sets the time to live of fields, in seconds.",
    args: &[key("key"), integer("seconds"), CONDITION, FIELDS],
    ..expire_command("hexpire", Run::Write(hexpire))
};

pub const HPEXPIRE: Command = Command {
    summary: "Sets the time to live of fields, in milliseconds.",
    args: &[key("key"), integer("milliseconds"), CONDITION, FIELDS],
    ..expire_command("hpexpire", Run::Write(hpexpire))
};

pub const HEXPIREAT: Command = Command {
    summary: "Sets the deadline of fields, in seconds of Unix time.",
    args: &[
        key("key"),
        unix_time("unix-time-seconds"),
        CONDITION,
        FIELDS,
    ],
    ..expire_command("hexpireat", Run::Write(hexpireat))
};

pub const HPEXPIREAT: Command = Command {
    summary: "Sets the deadline of fields, in milliseconds of Unix time.",
    args: &[
        key("key"),
        unix_time("unix-time-milliseconds"),
        CONDITION,
        FIELDS,
    ],
    ..expire_command("hpexpireat", Run::Write(hpexpireat))
};

pub const HTTL: Command = Command {
    summary: "Returns the time to live of fields, in seconds.",
    tips: &["nondeterministic_output"],
    ..look_command("httl", Run::Read(httl))
};

pub const HPTTL: Command = Command {
    summary: "Returns the time to live of fields, in milliseconds.",
    tips: &["nondeterministic_output"],
    ..look_command("hpttl", Run::Read(hpttl))
};

pub const HEXPIRETIME: Command = Command {
    summary: "Returns the deadline of fields, in seconds of Unix time.",
    ..look_command("hexpiretime", Run::Read(hexpiretime))
};

pub const HPEXPIRETIME: Command = Command {
    summary: "Returns the deadline of fields, in milliseconds of Unix time.",
    ..look_command("hpexpiretime", Run::Read(hpexpiretime))
};

pub const HPERSIST: Command = Command {
    summary: "Removes the deadline of fields.",
    since: "7.4.0",
    complexity: COMPLEXITY,
    flags: Flags::FAST,
    keys: CHANGED_KEY,
    args: NAMED_FIELDS,
    ..command("hpersist", Group::Hash, -5, Run::Write(hpersist))
};

/// When a deadline is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// There is none.
    IfNone,
    /// There is one.
    IfSome,
    /// There is one, which is earlier.
    IfLater,
    /// There is none or a later one.
    IfEarlier,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Self {
        for (word, condition) in [
            ("NX", Self::IfNone),
            ("XX", Self::IfSome),
            ("GT", Self::IfLater),
            ("LT", Self::IfEarlier),
        ] {
            if args.keyword(word) {
                return condition;
            }
        }
        Self::Always
    }

    /// Whether `new` may take the place of `present`.
    fn allows(self, present: Option<u64>, new: u64) -> bool {
        match self {
            Self::Always => true,
            Self::IfNone => present.is_none(),
            Self::IfSome => present.is_some(),
            Self::IfLater => present.is_some_and(|present| new > present),
            Self::IfEarlier => present.is_none_or(|present| new < present),
        }
    }
}

/// What became of a field, with the number that HEXPIRE answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Missing = -2,
    Refused = 0,
    Set = 1,
    /// The deadline has passed already: the field is gone.
    Deleted = 2,
}

/// What became of several fields.
#[derive(Debug, Default)]
pub struct Tally<'a> {
    set: Vec<&'a [u8]>,
    deleted: Vec<&'a [u8]>,
}

impl<'a> Tally<'a> {
    /// Gives one field a deadline.
    pub fn apply(
        &mut self,
        hash: &mut HashMut<'_>,
        name: &'a [u8],
        deadline_ms: u64,
        condition: Condition,
        now_ms: u64,
    ) -> Applied {
        let Some(field) = hash.view().find(name) else {
            return Applied::Missing;
        };
        if !condition.allows(field.deadline_ms, deadline_ms) {
            return Applied::Refused;
        }
        if deadline_ms <= now_ms {
            hash.remove(name);
            self.deleted.push(name);
            return Applied::Deleted;
        }
        hash.set_deadline(name, Some(deadline_ms));
        self.set.push(name);
        Applied::Set
    }

    pub fn has_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    pub fn has_set(&self) -> bool {
        !self.set.is_empty()
    }

    /// The fields that are gone.
    pub fn deleted(&self) -> &[&'a [u8]] {
        &self.deleted
    }

    /// Announces and records what became of the fields of the hash `key`; removes the key
    /// where that is `emptied`.
    pub fn conclude(
        self,
        view: &mut WriteView<'_, '_>,
        key: &[u8],
        deadline_ms: u64,
        emptied: bool,
    ) {
        let changes = self.set.len() + self.deleted.len();
        if changes > 0 {
            let event = if self.has_deleted() {
                "hdel"
            } else {
                "hexpire"
            };
            view.modified(key, EventClass::Hash, event);
            view.dirty(changes as u64 - 1);
        }
        if self.has_set() {
            view.note_field_deadline(key, deadline_ms);
        }
        if emptied {
            view.remove(key);
            view.notify(key, EventClass::Generic, "del");
        }
        view.effects.propagate_as(|| {
            let mut commands = Vec::new();
            if self.has_deleted() {
                let words = [&[&b"HDEL"[..], key], &self.deleted[..]].concat();
                commands.push(recorded(&words));
            }
            if self.has_set() {
                let deadline = deadline_ms.to_string();
                let count = self.set.len().to_string();
                let words: [&[u8]; 5] = [
                    b"HPEXPIREAT",
                    key,
                    deadline.as_bytes(),
                    b"FIELDS",
                    count.as_bytes(),
                ];
                commands.push(recorded(&[&words, &self.set[..]].concat()));
            }
            commands
        });
    }
}

/// Whether `key` holds a hash.
///
/// # Errors
/// It holds something else.
pub fn is_hash(view: &WriteView<'_, '_>, key: &[u8]) -> Result<bool, Error> {
    match view.find(key) {
        Some(entry) => {
            HashRef::of(entry, 0)?;
            Ok(true)
        }
        None => Ok(false),
    }
}

fn hexpire(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    expire(view, args, Unit::Seconds, Clock::Relative, "hexpire", out)
}

fn hpexpire(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    expire(
        view,
        args,
        Unit::Milliseconds,
        Clock::Relative,
        "hpexpire",
        out,
    )
}

fn hexpireat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    expire(view, args, Unit::Seconds, Clock::Unix, "hexpireat", out)
}

fn hpexpireat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    expire(
        view,
        args,
        Unit::Milliseconds,
        Clock::Unix,
        "hpexpireat",
        out,
    )
}

fn expire(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    unit: Unit,
    clock: Clock,
    name: &'static str,
    out: &mut Reply,
) -> Outcome {
    let (key, settings) = (args.next()?, view.settings());
    is_hash(view, key)?;
    let base_ms = clock.base_ms(view.now_ms());
    let deadline_ms = field_options::deadline(args.next()?, unit, base_ms, name)?;
    let condition = Condition::parse(args);
    let wrong_count = "ERR Parameter `numFields` should be greater than 0";
    let names = field_options::fields(args, wrong_count)?;
    let now_ms = view.deadline_now_ms();
    out.array(names.len());
    let Some(entry) = view.find_mut(key) else {
        names.iter().for_each(|_| out.integer(NO_FIELD));
        return Ok(Flow::Done);
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    let mut tally = Tally::default();
    for name in names {
        let applied = tally.apply(&mut hash, name, deadline_ms, condition, now_ms);
        out.integer(applied as i64);
    }
    let emptied = hash.is_empty();
    tally.conclude(view, key, deadline_ms, emptied);
    Ok(Flow::Done)
}

fn httl(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    deadlines(view, args, Unit::Seconds, Clock::Relative, out)
}

fn hpttl(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    deadlines(view, args, Unit::Milliseconds, Clock::Relative, out)
}

fn hexpiretime(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    deadlines(view, args, Unit::Seconds, Clock::Unix, out)
}

fn hpexpiretime(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    deadlines(view, args, Unit::Milliseconds, Clock::Unix, out)
}

fn deadlines(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    unit: Unit,
    clock: Clock,
    out: &mut Reply,
) -> Outcome {
    let hash = read::find(view, args.next()?)?;
    let names = field_options::fields(args, field_options::WRONG_COUNT)?;
    let base_ms = clock.base_ms(view.now_ms());
    out.array(names.len());
    for name in names {
        let field = hash.and_then(|hash| hash.find(name));
        out.integer(match field.map(|field| field.deadline_ms) {
            None => NO_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(deadline_ms)) => unit.of_ms(deadline_ms as i64 - base_ms),
        });
    }
    Ok(Flow::Done)
}

fn hpersist(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, settings) = (args.next()?, view.settings());
    is_hash(view, key)?;
    let names = field_options::fields(args, field_options::WRONG_COUNT)?;
    out.array(names.len());
    let Some(entry) = view.find_mut(key) else {
        names.iter().for_each(|_| out.integer(NO_FIELD));
        return Ok(Flow::Done);
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    let mut changed = false;
    for name in names {
        let field = hash.view().find(name).map(|field| field.deadline_ms);
        out.integer(match field {
            None => NO_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(_)) => {
                changed = true;
                hash.set_deadline(name, None);
                1
            }
        });
    }
    if changed {
        view.modified(key, EventClass::Hash, "hpersist");
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::Condition;

    #[test]
    fn conditions_compare_with_the_present_deadline() {
        let allowed = |condition: Condition| {
            [None, Some(4), Some(5), Some(6)].map(|present| condition.allows(present, 5))
        };
        assert_eq!(allowed(Condition::Always), [true; 4]);
        assert_eq!(allowed(Condition::IfNone), [true, false, false, false]);
        assert_eq!(allowed(Condition::IfSome), [false, true, true, true]);
        assert_eq!(allowed(Condition::IfLater), [false, true, false, false]);
        assert_eq!(allowed(Condition::IfEarlier), [true, false, false, true]);
    }
}
