//! What a client says about itself: its name, its library, and how it wants to be treated.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::session::ReplyMode;

pub const GETNAME: Command = Command {
    summary: "Get the current connection name.",
    since: "2.6.9",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    ..command("getname", Group::Connection, 2, Run::Session(getname))
};

pub const SETNAME: Command = Command {
    summary: "Set the current connection name.",
    since: "2.6.9",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[string("connection-name")],
    ..command("setname", Group::Connection, 3, Run::Session(setname))
};

pub const SETINFO: Command = Command {
    summary: "Sets information specific to the client or connection.",
    since: "7.2.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[one_of(
        "attr",
        &[
            string("libname").after("LIB-NAME"),
            string("libver").after("LIB-VER"),
        ],
    )],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..command("setinfo", Group::Connection, 4, Run::Session(setinfo))
};

pub const NO_EVICT: Command = Command {
    summary: "Set client eviction mode for the current connection.",
    since: "7.0.0",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[one_of("enabled", &[token("on", "ON"), token("off", "OFF")])],
    ..command("no-evict", Group::Connection, 3, Run::Session(no_evict))
};

pub const NO_TOUCH: Command = Command {
    summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
    since: "7.2.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[one_of("enabled", &[token("on", "ON"), token("off", "OFF")])],
    ..command("no-touch", Group::Connection, 3, Run::Session(no_touch))
};

pub const REPLY: Command = Command {
    summary: "Instruct the server whether to reply to commands.",
    since: "3.2.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[one_of(
        "on_off_skip",
        &[
            token("on", "ON"),
            token("off", "OFF"),
            token("skip", "SKIP"),
        ],
    )],
    ..command("reply", Group::Connection, 3, Run::Session(reply))
};

/// A name that may appear in CLIENT LIST: no spaces, no control characters.
pub fn valid_name(name: &[u8]) -> Result<&[u8], Error> {
    if is_printable(name) {
        Ok(name)
    } else {
        Err(Error::text(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ))
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn getname(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let name = call.session.client.state.lock().name.clone();
    out.bulk_or_null((!name.is_empty()).then_some(&name[..]));
    Ok(Flow::Done)
}

fn setname(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    call.session.set_name(valid_name(args.next()?)?);
    out.ok();
    Ok(Flow::Done)
}

fn setinfo(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let attribute = args.next()?;
    let value = args.next()?;
    let check = |name: &str| {
        if is_printable(value) {
            Ok(value.to_vec())
        } else {
            Err(Error::owned(format!(
                "ERR {name} cannot contain spaces, newlines or special characters."
            )))
        }
    };
    if attribute.eq_ignore_ascii_case(b"lib-name") {
        let value = check("lib-name")?;
        call.session.update(|state| state.library_name = value);
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        let value = check("lib-ver")?;
        call.session.update(|state| state.library_version = value);
    } else {
        let mut text = b"ERR Unrecognized option '".to_vec();
        text.extend_from_slice(attribute);
        text.push(b'\'');
        return Err(Error::Bytes(text));
    }
    out.ok();
    Ok(Flow::Done)
}

/// ON or OFF.
fn switch(args: &mut Args<'_>) -> Result<bool, Error> {
    if args.keyword("ON") {
        Ok(true)
    } else if args.keyword("OFF") {
        Ok(false)
    } else {
        Err(Error::Syntax)
    }
}

fn no_evict(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let on = switch(args)?;
    call.session.update_flags(|flags| flags.no_evict = on);
    out.ok();
    Ok(Flow::Done)
}

fn no_touch(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let on = switch(args)?;
    call.session.no_touch = on;
    call.session.update_flags(|flags| flags.no_touch = on);
    out.ok();
    Ok(Flow::Done)
}

fn reply(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.keyword("ON") {
        call.session.reply_mode = ReplyMode::On;
        out.ok();
    } else if args.keyword("OFF") {
        call.session.reply_mode = ReplyMode::Off;
    } else if args.keyword("SKIP") {
        // With replies off there is nothing to skip.
        if call.session.reply_mode != ReplyMode::Off {
            call.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Error::Syntax);
    }
    Ok(Flow::Done)
}
