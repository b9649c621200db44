//! MEMORY: what keys and the server as a whole occupy.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::number;
use tikv_jemalloc_ctl::{Access, AsName, arenas, stats_print};

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::process;

pub const MEMORY: Command = Command {
    summary: "A container for memory diagnostics commands.",
    since: "4.0.0",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..command("memory", Group::Server, -2, Run::Container)
};

const DOCTOR: Command = Command {
    summary: "Outputs memory problems report.",
    since: "4.0.0",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..command("doctor", Group::Server, 2, Run::Session(doctor))
};

const HELP: Command = help(Group::Server);

const MALLOC_STATS: Command = Command {
    summary: "Show allocator internal stats.",
    since: "4.0.0",
    complexity: "Depends on how much memory is allocated, could be slow",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..command("malloc-stats", Group::Server, 2, Run::Session(malloc_stats))
};

const PURGE: Command = Command {
    summary: "Ask the allocator to release memory.",
    since: "4.0.0",
    complexity: "Depends on how much memory is allocated, could be slow",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..command("purge", Group::Server, 2, Run::Session(purge))
};

const STATS: Command = Command {
    summary: "Show memory usage details.",
    since: "4.0.0",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..command("stats", Group::Server, 2, Run::Keyspace(stats))
};

const USAGE: Command = Command {
    summary: "Estimate the memory usage of a key.",
    since: "4.0.0",
    complexity: "O(N) where N is the number of samples.",
    keys: &[KeySpec::one(2, RO)],
    args: &[key("key"), integer("count").after("SAMPLES").opt()],
    ..command("usage", Group::Server, -3, Run::Read(usage))
};

const SUBCOMMANDS: &[&Command] = &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE];

/// The key's share of its table: one slot of eight bytes at a usual load.
const TABLE_SHARE_BYTES: usize = 10;

fn usage(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("SAMPLES") {
            return Err(Error::Syntax);
        }
        // Values know what they occupy: nothing needs to be sampled.
        if number::parse_i64(args.next()?).ok_or(Error::NotInteger)? < 0 {
            return Err(Error::Syntax);
        }
    }
    match view.peek(key) {
        None => out.null(),
        Some(entry) => {
            let object = entry.object().map_or(0, |object| object.memory_bytes());
            out.count(entry.allocated_bytes() + object + TABLE_SHARE_BYTES);
        }
    }
    Ok(Flow::Done)
}

/// With less than this beyond what an empty server uses there is nothing to diagnose.
const EMPTY_BYTES: u64 = 5 << 20;

fn doctor(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let memory = &call.server.memory;
    let reading = memory.measure();
    let used = reading.allocated_bytes;
    let data = used.saturating_sub(memory.startup_bytes());
    let text = if data < EMPTY_BYTES {
        "Hi Sam, this instance is empty or is using very little memory, my issues detector can't \
         be used in these conditions. Please, leave for your mission on Earth and fill it with \
         some data. The new Sam and I will be back to our programming as soon as I finished \
         rebooting.\n"
            .to_owned()
    } else {
        let mut issues = String::new();
        if memory.peak_bytes() as f64 / used as f64 > 1.5 {
            issues.push_str(
                " * Peak memory: in the past this instance used more than 150% the memory that it \
                 uses now. The allocator may keep some of it: MEMORY PURGE gives it back.\n",
            );
        }
        if process::resident_bytes() as f64 / used as f64 > 1.4 {
            issues.push_str(
                " * High total RSS: the process occupies more than 1.4 times the memory it has \
                 allocated.\n",
            );
        }
        if issues.is_empty() {
            "Hi Sam, I can't find any memory issue in your instance. I can only account for what \
             occurs on this base.\n"
                .to_owned()
        } else {
            format!(
                "Sam, I detected a few issues in this Redis instance memory implants:\n\n{issues}"
            )
        }
    };
    out.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

fn malloc_stats(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let mut text = Vec::new();
    stats_print::stats_print(&mut text, stats_print::Options::default())
        .map_err(|_| Error::text("ERR Error getting memory stats"))?;
    out.verbatim("txt", &text);
    Ok(Flow::Done)
}

fn purge(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    give_back().map_err(|_| Error::text("ERR Error purging dirty pages"))?;
    out.ok();
    Ok(Flow::Done)
}

/// Lets every arena's unused pages decay at once: a decay time of nothing, then the
/// usual one again.
fn give_back() -> tikv_jemalloc_ctl::Result<()> {
    for kind in ["dirty_decay_ms", "muzzy_decay_ms"] {
        for arena in 0..arenas::narenas::read()? {
            let name = format!("arena.{arena}.{kind}\0");
            let name = name.as_bytes().name();
            // An arena that nobody uses yet has nothing to give back.
            let Ok(usual) = Access::<isize>::read(name) else {
                continue;
            };
            name.write(0_isize)?;
            name.write(usual)?;
        }
    }
    Ok(())
}

fn stats(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let mut databases: Vec<(u64, u64)> = Vec::new();
    for index in 0..whole.view.stripes() {
        whole.view.with_stripe(index, |stripe| {
            for (db, database) in stripe
                .databases()
                .filter(|(_, database)| !database.is_empty())
            {
                let db = usize::from(db);
                databases.resize(databases.len().max(db + 1), (0, 0));
                databases[db].0 += database.len() as u64;
                databases[db].1 += database.expiring() as u64;
            }
        });
    }
    let server = whole.call.server;
    let reading = server.memory.measure();
    let used = reading.allocated_bytes;
    let resident = process::resident_bytes();
    let peak = server.memory.peak_bytes().max(used);
    let startup = server.memory.startup_bytes();
    let clients: u64 = server
        .clients
        .all()
        .iter()
        .map(|client| client.memory_bytes())
        .sum();
    let keys: u64 = databases.iter().map(|(keys, _)| keys).sum();
    let tables: u64 = keys * TABLE_SHARE_BYTES as u64;
    let overhead = startup + clients + tables;
    let dataset = used.saturating_sub(overhead);
    let net = used.saturating_sub(startup);
    let in_use = databases.iter().filter(|(keys, _)| *keys > 0).count();
    out.map(27 + in_use);
    let count = |name: &str, value: u64, out: &mut Reply| {
        out.bulk(name.as_bytes());
        out.integer(value as i64);
    };
    let ratio = |name: &str, part: f64, whole: u64, out: &mut Reply| {
        let value = if whole == 0 { 0.0 } else { part / whole as f64 };
        out.bulk(name.as_bytes());
        out.double_text(number::format_f64(value).as_bytes());
    };
    count("peak.allocated", peak, out);
    count("total.allocated", used, out);
    count("startup.allocated", startup, out);
    count("replication.backlog", 0, out);
    count("clients.slaves", 0, out);
    count("clients.normal", clients, out);
    count("cluster.links", 0, out);
    count("aof.buffer", server.persistence.journal.kept_bytes(), out);
    count("lua.caches", server.scripts.bytes() as u64, out);
    count(
        "functions.caches",
        server.functions.shelf().bytes() as u64,
        out,
    );
    for (db, (keys, expiring)) in databases
        .iter()
        .enumerate()
        .filter(|(_, (keys, _))| *keys > 0)
    {
        out.bulk(format!("db.{db}").as_bytes());
        out.map(2);
        count(
            "overhead.hashtable.main",
            keys * TABLE_SHARE_BYTES as u64,
            out,
        );
        // A deadline lies in its key's entry.
        count("overhead.hashtable.expires", expiring * 8, out);
    }
    count("overhead.total", overhead, out);
    count("keys.count", keys, out);
    count(
        "keys.bytes-per-key",
        net.checked_div(keys).unwrap_or(0),
        out,
    );
    count("dataset.bytes", dataset, out);
    ratio("dataset.percentage", dataset as f64 * 100.0, net, out);
    ratio("peak.percentage", used as f64 * 100.0, peak, out);
    count("allocator.allocated", used, out);
    count("allocator.active", reading.active_bytes, out);
    count("allocator.resident", reading.resident_bytes, out);
    ratio(
        "allocator-fragmentation.ratio",
        reading.active_bytes as f64,
        used,
        out,
    );
    count(
        "allocator-fragmentation.bytes",
        reading.active_bytes - used,
        out,
    );
    ratio(
        "allocator-rss.ratio",
        reading.resident_bytes as f64,
        reading.active_bytes,
        out,
    );
    count(
        "allocator-rss.bytes",
        reading.resident_bytes.wrapping_sub(reading.active_bytes),
        out,
    );
    ratio(
        "rss-overhead.ratio",
        resident as f64,
        reading.resident_bytes,
        out,
    );
    count(
        "rss-overhead.bytes",
        resident.wrapping_sub(reading.resident_bytes),
        out,
    );
    ratio("fragmentation", resident as f64, used, out);
    count("fragmentation.bytes", resident.wrapping_sub(used), out);
    Ok(Flow::Done)
}
