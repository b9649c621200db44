//! INFO: the state of the server as `name:value` lines under section headings.
//!
//! [`SECTIONS`] says which there are, in Redis's order; each is a function in the file
//! of its concern. Figures that this server has no equivalent of (forks, copy on write)
//! are shown with the value that is true: zero.

mod commands;
mod memory;
mod persistence;
mod server;
mod stats;

use std::fmt::Display;

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::config::Config;
use crate::server::Server;

pub const INFO: Command = Command {
    summary: "Get information and statistics about the server.",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::DANGEROUS,
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    args: &[string("section").opt().many()],
    history: &[(
        "7.0.0",
        "Added support for taking multiple section arguments.",
    )],
    ..command("info", Group::Server, -1, Run::Keyspace(info))
};

/// What a section is made from.
pub struct Facts<'f> {
    pub server: &'f Server,
    pub config: &'f Config,
    pub now_ms: i64,
    /// Keys, keys with a deadline, and the mean time to live in milliseconds, of each
    /// database that has keys.
    pub databases: Vec<(u16, DatabaseSize)>,
    pub blocking: Blocking,
    /// Pairs of key and client that caches it (`tracking_total_items`).
    pub tracked_items: usize,
}

/// Keys that blocked clients wait for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocking {
    pub keys: usize,
    /// Of these, those whose end is waited for, too.
    pub keys_on_absence: usize,
}

/// The size of a database.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseSize {
    pub keys: usize,
    pub expiring: usize,
    pub mean_ttl_ms: i64,
}

/// A section: its heading, whether INFO shows it when none is asked for, and its lines.
struct Section {
    heading: &'static str,
    is_default: bool,
    write: fn(&Facts<'_>, &mut Page),
}

const SECTIONS: &[Section] = &[
    section("Server", true, server::server),
    section("Clients", true, server::clients),
    section("Memory", true, memory::memory),
    section("Persistence", true, persistence::persistence),
    section("Stats", true, stats::stats),
    section("Replication", true, persistence::replication),
    section("CPU", true, server::cpu),
    section("Modules", true, server::nothing),
    section("Commandstats", false, commands::commandstats),
    section("Errorstats", true, commands::errorstats),
    section("Latencystats", false, commands::latencystats),
    section("Cluster", true, server::cluster),
    section("Keyspace", true, keyspace),
];

const fn section(
    heading: &'static str,
    is_default: bool,
    write: fn(&Facts<'_>, &mut Page),
) -> Section {
    Section {
        heading,
        is_default,
        write,
    }
}

/// The text in the making.
#[derive(Default)]
pub struct Page(String);

impl Page {
    fn heading(&mut self, heading: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.0.push_str(&format!("# {heading}\r\n"));
    }

    /// A line.
    pub fn line(&mut self, name: &str, value: impl Display) {
        self.0.push_str(&format!("{name}:{value}\r\n"));
    }

    /// Lines of a count of bytes: exact, and short for people.
    pub fn bytes(&mut self, name: &str, bytes: u64) {
        self.line(name, bytes);
        self.line(&format!("{name}_human"), human(bytes));
    }
}

/// Bytes in the form of `1.50M`.
pub fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 5] = [
        (1 << 50, 'P'),
        (1 << 40, 'T'),
        (1 << 30, 'G'),
        (1 << 20, 'M'),
        (1 << 10, 'K'),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", bytes as f64 / *unit as f64),
        None => format!("{bytes}B"),
    }
}

/// The section on the server alone, for a report of a crash. Waits for nobody but who
/// changes the listening sockets.
pub fn server_section(server: &Server) -> String {
    let live = server.live();
    let facts = Facts {
        server,
        config: &live.config,
        now_ms: crate::clock::now_ms(),
        databases: Vec::new(),
        blocking: Blocking::default(),
        tracked_items: 0,
    };
    let mut page = Page::default();
    page.heading("Server");
    server::server(&facts, &mut page);
    page.0
}

fn info(whole: &mut KeyspaceCall<'_, '_, '_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let wanted = wanted(args.rest());
    let databases = if wanted.iter().any(|section| section.heading == "Keyspace") {
        sizes(whole)
    } else {
        Vec::new()
    };
    let blocking = if wanted.iter().any(|section| section.heading == "Clients") {
        blocking(whole)
    } else {
        Blocking::default()
    };
    let mut tracked_items = 0;
    if whole.call.server.trackers.keys() > 0 {
        for index in 0..whole.view.stripes() {
            tracked_items += whole
                .view
                .with_stripe(index, |stripe| stripe.tracked.items());
        }
    }
    let call = &mut *whole.call;
    // What this worker has counted since the last tick belongs to the figures.
    let now_ms = call.local.now_ms;
    call.local.stats.merge_into(call.server, now_ms);
    let facts = Facts {
        server: call.server,
        config: &call.live.config,
        now_ms,
        databases,
        blocking,
        tracked_items,
    };
    let mut page = Page::default();
    for section in wanted {
        page.heading(section.heading);
        (section.write)(&facts, &mut page);
    }
    out.verbatim("txt", page.0.as_bytes());
    Ok(Flow::Done)
}

/// What blocked clients wait for, in one walk over the stripes, if there are any.
fn blocking(whole: &mut KeyspaceCall<'_, '_, '_, '_>) -> Blocking {
    let mut blocking = Blocking::default();
    let clients = whole.call.server.clients.all();
    if !clients
        .iter()
        .any(|client| client.state.lock().flags.blocked)
    {
        return blocking;
    }
    for index in 0..whole.view.stripes() {
        whole.view.with_stripe(index, |stripe| {
            blocking.keys += stripe.waiters.len();
            blocking.keys_on_absence += stripe.waiters.len_on_absence();
        });
    }
    blocking
}

/// The sections asked for, in the order of the table. A name that is not known asks for
/// nothing.
fn wanted(names: &[&[u8]]) -> Vec<&'static Section> {
    let is = |name: &[u8], text: &str| name.eq_ignore_ascii_case(text.as_bytes());
    let asked = |section: &Section| {
        if names.is_empty() {
            return section.is_default;
        }
        names.iter().any(|name| {
            is(name, section.heading)
                || is(name, "all")
                || is(name, "everything")
                || is(name, "default") && section.is_default
        })
    };
    SECTIONS.iter().filter(|section| asked(section)).collect()
}

/// Keys with a deadline that are looked at for the mean time to live of a database.
const TTL_SAMPLES: usize = 64;

/// The sizes of all databases that have keys, in one walk over the stripes.
fn sizes(whole: &mut KeyspaceCall<'_, '_, '_, '_>) -> Vec<(u16, DatabaseSize)> {
    let now_ms = whole.call.local.now_ms;
    let mut sizes: Vec<(DatabaseSize, i64, i64)> = Vec::new();
    for index in 0..whole.view.stripes() {
        whole.view.with_stripe(index, |stripe| {
            for (db, database) in stripe
                .databases()
                .filter(|(_, database)| !database.is_empty())
            {
                let db = usize::from(db);
                if sizes.len() <= db {
                    sizes.resize(db + 1, Default::default());
                }
                let (size, ttl_sum, samples) = &mut sizes[db];
                size.keys += database.len();
                size.expiring += database.expiring();
                if database.expiring() > 0 && *samples < TTL_SAMPLES as i64 {
                    let left_ms = database
                        .table()
                        .iter()
                        .take(TTL_SAMPLES)
                        .filter_map(|entry| Some((entry.expiry_ms()? - now_ms).max(0)));
                    for left_ms in left_ms {
                        *ttl_sum += left_ms;
                        *samples += 1;
                    }
                }
            }
        });
    }
    (0..)
        .zip(sizes)
        .filter(|(_, (size, ..))| size.keys > 0)
        .map(|(db, (mut size, ttl_sum, samples))| {
            size.mean_ttl_ms = ttl_sum / samples.max(1);
            (db, size)
        })
        .collect()
}

fn keyspace(facts: &Facts<'_>, page: &mut Page) {
    for (db, size) in &facts.databases {
        page.line(
            &format!("db{db}"),
            format_args!(
                "keys={},expires={},avg_ttl={},subexpiry=0",
                size.keys, size.expiring, size.mean_ttl_ms
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.50K"),
            (1 << 30, "1.00G"),
            (5 << 50, "5.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn sections_are_shown_once_and_in_order() {
        let headings = |names: &[&[u8]]| -> Vec<&str> {
            wanted(names)
                .iter()
                .map(|section| section.heading)
                .collect()
        };
        assert_eq!(
            headings(&[b"keyspace", b"SERVER", b"server"]),
            ["Server", "Keyspace"]
        );
        assert_eq!(headings(&[b"nothing"]), [""; 0]);
        assert!(!headings(&[]).contains(&"Commandstats"));
        assert!(headings(&[b"default", b"commandstats"]).contains(&"Commandstats"));
        assert_eq!(headings(&[b"all"]).len(), SECTIONS.len());
    }
}
