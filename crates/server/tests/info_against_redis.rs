//! INFO against a real redis-server 7.0: every section and field that it has is here, in
//! its order, between those that are new in 7.2 or Ochre's own. Tools find fields by name,
//! people by place.
//!
//! Without a redis-server on the PATH the test says so and passes.

use ochre_testkit::resp::Connection;
use ochre_testkit::servers::{Server, ServerSpec};

/// Fields that are here and not in Redis 7.0.
const NEWER: [&str; 18] = [
    "ochre_version",
    "pubsub_clients",
    "watching_clients",
    "total_watched_keys",
    "total_blocking_keys",
    "total_blocking_keys_on_nokey",
    "evicted_scripts",
    "eventloop_cycles",
    "eventloop_duration_sum",
    "eventloop_duration_cmd_sum",
    "instantaneous_eventloop_cycles_per_sec",
    "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth",
    "acl_access_denied_cmd",
    "acl_access_denied_key",
    "acl_access_denied_channel",
    "client_query_buffer_limit_disconnections",
    "client_output_buffer_limit_disconnections",
];

fn start(spec: ServerSpec) -> Server {
    let spec = spec.with_args(["--appendonly", "yes"]);
    spec.start().unwrap_or_else(|error| panic!("{error}"))
}

fn ask(connection: &mut Connection, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let reply = connection.command(&words).expect("a reply");
    String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned()
}

/// The headings and the names of fields, in order. Commands are sorted: their order is
/// that of a hash table.
fn outline(connection: &mut Connection, section: &str) -> Vec<String> {
    let mut lines: Vec<String> = ask(connection, &format!("INFO {section}"))
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(':').next().unwrap_or(line).to_owned())
        .filter(|name| !NEWER.contains(&name.as_str()))
        .collect();
    for part in lines.split_mut(|line| line.starts_with('#')) {
        let is_by_command =
            |name: &String| name.starts_with("cmdstat_") || name.starts_with("latency_");
        if part.iter().all(is_by_command) {
            part.sort();
        }
    }
    lines
}

#[test]
fn every_field_is_there_in_its_place() {
    let Ok(redis) = ServerSpec::redis() else {
        eprintln!("MISSING: redis-server 7.0, so INFO is not compared");
        return;
    };
    let theirs = start(redis);
    let ours = start(ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre")));
    let mut outlines = [&theirs, &ours].map(|server| {
        let mut connection = server.connect().expect("a connection");
        for line in [
            "CONFIG RESETSTAT",
            "SET a 1",
            "SET b 1 EX 1000",
            "GET a",
            "LPUSH a 1",
            "EVAL return{1} 0",
        ] {
            ask(&mut connection, line);
        }
        let sections = [
            "",
            "all",
            "everything",
            "default",
            "keyspace",
            "commandstats server",
        ];
        sections.map(|section| outline(&mut connection, section.trim()))
    });
    let [theirs, ours] = &mut outlines;
    for (theirs, ours) in theirs.iter().zip(ours.iter()) {
        let differs = theirs
            .iter()
            .zip(ours)
            .position(|(their, our)| their != our);
        if let Some(at) = differs {
            panic!("{:?} is {:?} here", &theirs[at..], &ours[at..]);
        }
        assert_eq!(theirs.len(), ours.len());
    }
    assert!(theirs[1].len() > 150, "{:?}", theirs[1]);
}
