//! Reading a string and changing its key: GETSET, GETDEL, GETEX.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView, recorded};

use super::expiry::{Clock, Lifetime, Origin, deadline_ms, parse_getex};
use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const GETSET: Command = Command {
    summary: "Returns the string value of a key and sets another.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), string("value")],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`SET` with the `!GET` argument"),
    ..command("getset", Group::String, 3, Run::Write(getset))
};

pub const GETDEL: Command = Command {
    summary: "Returns the string value of a key and deletes the key.",
    since: "6.2.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
    args: &[key("key")],
    ..command("getdel", Group::String, 2, Run::Write(getdel))
};

pub const GETEX: Command = Command {
    summary: "Returns the string value of a key and maybe changes its expiration.",
    since: "6.2.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE).noted("RW and UPDATE because it changes the TTL")],
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
    ],
    ..command("getex", Group::String, -2, Run::Write(getex))
};

fn getset(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, value) = (args.next()?, args.next()?);
    value::reply_or_null(view.read().find(key), out)?;
    view.set(key, value::argument_payload(args, 2), Expiry::Clear);
    view.modified(key, EventClass::String, "set");
    view.effects
        .propagate_as(|| vec![recorded(&[b"SET", key, value])]);
    Ok(Flow::Done)
}

fn getdel(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    value::reply_or_null(view.read().find(key), out)?;
    if view.remove(key) {
        view.modified(key, EventClass::Generic, "del");
        view.effects.propagate_as(|| vec![recorded(&[b"DEL", key])]);
    }
    Ok(Flow::Done)
}

fn getex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let lifetime = parse_getex(args)?;
    let Some(entry) = view.read().find(key) else {
        out.null();
        return Ok(Flow::Done);
    };
    let had_deadline = entry.expiry_ms().is_some();
    // The type is checked before the time, but the reply goes only without an error.
    value::length(entry)?;
    match lifetime {
        Lifetime::Until(clock, text) => {
            let deadline = deadline_ms(clock, text, view.now_ms(), "getex")?;
            value::reply_or_null(view.read().peek(key), out)?;
            expire_at(view, key, clock, deadline);
        }
        Lifetime::Persist if had_deadline => {
            value::reply(entry, out)?;
            view.set_expiry(key, None);
            view.modified(key, EventClass::Generic, "persist");
            view.effects
                .propagate_as(|| vec![recorded(&[b"PERSIST", key])]);
        }
        Lifetime::Persist | Lifetime::Keep | Lifetime::Unsaid => value::reply(entry, out)?,
    }
    Ok(Flow::Done)
}

fn expire_at(view: &mut WriteView<'_, '_>, key: &[u8], (_, origin): Clock, deadline_ms: i64) {
    if origin == Origin::Epoch && deadline_ms <= view.now_ms() {
        view.remove(key);
        view.modified(key, EventClass::Generic, "del");
        let name: &[u8] = if view.settings().lazy_expire {
            b"UNLINK"
        } else {
            b"DEL"
        };
        view.effects.propagate_as(|| vec![recorded(&[name, key])]);
        return;
    }
    view.set_expiry(key, Some(deadline_ms));
    view.modified(key, EventClass::Generic, "expire");
    view.effects.propagate_as(|| {
        let mut text = itoa::Buffer::new();
        vec![recorded(&[
            b"PEXPIREAT",
            key,
            text.format(deadline_ms).as_bytes(),
        ])]
    });
}
