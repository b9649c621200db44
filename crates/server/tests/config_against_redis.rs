//! The configuration against a real redis-server 7.0: the same names, the same defaults, the same
//! answers to CONFIG SET. Every difference is listed with its reason.
//!
//! Without a redis-server on the PATH the test says so and passes.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ochre_server::config::change::{Phase, ProtectedConfigs, Rights, set};
use ochre_server::config::command_line::{Invocation, Sources, parse};
use ochre_server::config::load::load;
use ochre_server::config::query::get;
use ochre_server::config::rewrite::{Extent, rewrite};
use ochre_server::config::{Config, Effect, directives};

/// Defaults that differ on purpose, or because the test starts the real server so.
const OTHER_DEFAULTS: [(&str, &str); 3] = [
    ("dir", "each server runs in its own folder"),
    (
        "io-threads",
        "every thread executes commands, so the default is the number of cores",
    ),
    ("port", "the real server listens on a free port"),
];

/// Directives that CONFIG SET is not tried on.
const NOT_TRIED: [(&str, &str); 5] = [
    ("bind", "the real server would listen on what it is told"),
    (
        "maxclients",
        "the real server also asks the system for file descriptors",
    ),
    ("port", "the real server would listen on what it is told"),
    ("requirepass", "the test would have to authenticate"),
    ("jemalloc-bg-thread", "depends on the real server's build"),
];

/// Directives whose answers to CONFIG SET differ on purpose.
const OTHER_ANSWERS: [(&str, &str); 2] = [
    (
        "activedefrag",
        "Redis refuses it unless it was built with an allocator that can help; here it has no effect",
    ),
    (
        "loglevel",
        "Redis 7.2 adds the level \"nothing\", which the error lists",
    ),
];

/// Directives that Redis shows only when asked for by name.
const HIDDEN: [&str; 5] = [
    "key-load-delay",
    "loading-process-events-interval-bytes",
    "rdb-key-save-delay",
    "use-exit-on-panic",
    "watchdog-period",
];

struct RealServer {
    process: Child,
    connection: redis::Connection,
    folder: tempfile::TempDir,
}

impl RealServer {
    /// None when redis-server is not installed.
    fn start() -> Option<RealServer> {
        RealServer::start_with("")
    }

    /// With a configuration file of that text in the server's folder.
    fn start_with(text: &str) -> Option<RealServer> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("redis.conf"), text).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new("redis-server")
            .arg(folder.path().join("redis.conf"))
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let connection = loop {
            match client.get_connection() {
                Ok(connection) => break connection,
                Err(error) => assert!(
                    Instant::now() < deadline,
                    "redis-server does not answer: {error}"
                ),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Some(RealServer {
            process,
            connection,
            folder,
        })
    }

    fn get(&mut self, pattern: &str) -> HashMap<String, String> {
        redis::cmd("CONFIG")
            .arg("GET")
            .arg(pattern)
            .query(&mut self.connection)
            .unwrap()
    }

    /// The error, in the words of the wire.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let result: redis::RedisResult<()> = redis::cmd("CONFIG")
            .arg("SET")
            .arg(name)
            .arg(value)
            .query(&mut self.connection);
        result.map_err(|error| {
            format!(
                "{} {}",
                error.code().unwrap_or("ERR"),
                error.detail().unwrap_or_default()
            )
        })
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ours(config: &Config, pattern: &str) -> HashMap<String, String> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    get(config, &[pattern.as_bytes()])
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn names_defaults_and_answers_are_those_of_redis() {
    let Some(mut real) = RealServer::start() else {
        eprintln!(
            "NOT COMPARED: redis-server is not installed, so the configuration was not checked against it"
        );
        return;
    };
    let mut theirs = real.get("*");
    let mut mine = ours(&Config::default(), "*");

    for name in HIDDEN {
        assert!(
            !theirs.contains_key(name) && !mine.contains_key(name),
            "{name} is shown"
        );
        theirs.extend(real.get(name));
        mine.extend(ours(&Config::default(), name));
    }
    let missing: Vec<&String> = theirs
        .keys()
        .filter(|name| !mine.contains_key(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "names of Redis 7.0 that are unknown here: {missing:?}"
    );

    for (name, value) in &theirs {
        if !OTHER_DEFAULTS.iter().any(|(other, _)| other == name) {
            assert_eq!(&mine[name], value, "the default of {name}");
        }
    }

    let mut differences = Vec::new();
    let mut names: Vec<&String> = theirs.keys().collect();
    names.sort();
    let rights = Rights {
        protected: ProtectedConfigs::Refused,
        phase: Phase::Serving,
    };
    for name in names {
        let refused = directives().any(|directive| {
            matches!(directive.effect, Effect::Refused(_))
                && directive.names().any(|own| own == name)
        });
        if refused || NOT_TRIED.iter().any(|(not, _)| not == name) {
            continue;
        }
        for value in [
            "!!",
            "99999999999999999",
            "-5",
            "",
            "010",
            "1kb",
            "YES",
            "1 2 3",
            "5%",
            "a/b",
        ] {
            let theirs = real.set(name, value);
            let change = set(
                &Config::default(),
                &[name.as_bytes(), value.as_bytes()],
                rights,
            );
            let mine = change.map_err(|error| error.to_string());
            let same = match (&theirs, &mine) {
                (Ok(()), Ok(change)) => real.get(name)[name] == ours(&change.config, name)[name],
                (Err(theirs), Err(mine)) => theirs == mine,
                _ => false,
            };
            if !same && !OTHER_ANSWERS.iter().any(|(own, _)| own == name) {
                let mine = mine.map(|change| ours(&change.config, name));
                differences.push(format!(
                    "CONFIG SET {name} '{value}': Redis {theirs:?}, here {mine:?}"
                ));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} answers differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Lines that a start must refuse, with Redis's reason.
const WRONG_LINES: [&str; 30] = [
    "foo bar",
    "port abc",
    "port 1 2",
    "port",
    "hz \"10",
    "hz 'a",
    "save 10",
    "save 10 1 20",
    "save 'a b'",
    "loadmodule",
    "rename-command GET",
    "user",
    "daemonize 3",
    "replicaof a",
    "replicaof a 70000",
    "client-output-buffer-limit normal 1",
    "client-output-buffer-limit foo 1 2 3",
    "sentinel foo bar",
    "DIR /nonexistent",
    "logfile /nonexistent/x",
    "maxclients 0",
    "latency-tracking-info-percentiles 1 2 aa",
    "bind-source-addr a b",
    "notify-keyspace-events K E",
    "dbfilename a/b",
    "appendfilename ''",
    "appenddirname a/b",
    "unixsocketperm 999",
    "unixsocketperm 1777",
    "foo.bar",
];

#[test]
fn wrong_lines_are_refused_as_by_redis() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.conf");
    for line in WRONG_LINES {
        std::fs::write(&file, format!("# first\n\n  {line}  \n")).unwrap();
        let Ok(output) = Command::new("redis-server")
            .arg(&file)
            .args(["--port", "0"])
            .output()
        else {
            eprintln!(
                "NOT COMPARED: redis-server is not installed, so start-up errors were not checked against it"
            );
            return;
        };
        let sources = Sources {
            file: Some(file.clone()),
            ..Sources::default()
        };
        let error = load(&sources, std::io::empty())
            .map(drop)
            .unwrap_err()
            .to_string();
        let theirs = String::from_utf8(output.stderr).unwrap();
        // The first two lines name the program.
        let told = |text: &str| text.lines().skip(2).map(String::from).collect::<Vec<_>>();
        assert_eq!(told(&error), told(&theirs), "{line}");
        assert_eq!(output.status.code(), Some(1), "{line}");
    }
}

/// Command lines that a start must refuse; each ends the real server at once.
const WRONG_COMMAND_LINES: [&[&str]; 8] = [
    &["--port", "0", "--hz", "aa"],
    &["--port", "0", "--hz"],
    &["--port", "0", "--save", "", "--hz", "aa"],
    &["--port", "0", "--save", "--hz", "aa"],
    &["--port", "0", "foo", "bar", "--hz", "aa"],
    &["--port", "0", "--save", "10 1", "20 2", "--hz", "aa"],
    &[
        "--port",
        "0",
        "--hz 10",
        "--requirepass",
        "--foo",
        "--hz",
        "aa",
    ],
    &["--port", "0", "--proc-title-template", "--hz", "aa"],
];

#[test]
fn wrong_command_lines_are_refused_as_by_redis() {
    for arguments in WRONG_COMMAND_LINES {
        let Ok(output) = Command::new("redis-server").args(arguments).output() else {
            eprintln!(
                "NOT COMPARED: redis-server is not installed, so command lines were not checked against it"
            );
            return;
        };
        let Invocation::Serve(sources) = parse(arguments.iter().map(Into::into)) else {
            panic!("{arguments:?} starts no server");
        };
        let error = load(&sources, std::io::empty())
            .map(drop)
            .unwrap_err()
            .to_string();
        let theirs = String::from_utf8(output.stderr).unwrap();
        let told = |text: &str| text.lines().skip(2).map(String::from).collect::<Vec<_>>();
        assert_eq!(told(&error), told(&theirs), "{arguments:?}");
    }
}

/// Old names, doubled lines, odd spacing, comments: what CONFIG REWRITE must tidy.
const UNTIDY: &str = "\
# top

bind 127.0.0.1 ::1
bind 127.0.0.1
client-output-buffer-limit slave 1mb 1mb 1 normal 5 5 5
oom-score-adj-values 1 2 3
save 10 1
save 20 2
# mid



maxmemory 100mb
maxmemory 200mb
slave-read-only no
hash-max-ziplist-entries 7
list-max-ziplist-size -3
lua-time-limit 100
rename-command GET \"\"
include /dev/null
notify-keyspace-events KEA
masterauth \"a b\"
unixsocketperm 700
maxmemory-clients 5%
shutdown-on-sigterm nosave now
proc-title-template \"{title} x\"
min-slaves-to-write 1
  hz   20
appendfsync always
";

#[test]
fn a_rewritten_file_is_the_one_that_redis_writes() {
    let Some(mut real) = RealServer::start_with(UNTIDY) else {
        eprintln!(
            "NOT COMPARED: redis-server is not installed, so CONFIG REWRITE was not checked against it"
        );
        return;
    };
    let changes = [
        ("masterauth", ""),
        ("save", "5 5"),
        ("bind", "* -::*"),
        ("tcp-keepalive", "33"),
        ("stream-node-max-bytes", "8192"),
        ("replica-announce-ip", "1.2.3.4"),
    ];
    let file = real.folder.path().join("ours.conf");
    std::fs::write(&file, UNTIDY).unwrap();
    let sources = Sources {
        file: Some(file.clone()),
        options: format!("dir {}", real.folder.path().display()).into(),
        ..Sources::default()
    };
    let mut config = load(&sources, std::io::empty()).unwrap().config;
    let rights = Rights {
        protected: ProtectedConfigs::Refused,
        phase: Phase::Serving,
    };
    for (name, value) in changes {
        real.set(name, value).unwrap();
        config = set(&config, &[name.as_bytes(), value.as_bytes()], rights)
            .unwrap()
            .config;
    }
    let () = redis::cmd("CONFIG")
        .arg("REWRITE")
        .query(&mut real.connection)
        .unwrap();
    rewrite(
        Some(&file),
        &config,
        &["default on nopass ~* &* +@all".into()],
        Extent::Changes,
    )
    .unwrap();

    let read = |name: &str| std::fs::read_to_string(real.folder.path().join(name)).unwrap();
    let (theirs, ours) = (read("redis.conf"), read("ours.conf"));
    let parts = |text: &str| {
        let (kept, added) = text.split_once("# Generated by CONFIG REWRITE\n").unwrap();
        let mut added: Vec<String> = added.lines().map(String::from).collect();
        // The real server was told its port; and it always writes the percentiles.
        added.retain(|line| {
            !line.starts_with("port ") && !line.starts_with("latency-tracking-info")
        });
        added.sort();
        (kept.to_string(), added)
    };
    assert_eq!(parts(&ours), parts(&theirs));
}
