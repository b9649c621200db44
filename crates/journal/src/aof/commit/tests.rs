//! The log against a disk that loses what it may lose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::record::{BLOCK_BYTES, HEADER_BYTES, Header};
use super::*;
use crate::disk::{BootId, Disk, DiskFile, FaultyDisk};

const LOG: &str = "/log";
const FILE: &str = "/increment";

/// An increment, of number 7, and its log.
struct Pair {
    disk: FaultyDisk,
    file: Box<dyn DiskFile>,
    log: CommitLog,
    /// All that was written.
    written: Vec<u8>,
    /// How much of it is durable.
    durable: usize,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let disk = FaultyDisk::new(seed);
        let file = disk.create(Path::new(FILE)).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        Pair {
            log: CommitLog::begin(shared, LOG.into(), 7, 0).unwrap(),
            disk,
            file,
            written: Vec::new(),
            durable: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
        self.log.note(bytes);
        self.written.extend_from_slice(bytes);
    }

    fn commit(&mut self) {
        match self.log.commit().unwrap() {
            Committed::Yes => self.durable = self.written.len(),
            Committed::Ended => self.sync(),
        }
    }

    fn sync(&mut self) {
        self.file.sync_data().unwrap();
        self.durable = self.written.len();
        self.log.restart(7, self.durable as u64);
    }

    /// What a power failure leaves of the increment, with what the log gives back.
    fn survivor(&self) -> Vec<u8> {
        let left = self.disk.crash();
        if let Some(lost) = find(&left) {
            assert_eq!(lost.increment, Path::new(FILE));
            lost.restore(&left).unwrap();
            assert_eq!(find(&left), None, "it is all there");
        }
        left.content(Path::new(FILE)).unwrap()
    }
}

fn find(disk: &FaultyDisk) -> Option<LostTail> {
    let others = [(3, PathBuf::from("/other")), (7, PathBuf::from(FILE))];
    LostTail::find(disk, Path::new(LOG), others).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Commit,
    Sync,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..6000).prop_map(Step::Write),
        1 => Just(Step::Write(MAX_NOTED)),
        4 => Just(Step::Commit),
        1 => Just(Step::Sync),
        2 => Just(Step::Crash),
    ]
}

/// Enough to fill a log within a few commits.
const MAX_NOTED: usize = 900 << 10;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_committed_is_there_after_a_power_failure(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair::new(seed);
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Write(len) => {
                    // Bytes that tell where they are, and zeros among them.
                    let bytes: Vec<u8> = (0..*len).map(|at| (at + number) as u8).collect();
                    pair.write(&bytes);
                }
                Step::Commit => pair.commit(),
                Step::Sync => pair.sync(),
                Step::Crash => {
                    let left = pair.survivor();
                    prop_assert!(left.len() >= pair.durable);
                    prop_assert!(pair.written.starts_with(&left));
                }
            }
        }
        let left = pair.survivor();
        prop_assert!(left.len() >= pair.durable && pair.written.starts_with(&left));
    }

    #[test]
    fn a_log_of_any_bytes_gives_back_what_was_committed_or_less(
        at in 0..3 * BLOCK_BYTES,
        with in any::<u8>(),
        cut in 0..4 * BLOCK_BYTES,
    ) {
        let mut pair = Pair::new(1);
        for _ in 0..3 {
            pair.write(&[b'x'; 700]);
            pair.commit();
        }
        let left = pair.disk.crash();
        let mut log = left.content(Path::new(LOG)).unwrap();
        log[at] = with;
        log.truncate(cut);
        put(&left, LOG, &log);
        put(&left, FILE, b"");
        if let Some(lost) = find(&left) {
            prop_assert!(pair.written.starts_with(&lost.bytes));
            prop_assert_eq!(lost.bytes.len() % 700, 0);
        }
    }

    #[test]
    fn any_header_can_be_read(header in prop::collection::vec(any::<u8>(), 0..200)) {
        let disk = FaultyDisk::new(1);
        let mut log = header;
        put(&disk, FILE, b"");
        put(&disk, LOG, &log);
        prop_assert_eq!(find(&disk), None);
        // The same with checksums that are right.
        log.resize(HEADER_BYTES.max(log.len()), 0);
        let number = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
        let header = Header {
            run: number(24),
            sequence: 7,
            offset: number(40),
            boot: BootId([9; 16]),
            is_needed: log[20] == 1,
        };
        header.seal(&mut log);
        put(&disk, LOG, &log);
        find(&disk);
    }
}

fn put(disk: &FaultyDisk, path: &str, bytes: &[u8]) {
    let mut file = disk.create(Path::new(path)).unwrap();
    file.write_all(bytes).unwrap();
}

/// A pair with "abc" synced and "defghi" committed in two parts, after a power failure;
/// its increment has these bytes.
fn with_increment(bytes: &[u8]) -> FaultyDisk {
    let mut pair = Pair::new(1);
    pair.write(b"abc");
    pair.sync();
    for part in [b"def", b"ghi"] {
        pair.write(part);
        pair.commit();
    }
    let left = pair.disk.crash();
    put(&left, FILE, bytes);
    left
}

#[track_caller]
fn check(increment: &[u8], lost: Option<(u64, &[u8])>) {
    let found = find(&with_increment(increment));
    let found = found.as_ref();
    assert_eq!(
        found.map(|found| (found.offset, found.bytes.as_slice())),
        lost
    );
}

#[test]
fn an_increment_lacks_what_follows_where_it_ends() {
    check(b"abc", Some((3, b"defghi")));
    check(b"abcd", Some((4, b"efghi")));
    check(b"abcdefgh", Some((8, b"i")));
    check(b"abcdefghi", None);
    check(b"abcdefghijkl", None);
}

#[test]
fn zeros_are_what_did_not_get_to_the_disk() {
    check(b"abcde\0", Some((5, b"fghi")));
    check(b"abc\0\0\0\0\0\0\0\0", Some((3, b"defghi")));
    let disk = with_increment(b"abcde\0\0\0\0jkl");
    find(&disk).unwrap().restore(&disk).unwrap();
    assert_eq!(disk.content(Path::new(FILE)).unwrap(), b"abcdefghi");
}

#[test]
fn an_increment_that_became_something_else_is_let_be() {
    check(b"", None);
    check(b"ab", None);
    check(b"abcX", None);
    check(b"abcdefgX", None);
    check(b"abcd\0\0X", None);
}

#[test]
fn only_the_increment_that_it_was_made_for_counts() {
    let disk = with_increment(b"abc");
    let find = |sequence| {
        let increments = [(sequence, PathBuf::from(FILE))];
        LostTail::find(&disk, Path::new(LOG), increments).unwrap()
    };
    assert_eq!(find(8), None);
    assert!(find(7).is_some());
    let no_log = LostTail::find(&disk, Path::new("/none"), []).unwrap();
    assert_eq!(no_log, None);
}

/// As long as the machine runs, all that was written is there: what is not was taken away.
#[test]
fn nothing_is_lost_while_the_machine_runs() {
    let mut pair = Pair::new(1);
    pair.write(b"abc");
    pair.commit();
    pair.file.set_len(1).unwrap();
    assert_eq!(find(&pair.disk), None);
    assert!(find(&pair.disk.crash()).is_some());
}

/// But for what the server itself took away, to write it again.
#[test]
fn a_log_may_insist() {
    let mut pair = Pair::new(1);
    pair.log.insist().unwrap();
    for part in [b"abc", b"def"] {
        pair.write(part);
        pair.commit();
    }
    pair.write(b"ghi");
    pair.log.abandon();
    pair.log.insist().unwrap();
    pair.file.set_len(1).unwrap();
    for disk in [&pair.disk, &pair.disk.crash()] {
        let lost = find(disk).unwrap();
        lost.restore(disk).unwrap();
        assert_eq!(disk.content(Path::new(FILE)).unwrap(), b"abcdef");
    }
    // Another run does not, by itself.
    pair.log.restart(7, 1);
    pair.file.set_len(1).unwrap();
    pair.write(b"x");
    pair.commit();
    pair.file.set_len(1).unwrap();
    assert_eq!(find(&pair.disk), None);
}

#[test]
fn a_commit_is_one_write_and_one_sync() {
    let mut pair = Pair::new(1);
    pair.write(b"first");
    pair.commit();
    let before = pair.disk.operations();
    for _ in 0..100 {
        pair.log.note(b"more");
        assert_eq!(pair.log.commit().unwrap(), Committed::Yes);
    }
    assert_eq!(pair.disk.operations() - before, 200);
}

#[test]
fn a_log_that_is_full_asks_for_a_sync() {
    let mut pair = Pair::new(1);
    let blocks = CAPACITY_BYTES as usize / BLOCK_BYTES;
    for _ in 0..blocks {
        pair.log.note(b"x");
        assert_eq!(pair.log.commit().unwrap(), Committed::Yes);
    }
    for _ in 0..2 {
        pair.log.note(b"x");
        assert_eq!(pair.log.commit().unwrap(), Committed::Ended);
    }
    pair.log.restart(7, 0);
    pair.log.note(b"x");
    assert_eq!(pair.log.commit().unwrap(), Committed::Yes);
    assert_eq!(
        pair.disk.content(Path::new(LOG)).unwrap().len() as u64,
        CAPACITY_BYTES
    );
    pair.log.abandon();
    pair.log.note(b"x");
    assert_eq!(pair.log.commit().unwrap(), Committed::Ended);
    pair.log.restart(7, 0);
    // What is too large for one commit is none, nor is what follows it.
    pair.log.note(&vec![0; 2 << 20]);
    pair.log.note(b"x");
    assert_eq!(pair.log.commit().unwrap(), Committed::Ended);
}

#[test]
fn a_failure_is_told_and_what_was_committed_stays() {
    let mut pair = Pair::new(1);
    pair.write(b"abc");
    pair.commit();
    pair.write(b"def");
    pair.disk.fail_syncs(1);
    assert!(pair.log.commit().is_err());
    for _ in 0..50 {
        let left = pair.survivor();
        assert!(left.starts_with(b"abc") && b"abcdef".starts_with(&left));
    }
    pair.sync();
    pair.log.remove().unwrap();
    assert!(!pair.disk.exists(Path::new(LOG)).unwrap());
}

#[test]
fn without_a_commit_there_is_no_file() {
    let pair = Pair::new(1);
    assert!(!pair.disk.exists(Path::new(LOG)).unwrap());
    pair.log.remove().unwrap();
    let mut pair = Pair::new(1);
    pair.disk.limit_space(10);
    pair.log.note(b"abc");
    assert!(pair.log.commit().is_err());
    pair.log.remove().unwrap();
    assert!(!pair.disk.exists(Path::new(LOG)).unwrap());
}
