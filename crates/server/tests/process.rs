//! The server as a process: how it crashes and what it leaves behind, how it begins
//! again, what it is called, where it runs; and the rest of DEBUG.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Address, Server, ServerSpec};

const ABRT: i32 = 6;
const SEGV: i32 = 11;

fn ochre() -> ServerSpec {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
}

fn start(spec: &ServerSpec) -> Server {
    spec.start().unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection
        .command(words)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.text().unwrap_or_else(|| panic!("{reply:?}"))).into_owned()
}

fn error(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.error().unwrap_or_else(|| panic!("{reply:?}"))).into_owned()
}

/// Sends what ends the process, which is no answer; waits for the end.
fn end(server: &mut Server, words: &[&str]) -> std::process::ExitStatus {
    let mut connection = connect(server);
    connection.set_reply_timeout(Duration::from_secs(30));
    assert!(connection.command(words).is_err(), "{words:?} is answered");
    server.wait().expect("an exit status")
}

fn assert_in_order(log: &str, texts: &[&str]) {
    let mut rest = log;
    for text in texts {
        let (_, after) = rest
            .split_once(text)
            .unwrap_or_else(|| panic!("no {text:?} where it should be in\n{log}"));
        rest = after;
    }
}

const START: &str = "=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const END: &str = "=== REDIS BUG REPORT END. Make sure to include from START to END. ===";

#[test]
fn a_fault_is_reported_with_the_clients_and_the_server() {
    let mut server = start(&ochre());
    let mut other = connect(&server);
    ask(&mut other, &["LRANGE", "k", "0", "-1"]);
    let status = end(&mut server, &["DEBUG", "SEGFAULT"]);
    assert_eq!(status.signal(), Some(SEGV), "{status}");
    let log = server.log();
    assert_in_order(
        &log,
        &[
            START,
            ":M ",
            " # Redis 7.2.",
            " crashed by signal: 11, si_code: 2",
            " # Accessing address: 0x",
            "------ STACK TRACE ------",
            "debug::crash::fault",
            "------ CLIENT LIST OUTPUT ------",
            " cmd=lrange",
            "------ INFO OUTPUT ------",
            "# Server",
            "redis_version:7.2.",
            END,
        ],
    );
}

#[test]
fn a_kill_from_outside_is_reported() {
    let mut server = start(&ochre());
    server.signal(rustix::process::Signal::ABORT);
    let status = server.wait().unwrap();
    assert_eq!(status.signal(), Some(ABRT), "{status}");
    assert_in_order(
        &server.log(),
        &[START, "crashed by signal: 6", "Killed by PID: ", END],
    );
}

#[test]
fn panics_and_failed_assertions_say_what_they_are() {
    for (what, texts) in [
        (
            "PANIC",
            &[
                START,
                "!!! Software Failure. Press left mouse button to continue",
                "Guru Meditation: DEBUG PANIC called at Unix time ",
                " #crash.rs:",
                "STACK TRACE",
                "redis_version:7.2.",
                END,
            ][..],
        ),
        (
            "ASSERT",
            &[
                START,
                "=== ASSERTION FAILED ===",
                "==> crash.rs:",
                "'1 == 2' is not true",
                END,
            ],
        ),
        (
            "OOM",
            &[
                "Out Of Memory allocating 9223372036854775807 bytes!",
                START,
                "Guru Meditation: Redis aborting for OUT OF MEMORY. Allocating \
                 9223372036854775807 bytes!",
                END,
            ],
        ),
    ] {
        let mut server = start(&ochre());
        let status = end(&mut server, &["DEBUG", what]);
        assert_eq!(status.signal(), Some(ABRT), "{what}: {status}");
        let log = server.log();
        assert_in_order(&log, texts);
        assert!(!log.contains("crashed by signal"), "{log}");
    }
}

#[test]
fn crash_reports_are_switched_while_the_server_runs() {
    let mut server = start(&ochre());
    let mut connection = connect(&server);
    ask(
        &mut connection,
        &["CONFIG", "SET", "crash-log-enabled", "no"],
    );
    let status = end(&mut server, &["DEBUG", "SEGFAULT"]);
    assert_eq!(status.signal(), Some(SEGV), "{status}");
    assert!(!server.log().contains("BUG REPORT"), "{}", server.log());

    let mut server = start(&ochre().with_args(["--use-exit-on-panic", "yes"]));
    let status = end(&mut server, &["DEBUG", "PANIC"]);
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(server.log().contains("Guru Meditation"), "{}", server.log());
}

/// Waits until the server answers again and holds what `get` says for a key.
fn value_after_restart(server: &Server, key: &str) -> Reply {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = server
            .connect()
            .ok()
            .and_then(|mut connection| connection.command(&["GET", key]).ok());
        match reply {
            Some(reply) if reply.error().is_none() => return reply,
            _ => assert!(Instant::now() < deadline, "no answer\n{}", server.log()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_graceful_restart_keeps_everything_and_a_crash_what_is_on_disk() {
    let spec = ochre()
        .with_only_args(["--enable-debug-command", "yes"])
        .with_config("save 3600 1\n");
    let mut server = start(&spec);
    let pid = server.pid();
    let mut connection = connect(&server);
    ask(&mut connection, &["SET", "kept", "1"]);
    ask(&mut connection, &["CONFIG", "SET", "hz", "42"]);
    assert!(connection.command(&["DEBUG", "RESTART", "10"]).is_err());
    assert_eq!(text(&value_after_restart(&server, "kept")), "1");
    assert_eq!(server.pid(), pid);
    assert!(server.is_running());
    let mut connection = connect(&server);
    let hz = ask(&mut connection, &["CONFIG", "GET", "hz"]);
    assert_eq!(text(&hz.elements().unwrap()[1]), "42");
    assert_eq!(server.log().matches("Server initialized").count(), 2);

    ask(&mut connection, &["SET", "lost", "1"]);
    assert!(connection.command(&["DEBUG", "CRASH-AND-RECOVER"]).is_err());
    assert_eq!(text(&value_after_restart(&server, "kept")), "1");
    assert_eq!(value_after_restart(&server, "lost"), Reply::NullBulk);
    assert_eq!(server.log().matches("Server initialized").count(), 3);
    assert!(server.stop().unwrap().success());
}

#[test]
fn a_restart_that_cannot_be_is_refused() {
    let server = start(&ochre());
    let mut connection = connect(&server);
    let answer = ask(&mut connection, &["DEBUG", "RESTART", "soon"]);
    assert_eq!(
        error(&answer),
        "ERR value is not an integer or out of range"
    );
    let answer = ask(&mut connection, &["DEBUG", "RESTART", "1", "2"]);
    assert!(error(&answer).starts_with("ERR unknown subcommand"));
}

fn command_line(server: &Server) -> String {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", server.pid().unwrap())).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_title_says_where_the_server_listens() {
    let server = start(&ochre().with_args(["--syslog-ident", "so that there is some room"]));
    let program = env!("CARGO_BIN_EXE_ochre");
    let title = |tail: &str| format!("{program} 127.0.0.1:{}{tail}", server.port());
    let shown = |server: &Server| {
        let line = command_line(server);
        line.split('\0').next().unwrap().to_owned()
    };
    assert_eq!(shown(&server), title(""));
    let mut connection = connect(&server);
    let long = "x".repeat(300);
    for template in [
        "{title} {listen-addr} short",
        &format!("{{title}} {{listen-addr}} {long}"),
    ] {
        ask(
            &mut connection,
            &["CONFIG", "SET", "proc-title-template", template],
        );
        let tail = template.strip_prefix("{title} {listen-addr}").unwrap();
        assert_eq!(shown(&server), title(tail));
    }
    // The environment is whole, wherever the title has been written.
    let answer = ask(
        &mut connection,
        &["CONFIG", "SET", "proc-title-template", "{nosuch}"],
    );
    assert!(error(&answer).contains("template format is invalid"));

    let plain = start(&ochre().with_args(["--set-proc-title", "no"]));
    assert!(command_line(&plain).contains("\0--set-proc-title\0no\0"));
}

/// The processors of each thread of the server, by name.
fn processors(server: &Server) -> Vec<(String, String)> {
    let tasks = format!("/proc/{}/task", server.pid().unwrap());
    let mut threads = Vec::new();
    for task in std::fs::read_dir(tasks).unwrap() {
        let path = task.unwrap().path();
        let Ok(status) = std::fs::read_to_string(path.join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        threads.push((field("Name:"), field("Cpus_allowed_list:")));
    }
    threads
}

#[test]
fn threads_run_on_the_processors_of_their_lists() {
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = own
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap()
        .trim();
    let first = allowed.split([',', '-']).next().unwrap();
    let last = allowed.rsplit([',', '-']).next().unwrap();
    let server = start(&ochre().with_args([
        "--server_cpulist",
        first,
        "--bio-cpulist",
        last,
        "--appendonly",
        "yes",
    ]));
    // The last to come is named, and goes where it should, a moment after it was started.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut threads = processors(&server);
    while !threads.contains(&("ochre-aof".to_owned(), last.to_owned())) {
        assert!(Instant::now() < deadline, "{threads:?}");
        threads = processors(&server);
    }
    let of = |name: &str| -> &str {
        let found = threads.iter().find(|(thread, _)| thread == name);
        &found.unwrap_or_else(|| panic!("{name}: {threads:?}")).1
    };
    for name in ["ochre-0", "ochre-accept"] {
        assert_eq!(of(name), first, "{name}");
    }
    for name in ["ochre-aof", "ochre-free", "ochre-reclaim", "ochre-steward"] {
        assert_eq!(of(name), last, "{name}");
    }
    let refused = ochre().with_args(["--bgsave_cpulist", "3-1"]).start();
    let reason = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        reason.contains("argument must be a list of processors"),
        "{reason}"
    );
}

#[test]
fn a_replicated_command_is_recorded_and_not_executed() {
    let mut server = start(&ochre().with_args(["--appendonly", "yes"]));
    let mut connection = connect(&server);
    for words in [
        &["DEBUG", "REPLICATE", "SET", "a", "1"][..],
        &["DEBUG", "REPLICATE", "all", "set", "b", "2"],
        &["DEBUG", "REPLICATE", "aof"],
    ] {
        assert_eq!(text(&ask(&mut connection, words)), "OK", "{words:?}");
    }
    let answer = ask(&mut connection, &["DEBUG", "REPLICATE", "nonsense"]);
    assert!(error(&answer).contains("'nonsense'"));
    assert_eq!(ask(&mut connection, &["DBSIZE"]), Reply::Integer(0));
    ask(&mut connection, &["WAITAOF", "1", "0", "0"]);
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    let mut connection = connect(&server);
    let values = ask(&mut connection, &["MGET", "a", "b"]);
    let values: Vec<String> = values.elements().unwrap().iter().map(text).collect();
    assert_eq!(values, ["1", "2"]);
}

#[test]
fn the_append_only_file_waits_before_it_writes() {
    const SLEEP_MS: u64 = 300;
    let server = start(&ochre().with_args(["--appendonly", "yes", "--appendfsync", "always"]));
    let mut connection = connect(&server);
    let sleep_us = (SLEEP_MS * 1000).to_string();
    ask(&mut connection, &["DEBUG", "AOF-FLUSH-SLEEP", &sleep_us]);
    let began = Instant::now();
    ask(&mut connection, &["SET", "a", "1"]);
    // A sleep may be longer than asked for, never shorter.
    assert!(began.elapsed() >= Duration::from_millis(SLEEP_MS));
    ask(&mut connection, &["DEBUG", "AOF-FLUSH-SLEEP", "0"]);
    ask(&mut connection, &["SET", "a", "2"]);
}

#[test]
fn every_directive_is_written_on_request() {
    let spec = ochre().with_config("# mine\nhz 20\n");
    let mut server = start(&spec);
    let mut connection = connect(&server);
    let answer = ask(&mut connection, &["DEBUG", "CONFIG-REWRITE-FORCE-ALL"]);
    assert_eq!(text(&answer), "OK");
    let path = server.folder().join("server.conf");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("# mine\nhz 20\n"), "{written}");
    assert!(written.lines().count() > 150, "{written}");
    // It is a configuration that a server starts with.
    server.stop();
    let again = ochre()
        .with_config(written)
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    drop(again);
    let without_file = start(&ochre());
    let answer = ask(
        &mut connect(&without_file),
        &["DEBUG", "CONFIG-REWRITE-FORCE-ALL"],
    );
    assert!(
        error(&answer).contains("without a config file"),
        "{answer:?}"
    );
}

#[test]
fn debug_answers_as_redis_does() {
    let redis = ServerSpec::redis().unwrap_or_else(|error| panic!("{error}"));
    let (redis, ochre) = (start(&redis), start(&ochre()));
    let mut sides = [connect(&redis), connect(&ochre)];
    let mut both = |words: &[&str]| sides.each_mut().map(|side| ask(side, words));
    for words in [
        &["SET", "string", "x"][..],
        &["SADD", "ints", "1", "2"],
        &["HSET", "hash", "a", "1", "b", "x\ny"],
        &["ZADD", "zset", "1", "a"],
        &["RPUSH", "list", "a"],
    ] {
        both(words);
    }
    for words in [
        &["DEBUG", "JMAP"][..],
        &["DEBUG", "LISTPACK"],
        &["DEBUG", "LISTPACK", "hash"],
        &["DEBUG", "LISTPACK", "zset"],
        &["DEBUG", "LISTPACK", "string"],
        &["DEBUG", "LISTPACK", "ints"],
        &["DEBUG", "LISTPACK", "none"],
        &["DEBUG", "HTSTATS-KEY"],
        &["DEBUG", "HTSTATS-KEY", "none"],
        &["DEBUG", "HTSTATS-KEY", "hash"],
        &["DEBUG", "HTSTATS-KEY", "string"],
        &["DEBUG", "STRUCTSIZE", "x"],
        &["DEBUG", "CLIENT-EVICTION"],
        &["DEBUG", "CLIENT-EVICTION", "x"],
        &["DEBUG", "MALLCTL"],
        &["DEBUG", "MALLCTL", "nosuch"],
        &["DEBUG", "MALLCTL", "arenas.narenas", "4"],
        &["DEBUG", "MALLCTL", "arenas.narenas", "x"],
        &["DEBUG", "MALLCTL", "background_thread", "0"],
        &["DEBUG", "MALLCTL-STR", "nosuch"],
        &["DEBUG", "MALLCTL-STR", "opt.dss"],
        &["DEBUG", "MALLCTL-STR", "arena.0.dss", "secondary"],
        &["DEBUG", "AOF-FLUSH-SLEEP"],
        &["DEBUG", "AOF-FLUSH-SLEEP", "x"],
        &["DEBUG", "AOF-FLUSH-SLEEP", "-1"],
        &["DEBUG", "REPLICATE"],
        &["DEBUG", "RESTART", "x"],
        &["DEBUG", "CRASH-AND-RECOVER", "x"],
    ] {
        let [expected, found] = both(words);
        // What background_thread was differs by build.
        let comparable = !words.contains(&"background_thread");
        assert!(
            expected == found || !comparable,
            "{words:?}: {expected:?}, {found:?}"
        );
        assert_eq!(
            expected.error().is_some(),
            found.error().is_some(),
            "{words:?}"
        );
    }
    both(&["CONFIG", "SET", "maxmemory-clients", "100mb"]);
    let [expected, found] = both(&["DEBUG", "CLIENT-EVICTION"]).map(|reply| text(&reply));
    let ranges = |table: &str| -> Vec<String> {
        let range = |line: &str| line.split("tot-mem").next().unwrap_or_default().to_owned();
        table.lines().map(range).collect()
    };
    assert_eq!(ranges(&expected), ranges(&found));
    let names = |reply: &Reply| -> Vec<String> {
        reply
            .elements()
            .unwrap()
            .iter()
            .map(text)
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    };
    let [expected, found] = both(&["DEBUG", "HELP"]).map(|reply| names(&reply));
    // What there is nothing here to look at, or to break: strings with room to spare, the
    // nodes of lists, the cluster's bus; and a test of Redis's own pattern matcher.
    let without = [
        "SDSLEN",
        "QUICKLIST",
        "DROP-CLUSTER-PACKET-FILTER",
        "CLUSTERLINK",
        "STRINGMATCH-TEST",
    ];
    for name in &expected {
        assert!(
            found.contains(name) || without.contains(&name.as_str()),
            "{name} is not in {found:?}"
        );
    }
}

#[test]
fn what_is_blocked_cached_and_interpreted_is_in_info() {
    let server = start(&ochre());
    let mut connection = connect(&server);
    let mut waiting = [connect(&server), connect(&server)];
    waiting[0].send(&["BLPOP", "a", "b", "30"]).unwrap();
    waiting[1].send(&["BLPOP", "b", "0"]).unwrap();
    let info = |connection: &mut Connection, field: &str| -> u64 {
        let all = text(&ask(connection, &["INFO", "everything"]));
        let value = all
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value
            .unwrap_or_else(|| panic!("no {field}"))
            .trim()
            .parse()
            .unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while info(&mut connection, "blocked_clients") < 2 {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(info(&mut connection, "total_blocking_keys"), 2);
    assert_eq!(info(&mut connection, "clients_in_timeout_table"), 1);
    assert_eq!(info(&mut connection, "number_of_cached_scripts"), 0);
    ask(&mut connection, &["EVAL", "return 1", "0"]);
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    ask(&mut connection, &["FUNCTION", "LOAD", library]);
    assert_eq!(info(&mut connection, "number_of_cached_scripts"), 1);
    assert_eq!(info(&mut connection, "number_of_functions"), 1);
    assert_eq!(info(&mut connection, "number_of_libraries"), 1);
    assert!(info(&mut connection, "used_memory_vm_eval") > 0);
    assert!(info(&mut connection, "used_memory_functions") >= library.len() as u64);
}

#[test]
fn a_server_on_a_socket_is_called_by_its_path() {
    let spec = ochre().listening_on(ochre_testkit::servers::Listen::Unix);
    let server = start(&spec);
    let Address::Unix(path) = server.address() else {
        panic!("{}", server.address());
    };
    let expected = format!("{} {}", env!("CARGO_BIN_EXE_ochre"), path.display());
    let line = command_line(&server);
    assert_eq!(line.split('\0').next().unwrap(), expected);
}
