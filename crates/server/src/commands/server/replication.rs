//! What a primary without replicas answers: REPLICAOF, ROLE, WAIT.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const REPLICAOF: Command = Command {
    summary: "Make the server a replica of another instance, or promote it as master.",
    since: "5.0.0",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::STALE)
        .or(Flags::NO_ASYNC_LOADING),
    args: &[one_of(
        "args",
        &[
            block("host-port", &[string("host"), integer("port")]),
            block("no-one", &[token("no", "NO"), token("one", "ONE")]),
        ],
    )],
    ..command("replicaof", Group::Server, 3, Run::Session(replicaof))
};

pub const SLAVEOF: Command = Command {
    summary: "Make the server a replica of another instance, or promote it as master.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::STALE)
        .or(Flags::NO_ASYNC_LOADING),
    deprecated_since: Some("5.0.0"),
    replaced_by: Some("`REPLICAOF`"),
    args: &[one_of(
        "args",
        &[
            block("host-port", &[string("host"), integer("port")]),
            block("no-one", &[token("no", "NO"), token("one", "ONE")]),
        ],
    )],
    ..command("slaveof", Group::Server, 3, Run::Session(replicaof))
};

pub const ROLE: Command = Command {
    summary: "Return the role of the instance in the context of replication.",
    since: "2.8.12",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST),
    categories: Categories::ADMIN.or(Categories::DANGEROUS),
    ..command("role", Group::Server, 1, Run::Session(role))
};

pub const WAIT: Command = Command {
    summary: "Wait for the synchronous replication of all the write commands sent in the context of the current connection.",
    since: "3.0.0",
    flags: Flags::NOSCRIPT,
    categories: Categories::CONNECTION,
    not_categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    args: &[integer("numreplicas"), integer("timeout")],
    ..command("wait", Group::Generic, 3, Run::Keyspace(wait))
};

fn replicaof(_call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.keyword("NO") && args.keyword("ONE") {
        out.ok();
        return Ok(Flow::Done);
    }
    Err(Error::text(
        "ERR This server cannot be a replica: replication is not available in this version",
    ))
}

fn role(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.array(3);
    out.bulk(b"master");
    out.integer(0);
    out.array(0);
    Ok(Flow::Done)
}

fn wait(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let replicas = args.integer()?;
    let timeout_ms = number::parse_i64(args.next()?)
        .ok_or(Error::text("ERR timeout is not an integer or out of range"))?;
    let Ok(timeout_ms) = u64::try_from(timeout_ms) else {
        return Err(Error::text("ERR timeout is negative"));
    };
    if replicas <= 0 {
        out.integer(0);
        return Ok(Flow::Done);
    }
    // No replica will ever acknowledge: only the time can end this wait.
    Ok(Flow::Block(Box::new(Wait {
        keys: Vec::new(),
        timeout_ms: (timeout_ms > 0).then_some(timeout_ms),
        on_timeout: TimeoutReply::Zero,
        unblock_on_missing: false,
        argv: None,
        until: Until::KeysReady,
    })))
}
