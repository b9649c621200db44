//! What is on disk is what was in memory: the append-only file against the keyspace it
//! records, snapshots taken under load against the journal, and both against a real
//! `redis-server`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ochre_testkit::differential::{Endpoint, Pair};
use ochre_testkit::generate::families::family;
use ochre_testkit::resp::{Connection, Protocol, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

/// Everything in one folder, in a form that Redis 7.0 reads.
const APPEND_ONLY: [&str; 6] = [
    "--appendonly",
    "yes",
    "--rdb-version",
    "10",
    "--auto-aof-rewrite-percentage",
    "0",
];

fn ochre() -> ServerSpec {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
}

fn start(spec: &ServerSpec) -> Server {
    spec.start().unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    let mut connection = server.connect().unwrap();
    connection.set_reply_timeout(Duration::from_secs(60));
    connection
}

fn digest(server: &Server) -> String {
    let reply = connect(server).command(&["DEBUG", "DIGEST"]).unwrap();
    String::from_utf8_lossy(reply.text().expect("a digest")).into_owned()
}

fn ok(reply: &Reply) {
    assert!(reply.error().is_none(), "{reply:?}");
}

fn info(connection: &mut Connection, field: &str) -> String {
    let reply = connection.command(&["INFO", "persistence"]).unwrap();
    let text = String::from_utf8_lossy(reply.text().expect("text")).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("INFO has no {field}"))
        .to_owned()
}

fn wait_for(connection: &mut Connection, field: &str, value: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while info(connection, field) != value {
        assert!(Instant::now() < deadline, "{field} does not become {value}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a server on a copy of files, without persistence of its own.
fn load_copy(spec: &ServerSpec, files: &[PathBuf], to: &str) -> Server {
    let mut server = start(spec);
    server.stop();
    let folder = server.folder().join(to);
    std::fs::create_dir_all(&folder).unwrap();
    for file in files {
        std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    server
        .restart()
        .unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    server
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// What a family of generated commands has left is what its append-only file makes, here
/// and in Redis.
fn check_recording(name: &str) {
    let spec = ochre().with_args(APPEND_ONLY);
    let server = start(&spec);
    let oracle = start(&ServerSpec::redis().unwrap_or_else(|error| panic!("{error}")));
    let mut pair = Pair::of(
        Endpoint::Remote(oracle.address().clone()),
        Endpoint::Remote(server.address().clone()),
    )
    .unwrap_or_else(|error| panic!("{error}"));
    pair.only_known_commands().unwrap();
    let family = family(name).expect("a family of this name");
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        pair.check_family(family, 7, 300, protocol)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    // What is about to expire would be gone from one of the two.
    let mut connection = connect(&server);
    for db in 0..16 {
        ok(&connection.command(&["SELECT", &db.to_string()]).unwrap());
        let keys = connection.command(&["KEYS", "*"]).unwrap();
        for key in keys.elements().unwrap() {
            let key = key.text().unwrap();
            ok(&connection.command(&[b"PERSIST", key]).unwrap());
        }
    }
    ok(&connection.command(&["WAITAOF", "1", "0", "0"]).unwrap());
    let expected = digest(&server);
    let files = files_of(&server.folder().join("appendonlydir"));
    let again = load_copy(&spec, &files, "appendonlydir");
    assert_eq!(digest(&again), expected, "{name}: loaded by Ochre");
    let redis = ServerSpec::redis()
        .unwrap()
        .with_args(["--appendonly", "yes"]);
    let redis = load_copy(&redis, &files, "appendonlydir");
    assert_eq!(digest(&redis), expected, "{name}: loaded by Redis");
}

macro_rules! recorded_families {
    ($($name:ident),* $(,)?) => {
        mod recording {
            $(#[test] fn $name() { super::check_recording(stringify!($name)); })*
        }
    };
}

recorded_families!(
    strings,
    bitmaps,
    generic,
    expiry,
    lists,
    hashes,
    sets,
    zsets,
    streams,
    geo,
    hyperloglog,
    sort,
    blocking,
    transactions,
    scripting,
);

/// Writers on several workers whose changes do not commute, on keys that all share.
fn write_until(server: &Server, stop: &AtomicBool, seed: u64) {
    let mut connection = connect(server);
    let mut number = seed;
    while !stop.load(Ordering::Relaxed) {
        let mut pipeline: Vec<Vec<String>> = Vec::new();
        for _ in 0..20 {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(seed | 1);
            let key = (number >> 33) % 50;
            let words: &[&str] = match (number >> 40) % 14 {
                0 => &["APPEND", "string", "x"],
                1 => &["INCRBYFLOAT", "float", "0.5"],
                2 => &["RPUSH", "list", "v", "w"],
                3 => &["LPOP", "list"],
                4 => &["SPOP", "set"],
                5 => &["SADD", "set", "a", "b"],
                6 => &["ZINCRBY", "zset", "1.5", "m"],
                7 => &["HINCRBY", "hash", "f", "3"],
                8 => &["XADD", "stream", "MAXLEN", "~", "1000", "*", "f", "v"],
                9 => &[
                    "EVAL",
                    "redis.call('append',KEYS[1],ARGV[1]) redis.call('rpush',KEYS[2],ARGV[1])",
                    "2",
                    "string",
                    "list",
                ],
                10 => &["RENAME", "string", "moved"],
                11 => &["SWAPDB", "0", "1"],
                12 => &["ZADD", "big", "1"],
                _ => &["GETDEL", "string"],
            };
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            match words[0].as_str() {
                "EVAL" => words.push(format!("<{number}>")),
                "ZADD" => words.push(format!("member:{}", number % 5000)),
                "SADD" => words.push(format!("{}", number % 1000)),
                "GETDEL" | "APPEND" => words[1] = format!("string:{key}"),
                _ => {}
            }
            // Rarely: they change everything at once.
            if words[0] == "SWAPDB" && !number.is_multiple_of(16) {
                words = vec![
                    "SET".into(),
                    format!("key:{}", number % 20_000),
                    "v".repeat(30),
                ];
            }
            pipeline.push(words);
        }
        pipeline.push(vec!["MULTI".into()]);
        pipeline.push(vec![
            "RPUSH".into(),
            "log".into(),
            format!("{seed}:{number}:1"),
        ]);
        pipeline.push(vec![
            "RPUSH".into(),
            "log".into(),
            format!("{seed}:{number}:2"),
        ]);
        pipeline.push(vec!["EXEC".into()]);
        connection.pipeline(&pipeline).unwrap();
    }
}

/// Runs `work` while several connections write.
fn under_load<R>(server: &Server, work: impl FnOnce() -> R) -> R {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let stop = &stop;
            scope.spawn(move || write_until(server, stop, seed));
        }
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn the_order_of_the_journal_is_that_of_every_key() {
    let spec = ochre()
        .with_args(APPEND_ONLY)
        .with_args(["--io-threads", "4"]);
    let server = start(&spec);
    under_load(&server, || std::thread::sleep(Duration::from_millis(600)));
    let expected = digest(&server);
    ok(&connect(&server).command(&["DEBUG", "LOADAOF"]).unwrap());
    assert_eq!(digest(&server), expected);
}

#[test]
fn units_are_contiguous_in_the_journal() {
    let spec = ochre()
        .with_args(APPEND_ONLY)
        .with_args(["--io-threads", "4"]);
    let server = start(&spec);
    under_load(&server, || std::thread::sleep(Duration::from_millis(300)));
    ok(&connect(&server)
        .command(&["WAITAOF", "1", "0", "0"])
        .unwrap());
    let increment = server
        .folder()
        .join("appendonlydir/appendonly.aof.1.incr.aof");
    let bytes = std::fs::read(increment).unwrap();
    let mut at = 0;
    let mut first_half: Option<String> = None;
    let mut pairs = 0;
    while at < bytes.len() {
        let (command, length) = ochre_testkit::resp::parse(&bytes[at..]).unwrap().unwrap();
        at += length;
        let words: Vec<String> = command
            .elements()
            .unwrap()
            .iter()
            .map(|word| String::from_utf8_lossy(word.text().unwrap()).into_owned())
            .collect();
        let is_log = words[0] == "RPUSH" && words[1] == "log";
        match first_half.take() {
            Some(first) => {
                assert!(is_log, "{words:?} stands within a transaction");
                assert_eq!(words[2].strip_suffix(":2"), first.strip_suffix(":1"));
                pairs += 1;
            }
            None if is_log && words[2].ends_with(":1") => first_half = Some(words[2].clone()),
            None => {}
        }
    }
    assert!(pairs > 10, "{pairs}");
}

/// A rewrite is a snapshot at offset S, where the increment before ends: what that and
/// the base before make is what the new base holds.
fn check_snapshot_under_load(form: &str) {
    let spec = ochre().with_args(APPEND_ONLY).with_args([
        "--io-threads",
        "4",
        "--aof-disable-auto-gc",
        "yes",
        "--aof-use-rdb-preamble",
        form,
    ]);
    let server = start(&spec);
    let mut connection = connect(&server);
    let large: Vec<Vec<String>> = (0..300)
        .map(|batch| {
            let mut words = vec!["ZADD".to_owned(), "big".to_owned()];
            for member in 0..100 {
                words.extend(["2".to_owned(), format!("member:{}", batch * 100 + member)]);
            }
            words
        })
        .collect();
    connection.pipeline(&large).unwrap();
    ok(&connection
        .command(&["DEBUG", "POPULATE", "20000", "key"])
        .unwrap());
    ok(&connection.command(&["BGREWRITEAOF"]).unwrap());
    wait_for(&mut connection, "aof_rewrite_in_progress", "0");
    under_load(&server, || {
        std::thread::sleep(Duration::from_millis(200));
        ok(&connection.command(&["BGREWRITEAOF"]).unwrap());
        wait_for(&mut connection, "aof_rewrite_in_progress", "0");
        std::thread::sleep(Duration::from_millis(50));
    });
    assert_eq!(info(&mut connection, "aof_last_bgrewrite_status"), "ok");
    let folder = server.folder().join("appendonlydir");
    let suffix = if form == "yes" { "rdb" } else { "aof" };
    let file = |name: &str| folder.join(format!("appendonly.aof.{name}"));
    let with_manifest = |files: &[(&str, &str)]| {
        let scratch = tempfile::tempdir().unwrap();
        let manifest = scratch.path().join("appendonly.aof.manifest");
        let lines: String = files
            .iter()
            .map(|(name, kind)| {
                let sequence = name.split('.').next().unwrap();
                format!("file appendonly.aof.{name} seq {sequence} type {kind}\n")
            })
            .collect();
        std::fs::write(&manifest, lines).unwrap();
        let mut copies: Vec<PathBuf> = files.iter().map(|(name, _)| file(name)).collect();
        copies.push(manifest);
        let loaded = load_copy(&ochre().with_args(APPEND_ONLY), &copies, "appendonlydir");
        digest(&loaded)
    };
    let (before, increment, after) = (
        format!("2.base.{suffix}"),
        "2.incr.aof".to_owned(),
        format!("3.base.{suffix}"),
    );
    let replayed = with_manifest(&[(&before, "b"), (&increment, "i")]);
    let snapshot = with_manifest(&[(&after, "b")]);
    assert_eq!(snapshot, replayed);
    // And the whole chain is what the server holds.
    let expected = digest(&server);
    let whole = with_manifest(&[(&after, "b"), ("3.incr.aof", "i")]);
    assert_eq!(whole, expected);
}

#[test]
fn a_snapshot_under_load_is_the_state_at_one_offset() {
    check_snapshot_under_load("yes");
}

#[test]
fn a_snapshot_of_commands_under_load_is_the_state_at_one_offset() {
    check_snapshot_under_load("no");
}

#[test]
fn flushes_and_swaps_do_not_disturb_a_snapshot() {
    // Slow enough that everything happens while it is taken.
    let spec = ochre().with_args(["--rdb-key-save-delay", "20", "--rdb-version", "10"]);
    let server = start(&spec);
    let mut connection = connect(&server);
    let run = |connection: &mut Connection, words: &[&str]| {
        ok(&connection.command(words).unwrap());
    };
    run(&mut connection, &["DEBUG", "POPULATE", "20000", "zero"]);
    run(&mut connection, &["SELECT", "1"]);
    run(&mut connection, &["DEBUG", "POPULATE", "5000", "one"]);
    run(
        &mut connection,
        &[
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('f', function() return 1 end)",
        ],
    );
    let expected = digest(&server);
    run(&mut connection, &["BGSAVE"]);
    run(&mut connection, &["SWAPDB", "0", "1"]);
    run(&mut connection, &["SET", "zero:1", "changed"]);
    run(&mut connection, &["SWAPDB", "1", "2"]);
    run(&mut connection, &["FLUSHDB"]);
    run(&mut connection, &["SELECT", "2"]);
    run(&mut connection, &["DEL", "one:7"]);
    run(&mut connection, &["FUNCTION", "FLUSH"]);
    run(&mut connection, &["FLUSHALL"]);
    run(&mut connection, &["SET", "new", "1"]);
    assert_eq!(info(&mut connection, "rdb_bgsave_in_progress"), "1");
    wait_for(&mut connection, "rdb_bgsave_in_progress", "0");
    let files = [server.folder().join("dump.rdb")];
    let loaded = load_copy(&ochre(), &files, "");
    assert_eq!(digest(&loaded), expected);
    let functions = connect(&loaded).command(&["FUNCTION", "LIST"]).unwrap();
    assert_eq!(functions.elements().unwrap().len(), 1);
    let redis = load_copy(&ServerSpec::redis().unwrap(), &files, "");
    assert_eq!(digest(&redis), expected);
    // The next one has everything again.
    run(&mut connection, &["SAVE"]);
    let loaded = load_copy(&ochre(), &files, "");
    assert_eq!(digest(&loaded), digest(&server));
}

#[test]
fn files_of_redis_are_taken_over_and_back() {
    let redis_spec = ServerSpec::redis()
        .unwrap()
        .with_args(["--appendonly", "yes"]);
    let mut redis = start(&redis_spec);
    let mut connection = connect(&redis);
    let commands: &[&[&str]] = &[
        &["DEBUG", "POPULATE", "1000"],
        &["BGREWRITEAOF"],
        &["RPUSH", "list", "a", "b"],
        &["SET", "expiring", "v", "EX", "1000"],
        &["XADD", "stream", "*", "f", "v"],
        &["XGROUP", "CREATE", "stream", "g", "0"],
        &["XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"],
        &[
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('f', function() return 1 end)",
        ],
    ];
    for command in commands {
        ok(&connection.command(command).unwrap());
    }
    wait_for(&mut connection, "aof_rewrite_in_progress", "0");
    let expected = digest(&redis);
    drop(connection);
    redis.stop();
    let files = files_of(&redis.folder().join("appendonlydir"));
    let mut taken = load_copy(&ochre().with_args(APPEND_ONLY), &files, "appendonlydir");
    assert_eq!(digest(&taken), expected);
    let mut connection = connect(&taken);
    ok(&connection.command(&["BGREWRITEAOF"]).unwrap());
    wait_for(&mut connection, "aof_rewrite_in_progress", "0");
    ok(&connection.command(&["SET", "more", "1"]).unwrap());
    let expected = digest(&taken);
    drop(connection);
    taken.stop();
    let files = files_of(&taken.folder().join("appendonlydir"));
    let back = load_copy(&redis_spec, &files, "appendonlydir");
    assert_eq!(digest(&back), expected);
}

#[test]
fn an_old_single_file_is_upgraded() {
    let mut server = start(&ochre());
    server.stop();
    let text = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    std::fs::write(server.folder().join("appendonly.aof"), text).unwrap();
    server.restart_with(APPEND_ONLY).unwrap();
    let mut connection = connect(&server);
    assert_eq!(
        connection.command(&["GET", "k"]).unwrap().text(),
        Some(&b"v"[..])
    );
    assert!(
        server
            .folder()
            .join("appendonlydir/appendonly.aof")
            .exists()
    );
    assert!(!server.folder().join("appendonly.aof").exists());
}

#[test]
fn bad_files_are_refused_with_their_place() {
    let check = |name: &str, bytes: &[u8], args: &[&str], expected: &str| {
        let mut server = start(&ochre());
        server.stop();
        let path = server.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        let mut all = vec!["--save", ""];
        all.extend_from_slice(args);
        let refused = server.restart_with(all);
        assert!(refused.is_err(), "{name} was taken");
        let log = server.log();
        assert!(log.contains(expected), "{expected:?} is not in\n{log}");
    };
    check("dump.rdb", b"REDIS0011\xff", &[], "byte");
    check("dump.rdb", b"NOTREDIS0011", &[], "byte 0");
    check("dump.rdb", b"REDIS0099", &[], "version");
    let single = |text: &'static str| text.as_bytes();
    let aof = &["--appendonly", "yes"];
    check(
        "appendonly.aof",
        single("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nNOPE\r\n"),
        aof,
        "Unknown command 'NOPE'",
    );
    check(
        "appendonly.aof",
        single("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\nrubbish\r\n"),
        aof,
        "Bad file format reading the append only file",
    );
    check(
        "appendonlydir/appendonly.aof.manifest",
        b"nonsense\n",
        aof,
        "Invalid AOF manifest file format",
    );
    check(
        "appendonly.aof",
        single("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk"),
        &["--appendonly", "yes", "--aof-load-truncated", "no"],
        "Unexpected end of file reading the append only file",
    );
}

#[test]
fn commands_are_refused_while_the_dataset_is_loaded() {
    let mut server = start(&ochre().with_args(["--save", "900 1"]));
    let mut connection = connect(&server);
    ok(&connection
        .command(&["DEBUG", "POPULATE", "100000"])
        .unwrap());
    drop(connection);
    // Every key takes its time: loading is met in progress.
    server
        .restart_with(["--save", "", "--enable-debug-command", "yes"])
        .unwrap();
    drop(server);
    let server = start(&ochre().with_args(["--key-load-delay", "1000"]));
    let mut connection = connect(&server);
    ok(&connection.command(&["DEBUG", "POPULATE", "3000"]).unwrap());
    let mut other = connect(&server);
    other.send(&["DEBUG", "RELOAD"]).unwrap();
    wait_for(&mut connection, "loading", "1");
    let refused = connection.command(&["GET", "key:1"]).unwrap();
    assert_eq!(
        refused.error(),
        Some(&b"LOADING Redis is loading the dataset in memory"[..])
    );
    let pong = connection.command(&["PING"]).unwrap();
    assert_eq!(pong.error(), refused.error());
    // Known a moment after commands are refused; still being loaded for seconds.
    while info(&mut connection, "loading_total_bytes") == "0" {
        assert_eq!(info(&mut connection, "loading"), "1");
        std::thread::sleep(Duration::from_millis(5));
    }
    let reloaded = other.read_reply().unwrap();
    ok(&reloaded.reply);
    let size = connection.command(&["DBSIZE"]).unwrap();
    assert_eq!(size.integer(), Some(3000));
}

#[test]
fn save_rules_and_the_end_write_snapshots() {
    let rules = ["--save", "1 5", "--enable-debug-command", "yes"];
    let mut server = start(&ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre")).with_only_args(rules));
    let mut connection = connect(&server);
    for number in 0..5 {
        let key = format!("k{number}");
        ok(&connection.command(&["SET", &key, "v"]).unwrap());
    }
    wait_for(&mut connection, "rdb_changes_since_last_save", "0");
    assert!(server.log().contains("5 changes in 1 seconds. Saving..."));
    assert!(
        server
            .log()
            .contains("Background saving terminated with success")
    );
    ok(&connection.command(&["SET", "last", "v"]).unwrap());
    let expected = digest(&server);
    drop(connection);
    server.stop();
    server.restart().unwrap();
    assert_eq!(digest(&server), expected);
    // NOSAVE means it.
    let mut connection = connect(&server);
    ok(&connection.command(&["SET", "lost", "v"]).unwrap());
    connection.send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    assert!(connection.read_reply().is_err());
    drop(connection);
    server.restart().unwrap();
    assert_eq!(digest(&server), expected);
}

#[test]
fn a_shutdown_that_cannot_save_is_refused() {
    let server = start(&ochre().with_args(["--save", "900 1"]));
    let mut connection = connect(&server);
    ok(&connection.command(&["SET", "k", "v"]).unwrap());
    // A folder in the place of the file: renaming onto it fails, whoever we are.
    std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
    let refused = connection.command(&["SHUTDOWN"]).unwrap();
    assert_eq!(
        refused.error(),
        Some(&b"ERR Errors trying to SHUTDOWN. Check logs."[..])
    );
    // It goes on, but writes are refused until a snapshot succeeds.
    let refused = connection.command(&["SET", "k", "w"]).unwrap();
    assert!(
        refused
            .error()
            .unwrap()
            .starts_with(b"MISCONF Redis is configured to save RDB")
    );
    std::fs::remove_dir(server.folder().join("dump.rdb")).unwrap();
    ok(&connection.command(&["SAVE"]).unwrap());
    ok(&connection.command(&["SET", "k", "w"]).unwrap());
}

#[test]
fn the_append_only_file_is_switched_on_and_off() {
    let spec = ochre().with_args(["--rdb-version", "10"]);
    let mut server = start(&spec);
    let mut connection = connect(&server);
    ok(&connection.command(&["DEBUG", "POPULATE", "1000"]).unwrap());
    let refused = connection.command(&["WAITAOF", "1", "0", "0"]).unwrap();
    assert_eq!(
        refused.error(),
        Some(&b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."[..])
    );
    ok(&connection
        .command(&["CONFIG", "SET", "appendonly", "yes"])
        .unwrap());
    wait_for(&mut connection, "aof_rewrite_in_progress", "0");
    ok(&connection.command(&["SET", "k", "v"]).unwrap());
    let both = connection.command(&["WAITAOF", "1", "0", "0"]).unwrap();
    assert_eq!(both.elements().unwrap()[0].integer(), Some(1));
    let expected = digest(&server);
    ok(&connection
        .command(&["CONFIG", "SET", "appendonly", "no"])
        .unwrap());
    ok(&connection.command(&["SET", "k", "not recorded"]).unwrap());
    drop(connection);
    server
        .restart_with(
            APPEND_ONLY
                .iter()
                .copied()
                .chain(["--enable-debug-command", "yes"]),
        )
        .unwrap();
    assert_eq!(digest(&server), expected);
}

/// With `appendfsync always`, whose commit log has what was acknowledged: the file has it,
/// too, and what somebody takes away from it by hand does not come back.
#[test]
fn a_killed_server_leaves_a_whole_file_that_may_be_edited() {
    let spec = ochre().with_args(APPEND_ONLY);
    let mut server = start(&spec.with_args(["--appendfsync", "always"]));
    let mut connection = connect(&server);
    let folder = server.folder().join("appendonlydir");
    let log = folder.join("appendonly.aof.commits");
    for number in 0..100 {
        let key = format!("key:{number}");
        ok(&connection.command(&["SET", &key, "v"]).unwrap());
    }
    assert!(log.exists());
    let expected = digest(&server);
    ok(&connection.command(&["FLUSHALL"]).unwrap());
    drop(connection);
    server.kill_hard();
    let increment = folder.join("appendonly.aof.1.incr.aof");
    let whole = std::fs::read(&increment).unwrap();
    let flush = b"*1\r\n$8\r\nFLUSHALL\r\n";
    let without = whole.strip_suffix(flush).expect("it is at the end");
    std::fs::write(&increment, without).unwrap();
    let redis_spec = ServerSpec::redis()
        .unwrap()
        .with_args(["--appendonly", "yes"]);
    let files = files_of(&folder);
    assert!(files.contains(&log));
    let redis = load_copy(&redis_spec, &files, "appendonlydir");
    assert_eq!(digest(&redis), expected);
    server.restart().unwrap();
    assert_eq!(digest(&server), expected);
    assert_eq!(std::fs::read(&increment).unwrap(), without);
    server.stop();
    assert!(!log.exists());
}
