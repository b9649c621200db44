//! Setting strings: SET, SETNX, SETEX, PSETEX.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView, recorded};

use super::expiry::{self, Clock, Condition, Lifetime, SetOptions, deadline_ms};
use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const SET: Command = Command {
    summary: "Sets the string value of a key, whatever it held before, and maybe its expiration.",
    flags: Flags::DENYOOM,
    keys: &[
        KeySpec::one(1, RW_ACCESS_UPDATE.or(KeyFlags::VARIABLE_FLAGS))
            .noted("RW and ACCESS due to the optional `GET` argument"),
    ],
    vary_key_flags: Some(set_key_flags),
    args: &[
        key("key"),
        string("value"),
        one_of("condition", &[token("nx", "NX"), token("xx", "XX")])
            .opt()
            .since("2.6.12"),
        token("get", "GET").opt().since("6.2.0"),
        one_of(
            "expiration",
            &[
                integer("seconds").after("EX").since("2.6.12"),
                integer("milliseconds").after("PX").since("2.6.12"),
                unix_time("unix-time-seconds").after("EXAT").since("6.2.0"),
                unix_time("unix-time-milliseconds")
                    .after("PXAT")
                    .since("6.2.0"),
                token("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .opt(),
    ],
    history: &[
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        (
            "7.0.0",
            "Allowed the `NX` and `GET` options to be used together.",
        ),
    ],
    ..command("set", Group::String, -3, Run::Write(set))
};

pub const SETNX: Command = Command {
    summary: "Sets the string value of a key that is not there yet.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, OW_INSERT)],
    args: &[key("key"), string("value")],
    deprecated_since: Some("2.6.12"),
    replaced_by: Some("`SET` with the `NX` argument"),
    ..command("setnx", Group::String, 3, Run::Write(setnx))
};

pub const SETEX: Command = Command {
    summary: "Sets the string value of a key and its expiration in seconds.",
    since: "2.0.0",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE)],
    args: &[key("key"), integer("seconds"), string("value")],
    deprecated_since: Some("2.6.12"),
    replaced_by: Some("`SET` with the `EX` argument"),
    ..command("setex", Group::String, 4, Run::Write(setex))
};

pub const PSETEX: Command = Command {
    summary: "Sets the string value of a key and its expiration in milliseconds.",
    since: "2.6.0",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE)],
    args: &[key("key"), integer("milliseconds"), string("value")],
    deprecated_since: Some("2.6.12"),
    replaced_by: Some("`SET` with the `PX` argument"),
    ..command("psetex", Group::String, 4, Run::Write(psetex))
};

fn set(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    args.skip(1);
    if !args.is_empty() {
        return set_with_options(view, args, out);
    }
    view.set(key, value::argument_payload(args, 2), Expiry::Clear);
    view.modified(key, EventClass::String, "set");
    out.ok();
    Ok(Flow::Done)
}

fn set_with_options(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, value) = (args.all()[1], args.all()[2]);
    let options = SetOptions::parse(args)?;
    let expiry = match options.lifetime {
        Lifetime::Until(clock, text) => {
            Expiry::AtMs(deadline_ms(clock, text, view.now_ms(), "set")?)
        }
        Lifetime::Keep => Expiry::Keep,
        Lifetime::Unsaid | Lifetime::Persist => Expiry::Clear,
    };
    if options.get {
        value::reply_or_null(view.read().find(key), out)?;
    }
    let may_set = match options.condition {
        Condition::None => true,
        Condition::Absent => !view.contains(key),
        Condition::Present => view.contains(key),
    };
    if !may_set {
        if !options.get {
            out.null();
        }
        return Ok(Flow::Done);
    }
    store(view, args, 2, expiry);
    match expiry {
        // An absolute deadline in milliseconds is recorded as it came.
        Expiry::AtMs(_) if matches!(options.lifetime, Lifetime::Until(expiry::PXAT, _)) => {}
        Expiry::AtMs(deadline) => record_deadline(view, key, value, deadline),
        Expiry::Clear | Expiry::Keep if options.get => record_without_get(view, args.all()),
        Expiry::Clear | Expiry::Keep => {}
    }
    if !options.get {
        out.ok();
    }
    Ok(Flow::Done)
}

fn setnx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let is_new = !view.contains(args.all()[1]);
    if is_new {
        store(view, args, 2, Expiry::Clear);
    }
    out.integer(is_new.into());
    Ok(Flow::Done)
}

fn setex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_for(view, args, out, expiry::EX, "setex")
}

fn psetex(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_for(view, args, out, expiry::PX, "psetex")
}

fn set_for(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
    clock: Clock,
    command: &'static str,
) -> Outcome {
    let (key, time, value) = (args.next()?, args.next()?, args.next()?);
    let deadline = deadline_ms(clock, time, view.now_ms(), command)?;
    store(view, args, 3, Expiry::AtMs(deadline));
    record_deadline(view, key, value, deadline);
    out.ok();
    Ok(Flow::Done)
}

/// Gives the key, the first argument, the argument at `value_index` as its value.
fn store(view: &mut WriteView<'_, '_>, args: &Args<'_>, value_index: usize, expiry: Expiry) {
    let key = args.all()[1];
    view.set(key, value::argument_payload(args, value_index), expiry);
    view.modified(key, EventClass::String, "set");
    if matches!(expiry, Expiry::AtMs(_)) {
        view.notify(key, EventClass::Generic, "expire");
    }
}

/// Records the change with its deadline as a point in time.
fn record_deadline(view: &mut WriteView<'_, '_>, key: &[u8], value: &[u8], deadline_ms: i64) {
    view.effects.propagate_as(|| {
        let mut text = itoa::Buffer::new();
        let deadline = text.format(deadline_ms).as_bytes();
        vec![recorded(&[b"SET", key, value, b"PXAT", deadline])]
    });
}

/// Records SET without its GET, whose answer concerns nobody else.
fn record_without_get(view: &mut WriteView<'_, '_>, argv: &[&[u8]]) {
    view.effects.propagate_as(|| {
        let (fixed, options) = argv.split_at(3);
        let mut words = fixed.to_vec();
        words.extend(options.iter().filter(|word| !is_get(word)));
        vec![recorded(&words)]
    });
}

fn is_get(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"GET")
}

fn set_key_flags(argv: &[&[u8]]) -> KeyFlags {
    if argv.iter().skip(3).any(|word| is_get(word)) {
        RW_ACCESS_UPDATE
    } else {
        OW_UPDATE
    }
}
