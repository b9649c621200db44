//! Against the real server: what it writes is read as what it says it holds, and
//! what is written here it loads and holds as the same.

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use ochre_rdb::{
    Access, ChecksumPolicy, ChecksumState, Compression, DumpPayload, Encoder, EntryHead, Item,
    ListNode, PlainHash, PlainList, PlainSet, PlainSortedSet, PlainValue, Reader, Str, Validation,
    Version, Writer,
};
use ochre_structures::listpack::Listpack;
use ochre_structures::number;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::old::{self, file_of};
use support::populate::populate;
use support::server::{Reply, Server, is_installed};
use support::{Contents, Meaning, generate, meaning, read_file};

/// What the server says a key holds. Of streams, the entries.
fn ask(server: &mut Server, key: &[u8]) -> Meaning {
    let kind = server.command(&[b"TYPE", key]).bulk();
    match &kind[..] {
        b"string" => Meaning::String(server.command(&[b"GET", key]).bulk()),
        b"list" => Meaning::List(server.command(&[b"LRANGE", key, b"0", b"-1"]).bulks()),
        b"set" => Meaning::Set(
            server
                .command(&[b"SMEMBERS", key])
                .bulks()
                .into_iter()
                .collect(),
        ),
        b"zset" => {
            let pairs = server
                .command(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])
                .bulks();
            let pairs = pairs.chunks_exact(2);
            Meaning::SortedSet(
                pairs
                    .map(|pair| (pair[0].clone(), number::parse_f64(&pair[1]).unwrap()))
                    .collect(),
            )
        }
        b"hash" => {
            let pairs = server.command(&[b"HGETALL", key]).bulks();
            let pairs = pairs.chunks_exact(2);
            Meaning::Hash(
                pairs
                    .map(|pair| (pair[0].clone(), (pair[1].clone(), None)))
                    .collect(),
            )
        }
        b"stream" => {
            let dump = server.command(&[b"DUMP", key]).bulk();
            let Meaning::Stream(mut stream) = meaning_of_dump(&dump) else {
                panic!("the dump of a stream is something else");
            };
            let entries = server.command(&[b"XRANGE", key, b"-", b"+"]).array();
            stream.entries = entries
                .into_iter()
                .map(|entry| {
                    let mut parts = entry.array().into_iter();
                    let id = String::from_utf8(parts.next().unwrap().bulk()).unwrap();
                    let (ms, sequence) = id.split_once('-').unwrap();
                    let id = (ms.parse().unwrap(), sequence.parse().unwrap());
                    (id, parts.next().unwrap().bulks())
                })
                .collect();
            Meaning::Stream(stream)
        }
        other => panic!("unknown type {other:?}"),
    }
}

fn meaning_of_dump(payload: &[u8]) -> Meaning {
    let dump = DumpPayload::open(payload, ChecksumPolicy::Verify).unwrap();
    meaning(&dump.decode(Validation::Full).unwrap())
}

/// What identifies a server's data: the digest of all of it, and of each stream what
/// the digest leaves out.
fn identity(server: &mut Server) -> Vec<Reply> {
    let mut parts = vec![server.command(&["DEBUG", "DIGEST"])];
    let mut keys = server.command(&["KEYS", "stream:*"]).bulks();
    keys.sort();
    for key in keys {
        parts.push(server.command(&[&b"XINFO"[..], b"STREAM", &key, b"FULL"]));
    }
    parts.push(server.command(&["FUNCTION", "LIST", "WITHCODE"]));
    parts.push(server.command(&["DBSIZE"]));
    parts
}

fn compare(server: &mut Server, contents: &Contents) {
    let mut found = 0;
    for database in [0, 3] {
        server.command(&["SELECT", &database.to_string()]);
        for key in server.command(&["KEYS", "*"]).bulks() {
            let name = String::from_utf8_lossy(&key).into_owned();
            let entry = &contents.keys[&(database, key.clone())];
            assert_eq!(entry.value, ask(server, &key), "{name}");
            let Reply::Integer(expiry_ms) = server.command(&[b"PEXPIRETIME", &key[..]]) else {
                panic!("PEXPIRETIME gives no integer");
            };
            assert_eq!(entry.expiry_ms.unwrap_or(-1), expiry_ms, "{name}");
            let dump = server.command(&[b"DUMP", &key[..]]).bulk();
            assert_eq!(entry.value, meaning_of_dump(&dump), "{name}");
            assert_eq!(dump[0], entry.type_code, "{name}");
            found += 1;
        }
    }
    assert_eq!(contents.keys.len(), found);
    server.command(&["SELECT", "0"]);
}

const SMALL_LIMITS: &[&str] = &[
    "--list-max-listpack-size",
    "5",
    "--hash-max-listpack-entries",
    "2",
    "--zset-max-listpack-entries",
    "2",
    "--set-max-intset-entries",
    "2",
    "--stream-node-max-entries",
    "7",
    "--rdbcompression",
    "no",
    "--maxmemory-policy",
    "allkeys-lfu",
    "--maxmemory",
    "1gb",
];

#[test]
fn files_of_the_real_server_are_read() {
    if !is_installed("files_of_the_real_server_are_read") {
        return;
    }
    let lru: &[&str] = &["--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb"];
    let unchecked: &[&str] = &["--rdbchecksum", "no"];
    for arguments in [&[], SMALL_LIMITS, lru, unchecked] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path(), arguments);
        populate(&mut server);
        server.command(&["SAVE"]);
        let path = folder.path().join("dump.rdb");
        let contents = read_file(File::open(path).unwrap(), 64 << 10).unwrap();
        assert_eq!(contents.version, 10);
        assert_eq!(contents.functions.len(), 1);
        let with_checksum = arguments != unchecked;
        let expected = if with_checksum {
            ChecksumState::Verified
        } else {
            ChecksumState::Unchecked
        };
        assert_eq!(contents.checksum, Some(expected));
        let mut accesses = contents.keys.values().map(|entry| entry.access);
        let rightly_used = if arguments == SMALL_LIMITS {
            accesses.all(|access| matches!(access, Some(Access::Frequency(_))))
        } else if arguments == lru {
            accesses.all(|access| matches!(access, Some(Access::Idle { .. })))
        } else {
            accesses.all(|access| access.is_none())
        };
        assert!(rightly_used, "{arguments:?}");
        compare(&mut server, &contents);
    }
}

/// Copies a file through the reader and the writer, with each value passed through
/// `change`.
fn rewrite(
    from: &Path,
    to: &Path,
    compression: Compression,
    change: impl Fn(PlainValue<'_>) -> PlainValue<'_>,
) {
    let encoder = Encoder::new(Version::V10, compression);
    let file = File::create(to).unwrap();
    let mut writer = Writer::new(file, encoder, ChecksumPolicy::Verify).unwrap();
    let mut reader = Reader::new(File::open(from).unwrap(), ChecksumPolicy::Verify);
    while let Some(batch) = reader.next_batch(10_000).unwrap() {
        for item in batch.items() {
            match item.unwrap() {
                Item::Aux { key, value } => {
                    writer
                        .aux(&support::bytes(&key), &support::bytes(&value))
                        .unwrap();
                }
                Item::SelectDb(database) => writer.select_db(database).unwrap(),
                Item::ResizeDb { keys, expires } => writer.resize_db(keys, expires).unwrap(),
                Item::Function(code) => writer.function(&support::bytes(&code)).unwrap(),
                Item::Entry(raw) => {
                    let key = support::bytes(&raw.key);
                    let head = EntryHead {
                        key: &key,
                        expiry_ms: raw.expiry_ms,
                        access: raw.access,
                    };
                    let value = change(raw.decode(Validation::Full).unwrap());
                    writer.entry(&head, &value).unwrap();
                }
                Item::Eof(_) => (),
                other => panic!("unexpected in a file of Redis 7.0: {other:?}"),
            }
        }
    }
    writer.finish().unwrap();
}

type Change = fn(PlainValue<'_>) -> PlainValue<'_>;

fn as_it_is(value: PlainValue<'_>) -> PlainValue<'_> {
    value
}

/// The value in the form of large ones.
fn taken_apart(value: PlainValue<'_>) -> PlainValue<'_> {
    let owned = |bytes: Vec<u8>| Str::Owned(bytes);
    match meaning(&value) {
        Meaning::List(elements) => PlainValue::List(PlainList::Elements(
            elements.into_iter().map(owned).collect(),
        )),
        Meaning::Set(members) => {
            PlainValue::Set(PlainSet::Members(members.into_iter().map(owned).collect()))
        }
        Meaning::SortedSet(pairs) => {
            let pairs = pairs
                .into_iter()
                .map(|(member, score)| (owned(member), score));
            PlainValue::SortedSet(PlainSortedSet::Pairs(pairs.collect()))
        }
        Meaning::Hash(pairs) => {
            let pairs = pairs
                .into_iter()
                .map(|(field, (value, _))| (owned(field), owned(value)));
            PlainValue::Hash(PlainHash::Pairs(pairs.collect()))
        }
        Meaning::String(_) | Meaning::Stream(_) => value,
    }
}

/// Small sets as the listpacks that version 10 does not know.
fn with_set_listpacks(value: PlainValue<'_>) -> PlainValue<'_> {
    match meaning(&value) {
        Meaning::Set(members) => {
            let mut packed = ochre_structures::listpack::EMPTY.to_vec();
            ochre_structures::listpack::append_all(&mut packed, &members);
            assert_eq!(Listpack(&packed).len(), members.len());
            PlainValue::Set(PlainSet::Listpack(packed.into()))
        }
        _ => value,
    }
}

#[test]
fn the_real_server_loads_what_is_written() {
    if !is_installed("the_real_server_loads_what_is_written") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut original = Server::start(folder.path(), &[]);
    populate(&mut original);
    original.command(&["SAVE"]);
    let expected = identity(&mut original);
    let dump = folder.path().join("dump.rdb");
    let name = "ours.rdb";
    let ours = folder.path().join(name);
    let changes: [(&str, Change); 3] = [
        ("as they are", as_it_is),
        ("taken apart", taken_apart),
        ("set listpacks", with_set_listpacks),
    ];
    for (how, change) in changes {
        for compression in [Compression::Lzf, Compression::Off] {
            rewrite(&dump, &ours, compression, change);
            let arguments = ["--dbfilename", name, "--sanitize-dump-payload", "yes"];
            let mut loaded = Server::start(folder.path(), &arguments);
            assert_eq!(identity(&mut loaded), expected, "{how}, {compression:?}");
        }
    }
    // Redis compresses as well as we do, or nearly.
    rewrite(&dump, &ours, Compression::Lzf, as_it_is);
    let (theirs, ours) = (
        fs::metadata(&dump).unwrap().len(),
        fs::metadata(&ours).unwrap().len(),
    );
    assert!(ours < theirs + theirs / 20, "{ours} bytes, Redis {theirs}");
}

#[test]
fn the_real_server_takes_over_deadlines_and_access() {
    if !is_installed("the_real_server_takes_over_deadlines_and_access") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut original = Server::start(folder.path(), SMALL_LIMITS);
    populate(&mut original);
    for _ in 0..300 {
        original.command(&["GET", "12345"]);
    }
    original.command(&["SAVE"]);
    let dump = folder.path().join("dump.rdb");
    rewrite(
        &dump,
        &folder.path().join("ours.rdb"),
        Compression::Lzf,
        as_it_is,
    );
    let arguments = [&["--dbfilename", "ours.rdb"], SMALL_LIMITS].concat();
    let mut loaded = Server::start(folder.path(), &arguments);
    let frequency = |server: &mut Server| server.command(&["OBJECT", "FREQ", "12345"]);
    assert_eq!(frequency(&mut loaded), frequency(&mut original));
    assert!(matches!(frequency(&mut loaded), Reply::Integer(6..)));
    let contents = read_file(File::open(&dump).unwrap(), 1 << 20).unwrap();
    compare(&mut loaded, &contents);
}

/// Values of every form, the same in every run.
fn generated(count: usize) -> BTreeMap<String, PlainValue<'static>> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let values = (0..count).map(|at| {
        let value = generate::value().new_tree(&mut runner).unwrap().current();
        (format!("key:{at}"), value)
    });
    // Redis 7.0 knows no fields that expire.
    values
        .filter(|(_, value)| !matches!(value, PlainValue::Hash(PlainHash::Expiring(_))))
        .collect()
}

#[test]
fn the_real_server_loads_generated_values() {
    if !is_installed("the_real_server_loads_generated_values") {
        return;
    }
    let values = generated(600);
    let empty_plain = values.values().any(|value| match value {
        PlainValue::List(PlainList::Nodes(nodes)) => nodes
            .iter()
            .any(|node| matches!(node, ListNode::Plain(element) if element.is_empty())),
        _ => false,
    });
    assert!(
        empty_plain,
        "the generator lost a case that Redis is particular about"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("dump.rdb")).unwrap();
    let encoder = Encoder::new(Version::V10, Compression::Lzf);
    let mut writer = Writer::new(file, encoder, ChecksumPolicy::Verify).unwrap();
    writer.select_db(0).unwrap();
    for (key, value) in &values {
        let head = EntryHead {
            key: key.as_bytes(),
            expiry_ms: None,
            access: None,
        };
        writer.entry(&head, value).unwrap();
    }
    writer.finish().unwrap();
    let mut server = Server::start(folder.path(), &["--sanitize-dump-payload", "yes"]);
    assert_eq!(
        server.command(&["DBSIZE"]),
        Reply::Integer(values.len() as i64)
    );
    let mut encoder = Encoder::new(Version::V10, Compression::Lzf);
    for (key, value) in &values {
        assert_eq!(ask(&mut server, key.as_bytes()), meaning(value), "{key}");
        let restored = format!("restored:{key}").into_bytes();
        let payload = encoder.dump(value);
        server.command(&[&b"RESTORE"[..], &restored, b"0", &payload]);
        assert_eq!(ask(&mut server, &restored), meaning(value), "{key}");
    }
}

#[test]
fn the_real_server_reads_the_old_encodings_alike() {
    if !is_installed("the_real_server_reads_the_old_encodings_alike") {
        return;
    }
    // The rest came after 7.0.
    let values: Vec<_> = old::values()
        .into_iter()
        .filter(|value| value.since <= 10)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump.rdb"), file_of(9, &values)).unwrap();
    let mut server = Server::start(folder.path(), &["--sanitize-dump-payload", "yes"]);
    assert_eq!(
        server.command(&["DBSIZE"]),
        Reply::Integer(values.len() as i64)
    );
    for value in values {
        assert_eq!(
            ask(&mut server, value.name.as_bytes()),
            value.meaning,
            "{}",
            value.name
        );
    }
}
