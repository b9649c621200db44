//! DEBUG: looking into the server and shaking it, for tests. Allowed by
//! `enable-debug-command`.
//!
//! What a subcommand does to something that this server has no equivalent of (a cron,
//! reply buffers that shrink) is nothing, and it says OK.

mod allocator;
mod clients;
mod crash;
mod digest;
mod keys;
mod process;
mod protocol;
mod values;

use std::sync::atomic::Ordering;
use std::time::Duration;

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::help;
use crate::commands::spec::*;
use crate::error::Error;
use crate::persistence::reload::Reload;
use crate::server::random_hex;

pub const DEBUG: Command = Command {
    summary: "A container for debugging commands.",
    complexity: "Depends on subcommand.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("debug", Group::Server, -2, Run::Keyspace(debug))
};

/// The longest DEBUG SLEEP, in seconds.
const SLEEP_MAX_S: f64 = 1e9;

/// A subcommand: its usage, how many arguments it takes, what it is for, what it does.
struct Subcommand {
    usage: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    summary: &'static str,
    run: Handler,
}

type Handler = fn(&mut KeyspaceCall<'_, '_, '_, '_>, &mut Args<'_>, &mut Reply) -> Outcome;

impl Subcommand {
    fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }
}

const fn sub(
    usage: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    summary: &'static str,
    run: Handler,
) -> Subcommand {
    Subcommand {
        usage,
        arguments,
        summary,
        run,
    }
}

const SUBCOMMANDS: &[Subcommand] = &[
    sub(
        "AOF-FLUSH-SLEEP <microseconds>",
        1..=1,
        "Let the append-only file wait so long before each write.",
        process::aof_flush_sleep,
    ),
    sub(
        "ASSERT",
        0..=0,
        "Crash by a failed assertion.",
        crash::assertion,
    ),
    sub(
        "CHANGE-REPL-ID",
        0..=0,
        "Give this server a new replication id.",
        change_replication_id,
    ),
    sub(
        "CLIENT-EVICTION",
        0..=0,
        "The clients by the memory they take (maxmemory-clients).",
        clients::eviction,
    ),
    sub(
        "CONFIG-REWRITE-FORCE-ALL",
        0..=0,
        "As CONFIG REWRITE, with a line for every directive.",
        process::rewrite_everything,
    ),
    sub(
        "CRASH-AND-RECOVER [<milliseconds>]",
        0..=1,
        "Begin again after so long, as after a crash: nothing is saved.",
        process::crash_and_recover,
    ),
    sub(
        "DICT-RESIZING <0|1>",
        1..=1,
        "Accepted: tables grow and shrink a segment at a time.",
        accept,
    ),
    sub("DIGEST", 0..=0, "The digest of all data.", keys::digest_all),
    sub(
        "DIGEST-VALUE <key> [<key> ...]",
        1..=usize::MAX,
        "The digests of the values of these keys.",
        keys::digest_values,
    ),
    sub("ERROR <string>", 1..=1, "Answer with this error.", error),
    sub("HELP", 0..=0, "Print this help.", print_help),
    sub(
        "HTSTATS <dbid>",
        1..=1,
        "The state of a database's tables.",
        keys::table_stats,
    ),
    sub(
        "HTSTATS-KEY <key> [FULL]",
        1..=2,
        "The state of the table of a value.",
        values::table_stats,
    ),
    sub(
        "LEAK <string>",
        1..=1,
        "Lose the memory of this string.",
        leak,
    ),
    sub(
        "LISTPACK <key>",
        1..=1,
        "Print the elements of a listpack on the standard output.",
        values::listpack,
    ),
    sub(
        "LOG <message>",
        1..=1,
        "Write this message to the log.",
        log,
    ),
    sub(
        "MALLCTL <key> [<val>]",
        1..=usize::MAX,
        "Get or set a number of the allocator's.",
        allocator::number,
    ),
    sub(
        "MALLCTL-STR <key> [<val>]",
        1..=usize::MAX,
        "Get or set a text of the allocator's.",
        allocator::text,
    ),
    sub(
        "OBJECT <key>",
        1..=1,
        "Low-level facts about a value.",
        keys::object,
    ),
    sub(
        "OOM",
        0..=0,
        "Crash for want of memory.",
        crash::out_of_memory,
    ),
    sub("PANIC", 0..=0, "Crash by a panic.", crash::panic),
    sub(
        "PAUSE-CRON <0|1>",
        1..=1,
        "Accepted: there is no cron to pause.",
        accept,
    ),
    sub(
        "POPULATE <count> [<prefix>] [<size>]",
        1..=3,
        "Make so many string keys named key:<num>, or <prefix>:<num>.",
        keys::populate,
    ),
    sub(
        "PROTOCOL <type>",
        1..=1,
        "A reply of this type: string, integer, double, null, array, set, map, attrib, push, \
         verbatim, true, false, bignum.",
        sample,
    ),
    sub(
        "QUICKLIST-PACKED-THRESHOLD <size>",
        1..=1,
        "Accepted: the size above which an element has a node of its own is fixed.",
        packed_threshold,
    ),
    sub(
        "LOADAOF",
        0..=0,
        "Flush the append-only file, forget all keys and load it.",
        load_aof,
    ),
    sub(
        "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
        0..=usize::MAX,
        "Save the snapshot, forget all keys and load it.",
        reload,
    ),
    sub(
        "REPLICATE <string> [<string> ...]",
        1..=usize::MAX,
        "Record a command, for replicas and the append-only file, without executing it.",
        process::replicate,
    ),
    sub(
        "RESTART [<milliseconds>]",
        0..=1,
        "Save the configuration and the data, and begin again after so long.",
        process::restart_gracefully,
    ),
    sub(
        "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time> | RESIZING <0|1>",
        2..=2,
        "Accepted: idle clients have no reply buffers.",
        accept,
    ),
    sub("SEGFAULT", 0..=0, "Crash by a memory fault.", crash::fault),
    sub(
        "SET-ACTIVE-EXPIRE <0|1>",
        1..=1,
        "Whether expired keys are removed before somebody asks for them.",
        set_active_expire,
    ),
    sub(
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        1..=1,
        "Whether scripts may call commands that are denied to scripts.",
        disable_deny_scripts,
    ),
    sub(
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        1..=1,
        "Whether checksums of dumps are ignored.",
        skip_checksum_validation,
    ),
    sub(
        "SLEEP <seconds>",
        1..=1,
        "Hold every key for so long.",
        sleep,
    ),
    sub(
        "STRINGMATCH-LEN <length> <pattern>",
        2..=2,
        "Match a pattern against a text of so many letters.",
        string_match,
    ),
    sub(
        "STRUCTSIZE",
        0..=0,
        "The sizes of the server's structures.",
        values::structure_sizes,
    ),
];

fn debug(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let name = args.next()?;
    let found = SUBCOMMANDS.iter().find(|sub| {
        name.eq_ignore_ascii_case(sub.name().as_bytes()) && sub.arguments.contains(&args.len())
    });
    match found {
        Some(sub) => (sub.run)(whole, args, out),
        None => Err(Error::subcommand("DEBUG", name)),
    }
}

fn print_help(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let lines: Vec<(String, &str)> = SUBCOMMANDS
        .iter()
        .filter(|sub| sub.usage != "HELP")
        .map(|sub| (sub.usage.to_owned(), sub.summary))
        .collect();
    help::write("DEBUG", &lines, out);
    Ok(Flow::Done)
}

/// A switch that changes nothing here.
fn accept(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    out.ok();
    Ok(Flow::Done)
}

fn change_replication_id(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let server = whole.call.server;
    server
        .log
        .notice("Changing replication IDs after receiving change-repl-id");
    *server.replication_id.lock() = random_hex(20);
    out.ok();
    Ok(Flow::Done)
}

fn error(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    Err(Error::Bytes(args.next()?.to_vec()))
}

fn leak(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    std::mem::forget(args.next()?.to_vec());
    out.ok();
    Ok(Flow::Done)
}

fn log(whole: &mut KeyspaceCall<'_, '_, '_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let message = String::from_utf8_lossy(args.next()?);
    whole
        .call
        .server
        .log
        .warning(&format!("DEBUG LOG: {message}"));
    out.ok();
    Ok(Flow::Done)
}

fn sample(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    protocol::sample(args.next()?, out)?;
    Ok(Flow::Done)
}

/// From how many bytes on an element of a list gets a node of its own.
fn packed_threshold(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    /// Not even nearly 4 GiB, as Redis has it.
    const BYTES_MAX: u64 = (1 << 32) - (1 << 20);
    let bytes = crate::config::numbers::memory(args.next()?)
        .filter(|&bytes| bytes <= BYTES_MAX)
        .and_then(|bytes| u32::try_from(bytes).ok())
        .ok_or(Error::text(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        ))?;
    let server = whole.call.server;
    let _one_at_a_time = server.config_lock.lock();
    let mut config = server.live().config.clone();
    config.list_packed_threshold_bytes = bytes;
    server.set_config(config);
    out.ok();
    Ok(Flow::Done)
}

/// The switch that the argument sets: everything but 0 is on.
fn switch(args: &mut Args<'_>) -> Result<bool, Error> {
    Ok(number::parse_i64(args.next()?).is_some_and(|value| value != 0))
}

fn set_active_expire(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let server = whole.call.server;
    server.set_active_expire(switch(args)?);
    out.ok();
    Ok(Flow::Done)
}

fn disable_deny_scripts(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let switches = &whole.call.server.switches;
    switches
        .scripts_may_all
        .store(switch(args)?, Ordering::Relaxed);
    out.ok();
    Ok(Flow::Done)
}

fn skip_checksum_validation(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let (server, skip) = (whole.call.server, switch(args)?);
    let _one_at_a_time = server.config_lock.lock();
    server
        .switches
        .skip_checksums
        .store(skip, Ordering::Relaxed);
    let mut config = server.live().config.clone();
    config.skip_checksums = skip;
    server.set_config(config);
    out.ok();
    Ok(Flow::Done)
}

/// Holds every key for a while: whoever needs one waits, as they do while Redis sleeps.
fn sleep(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let seconds = number::parse_f64(args.next()?).unwrap_or(0.0);
    let seconds = if seconds.is_finite() { seconds } else { 0.0 };
    whole.view.make_exclusive();
    std::thread::sleep(Duration::from_secs_f64(seconds.clamp(0.0, SLEEP_MAX_S)));
    out.ok();
    Ok(Flow::Done)
}

fn string_match(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    use ochre_structures::glob::{Case, matches};
    const LENGTH_MAX: i64 = 1 << 20;
    let text = vec![b'a'; args.integer_in(0..=LENGTH_MAX)? as usize];
    out.integer(i64::from(matches(args.next()?, &text, Case::Sensitive)));
    Ok(Flow::Done)
}

fn reload(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    let (mut save, mut flush, mut merge) = (true, true, false);
    while !args.is_empty() {
        if args.keyword("NOSAVE") {
            save = false;
        } else if args.keyword("NOFLUSH") {
            flush = false;
        } else if args.keyword("MERGE") {
            merge = true;
        } else {
            return Err(Error::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    load_again(Reload::Snapshot { save, flush, merge })
}

fn load_aof(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    load_again(Reload::AppendOnlyFile)
}

fn load_again(reload: Reload) -> Outcome {
    Ok(Flow::Block(Wait::until(
        Until::Reloaded(reload),
        None,
        TimeoutReply::Null,
    )))
}
