//! Every encoding and opcode that Redis ever wrote, by hand.

mod support;

use ochre_rdb::{Access, ChecksumState, RdbError, RdbErrorKind};
use support::old::{self, OldValue, Zip, file_of, string, text, ziplist};
use support::{Contents, read_file};

/// A file with this content, without a checksum to be verified.
fn read(version: u16, content: &[u8]) -> Result<Contents, RdbError> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend_from_slice(content);
    file.push(0xff);
    if version >= 5 {
        file.extend([0; 8]);
    }
    read_file(&file[..], 100)
}

#[test]
fn values() {
    let values = old::values();
    for version in 1..=12 {
        let contents = read_file(&file_of(version, &values)[..], 1000).unwrap();
        assert_eq!(contents.version, u32::from(version));
        let expected = if version < 5 {
            ChecksumState::Absent
        } else {
            ChecksumState::Verified
        };
        assert_eq!(contents.checksum, Some(expected));
        assert_eq!(contents.keys.len(), values.len());
        for value in &values {
            let entry = &contents.keys[&(0, value.name.as_bytes().to_vec())];
            assert_eq!(entry.value, value.meaning, "{}", value.name);
        }
    }
}

#[test]
fn what_is_said_of_a_key() {
    let content = [
        &b"\xfe\x05\xfb\x41\x00\x02"[..],
        b"\xfd\x00\xe1\xf5\x05\x00\x01a\x01x",
        b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xf9\x2a\x00\x01b\x01x",
        b"\xf8\x41\x00\x00\x01c\x01x",
        b"\x00\x01d\x01x",
    ];
    let contents = read(9, &content.concat()).unwrap();
    assert_eq!(contents.hints, [(256, 2)]);
    let found: Vec<_> = contents
        .keys
        .iter()
        .map(|((database, key), entry)| (*database, key[0], entry.expiry_ms, entry.access))
        .collect();
    let expected = [
        (5, b'a', Some(100_000_000_000), None),
        (5, b'b', Some(-1), Some(Access::Frequency(42))),
        (5, b'c', None, Some(Access::Idle { seconds: 256 })),
        (5, b'd', None, None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_passed_by() {
    // "ReJSON-RL" in six bits a letter, version 3.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let id = b"ReJSON-RL".iter().fold(0_u64, |id, letter| {
        id << 6 | letters.iter().position(|other| other == letter).unwrap() as u64
    }) << 10
        | 3;
    let module = [&[0x81][..], &id.to_be_bytes()].concat();
    // When, an integer of each sign, a float, a double, a string.
    let data = b"\x02\x02\x01\x05\x02\x06\x03....\x04........\x05\x02hi\x00";
    let slot = b"\xf4\x01\x02\x03";
    let aux = b"\xfa\x03key\xc0\x05";
    let function = b"\xf5\x04code";
    let content = [&b"\xf7"[..], &module, data, slot, aux, function].concat();
    let contents = read(12, &content).unwrap();
    assert_eq!(contents.modules, ["ReJSON-RL"]);
    assert_eq!(contents.aux, [(b"key".to_vec(), b"5".to_vec())]);
    assert_eq!(contents.functions, [b"code"]);

    // A module's value is found the end of, but cannot be decoded.
    let content = [&b"\x07\x01k"[..], &module, data].concat();
    let error = read(12, &content).unwrap_err();
    let RdbErrorKind::Module { name, version } = error.kind else {
        panic!("{error}");
    };
    assert_eq!((&name[..], version), ("ReJSON-RL", 3));
}

#[test]
fn refusals() {
    let offset = |error: RdbError| (error.offset, error.to_string());
    for (content, expected_offset, text) in [
        (&b"\x08\x01k"[..], 9, "unknown type or opcode 8"),
        (b"\x1a\x01k", 9, "unknown type or opcode 26"),
        (
            b"\xf6\x01k",
            9,
            "functions of a Redis 7.0 release candidate",
        ),
        (
            b"\x06\x01k\x00",
            12,
            "module data of a Redis 4.0 release candidate",
        ),
        (b"\x00\xc4k", 10, "unknown string encoding 4"),
        (b"\x00\x01k\x82", 12, "invalid length encoding 0x82"),
        (b"\x02\x01k\xc0\x01", 12, "invalid length encoding 0xc0"),
        (
            b"\xfe\x81\0\0\0\x01\0\0\0\0",
            10,
            "database number 4294967296",
        ),
        (b"\x02\x01k\x00", 12, "empty collection"),
        (b"\x02\x01k\x02\x01a\x01a", 12, "duplicate"),
        (b"\x04\x01k\x02\x01a\x01b\x01a\x01c", 12, "duplicate"),
        (
            b"\x05\x01k\x01\x01a\0\0\0\0\0\0\xf8\x7f",
            15,
            "invalid score",
        ),
        (b"\x03\x01k\x01\x01a\xfd", 15, "invalid score"),
        (b"\x03\x01k\x01\x01a\x01x", 15, "invalid score"),
        (
            b"\x12\x01k\x01\x03\x01a",
            13,
            "unknown list node container 3",
        ),
        (
            b"\x00\x01k\xc3\x02\x02\x00a",
            12,
            "invalid LZF compressed string",
        ),
        (b"\x0b\x01k\x02ab", 12, "intset of 2 bytes is too short"),
        (b"\x10\x01k\x02ab", 12, "listpack of 2 bytes is too short"),
        (b"\x0d\x01k\x02ab", 12, "ziplist is malformed"),
        (b"\x09\x01k\x02ab", 12, "zipmap is malformed"),
        (b"\x07\x01k\x00\x06", 13, "unknown module opcode 6"),
    ] {
        let (found, message) = offset(read(10, content).unwrap_err());
        assert!(message.contains(text), "{content:?}: {message}");
        assert!(
            message.contains(&format!("at byte {found}, reading ")),
            "{message}"
        );
        assert_eq!(found, expected_offset, "{content:?}: {message}");
    }
    for (file, expected) in [
        (&b"RODIS0010\xff"[..], "wrong signature"),
        (b"VALKEY080\xff", "wrong signature"),
        (b"REDIS00x0\xff", "wrong signature"),
        (b"REDIS0013\xff", "can't handle RDB format version 13"),
        (b"REDIS0000\xff", "can't handle RDB format version 0"),
        (b"REDIS", "the input ends"),
        (b"", "the input ends"),
        (b"REDIS0009\xff12345678", "wrong checksum"),
    ] {
        let (_, message) = offset(read_file(file, 100).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn duplicates_in_old_forms() {
    let twice = ziplist(&[text("1"), text("a"), Zip::Integer(1), text("b")]);
    let zipmap = string(b"\x02\x01a\x01\0x\x01a\x01\0y\xff");
    for (type_code, body) in [(13, string(&twice)), (12, string(&twice)), (9, zipmap)] {
        let content = [&[type_code, 1, b'k'], &body[..]].concat();
        let error = read(9, &content).unwrap_err();
        let refused = matches!(error.kind, RdbErrorKind::Duplicate);
        assert!(refused, "type {type_code}: {error}");
    }
}

#[test]
fn a_sorted_set_out_of_order_is_taken_apart() {
    let body = string(&ziplist(&[
        text("b"),
        Zip::Integer(2),
        text("a"),
        Zip::Integer(1),
    ]));
    let value = OldValue {
        name: "zset",
        type_code: 12,
        body,
        meaning: support::Meaning::SortedSet([(b"a".to_vec(), 1.0), (b"b".to_vec(), 2.0)].into()),
        since: 1,
    };
    let contents = read_file(&file_of(9, std::slice::from_ref(&value))[..], 100).unwrap();
    assert_eq!(contents.keys[&(0, b"zset".to_vec())].value, value.meaning);
}
