//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE and WAITAOF: the dataset on disk.

use std::sync::atomic::Ordering;

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::persistence::aof::Phase;
use crate::persistence::jobs::Kind;
use crate::unit::Unit;

pub const SAVE: Command = Command {
    summary: "Synchronously save the dataset to disk",
    complexity: "O(N) where N is the total number of keys in all databases",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::NO_ASYNC_LOADING)
        .or(Flags::NO_MULTI),
    ..command("save", Group::Server, 1, Run::Unit(save))
};

pub const BGSAVE: Command = Command {
    summary: "Asynchronously save the dataset to disk",
    complexity: "O(1)",
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
    args: &[token("schedule", "SCHEDULE").since("3.2.2").opt()],
    history: &[("3.2.2", "Added the `SCHEDULE` option.")],
    ..command("bgsave", Group::Server, -1, Run::Unit(bgsave))
};

pub const BGREWRITEAOF: Command = Command {
    summary: "Asynchronously rewrite the append-only file",
    complexity: "O(1)",
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
    ..command("bgrewriteaof", Group::Server, 1, Run::Unit(bgrewriteaof))
};

pub const LASTSAVE: Command = Command {
    summary: "Get the UNIX time stamp of the last successful save to disk",
    complexity: "O(1)",
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    categories: Categories::ADMIN.or(Categories::DANGEROUS),
    tips: &["nondeterministic_output"],
    ..command("lastsave", Group::Server, 1, Run::Session(lastsave))
};

pub const WAITAOF: Command = Command {
    summary: "Wait for all write commands sent in the context of the current connection to be synced to AOF of local host and/or replicas.",
    since: "7.2.0",
    complexity: "O(1)",
    flags: Flags::NOSCRIPT,
    categories: Categories::CONNECTION,
    not_categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    args: &[
        integer("numlocal"),
        integer("numreplicas"),
        integer("timeout"),
    ],
    ..command("waitaof", Group::Generic, 4, Run::Unit(waitaof))
};

/// Has the snapshot taken on another thread, so that the worker's other clients need not
/// wait, too.
fn save<'c>(
    call: &mut Call<'c>,
    _unit: &mut Unit<'c>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    if call.server.persistence.jobs.status().running.is_some() {
        return Err(IN_PROGRESS);
    }
    Ok(Flow::Block(Wait::until(
        Until::Saved,
        None,
        TimeoutReply::Null,
    )))
}

const IN_PROGRESS: Error = Error::text("ERR Background save already in progress");

fn bgsave<'c>(
    call: &mut Call<'c>,
    _unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let schedules = match args.len() {
        0 => false,
        1 if args.keyword("SCHEDULE") => true,
        _ => return Err(Error::Syntax),
    };
    let server = call.server;
    let jobs = &server.persistence.jobs;
    match jobs.status().running.map(|job| job.kind) {
        Some(Kind::Save | Kind::BackgroundSave) => Err(IN_PROGRESS),
        Some(Kind::Rewrite) if !schedules && !call.session.in_unit => Err(Error::text(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
             SCHEDULE in order to schedule a BGSAVE whenever possible.",
        )),
        None if !call.session.in_unit => Ok(begun(Kind::BackgroundSave)),
        _ => {
            jobs.schedule_save();
            server.steward.ring();
            out.status("Background saving scheduled");
            Ok(Flow::Done)
        }
    }
}

fn begun(kind: Kind) -> Flow {
    Flow::Block(Wait::until(Until::Begun(kind), None, TimeoutReply::Null))
}

fn bgrewriteaof<'c>(
    call: &mut Call<'c>,
    _unit: &mut Unit<'c>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let server = call.server;
    let jobs = &server.persistence.jobs;
    match jobs.status().running.map(|job| job.kind) {
        Some(Kind::Rewrite) => Err(Error::text(
            "ERR Background append only file rewriting already in progress",
        )),
        None if !call.session.in_unit => Ok(begun(Kind::Rewrite)),
        _ => {
            jobs.schedule_rewrite();
            server.steward.ring();
            out.status("Background append only file rewriting scheduled");
            Ok(Flow::Done)
        }
    }
}

fn lastsave(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.integer(call.server.last_save_s.load(Ordering::Relaxed));
    Ok(Flow::Done)
}

fn waitaof<'c>(
    call: &mut Call<'c>,
    _unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let local = args.integer()?;
    if !(0..=1).contains(&local) {
        return Err(Error::text(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    let replicas = args.integer()?;
    if replicas < 0 {
        return Err(Error::text("ERR value is out of range, must be positive"));
    }
    let timeout_ms = number::parse_i64(args.next()?)
        .ok_or(Error::text("ERR timeout is not an integer or out of range"))?;
    let Ok(timeout_ms) = u64::try_from(timeout_ms) else {
        return Err(Error::text("ERR timeout is negative"));
    };
    let aof = &call.server.persistence.aof;
    if local > 0 && aof.phase() == Phase::Off {
        return Err(Error::text(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    let offset = call.session.wrote_to;
    let is_on_disk = aof.phase() != Phase::Off && offset <= aof.durable();
    let is_enough = replicas == 0 && (local == 0 || is_on_disk);
    if is_enough || call.session.in_unit {
        out.array(2);
        out.integer(i64::from(is_on_disk));
        out.integer(0);
        return Ok(Flow::Done);
    }
    // No replica will ever acknowledge: then only the time can end the wait.
    let until = if replicas == 0 {
        Until::OnDisk(offset)
    } else {
        Until::KeysReady
    };
    Ok(Flow::Block(Wait::until(
        until,
        (timeout_ms > 0).then_some(timeout_ms),
        TimeoutReply::Copies,
    )))
}
