//! Manifests as Redis reads and writes them; the expectations were asked of Redis 7.0.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn refused(text: &str, line: usize, fault: ManifestFault) {
    let error = Manifest::parse(text.as_bytes()).unwrap_err();
    assert_eq!((error.line, error.fault), (line, fault), "{text:?}");
}

fn file(name: &str, sequence: u64) -> AofFile {
    AofFile {
        name: name.into(),
        sequence,
    }
}

#[test]
fn files_of_all_kinds_are_read() {
    let text = "# made by hand\n\
                file a.1.incr.aof seq 1 type h\n\
                file a.2.base.rdb seq 2 type b\r\n\
                \tFILE  'a 2.aof'  sEq 2junk  Type incr  startoffset 5\n\
                type i seq 7 file \"b\\x61\\n\"\n";
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let expected = Manifest {
        base: Some(file("a.2.base.rdb", 2)),
        history: vec![file("a.1.incr.aof", 1)],
        increments: vec![file("a 2.aof", 2), file("ba\n", 7)],
    };
    assert_eq!(manifest, expected);
    let written = "file a.2.base.rdb seq 2 type b\n\
                   file a.1.incr.aof seq 1 type h\n\
                   file \"a 2.aof\" seq 2 type i\n\
                   file \"ba\\n\" seq 7 type i\n";
    assert_eq!(String::from_utf8(manifest.format()).unwrap(), written);
}

#[test]
fn a_manifest_of_comments_lists_nothing() {
    let manifest = Manifest::parse(b"# nothing\n#\n").unwrap();
    assert!(manifest.is_empty());
    assert_eq!(manifest.format(), b"");
}

#[test]
fn what_redis_refuses_is_refused_with_its_words() {
    use ManifestFault::*;
    refused("", 0, Empty);
    refused("\n", 1, Format);
    refused("#\n\nfile a seq 1 type b\n", 2, Format);
    refused("file a seq 1\n", 1, Format);
    refused("file a seq 1 type b extra\n", 1, Format);
    refused("file \"a seq 1 type b\n", 1, Format);
    refused("file 'a'b seq 1 type b\n", 1, Format);
    refused("file a seq 0 type b\n", 1, Format);
    refused("file a seq x type b\n", 1, Format);
    refused("file a seq 99999999999999999999 type b\n", 1, Format);
    refused("file a sequence 1 type b\n", 1, Format);
    refused("file \"\" seq 1 type b\n", 1, Format);
    refused("file .. seq 1 type b\n", 1, Format);
    refused("file a/b seq 1 type b\n", 1, Path);
    refused("file a seq 1 type x\n", 1, Kind);
    refused(
        "file a seq 1 type b\nfile b seq 2 type b\n",
        2,
        DuplicateBase,
    );
    refused("file a seq 2 type i\nfile b seq 2 type i\n", 2, Order);
    refused("file a seq 1 type b", 1, LongLine);
    refused(
        &format!("file {} seq 1 type b\n", "a".repeat(1024)),
        1,
        LongLine,
    );
    refused(&format!("#{}\n", "a".repeat(1024)), 1, LongLine);
    let error = Manifest::parse(b"file a seq 1 type x \n").unwrap_err();
    assert_eq!(error.text.unwrap(), b"file a seq 1 type x");
    assert_eq!(Format.to_string(), "Invalid AOF manifest file format");
    assert_eq!(Empty.to_string(), "Found an empty AOF manifest");
}

#[test]
fn the_longest_line_is_read() {
    let name = "a".repeat(MAX_LINE_BYTES - "file  seq 1 type b\n".len());
    let manifest = Manifest::parse(format!("file {name} seq 1 type b\n").as_bytes()).unwrap();
    assert_eq!(manifest.base, Some(file(&name, 1)));
}

/// Found by fuzzing: names that escapes make longer than a line may be.
#[test]
fn long_names_beyond_ascii_are_read_again() {
    let mut manifest = Manifest::default();
    for name in [
        "\u{f6}".repeat(127),
        "\"\\".repeat(127),
        "\u{f6}\"".repeat(85),
    ] {
        manifest.base = Some(file(&name, i64::MAX as u64 - 1));
        assert_eq!(Manifest::parse(&manifest.format()).unwrap(), manifest);
    }
    manifest.base = Some(file("\u{f6}", 1));
    assert_eq!(manifest.format(), b"file \"\\xc3\\xb6\" seq 1 type b\n");
}

#[test]
fn names_are_numbered() {
    let stem = OsStr::new("appendonly.aof");
    let mut manifest = Manifest::default();
    assert_eq!(
        manifest.next_increment(stem),
        file("appendonly.aof.1.incr.aof", 1)
    );
    assert_eq!(
        manifest.next_base(stem, ".base.rdb"),
        file("appendonly.aof.1.base.rdb", 1)
    );
    manifest.base = Some(file("x", 4));
    manifest.increments = vec![file("y", 7)];
    assert_eq!(
        manifest.next_increment(stem),
        file("appendonly.aof.8.incr.aof", 8)
    );
    assert_eq!(
        manifest.next_base(stem, ".base.aof"),
        file("appendonly.aof.5.base.aof", 5)
    );
    // Names that are still in the history are those of files about to be removed.
    manifest.history = vec![
        file("appendonly.aof.8.incr.aof", 8),
        file("appendonly.aof.5.base.aof", 5),
    ];
    assert_eq!(manifest.next_increment(stem).sequence, 9);
    assert_eq!(manifest.next_base(stem, ".base.aof").sequence, 6);
    assert_eq!(manifest.next_base(stem, ".base.rdb").sequence, 5);
}

fn names() -> impl Strategy<Value = OsString> {
    let byte = any::<u8>().prop_filter("part of a name", |byte| ![0, b'/'].contains(byte));
    proptest::collection::vec(byte, 1..120)
        .prop_filter("a file", |name| name != b"." && name != b"..")
        .prop_map(OsString::from_vec)
}

fn files(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<AofFile>> {
    proptest::collection::vec((names(), 1..1000_u64), count).prop_map(|files| {
        let mut last = 0;
        files
            .into_iter()
            .map(|(name, step)| {
                last += step;
                AofFile {
                    name,
                    sequence: last,
                }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        base in files(0..2), history in files(0..4), increments in files(0..5)
    ) {
        let manifest = Manifest { base: base.into_iter().next(), history, increments };
        let text = manifest.format();
        if text.is_empty() {
            prop_assert_eq!(Manifest::parse(&text).unwrap_err().fault, ManifestFault::Empty);
        } else {
            prop_assert_eq!(Manifest::parse(&text).unwrap(), manifest);
        }
    }

    /// Any text is read or refused, and what is read can be written and read again.
    #[test]
    fn any_text_is_read_or_refused(
        lines in proptest::collection::vec("(file|seq|type|[a-b0-3\"'\\\\ ]{1,9}| |\n){0,9}\n", 0..4)
    ) {
        if let Ok(manifest) = Manifest::parse(lines.concat().as_bytes())
            && !manifest.format().is_empty()
        {
            prop_assert_eq!(Manifest::parse(&manifest.format()).unwrap(), manifest);
        }
    }
}
