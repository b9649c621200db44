//! The reader against a model that knows what was written, however it arrives and
//! wherever it is torn.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;
use crate::aof::encode::{EXEC, MULTI, append_command, append_timestamp};

type Arguments = Vec<Vec<u8>>;

/// Start, end and arguments of a command.
type Placed = (u64, u64, Arguments);

/// A source that gives at most so many bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.most.min(buffer.len()).min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

/// What a reader says, in a form that can be compared.
#[derive(Debug, PartialEq)]
struct Outcome {
    commands: Vec<Placed>,
    error: Option<String>,
    valid_up_to: u64,
    lines: u64,
}

fn owned(command: &Command<'_>) -> Placed {
    let arguments = command.arguments().map(<[u8]>::to_vec).collect();
    (command.offset(), command.end_offset(), arguments)
}

/// Reads command by command.
fn read_singly(bytes: &[u8], most: usize) -> Outcome {
    let mut reader = AofReader::new(Pieces { rest: bytes, most }, 0);
    let mut commands = Vec::new();
    let error = loop {
        match reader.next() {
            Ok(Some(command)) => commands.push(owned(&command)),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(matches!(reader.next(), Ok(None)), "nothing follows the end");
    Outcome {
        commands,
        error,
        valid_up_to: reader.valid_up_to(),
        lines: reader.lines(),
    }
}

/// Reads in batches, giving back every other.
fn read_batches(bytes: &[u8], most: usize, target_bytes: usize) -> Outcome {
    let mut reader = AofReader::new(Pieces { rest: bytes, most }, 0);
    let mut commands = Vec::new();
    let mut count = 0;
    let error = loop {
        match reader.next_batch(target_bytes) {
            Ok(Some(batch)) => {
                assert!(!batch.is_empty());
                assert_eq!(batch.len(), batch.commands().len());
                commands.extend(batch.commands().map(|command| owned(&command)));
                assert_eq!(commands.last().map(|last| last.1), Some(batch.end_offset()));
                count += 1;
                if count % 2 == 0 {
                    reader.recycle(batch);
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(matches!(reader.next_batch(1), Ok(None)));
    Outcome {
        commands,
        error,
        valid_up_to: reader.valid_up_to(),
        lines: reader.lines(),
    }
}

/// A part of a file that is valid as a whole.
#[derive(Clone, Debug)]
enum Unit {
    Command(Arguments),
    Transaction(Vec<Arguments>),
    Annotation(String),
    Timestamp(i64),
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// Start and end of each command, and the index of its unit.
    commands: Vec<(Placed, usize)>,
    unit_ends: Vec<usize>,
}

impl File {
    fn of(units: &[Unit]) -> Self {
        let mut file = File::default();
        for unit in units {
            match unit {
                Unit::Command(arguments) => file.add(arguments),
                Unit::Transaction(commands) => {
                    file.add(&vec![b"MULTI".to_vec()]);
                    commands.iter().for_each(|command| file.add(command));
                    file.add(&vec![b"exec".to_vec()]);
                }
                Unit::Annotation(text) => {
                    file.bytes
                        .extend_from_slice(format!("#{text}\n").as_bytes());
                }
                Unit::Timestamp(time) => append_timestamp(&mut file.bytes, *time),
            }
            file.unit_ends.push(file.bytes.len());
        }
        file
    }

    fn add(&mut self, arguments: &Arguments) {
        let start = self.bytes.len() as u64;
        append_command(&mut self.bytes, arguments);
        let command = (start, self.bytes.len() as u64, arguments.clone());
        self.commands.push((command, self.unit_ends.len()));
    }

    /// The commands before a cut: all, and those of whole units.
    fn before(&self, cut: usize) -> (Vec<Placed>, Vec<Placed>) {
        let all = self
            .commands
            .iter()
            .filter(|((_, end, _), _)| *end <= cut as u64);
        let whole = all.clone().filter(|(_, unit)| self.unit_ends[*unit] <= cut);
        let plain = |(command, _): &(Placed, usize)| command.clone();
        (all.map(plain).collect(), whole.map(plain).collect())
    }
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let text = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..12),
        2 => proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'$')], 0..5),
        1 => (90..120_usize).prop_map(|len| vec![b'v'; len]),
    ];
    proptest::collection::vec(text, 1..5).prop_filter("part of a transaction", |arguments| {
        !arguments[0].eq_ignore_ascii_case(b"multi") && !arguments[0].eq_ignore_ascii_case(b"exec")
    })
}

fn units() -> impl Strategy<Value = Vec<Unit>> {
    let unit = prop_oneof![
        6 => arguments().prop_map(Unit::Command),
        2 => proptest::collection::vec(arguments(), 0..4).prop_map(Unit::Transaction),
        1 => "[a-zT:]{0,20}\r?".prop_map(Unit::Annotation),
        1 => any::<i64>().prop_map(Unit::Timestamp),
    ];
    proptest::collection::vec(unit, 0..8)
}

proptest! {
    #[test]
    fn what_was_written_is_read_in_any_pieces(
        units in units(), most in 1..40_usize, target in 1..200_usize
    ) {
        let file = File::of(&units);
        let expected = Outcome {
            commands: file.before(usize::MAX).0,
            error: None,
            valid_up_to: file.bytes.len() as u64,
            lines: file.commands.iter().map(|((_, _, a), _)| 1 + 2 * a.len() as u64).sum(),
        };
        for most in [1, most, usize::MAX] {
            prop_assert_eq!(&read_singly(&file.bytes, most), &expected);
            prop_assert_eq!(&read_batches(&file.bytes, most, target), &expected);
        }
    }

    #[test]
    fn torn_anywhere_the_valid_part_is_known(units in units(), target in 1..200_usize) {
        let file = File::of(&units);
        for cut in 0..file.bytes.len() {
            let torn = &file.bytes[..cut];
            let valid = file.unit_ends.iter().rev().find(|end| **end <= cut);
            let valid = valid.copied().unwrap_or(0);
            let (all, whole) = file.before(cut);
            let singly = read_singly(torn, 7);
            let batches = read_batches(torn, 7, target);
            prop_assert_eq!(&singly.commands, &all);
            prop_assert_eq!(&batches.commands, &whole);
            for outcome in [singly, batches] {
                prop_assert_eq!(outcome.valid_up_to, valid as u64);
                let is_torn = outcome.error.as_ref().is_some_and(|text| text.contains("ends within"));
                prop_assert_eq!(is_torn, cut > valid, "{:?}", outcome.error);
                prop_assert_eq!(outcome.error.is_some(), is_torn);
            }
            // Cut off there, nothing is wrong any more.
            prop_assert_eq!(read_singly(&file.bytes[..valid], 7).error, None);
        }
    }

    /// Damaged anywhere, it is the same damage in whatever pieces it arrives.
    #[test]
    fn damage_is_the_same_in_any_pieces(
        units in units(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        most in 1..40_usize, target in 1..200_usize
    ) {
        let mut bytes = File::of(&units).bytes;
        bytes.push(b'*');
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let expected = read_singly(&bytes, usize::MAX);
        prop_assert_eq!(&read_singly(&bytes, most), &expected);
        let batches = read_batches(&bytes, most, target);
        prop_assert_eq!(batches.error, expected.error);
        prop_assert_eq!(batches.valid_up_to, expected.valid_up_to);
        prop_assert_eq!(batches.lines, expected.lines);
        prop_assert!(expected.commands.starts_with(&batches.commands));
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in "([*$#]?[0-9M]{0,3}(\r\n)?){0,12}") {
        let whole = read_singly(text.as_bytes(), usize::MAX);
        prop_assert_eq!(read_singly(text.as_bytes(), 1), whole);
    }
}

#[track_caller]
fn refused(bytes: &[u8], at: u64, expected: FormatFault) {
    match AofReader::new(bytes, 0).next() {
        Err(ReadError::Format { offset, fault, .. }) => assert_eq!((offset, fault), (at, expected)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_bytes_are_named_with_their_place() {
    use FormatFault::*;
    refused(b"foo\r\n", 0, Start { found: b'f' });
    refused(b"\0", 0, Start { found: 0 });
    refused(b"*0\r\n", 0, Count);
    refused(b"*-1\r\n", 0, Count);
    refused(b"*x\r\n", 0, Count);
    refused(b"*\r\n", 0, Count);
    refused(b"*99999999999\r\n", 0, Count);
    refused(b"*99999999999999999999\r\n", 0, Count);
    refused(b"*1\n$1\r\na\r\n", 2, LineEnd { found: *b"\n$" });
    refused(b"*1 \r\n", 2, LineEnd { found: *b" \r" });
    refused(b"*1\r\n*1\r\n", 4, Prefix { found: b'*' });
    refused(b"*1\r\n$-1\r\n", 4, Length);
    refused(b"*1\r\n$9999999999999999999\r\n", 4, Length);
    refused(b"*1\r\n$4\r\nPINGxx", 12, LineEnd { found: *b"xx" });
    refused(
        &[b"*1\r\n$4\r\nEXEC\r\n".as_slice()].concat(),
        8,
        UnexpectedExec,
    );
    refused(&[b'#'; 1023], 0, LongAnnotation);
    let nested = [MULTI, MULTI].concat();
    let mut reader = AofReader::new(nested.as_slice(), 100);
    reader.next().unwrap();
    let error = reader.next().unwrap_err();
    assert_eq!(
        error.to_string(),
        "MULTI within a transaction (at byte 123), the file is valid up to byte 100"
    );
    assert_eq!(error.valid_up_to(), Some(100));
}

#[test]
fn the_longest_annotation_is_read() {
    let mut bytes = vec![b'#'; 1022];
    bytes.extend_from_slice(b"\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(read_singly(&bytes, 100).commands.len(), 1);
}

#[test]
fn what_is_torn_is_named() {
    let torn = |bytes: &[u8]| match AofReader::new(bytes, 0).next_batch(1) {
        Err(ReadError::Truncated { offset, torn, .. }) => (offset, torn),
        other => panic!("{other:?}"),
    };
    assert_eq!(torn(b"*"), (0, Torn::Line));
    assert_eq!(torn(b"*1\r"), (0, Torn::Line));
    assert_eq!(torn(b"*1\r\n"), (4, Torn::Line));
    let argument = Torn::Argument {
        expected: 6,
        found: 4,
    };
    assert_eq!(torn(b"*1\r\n$4\r\nMULT"), (8, argument));
    assert_eq!(torn(MULTI), (15, Torn::Transaction));
    assert_eq!(torn(b"#TS"), (0, Torn::Annotation));
    // A lying length is no reason for an allocation.
    let huge = Torn::Argument {
        expected: 4_000_000_000_000_000_002,
        found: 1,
    };
    let mut reader = AofReader::new(b"*2147483647\r\n$4000000000000000000\r\nx".as_slice(), 0);
    match reader.next() {
        Err(ReadError::Truncated { torn, .. }) => assert_eq!(torn, huge),
        other => panic!("{other:?}"),
    }
    assert!(reader.buffer_bytes() < 1 << 20);
}

#[test]
fn times_are_known_and_can_end_the_file() {
    let mut bytes = Vec::new();
    append_timestamp(&mut bytes, 100);
    append_command(&mut bytes, &["PING"]);
    append_timestamp(&mut bytes, 200);
    let second = bytes.len() as u64;
    bytes.extend_from_slice(MULTI);
    append_timestamp(&mut bytes, 300);
    bytes.extend_from_slice(EXEC);
    let mut reader = AofReader::new(bytes.as_slice(), 0);
    assert_eq!(reader.timestamp(), None);
    reader.next().unwrap();
    assert_eq!(reader.timestamp(), Some(100));
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.timestamp(), Some(300));
    assert!(!reader.stopped_by_timestamp());
    for (last, commands, end) in [
        (99, 0, 0),
        (100, 1, second - "#TS:200\r\n".len() as u64),
        (299, 2, second),
        (300, 3, bytes.len() as u64),
    ] {
        let mut reader = AofReader::new(bytes.as_slice(), 0).up_to_timestamp(last);
        let mut count = 0;
        while reader.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!((count, reader.valid_up_to()), (commands, end), "{last}");
        assert_eq!(reader.stopped_by_timestamp(), last != 300);
    }
    let wrong = b"#TS:soon\r\n".as_slice();
    assert!(AofReader::new(wrong, 0).next().unwrap().is_none());
    let mut strict = AofReader::new(wrong, 0).up_to_timestamp(1);
    assert!(matches!(
        strict.next(),
        Err(ReadError::Format {
            fault: FormatFault::Timestamp,
            ..
        })
    ));
}

#[test]
fn a_failing_source_is_reported() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let mut reader = AofReader::new(b"*1\r\n$1\r\na\r\n*".chain(Failing), 50);
    assert_eq!(reader.next().unwrap().unwrap().end_offset(), 61);
    let error = reader.next().unwrap_err();
    assert!(matches!(error, ReadError::Io { offset: 62, .. }), "{error}");
    assert_eq!(error.valid_up_to(), None);
}

#[test]
fn huge_arguments_and_huge_transactions_pass() {
    let value = vec![b'x'; 9 << 20];
    let mut bytes = Vec::new();
    append_command(&mut bytes, &[b"PING".as_slice()]);
    append_command(&mut bytes, &[b"SET".as_slice(), b"k", &value]);
    bytes.extend_from_slice(MULTI);
    for _ in 0..100_000 {
        append_command(&mut bytes, &["INCR", "k"]);
    }
    bytes.extend_from_slice(EXEC);
    append_command(&mut bytes, &["PING"]);
    let mut reader = AofReader::new(bytes.as_slice(), 0);
    let mut counts = Vec::new();
    while let Some(batch) = reader.next_batch(64 << 10).unwrap() {
        counts.push(batch.len());
        let largest = batch.commands().map(|command| command.bytes().len()).max();
        assert!(largest <= Some(value.len() + 40));
    }
    assert_eq!(counts.iter().sum::<usize>(), 100_005);
    assert!(
        counts.contains(&100_002) || counts.contains(&100_003),
        "{counts:?}"
    );
    let mut reader = AofReader::new(bytes.as_slice(), 0);
    let mut count = 0;
    while reader.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 100_005);
    assert!(reader.buffer_bytes() <= 4 << 20, "a huge buffer was kept");
}
