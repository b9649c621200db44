//! DBSIZE, FLUSHALL, FLUSHDB and SWAPDB: databases as wholes.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const DBSIZE: Command = Command {
    summary: "Return the number of keys in the selected database.",
    flags: Flags::READONLY.or(Flags::FAST),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    ..command("dbsize", Group::Server, 1, Run::Keyspace(dbsize))
};

pub const FLUSHALL: Command = Command {
    summary: "Remove all keys from all databases.",
    complexity: "O(N) where N is the total number of keys in all databases",
    flags: Flags::WRITE,
    categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    args: &[one_of(
        "async",
        &[
            token("async", "ASYNC").since("4.0.0"),
            token("sync", "SYNC").since("6.2.0"),
        ],
    )
    .opt()],
    history: &[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ],
    ..command("flushall", Group::Server, -1, Run::Keyspace(flushall))
};

pub const FLUSHDB: Command = Command {
    summary: "Remove all keys from the current database.",
    complexity: "O(N) where N is the number of keys in the selected database",
    flags: Flags::WRITE,
    categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    args: &[one_of(
        "async",
        &[
            token("async", "ASYNC").since("4.0.0"),
            token("sync", "SYNC").since("6.2.0"),
        ],
    )
    .opt()],
    history: &[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ],
    ..command("flushdb", Group::Server, -1, Run::Keyspace(flushdb))
};

pub const SWAPDB: Command = Command {
    summary: "Swaps two Redis databases.",
    since: "4.0.0",
    complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
    flags: Flags::WRITE.or(Flags::FAST),
    categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
    args: &[integer("index1"), integer("index2")],
    ..command("swapdb", Group::Server, 3, Run::Keyspace(swapdb))
};

fn dbsize(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let db = whole.view.db();
    out.count(whole.view.size(db).0);
    Ok(Flow::Done)
}

/// Checks the one optional word. The keys are gone before the answer either way; their
/// memory is given back by the freeing thread.
fn mode(args: &mut Args<'_>) -> Result<(), Error> {
    if args.len() > 1 || !args.is_empty() && !args.keyword("ASYNC") && !args.keyword("SYNC") {
        return Err(Error::Syntax);
    }
    Ok(())
}

fn flushall(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    flush(whole, args, None, out)
}

fn flushdb(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let db = whole.view.db();
    flush(whole, args, Some(db), out)
}

fn flush(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    db: Option<u16>,
    out: &mut Reply,
) -> Outcome {
    mode(args)?;
    let removed = whole.view.flush(db);
    // Recorded even when there was nothing: a replica may have keys that are past their
    // deadline here.
    whole.view.effects.dirty += removed as u64 + 1;
    if db.is_none() && !whole.call.live.config.persistence.save.0.is_empty() {
        // As in Redis, with save rules the flush is brought to disk at once.
        whole.call.server.persistence.jobs.schedule_save();
        whole.call.server.steward.ring();
    }
    out.ok();
    Ok(Flow::Done)
}

fn swapdb(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let databases = whole.call.server.store.databases();
    let mut number = |error: &'static str| {
        let index = number::parse_i64(args.next()?).filter(|at| i32::try_from(*at).is_ok());
        index.ok_or(Error::text(error))
    };
    let first = number("ERR invalid first DB index")?;
    let second = number("ERR invalid second DB index")?;
    let database = |index: i64| {
        u16::try_from(index)
            .ok()
            .filter(|db| usize::from(*db) < databases)
            .ok_or(Error::text("ERR DB index is out of range"))
    };
    let (first, second) = (database(first)?, database(second)?);
    if first != second {
        whole.view.swap_databases(first, second);
    }
    whole.view.effects.dirty += 1;
    out.ok();
    Ok(Flow::Done)
}
