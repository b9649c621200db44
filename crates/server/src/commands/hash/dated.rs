//! Fields and their deadlines in one go: HGETDEL, HGETEX, HSETEX of Redis 8.

use ochre_resp::Reply;
use ochre_store::value::hash::{Field, HashMut, empty_hash};
use ochre_store::{EventClass, Expiry, WriteView, recorded};
use ochre_structures::field_map::FieldDeadline;
use ochre_structures::number;

use super::deadlines::{Applied, Condition, Tally, is_hash};
use super::edit;
use super::field_options::{self, Clock, Unit};
use crate::commands::args::Args;
use crate::commands::element;
use crate::commands::spec::*;
use crate::error::Error;

pub const HGETDEL: Command = Command {
    summary: "Returns the values of fields and removes these from the hash.",
    since: "8.0.0",
    complexity: "O(N) where N is the number of specified fields",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
    args: &[
        key("key"),
        block("fields", &[integer("numfields"), string("field").many()]).after("FIELDS"),
    ],
    ..command("hgetdel", Group::Hash, -5, Run::Write(hgetdel))
};

pub const HGETEX: Command = Command {
    summary: "Returns the values of fields and may change their deadline.",
    since: "8.0.0",
    complexity: "O(N) where N is the number of specified fields",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[
        key("key"),
        one_of(
            "expiration",
            &[
                integer("seconds").after("EX"),
                integer("milliseconds").after("PX"),
                unix_time("unix-time-seconds").after("EXAT"),
                unix_time("unix-time-milliseconds").after("PXAT"),
                token("persist", "PERSIST"),
            ],
        )
        .opt(),
        block("fields", &[integer("numfields"), string("field").many()]).after("FIELDS"),
    ],
    ..command("hgetex", Group::Hash, -5, Run::Write(hgetex))
};

pub const HSETEX: Command = Command {
    summary: "Sets the values of fields and may set their deadline.",
    since: "8.0.0",
    complexity: "O(N) where N is the number of fields being set.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        one_of("condition", &[token("fnx", "FNX"), token("fxx", "FXX")]).opt(),
        one_of(
            "expiration",
            &[
                integer("seconds").after("EX"),
                integer("milliseconds").after("PX"),
                unix_time("unix-time-seconds").after("EXAT"),
                unix_time("unix-time-milliseconds").after("PXAT"),
                token("keepttl", "KEEPTTL"),
            ],
        )
        .opt(),
        block(
            "fields",
            &[
                integer("numfields"),
                block("data", &[string("field"), string("value")]).many(),
            ],
        )
        .after("FIELDS"),
    ],
    ..command("hsetex", Group::Hash, -6, Run::Write(hsetex))
};

fn write_value(field: Option<Field<'_>>, out: &mut Reply) {
    match field {
        Some(field) => element::write(field.value, out),
        None => out.null(),
    }
}

fn hgetdel(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    is_hash(view, key)?;
    let names = field_options::fields(args, field_options::WRONG_COUNT)?;
    out.array(names.len());
    edit::remove_fields(view, key, names, |field| write_value(field, out))?;
    view.effects
        .propagate_as(|| vec![recorded(&[&[&b"HDEL"[..], key], names].concat())]);
    Ok(Flow::Done)
}

/// The words that give a deadline, with the unit and the clock of its argument.
const EXPIRATIONS: [(&str, Unit, Clock); 4] = [
    ("EX", Unit::Seconds, Clock::Relative),
    ("PX", Unit::Milliseconds, Clock::Relative),
    ("EXAT", Unit::Seconds, Clock::Unix),
    ("PXAT", Unit::Milliseconds, Clock::Unix),
];

/// Consumes a word that gives a deadline.
fn expiration(args: &mut Args<'_>) -> Option<(Unit, Clock)> {
    let (_, unit, clock) = EXPIRATIONS
        .into_iter()
        .find(|(word, ..)| args.keyword(word))?;
    Some((unit, clock))
}

fn hgetex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, settings) = (args.next()?, view.settings());
    is_hash(view, key)?;
    let mut deadline_ms = None;
    let mut persist = false;
    if let Some((unit, clock)) = expiration(args) {
        let base_ms = clock.base_ms(view.now_ms());
        let text = args.next()?;
        deadline_ms = Some(field_options::deadline(text, unit, base_ms, "hgetex")?);
    } else {
        persist = args.keyword("PERSIST");
    }
    let names = field_options::fields(args, field_options::WRONG_COUNT)?;
    let now_ms = view.deadline_now_ms();
    out.array(names.len());
    let Some(entry) = view.find_mut(key) else {
        names.iter().for_each(|_| out.null());
        return Ok(Flow::Done);
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    let mut tally = Tally::default();
    let mut persisted: Vec<&[u8]> = Vec::new();
    for name in names {
        let field = hash.view().find(name);
        write_value(field, out);
        let is_dated = field.is_some_and(|field| field.deadline_ms.is_some());
        if let Some(deadline_ms) = deadline_ms {
            tally.apply(&mut hash, name, deadline_ms, Condition::Always, now_ms);
        } else if persist && is_dated {
            hash.set_deadline(name, None);
            persisted.push(name);
        }
    }
    let emptied = hash.is_empty();
    if let Some(deadline_ms) = deadline_ms {
        tally.conclude(view, key, deadline_ms, emptied);
    } else if !persisted.is_empty() {
        view.modified(key, EventClass::Hash, "hpersist");
        view.dirty(persisted.len() as u64 - 1);
        view.effects.propagate_as(|| {
            let count = persisted.len().to_string();
            let words: [&[u8]; 4] = [b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            vec![recorded(&[&words, &persisted[..]].concat())]
        });
    }
    Ok(Flow::Done)
}

/// Which fields must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Any,
    /// None of those to be set.
    NoneOf,
    /// All of those to be set.
    AllOf,
}

/// What HSETEX is asked for.
struct SetDated<'a> {
    presence: Presence,
    deadline: FieldDeadline,
    /// Fields and values in turn.
    pairs: &'a [&'a [u8]],
}

impl<'a> SetDated<'a> {
    fn parse(args: &mut Args<'a>, now_ms: i64) -> Result<Self, Error> {
        let mut presence = Presence::Any;
        let mut deadline = None;
        while !args.is_empty() {
            if args.keyword("FIELDS") {
                let pairs = Self::pairs(args)?;
                return Ok(Self {
                    presence,
                    deadline: deadline.unwrap_or(FieldDeadline::Clear),
                    pairs,
                });
            }
            let before = args.position();
            let word = args.peek().unwrap_or_default();
            let new_presence = if args.keyword("FNX") {
                Some(Presence::NoneOf)
            } else if args.keyword("FXX") {
                Some(Presence::AllOf)
            } else {
                None
            };
            if let Some(wanted) = new_presence {
                if presence != Presence::Any {
                    return Err(Error::text(
                        "ERR Only one of FXX or FNX arguments can be specified",
                    ));
                }
                presence = wanted;
                continue;
            }
            let keep = args.keyword("KEEPTTL");
            let moment = if keep { None } else { expiration(args) };
            if args.position() == before {
                let mut text = b"ERR unknown argument: ".to_vec();
                text.extend_from_slice(word.split(|&byte| byte == 0).next().unwrap_or(word));
                return Err(Error::Bytes(text));
            }
            if deadline.is_some() {
                return Err(Error::text(
                    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                ));
            }
            deadline = match moment {
                Some((unit, clock)) => {
                    let text = args
                        .next()
                        .map_err(|_| Error::text("ERR missing expire time"))?;
                    let base_ms = clock.base_ms(now_ms);
                    let at = field_options::deadline(text, unit, base_ms, "hsetex")?;
                    Some(FieldDeadline::AtMs(at))
                }
                None => Some(FieldDeadline::Keep),
            };
        }
        Err(Error::Arity("hsetex".into()))
    }

    fn pairs(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], Error> {
        let arity = || Error::Arity("hsetex".into());
        if args.len() < 3 {
            return Err(arity());
        }
        let count = number::parse_i64(args.next()?)
            .and_then(|count| i32::try_from(count).ok())
            .filter(|&count| count > 0)
            .ok_or(Error::text("ERR invalid number of fields"))?;
        let pairs = args.rest();
        if !pairs.len().is_multiple_of(2) || pairs.len() / 2 != count as usize {
            return Err(arity());
        }
        Ok(pairs)
    }
}

fn hsetex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, settings) = (args.next()?, view.settings());
    let asked = SetDated::parse(args, view.now_ms())?;
    let pairs = asked.pairs;
    let names = || pairs.iter().step_by(2);
    let is_there = is_hash(view, key)?;
    let refused = match view.find_mut(key) {
        Some(entry) if is_there => {
            let hash = HashMut::of(entry.into_inner(), settings)?;
            let has = |name: &&[u8]| hash.view().find(name).is_some();
            match asked.presence {
                Presence::Any => false,
                Presence::NoneOf => names().any(has),
                Presence::AllOf => !names().all(has),
            }
        }
        _ => asked.presence == Presence::AllOf,
    };
    if refused {
        out.integer(0);
        return Ok(Flow::Done);
    }
    let now_ms = view.deadline_now_ms();
    let entry = match view.find_mut(key) {
        Some(entry) => entry,
        None => {
            view.set(key, empty_hash(), Expiry::Clear);
            view.find_mut(key).expect("just made")
        }
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    hash.expect(pairs);
    let mut tally = Tally::default();
    for pair in pairs.chunks_exact(2) {
        match asked.deadline {
            FieldDeadline::AtMs(deadline_ms) => {
                hash.set(pair[0], pair[1], FieldDeadline::Keep);
                let applied =
                    tally.apply(&mut hash, pair[0], deadline_ms, Condition::Always, now_ms);
                debug_assert_ne!(applied, Applied::Missing, "it was just set");
            }
            deadline => {
                hash.set(pair[0], pair[1], deadline);
            }
        }
    }
    let emptied = hash.is_empty();
    announce(view, key, &asked, &tally, emptied);
    out.integer(1);
    Ok(Flow::Done)
}

/// Announces and records what HSETEX did.
fn announce(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    asked: &SetDated<'_>,
    tally: &Tally<'_>,
    emptied: bool,
) {
    view.modified(key, EventClass::Hash, "hset");
    view.dirty(asked.pairs.len() as u64 / 2 - 1);
    if let FieldDeadline::AtMs(deadline_ms) = asked.deadline {
        if tally.has_set() {
            view.note_field_deadline(key, deadline_ms);
            view.notify(key, EventClass::Hash, "hexpire");
        }
        if tally.has_deleted() {
            view.notify(key, EventClass::Hash, "hdel");
        }
        view.effects.propagate_as(|| {
            if tally.has_deleted() {
                // The deadline is one for all: every field is gone.
                return vec![recorded(&[&[&b"HDEL"[..], key], tally.deleted()].concat())];
            }
            let deadline = deadline_ms.to_string();
            let count = (asked.pairs.len() / 2).to_string();
            let words: [&[u8]; 6] = [
                b"HSETEX",
                key,
                b"PXAT",
                deadline.as_bytes(),
                b"FIELDS",
                count.as_bytes(),
            ];
            vec![recorded(&[&words, asked.pairs].concat())]
        });
    }
    if emptied {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
}
