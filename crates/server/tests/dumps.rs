//! Values that go over between this server and a real `redis-server`: as files, as
//! commands of an append-only file, by DUMP and RESTORE, and by MIGRATE. Whatever the
//! way, DEBUG DIGEST of both is the same afterwards.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use ochre_rdb::{ChecksumPolicy, Compression, Encoder, Preamble, Validation, Version, Writer};
use ochre_server::config::choices::{ProtectedAction, RdbVersion};
use ochre_server::persistence::image::{self, Captured, KeptAccess};
use ochre_server::persistence::load::{
    ExpiredKeys, LoadOptions, LoadProgress, LoadSink, ThreadBegin, load,
};
use ochre_server::{Config, Running};
use ochre_store::Store;
use ochre_store::load::Existing;
use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Address, Server, ServerSpec};

struct Libraries(Vec<Vec<u8>>);

impl LoadSink for Libraries {
    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        self.0.push(code.to_vec());
        Ok(())
    }
}

/// This server, writing what Redis 7.0 reads.
fn ochre() -> Running {
    let mut config = Config::default();
    config.network.port = 0;
    config.security.debug_command = ProtectedAction::Yes;
    config.persistence.rdb_version = RdbVersion::V10;
    ochre_server::Server::start(config).expect("it starts")
}

fn connect(running: &Running) -> Connection {
    let address = running.addresses()[0];
    Connection::open(&Address::Tcp(address)).expect("a connection")
}

fn redis(args: &[&str]) -> Option<Server> {
    let spec = match ServerSpec::redis() {
        Ok(spec) => spec,
        Err(error) => {
            eprintln!("not tested: {error}");
            return None;
        }
    };
    let server = spec.with_args(args.iter().copied()).start();
    Some(server.unwrap_or_else(|error| panic!("{error}")))
}

fn ask<A: AsRef<[u8]>>(connection: &mut Connection, words: &[A]) -> Reply {
    let reply = connection.command(words).expect("a reply");
    if let Some(error) = reply.error() {
        let name = words[0].as_ref().escape_ascii();
        panic!("{name}: {}", error.escape_ascii());
    }
    reply
}

fn line(connection: &mut Connection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    ask(connection, &words)
}

fn digest(connection: &mut Connection) -> Reply {
    line(connection, "DEBUG DIGEST")
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ len as u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Keys of every type and encoding, with and without deadlines, in two databases.
fn populate(to: &mut Connection) {
    for text in [
        "0",
        "-1",
        "128",
        "-129",
        "2147483648",
        "9223372036854775807",
        "007",
        "3.14",
    ] {
        line(to, &format!("SET string:{text} {text}"));
    }
    for len in [0, 20, 21, 44, 45, 4_097, 16_384, 300_000] {
        let key = format!("noise:{len}").into_bytes();
        ask(to, &[b"SET".to_vec(), key, noise(len)]);
        let key = format!("zeros:{len}").into_bytes();
        ask(to, &[b"SET".to_vec(), key, vec![b'0'; len]]);
    }
    line(to, "SET 12345 x PXAT 4102444800123");
    line(to, "SETBIT bits 100000 1");
    line(to, "PFADD hyperloglog a b c");
    line(to, "RPUSH list:small a 1 -5 99999999999");
    line(to, "SADD set:16 1 2 -3 32767");
    line(to, "SADD set:64 1 -9223372036854775808");
    line(to, "SADD set:small a 1 2147483648");
    line(to, "HSET hash:small f v 1 2 n -123456");
    line(
        to,
        "ZADD zset:small 1 a 1 b inf max -inf min 3.14159265358979 pi 5e-324 tiny 0.1 17",
    );
    line(to, "PEXPIREAT zset:small 4102444800123");
    for at in 0_i64..1_500 {
        line(to, &format!("RPUSH list:large element:{at}"));
        line(to, &format!("SADD set:large member:{at}"));
        line(to, &format!("SADD set:integers {}", at * at * 1_000));
        line(to, &format!("HSET hash:large field:{at} {}", at * 3));
        line(
            to,
            &format!("ZADD zset:large {} m{at}", (at % 50) as f64 / 7.0),
        );
        line(
            to,
            &format!(
                "XADD stream:large {}-{} t 21 at {at}",
                1_000 + at / 3,
                at + 1
            ),
        );
    }
    ask(
        to,
        &[b"RPUSH".to_vec(), b"list:large".to_vec(), noise(20_000)],
    );
    ask(
        to,
        &[
            b"HSET".to_vec(),
            b"hash:wide".to_vec(),
            b"f".to_vec(),
            noise(1_000),
        ],
    );
    line(to, "XDEL stream:large 1000-1 1001-5");
    line(to, "XGROUP CREATE stream:large first 0");
    line(to, "XGROUP CREATE stream:large last $");
    for (consumer, count) in [("alice", 10), ("bob", 300)] {
        let group =
            format!("XREADGROUP GROUP first {consumer} COUNT {count} STREAMS stream:large >");
        line(to, &group);
    }
    line(to, "XACK stream:large first 1000-2");
    line(to, "XGROUP CREATE stream:empty group $ MKSTREAM");
    line(to, "SELECT 3");
    line(to, "SET in:three x");
    line(to, "RPUSH list:expiring a b");
    line(to, "PEXPIREAT list:expiring 4102444800000");
    line(to, "SELECT 0");
}

fn options(running: &Running) -> LoadOptions {
    LoadOptions {
        delay_us: 0,
        threads: 2,
        begin: ThreadBegin::default(),
        expired: ExpiredKeys::Drop,
        existing: Existing::Refuse,
        checksum: ChecksumPolicy::Verify,
        validation: Validation::Structure,
        settings: running.server().live().settings.clone(),
        now_ms: 1_700_000_000_000,
    }
}

/// Every entry of a store, database by database.
fn visit(store: &Store, mut visit: impl FnMut(u16, &ochre_store::Entry)) {
    let held = store.stripes.exclusive();
    for db in 0..store.databases() as u16 {
        for index in 0..store.stripes.count() as u32 {
            let stripe = held.stripe(index).expect("all are held");
            if let Some(database) = stripe.database(db) {
                database.table().iter().for_each(|entry| visit(db, entry));
            }
        }
    }
}

fn write_file(store: &Store, compression: Compression) -> Vec<u8> {
    let encoder = Encoder::new(Version::V10, compression);
    let mut writer = Writer::new(Vec::new(), encoder, ChecksumPolicy::Verify).unwrap();
    writer.preamble(&Preamble::default()).unwrap();
    let mut selected = None;
    visit(store, |db, entry| {
        if selected != Some(db) {
            writer.select_db(u32::from(db)).unwrap();
            selected = Some(db);
        }
        let (encoder, out) = writer.parts();
        let mut small = Vec::new();
        match image::capture(entry, KeptAccess::Nothing, encoder, &mut small) {
            Captured::Encoded => out.write_all(&small).unwrap(),
            Captured::Frozen(frozen) => frozen.encode(encoder, out).unwrap(),
        }
    });
    writer.finish().unwrap()
}

#[test]
fn files_go_both_ways() {
    let Some(redis_server) = redis(&["--dbfilename", "theirs.rdb"]) else {
        return;
    };
    let mut theirs = redis_server.connect().unwrap();
    populate(&mut theirs);
    line(&mut theirs, "SAVE");
    let file = fs::read(redis_server.folder().join("theirs.rdb")).unwrap();

    let running = ochre();
    let mut ours = connect(&running);
    let (mut libraries, progress) = (Libraries(Vec::new()), LoadProgress::default());
    let options = options(&running);
    let store = &running.server().store;
    let loaded = load(store, &file[..], &options, &mut libraries, &progress).unwrap();
    assert!(loaded.counts.keys > 30);
    assert_eq!(digest(&mut ours), digest(&mut theirs));
    for key in [
        "set:integers",
        "set:small",
        "hash:large",
        "zset:small",
        "list:large",
        "list:small",
    ] {
        let encoding = line(&mut ours, &format!("OBJECT ENCODING {key}"));
        let expected: &[u8] = match key {
            "set:integers" | "hash:large" => b"hashtable",
            "list:large" => b"quicklist",
            _ => b"listpack",
        };
        assert_eq!(encoding, Reply::Bulk(expected.to_vec()), "{key}");
    }

    for compression in [Compression::Lzf, Compression::Off] {
        let folder = tempfile::tempdir().unwrap();
        let file = write_file(store, compression);
        fs::write(folder.path().join("ours.rdb"), file).unwrap();
        let dir = folder.path().to_str().unwrap();
        let again = redis(&["--dbfilename", "ours.rdb", "--dir", dir]).unwrap();
        let mut again = again.connect().unwrap();
        assert_eq!(digest(&mut again), digest(&mut ours), "{compression:?}");
    }

    let mut commands = b"*1\r\n$8\r\nFLUSHALL\r\n".to_vec();
    let mut selected = None;
    visit(store, |db, entry| {
        if selected != Some(db) {
            let text = db.to_string();
            let select = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{text}\r\n", text.len());
            commands.extend_from_slice(select.as_bytes());
            selected = Some(db);
        }
        match image::capture_as_commands(entry, &mut commands) {
            Captured::Encoded => (),
            Captured::Frozen(frozen) => frozen.encode_as_commands(&mut commands).unwrap(),
        }
    });
    commands.extend_from_slice(b"*2\r\n$4\r\nECHO\r\n$4\r\ndone\r\n");
    let mut feed = redis_server.connect().unwrap();
    feed.send_bytes(&commands).unwrap();
    loop {
        let reply = feed.read_reply().unwrap().reply;
        assert_eq!(reply.error(), None, "{reply:?}");
        if reply == Reply::Bulk(b"done".to_vec()) {
            break;
        }
    }
    assert_eq!(digest(&mut theirs), digest(&mut ours));
}

fn bulk(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

fn keys(of: &mut Connection) -> Vec<Vec<u8>> {
    match line(of, "KEYS *") {
        Reply::Array(keys) => keys.into_iter().map(bulk).collect(),
        other => panic!("{other:?}"),
    }
}

/// Dumps every key of one server into the other; returns the dumps.
fn copy_all(from: &mut Connection, to: &mut Connection) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut dumps = Vec::new();
    for db in ["0", "3"] {
        ask(from, &["SELECT", db]);
        ask(to, &["SELECT", db]);
        for key in keys(from) {
            let payload = bulk(ask(from, &[b"DUMP", &key[..]]));
            let ttl = match ask(from, &[b"PEXPIRETIME", &key[..]]) {
                Reply::Integer(at) => at.max(0).to_string(),
                other => panic!("{other:?}"),
            };
            let words = [
                b"RESTORE",
                &key[..],
                ttl.as_bytes(),
                &payload[..],
                b"ABSTTL",
            ];
            ask(to, &words);
            dumps.push((key, payload));
        }
    }
    line(from, "SELECT 0");
    line(to, "SELECT 0");
    dumps
}

#[test]
fn dumps_go_both_ways() {
    let Some(redis_server) = redis(&[]) else {
        return;
    };
    let mut theirs = redis_server.connect().unwrap();
    populate(&mut theirs);
    let running = ochre();
    let mut ours = connect(&running);
    // Which of many compressed forms is written is not defined.
    line(&mut theirs, "CONFIG SET rdbcompression no");
    line(&mut ours, "CONFIG SET rdbcompression no");
    let dumps = copy_all(&mut theirs, &mut ours);
    assert_eq!(digest(&mut ours), digest(&mut theirs));
    // Where the order of elements is defined, the bytes are Redis's own.
    for (key, payload) in &dumps {
        let unordered = [
            &b"set:small"[..],
            b"set:large",
            b"set:integers",
            b"hash:large",
        ];
        if unordered.contains(&&key[..]) || key.starts_with(b"in:") || key == b"list:expiring" {
            continue;
        }
        let own = bulk(ask(&mut ours, &[b"DUMP", &key[..]]));
        assert!(own == *payload, "{}", key.escape_ascii());
        let object = line(
            &mut ours,
            &format!("DEBUG OBJECT {}", String::from_utf8_lossy(key)),
        );
        let text = String::from_utf8_lossy(object.text().unwrap()).into_owned();
        let wanted = format!(" serializedlength:{} ", payload.len() - 11);
        assert!(text.contains(&wanted), "{text} has not {wanted}");
    }
    line(&mut theirs, "FLUSHALL");
    line(&mut ours, "CONFIG SET rdbcompression yes");
    copy_all(&mut ours, &mut theirs);
    assert_eq!(digest(&mut ours), digest(&mut theirs));
}

fn error(connection: &mut Connection, words: &[&str]) -> String {
    let reply = connection.command(words).unwrap();
    let error = reply
        .error()
        .unwrap_or_else(|| panic!("{words:?}: {reply:?}"));
    String::from_utf8_lossy(error).into_owned()
}

#[test]
fn keys_migrate_both_ways() {
    let Some(redis_server) = redis(&[]) else {
        return;
    };
    let mut theirs = redis_server.connect().unwrap();
    populate(&mut theirs);
    let before = digest(&mut theirs);
    let running = ochre();
    let mut ours = connect(&running);
    let our_port = running.addresses()[0].port().to_string();
    let their_port = redis_server.port().to_string();
    for (from, to, port) in [(0, 1, &our_port), (1, 0, &their_port)] {
        for db in ["0", "3"] {
            let sides = [&mut theirs, &mut ours];
            let [source, target] = if from < to {
                sides
            } else {
                let [theirs, ours] = sides;
                [ours, theirs]
            };
            ask(source, &["SELECT", db]);
            ask(target, &["SELECT", db]);
            let mut words: Vec<Vec<u8>> = [
                "MIGRATE",
                "127.0.0.1",
                port,
                "",
                db,
                "5000",
                "KEYS",
                "nosuch",
            ]
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
            words.extend(keys(source));
            assert_eq!(ask(source, &words), Reply::Simple(b"OK".to_vec()));
            assert_eq!(line(source, "DBSIZE"), Reply::Integer(0));
        }
        if from < to {
            assert_eq!(digest(&mut ours), before);
        }
    }
    assert_eq!(digest(&mut theirs), before);

    line(&mut ours, "SELECT 0");
    line(&mut theirs, "SELECT 0");
    line(&mut ours, "SET k ours");
    line(&mut theirs, "SET k theirs");
    let migrate = |options: &'static str| {
        let line = format!("MIGRATE 127.0.0.1 {their_port} k 0 5000 {options}");
        line.trim_end()
            .split(' ')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let words = migrate("");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let busy = error(&mut ours, &words);
    assert_eq!(
        busy,
        "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    );
    assert_eq!(line(&mut ours, "GET k"), Reply::Bulk(b"ours".to_vec()));
    ask(&mut ours, &migrate("COPY REPLACE"));
    assert_eq!(line(&mut ours, "GET k"), Reply::Bulk(b"ours".to_vec()));
    assert_eq!(line(&mut theirs, "GET k"), Reply::Bulk(b"ours".to_vec()));
    // Within a transaction too.
    line(&mut ours, "MULTI");
    ask(&mut ours, &migrate("REPLACE"));
    assert_eq!(
        line(&mut ours, "EXEC"),
        Reply::Array(vec![Reply::Simple(b"OK".to_vec())])
    );
    assert_eq!(line(&mut ours, "EXISTS k"), Reply::Integer(0));
    assert_eq!(
        ask(&mut ours, &migrate("")),
        Reply::Simple(b"NOKEY".to_vec())
    );
    line(&mut theirs, "CONFIG SET requirepass secret");
    line(&mut ours, "SET k again");
    let refused = error(&mut ours, &words);
    assert!(
        refused.starts_with("ERR Target instance replied with error: NOAUTH"),
        "{refused}"
    );
    ask(&mut ours, &migrate("REPLACE AUTH2 default secret"));
    line(&mut ours, "SET k again");
    ask(&mut ours, &migrate("REPLACE AUTH secret"));
    assert_eq!(line(&mut ours, "EXISTS k"), Reply::Integer(0));
    line(&mut theirs, "CONFIG SET requirepass ");
}

#[test]
fn a_server_that_does_not_answer_keeps_no_key() {
    let running = ochre();
    let mut ours = connect(&running);
    line(&mut ours, "SET k v");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let words = ["MIGRATE", "127.0.0.1", &port, "k", "0", "50"];
    let failure = error(&mut ours, &words);
    assert_eq!(failure, "IOERR error or timeout reading to target instance");
    drop(silent);
    let failure = error(&mut ours, &words);
    assert_eq!(failure, "IOERR error or timeout writing to target instance");
    assert_eq!(line(&mut ours, "GET k"), Reply::Bulk(b"v".to_vec()));
    // While nobody answers, the key can be written by others, and stays.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let mut other = connect(&running);
    ours.send(&["MIGRATE", "127.0.0.1", &port, "k", "0", "300"])
        .unwrap();
    line(&mut other, "SET k w");
    let failed = ours.read_reply().unwrap().reply;
    assert!(failed.error().is_some());
    assert_eq!(line(&mut ours, "GET k"), Reply::Bulk(b"w".to_vec()));
}

/// Reads one command; returns its words.
fn read_command(from: &mut impl BufRead) -> Vec<Vec<u8>> {
    let count = |from: &mut dyn BufRead, mark: char| -> usize {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line.trim_end().strip_prefix(mark).unwrap().parse().unwrap()
    };
    let words = count(from, '*');
    let mut command = Vec::new();
    for _ in 0..words {
        let len = count(from, '$');
        let mut word = vec![0; len + 2];
        from.read_exact(&mut word).unwrap();
        word.truncate(len);
        command.push(word);
    }
    command
}

#[test]
fn a_key_that_changes_on_its_way_is_sent_again() {
    let mut config = Config::default();
    config.network.port = 0;
    config.threads.workers = 2;
    let running = ochre_server::Server::start(config).expect("it starts");
    let (mut ours, mut other) = (connect(&running), connect(&running));
    line(&mut ours, "SET k first");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port().to_string();
    let words = [
        "MIGRATE",
        "127.0.0.1",
        &port,
        "",
        "0",
        "5000",
        "KEYS",
        "k",
        "k",
    ];
    ours.send(&words).unwrap();
    let (mut stream, _) = target.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(read_command(&mut reader), [&b"SELECT"[..], b"0"]);
    let first = read_command(&mut reader);
    assert_eq!(first[..3], [&b"RESTORE"[..], b"k", b"0"]);
    // The first attempt has no reason to replace anything.
    assert_eq!(first.len(), 4);
    line(&mut other, "SET k second");
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    let second = read_command(&mut reader);
    assert!(second[3] != first[3], "another value");
    assert_eq!(second[4], b"REPLACE");
    line(&mut other, "DEL k");
    stream.write_all(b"+OK\r\n").unwrap();
    assert_eq!(read_command(&mut reader), [&b"DEL"[..], b"k"]);
    stream.write_all(b":1\r\n").unwrap();
    assert_eq!(
        ours.read_reply().unwrap().reply,
        Reply::Simple(b"OK".to_vec())
    );
    assert_eq!(line(&mut ours, "EXISTS k"), Reply::Integer(0));
}

#[test]
fn the_checksum_is_looked_at_unless_told_otherwise() {
    let running = ochre();
    let mut ours = connect(&running);
    line(&mut ours, "SET k v");
    let mut payload = bulk(line(&mut ours, "DUMP k"));
    let last = payload.len() - 1;
    payload[last] ^= 1;
    let words = [b"RESTORE", &b"new"[..], b"0", &payload];
    let reply = ours.command(&words).unwrap();
    assert_eq!(
        reply.error(),
        Some(&b"ERR DUMP payload version or checksum are wrong"[..])
    );
    line(&mut ours, "DEBUG SET-SKIP-CHECKSUM-VALIDATION 1");
    line(&mut ours, "CONFIG SET timeout 0");
    // Another worker's connection hears of it as soon as that worker does.
    let mut restored = false;
    for _ in 0..100 {
        restored = ours.command(&words).unwrap().error().is_none();
        if restored {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(restored);
    assert_eq!(line(&mut ours, "GET new"), Reply::Bulk(b"v".to_vec()));
}
