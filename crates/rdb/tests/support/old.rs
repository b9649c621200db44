//! Values in the encodings that Redis no longer writes, or does not write yet in the
//! version at hand, put together byte by byte.

use ochre_structures::listpack;

use super::{GroupMeaning, Meaning, StreamMeaning};

/// A value by hand.
#[derive(Clone, Debug)]
pub struct OldValue {
    pub name: &'static str,
    pub type_code: u8,
    pub body: Vec<u8>,
    pub meaning: Meaning,
    /// The version that first had the type.
    pub since: u16,
}

/// An element of a ziplist.
pub enum Zip {
    Text(Vec<u8>),
    Integer(i64),
}

pub fn text(text: &str) -> Zip {
    Zip::Text(text.as_bytes().to_vec())
}

pub fn ziplist(elements: &[Zip]) -> Vec<u8> {
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for element in elements {
        let mut entry = Vec::new();
        match entries.last().map_or(0, Vec::len) {
            previous @ 0..254 => entry.push(previous as u8),
            previous => {
                entry.push(254);
                entry.extend_from_slice(&(previous as u32).to_le_bytes());
            }
        }
        match element {
            Zip::Text(text) => {
                match text.len() {
                    len @ 0..64 => entry.push(len as u8),
                    len @ 64..16384 => entry.extend([0x40 | (len >> 8) as u8, len as u8]),
                    len => {
                        entry.push(0x80);
                        entry.extend_from_slice(&(len as u32).to_be_bytes());
                    }
                }
                entry.extend_from_slice(text);
            }
            Zip::Integer(value) => {
                let bytes = value.to_le_bytes();
                match value {
                    0..=12 => entry.push(0xf1 + *value as u8),
                    -128..=127 => entry.extend([0xfe, bytes[0]]),
                    -0x8000..=0x7fff => entry.extend([&[0xc0], &bytes[..2]].concat()),
                    -0x80_0000..=0x7f_ffff => entry.extend([&[0xf0], &bytes[..3]].concat()),
                    -0x8000_0000..=0x7fff_ffff => entry.extend([&[0xd0], &bytes[..4]].concat()),
                    _ => entry.extend([&[0xe0], &bytes[..]].concat()),
                }
            }
        }
        entries.push(entry);
    }
    let content = entries.concat();
    let last = entries.last().map_or(0, Vec::len);
    let mut list = Vec::new();
    list.extend_from_slice(&(content.len() as u32 + 11).to_le_bytes());
    list.extend_from_slice(&((10 + content.len() - last) as u32).to_le_bytes());
    list.extend_from_slice(&(elements.len() as u16).to_le_bytes());
    list.extend_from_slice(&content);
    list.push(0xff);
    list
}

/// A string with a length before it.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = match bytes.len() {
        len @ 0..64 => vec![len as u8],
        len @ 64..16384 => vec![0x40 | (len >> 8) as u8, len as u8],
        len => [&[0x80], &(len as u32).to_be_bytes()[..]].concat(),
    };
    out.extend_from_slice(bytes);
    out
}

fn packed(elements: &[&str]) -> Vec<u8> {
    let mut packed = listpack::EMPTY.to_vec();
    listpack::append_all(
        &mut packed,
        elements.iter().map(|element| element.as_bytes()),
    );
    packed
}

fn list(elements: &[&str]) -> Meaning {
    Meaning::List(elements.iter().map(|e| e.as_bytes().to_vec()).collect())
}

fn hash(pairs: &[(&str, &str, Option<u64>)]) -> Meaning {
    let pairs = pairs.iter().map(|(field, value, expiry_ms)| {
        (
            field.as_bytes().to_vec(),
            (value.as_bytes().to_vec(), *expiry_ms),
        )
    });
    Meaning::Hash(pairs.collect())
}

fn sorted_set(pairs: &[(&str, f64)]) -> Meaning {
    let pairs = pairs
        .iter()
        .map(|(member, score)| (member.as_bytes().to_vec(), *score));
    Meaning::SortedSet(pairs.collect())
}

/// A value of every old encoding.
pub fn values() -> Vec<OldValue> {
    let mut values = lists_and_sets();
    values.extend(hashes());
    values.extend(sorted_sets());
    values.extend(streams());
    values.extend(expiring_hashes());
    values
}

fn value(name: &'static str, type_code: u8, body: Vec<u8>, meaning: Meaning) -> OldValue {
    OldValue {
        name,
        type_code,
        body,
        meaning,
        since: 1,
    }
}

fn lists_and_sets() -> Vec<OldValue> {
    let long = "x".repeat(300);
    let ziplist_of_all = ziplist(&[
        text("hello"),
        Zip::Integer(0),
        Zip::Integer(12),
        Zip::Integer(13),
        Zip::Integer(-129),
        Zip::Integer(40000),
        Zip::Integer(-10_000_000),
        Zip::Integer(1 << 40),
        text(&long),
        text(""),
    ]);
    let all = [
        "hello",
        "0",
        "12",
        "13",
        "-129",
        "40000",
        "-10000000",
        "1099511627776",
        &long,
        "",
    ];
    let linked = [vec![3], string(b"a"), vec![0xc0, 0xfe], string(b"")].concat();
    let quicklist = [
        vec![3],
        string(&ziplist(&[text("a"), Zip::Integer(77)])),
        string(&ziplist(&[])),
        string(&ziplist(&[text("b")])),
    ];
    let compressed = {
        // 300 times "z": a literal, and copies of what is one byte back.
        let stream = b"\0z\xe0\xff\0\xe0\x1a\0";
        [&[0xc3, stream.len() as u8, 0x41, 0x2c][..], stream].concat()
    };
    let members = ["a", "-5", "300"];
    let set = [vec![3], string(b"a"), vec![0xc0, 0xfb], vec![0xc1, 0x2c, 1]].concat();
    vec![
        value(
            "string compressed",
            0,
            compressed,
            Meaning::String(vec![b'z'; 300]),
        ),
        value("string of 32 bits", 0, vec![0xc2, 0, 0, 0, 0x80], {
            Meaning::String(b"-2147483648".to_vec())
        }),
        value("list linked", 1, linked, list(&["a", "-2", ""])),
        value("list ziplist", 10, string(&ziplist_of_all), list(&all)),
        value(
            "list quicklist",
            14,
            quicklist.concat(),
            list(&["a", "77", "b"]),
        ),
        value("set", 2, set, {
            Meaning::Set(members.iter().map(|m| m.as_bytes().to_vec()).collect())
        }),
    ]
}

fn hashes() -> Vec<OldValue> {
    let zipmap = b"\x02\x03foo\x03\x02bar..\x02no\x05\0wrold\xff";
    let pairs = ziplist(&[text("f"), Zip::Integer(1), text("g"), text("value")]);
    let plain = [vec![1], string(b"field"), string(b"value")].concat();
    vec![
        value("hash zipmap", 9, string(zipmap), {
            hash(&[("foo", "bar", None), ("no", "wrold", None)])
        }),
        value("hash ziplist", 13, string(&pairs), {
            hash(&[("f", "1", None), ("g", "value", None)])
        }),
        value("hash", 4, plain, hash(&[("field", "value", None)])),
    ]
}

fn sorted_sets() -> Vec<OldValue> {
    let ascii = [
        vec![4],
        [string(b"a"), b"\x031.5".to_vec()].concat(),
        [string(b"b"), vec![254]].concat(),
        [string(b"c"), vec![255]].concat(),
        [string(b"d"), b"\x05-1e10".to_vec()].concat(),
    ];
    let pairs = ziplist(&[text("a"), Zip::Integer(-1), text("b"), text("2.5")]);
    let infinity = f64::INFINITY;
    vec![
        value("zset in ASCII", 3, ascii.concat(), {
            sorted_set(&[("a", 1.5), ("b", infinity), ("c", -infinity), ("d", -1e10)])
        }),
        value(
            "zset ziplist",
            12,
            string(&pairs),
            sorted_set(&[("a", -1.0), ("b", 2.5)]),
        ),
    ]
}

/// The stream of Redis 5.0, and that of 7.2.
fn streams() -> Vec<OldValue> {
    let node = packed(&[
        "2", "1", "2", "f", "g", "0", // two entries and a deleted one, with fields f and g
        "2", "0", "0", "1", "x", "5", // 1000-1
        "3", "0", "1", "2", "y", "5", // 1000-2, deleted
        "0", "5", "-1", "1", "h", "z", "6", // 1005-0
    ]);
    let entry = |ms, sequence, content: &[&str]| {
        let content = content.iter().map(|text| text.as_bytes().to_vec());
        ((ms, sequence), content.collect())
    };
    let entries = vec![
        entry(1000, 1, &["f", "1", "g", "x"]),
        entry(1005, 0, &["h", "z"]),
    ];
    let id = |ms: u64, sequence: u64| [ms.to_be_bytes(), sequence.to_be_bytes()].concat();
    let length = |value: u16| vec![0x40 | (value >> 8) as u8, value as u8];
    let nodes = [vec![1], string(&id(1000, 1)), string(&node)].concat();
    let time = 1_700_000_000_000_i64.to_le_bytes().to_vec();
    let pending = [vec![1], id(1000, 1), time.clone(), vec![3]].concat();
    let group = |entries_read: Option<u64>| GroupMeaning {
        name: b"group".to_vec(),
        last_id: (1000, 1),
        entries_read,
        pending: vec![((1000, 1), 3, b"alice".to_vec())],
        consumers: [b"alice".to_vec()].into(),
    };
    let first = [
        nodes.clone(),
        vec![2],
        length(1005),
        vec![0],
        vec![1],
        [string(b"group"), length(1000), vec![1]].concat(),
        pending.clone(),
        [
            vec![1],
            string(b"alice"),
            time.clone(),
            vec![1],
            id(1000, 1),
        ]
        .concat(),
    ];
    let third = [
        nodes,
        vec![2],
        [
            length(1005),
            vec![9],
            length(1000),
            vec![1],
            length(1000),
            vec![2],
        ]
        .concat(),
        length(300),
        vec![1],
        [
            string(b"group"),
            length(1000),
            vec![1],
            [0x81].into(),
            vec![0xff; 8],
        ]
        .concat(),
        pending,
        [
            vec![1],
            string(b"alice"),
            time,
            vec![0xff; 8],
            vec![1],
            id(1000, 1),
        ]
        .concat(),
    ];
    let meaning = |last_id, max_deleted_id, entries_added, entries_read| {
        Meaning::Stream(StreamMeaning {
            entries: entries.clone(),
            last_id,
            max_deleted_id,
            entries_added,
            groups: vec![group(entries_read)],
        })
    };
    let first = value("stream of 5.0", 15, first.concat(), {
        meaning((1005, 0), (0, 0), 2, Some(1))
    });
    let third = value("stream of 7.2", 21, third.concat(), {
        meaning((1005, 9), (1000, 2), 300, None)
    });
    vec![first, OldValue { since: 11, ..third }]
}

fn expiring_hashes() -> Vec<OldValue> {
    let soon = 1_900_000_000_000_u64;
    let fields = |deadlines: [Vec<u8>; 2]| {
        let [none, one] = deadlines;
        [
            vec![2],
            none,
            string(b"a"),
            string(b"1"),
            one,
            string(b"b"),
            vec![0xc0, 2],
        ]
        .concat()
    };
    let absolute = [&[0x81][..], &soon.to_be_bytes()].concat();
    let deadline = soon.to_string();
    let triples = string(&packed(&["b", "2", &deadline, "a", "1", "0"]));
    let time = soon.to_le_bytes().to_vec();
    let meaning = hash(&[("a", "1", None), ("b", "2", Some(soon))]);
    let with_earliest = [time.clone(), fields([vec![0], vec![1]])].concat();
    let values = [
        value(
            "hash of 7.4 rc",
            22,
            fields([vec![0], absolute]),
            meaning.clone(),
        ),
        value(
            "hash listpack of 7.4 rc",
            23,
            triples.clone(),
            meaning.clone(),
        ),
        value("hash of 7.4", 24, with_earliest, meaning.clone()),
        value(
            "hash listpack of 7.4",
            25,
            [time, triples].concat(),
            meaning,
        ),
    ];
    values.map(|value| OldValue { since: 12, ..value }).into()
}

/// A file of these values. Version 5 and later end in a checksum.
pub fn file_of(version: u16, values: &[OldValue]) -> Vec<u8> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend([0xfe, 0]);
    for value in values {
        file.push(value.type_code);
        file.extend(string(value.name.as_bytes()));
        file.extend_from_slice(&value.body);
    }
    file.push(0xff);
    if version >= 5 {
        let checksum = ochre_rdb::crc64::checksum(&file);
        file.extend_from_slice(&checksum.to_le_bytes());
    }
    file
}
