//! Asking for deadlines: TTL, PTTL, EXPIRETIME, PEXPIRETIME.

use ochre_resp::Reply;
use ochre_store::ReadView;

use crate::commands::args::Args;
use crate::commands::spec::*;

/// The key is not there.
const NO_KEY: i64 = -2;
/// The key has no deadline.
const NO_DEADLINE: i64 = -1;

const KEYS: &[KeySpec] = &[KeySpec::one(1, RO_ACCESS)];
const ARGS: &[Arg] = &[key("key")];

const fn getter(name: &'static str, run: Run) -> Command {
    Command {
        flags: Flags::FAST,
        keys: KEYS,
        args: ARGS,
        ..command(name, Group::Generic, 2, run)
    }
}

pub const TTL: Command = Command {
    summary: "Returns the expiration time in seconds of a key.",
    history: &[("2.8.0", "Added the -2 reply.")],
    tips: &["nondeterministic_output"],
    ..getter("ttl", Run::Read(ttl))
};

pub const PTTL: Command = Command {
    summary: "Returns the expiration time in milliseconds of a key.",
    since: "2.6.0",
    history: &[("2.8.0", "Added the -2 reply.")],
    tips: &["nondeterministic_output"],
    ..getter("pttl", Run::Read(pttl))
};

pub const EXPIRETIME: Command = Command {
    summary: "Returns the expiration time of a key as a Unix timestamp.",
    since: "7.0.0",
    ..getter("expiretime", Run::Read(expiretime))
};

pub const PEXPIRETIME: Command = Command {
    summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
    since: "7.0.0",
    ..getter("pexpiretime", Run::Read(pexpiretime))
};

fn ttl(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, out, |deadline, now| {
        to_seconds((deadline - now).max(0))
    })
}

fn pttl(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, out, |deadline, now| (deadline - now).max(0))
}

fn expiretime(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, out, |deadline, _| to_seconds(deadline.max(0)))
}

fn pexpiretime(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, out, |deadline, _| deadline.max(0))
}

/// Milliseconds that are not negative, rounded to the nearest second. Redis adds 500 and
/// lets the sum wrap, which no deadline that makes sense comes near to.
fn to_seconds(ms: i64) -> i64 {
    ms.wrapping_add(500) / 1000
}

fn answer(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    out: &mut Reply,
    of_deadline: impl FnOnce(i64, i64) -> i64,
) -> Outcome {
    out.integer(
        match view.look(args.next()?).map(|entry| entry.expiry_ms()) {
            None => NO_KEY,
            Some(None) => NO_DEADLINE,
            Some(Some(deadline)) => of_deadline(deadline, view.now_ms()),
        },
    );
    Ok(Flow::Done)
}
