//! CLIENT TRACKING and its relatives: what a client wants to be told about keys it caches.
//!
//! This keeps and shows what was asked for; `crate::tracking` sends the invalidations.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::session::{Caching, Session, Tracking};

pub const CACHING: Command = Command {
    summary: "Instruct the server about tracking or not keys in the next request.",
    since: "6.0.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[one_of("mode", &[token("yes", "YES"), token("no", "NO")])],
    ..command("caching", Group::Connection, 3, Run::Session(caching))
};

pub const GETREDIR: Command = Command {
    summary: "Get tracking notifications redirection client ID if any.",
    since: "6.0.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    ..command("getredir", Group::Connection, 2, Run::Session(getredir))
};

pub const TRACKING: Command = Command {
    summary: "Enable or disable server assisted client side caching support.",
    since: "6.0.0",
    complexity: "O(1). Some options may introduce additional complexity.",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[
        one_of("status", &[token("on", "ON"), token("off", "OFF")]),
        integer("client-id").after("REDIRECT").opt(),
        string("prefix").after("PREFIX").opt().many_tokens(),
        token("bcast", "BCAST").opt(),
        token("optin", "OPTIN").opt(),
        token("optout", "OPTOUT").opt(),
        token("noloop", "NOLOOP").opt(),
    ],
    ..command("tracking", Group::Connection, -3, Run::Session(tracking))
};

pub const TRACKINGINFO: Command = Command {
    summary: "Return information about server assisted client side caching for the current connection.",
    since: "6.2.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    ..command(
        "trackinginfo",
        Group::Connection,
        2,
        Run::Session(trackinginfo),
    )
};

fn caching(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let Some(tracking) = &mut call.session.tracking else {
        return Err(Error::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with \
             OPTIN or OPTOUT mode enabled",
        ));
    };
    let choice = if args.keyword("YES") {
        if !tracking.opt_in {
            return Err(Error::text(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
        Caching::Yes
    } else if args.keyword("NO") {
        if !tracking.opt_out {
            return Err(Error::text(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
        Caching::No
    } else {
        return Err(Error::Syntax);
    };
    tracking.caching = choice;
    out.ok();
    Ok(Flow::Done)
}

fn getredir(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.integer(redirection(call.session));
    Ok(Flow::Done)
}

/// The id invalidations go to; 0 is the client itself, -1 nobody.
fn redirection(session: &Session) -> i64 {
    match &session.tracking {
        Some(tracking) => tracking.redirect as i64,
        None => -1,
    }
}

fn tracking(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let switch = args.next()?;
    let mut wanted = Tracking::default();
    while !args.is_empty() {
        if args.len() >= 2 && args.keyword("REDIRECT") {
            if wanted.redirect != 0 {
                return Err(Error::text(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            let id = number::parse_i64(args.next()?).ok_or(Error::NotInteger)?;
            let known = u64::try_from(id)
                .ok()
                .filter(|id| call.server.clients.get(*id).is_some());
            wanted.redirect = known.ok_or(Error::text(
                "ERR The client ID you want redirect to does not exist",
            ))?;
        } else if args.keyword("BCAST") {
            wanted.broadcast = true;
        } else if args.keyword("OPTIN") {
            wanted.opt_in = true;
        } else if args.keyword("OPTOUT") {
            wanted.opt_out = true;
        } else if args.keyword("NOLOOP") {
            wanted.no_loop = true;
        } else if args.len() >= 2 && args.keyword("PREFIX") {
            wanted.prefixes.push(args.next()?.to_vec());
        } else {
            return Err(Error::Syntax);
        }
    }
    if switch.eq_ignore_ascii_case(b"on") {
        check(call, &wanted)?;
        if let Some(current) = &mut call.session.tracking {
            let mut prefixes = std::mem::take(&mut current.prefixes);
            prefixes.append(&mut wanted.prefixes);
            wanted.prefixes = prefixes;
        }
        if wanted.broadcast && wanted.prefixes.is_empty() {
            wanted.prefixes.push(Vec::new());
        }
        wanted.prefixes.sort_unstable();
        wanted.prefixes.dedup();
        call.server
            .trackers
            .set(&call.session.client, Some(&wanted));
        call.session.set_tracking(Some(wanted));
    } else if switch.eq_ignore_ascii_case(b"off") {
        call.server.trackers.set(&call.session.client, None);
        call.session.set_tracking(None);
    } else {
        return Err(Error::Syntax);
    }
    out.ok();
    Ok(Flow::Done)
}

/// Whether the wishes fit together and with what is in force.
fn check(call: &Call<'_>, wanted: &Tracking) -> Result<(), Error> {
    if !wanted.broadcast && !wanted.prefixes.is_empty() {
        return Err(Error::text(
            "ERR PREFIX option requires BCAST mode to be enabled",
        ));
    }
    let current = call.session.tracking.as_ref();
    if current.is_some_and(|current| current.broadcast != wanted.broadcast) {
        return Err(Error::text(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
             and then re-enabling it with a different mode.",
        ));
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err(Error::text(
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ));
    }
    if wanted.opt_in && wanted.opt_out {
        return Err(Error::text(
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ));
    }
    let switches = current.is_some_and(|current| {
        wanted.opt_in && current.opt_out || wanted.opt_out && current.opt_in
    });
    if switches {
        return Err(Error::text(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
             and then re-enabling it with a different mode.",
        ));
    }
    let existing = current.map_or(&[][..], |current| &current.prefixes);
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    for (index, prefix) in wanted.prefixes.iter().enumerate() {
        if let Some(other) = existing.iter().find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, other, "an existing"));
        }
        let mut later = wanted.prefixes[index + 1..].iter();
        if let Some(other) = later.find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, other, "another provided"));
        }
    }
    Ok(())
}

fn overlapping(prefix: &[u8], other: &[u8], which: &str) -> Error {
    let mut text = b"ERR Prefix '".to_vec();
    text.extend_from_slice(prefix);
    text.extend_from_slice(format!("' overlaps with {which} prefix '").as_bytes());
    text.extend_from_slice(other);
    text.extend_from_slice(b"'. Prefixes for a single client must not overlap.");
    Error::Bytes(text)
}

fn trackinginfo(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let tracking = call.session.tracking.clone();
    let mut flags = Vec::new();
    match &tracking {
        None => flags.push("off"),
        Some(tracking) => {
            flags.push("on");
            let named = [
                (tracking.broadcast, "bcast"),
                (tracking.opt_in, "optin"),
                (
                    tracking.opt_in && tracking.caching == Caching::Yes,
                    "caching-yes",
                ),
                (tracking.opt_out, "optout"),
                (
                    tracking.opt_out && tracking.caching == Caching::No,
                    "caching-no",
                ),
                (tracking.no_loop, "noloop"),
                (
                    call.session.redirection_is_broken(call.server),
                    "broken_redirect",
                ),
            ];
            flags.extend(named.iter().filter(|(set, _)| *set).map(|(_, name)| *name));
        }
    }
    out.map(3);
    out.bulk(b"flags");
    out.set(flags.len());
    for flag in flags {
        out.bulk(flag.as_bytes());
    }
    out.bulk(b"redirect");
    out.integer(redirection(call.session));
    out.bulk(b"prefixes");
    let prefixes = tracking
        .map(|tracking| tracking.prefixes)
        .unwrap_or_default();
    out.array(prefixes.len());
    for prefix in prefixes {
        out.bulk(&prefix);
    }
    Ok(Flow::Done)
}
