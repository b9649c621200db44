//! The journal in memory: one ordered stream of bytes, addressed by offset.
//!
//! ```text
//!  0            kept from                      read up to             end
//!  | . freed .  | sealed | sealed | sealed | open block ............. |
//!               ^ cursor                   ^ another cursor            ^ append
//! ```
//!
//! A change is appended before the locks of its keys are released, so that the order of
//! the stream agrees with that of every key. Appending copies bytes that were made
//! beforehand, under one short lock; reading takes whole blocks by reference.
//!
//! A block is freed when no cursor keeps it. Without cursors nothing is kept, only
//! counted.
//!
//! The stream knows beside its bytes in which second they were appended, for those who
//! annotate what they make of it.
//!
//! Not here: what the bytes mean beyond SELECT, MULTI and EXEC; files; threads.
//!
//! Invariants: what one [`Journal::append`] adds is contiguous, and no block ends within
//! it; a cursor reads every byte from where it began, once, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::aof::{EXEC, MULTI, append_select};
use crate::record::Record;

/// An open block of this size is sealed and a new one begun.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks kept to be filled again.
const SPARE_BLOCKS_MAX: usize = 4;

/// Whether several commands of one record belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// They happened at once: they go between MULTI and EXEC.
    Unit,
    /// They have nothing to do with each other.
    Separate,
}

/// The stream. Shared by all threads.
#[derive(Debug, Default)]
pub struct Journal {
    tail: Mutex<Tail>,
    /// Bytes appended so far.
    end: AtomicU64,
    /// Some reader sleeps.
    sleeping: AtomicBool,
    appended: Condvar,
}

#[derive(Debug, Default)]
struct Tail {
    /// The database that the last command was for; `None` when the next one must say.
    selected: Option<u16>,
    open: Vec<u8>,
    /// The offset of the open block's first byte.
    open_start: u64,
    /// The latest second that a record has named.
    second: i64,
    /// The times of the open block, as in [`Block`].
    open_times: Vec<Time>,
    sealed: VecDeque<Block>,
    /// From where on each cursor needs the stream.
    kept_from: Vec<Option<u64>>,
    spare: Vec<Vec<u8>>,
}

/// What is from `offset` on was appended in this second, Unix time, up to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    offset: u64,
    second: i64,
}

#[derive(Debug, Clone)]
struct Block {
    start: u64,
    bytes: Arc<Vec<u8>>,
    /// Ascending; the first is that of the block's start.
    times: Arc<[Time]>,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A part of the stream.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The offset of its first byte.
    pub start: u64,
    bytes: Arc<Vec<u8>>,
    skip: usize,
    times: Arc<[Time]>,
}

impl Chunk {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.skip..]
    }

    /// The offset behind its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.bytes().len() as u64
    }

    /// The second, Unix time, in which what is at `offset` was appended.
    #[must_use]
    pub fn second_at(&self, offset: u64) -> i64 {
        let after = self.times.partition_point(|time| time.offset <= offset);
        let time = after.checked_sub(1).and_then(|at| self.times.get(at));
        time.map_or(0, |time| time.second)
    }

    /// Where, behind `offset`, the first unit of a later second begins.
    #[must_use]
    pub fn next_second(&self, offset: u64) -> Option<u64> {
        let after = self.times.partition_point(|time| time.offset <= offset);
        self.times.get(after).map(|time| time.offset)
    }
}

impl Journal {
    /// Appends the commands of a record; returns the offset behind them. Must be called
    /// before the locks of their keys are released.
    pub fn append(&self, record: &Record, wrap: Wrap) -> u64 {
        let mut tail = self.tail.lock();
        if record.is_empty() {
            return self.end.load(Ordering::Relaxed);
        }
        tail.note_time(record.second());
        let is_unit = wrap == Wrap::Unit && record.commands() > 1;
        if is_unit {
            tail.open.extend_from_slice(MULTI);
        }
        for (database, run) in record.runs() {
            if tail.selected != Some(database) {
                tail.selected = Some(database);
                append_select(&mut tail.open, u32::from(database));
            }
            tail.open.extend_from_slice(run);
        }
        if is_unit {
            tail.open.extend_from_slice(EXEC);
        }
        let end = tail.open_start + tail.open.len() as u64;
        self.end.store(end, Ordering::SeqCst);
        if tail.open.len() >= BLOCK_BYTES {
            tail.seal();
        }
        end
    }

    /// Bytes appended so far.
    #[inline]
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::SeqCst)
    }

    /// Makes the next command say its database, so that the stream can be read from
    /// here on its own. Returns the offset.
    pub fn begin_section(&self) -> u64 {
        let mut tail = self.tail.lock();
        tail.selected = None;
        tail.open_start + tail.open.len() as u64
    }

    /// Bytes that are kept in memory for cursors.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        let tail = self.tail.lock();
        let first = tail.sealed.front().map_or(tail.open_start, |b| b.start);
        tail.open_start + tail.open.len() as u64 - first
    }

    /// A cursor at the end of the stream: it reads what comes from now on.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> Cursor {
        let mut tail = self.tail.lock();
        let position = tail.open_start + tail.open.len() as u64;
        let free = tail.kept_from.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            tail.kept_from.push(None);
            tail.kept_from.len() - 1
        });
        tail.kept_from[index] = Some(position);
        Cursor {
            journal: self.clone(),
            index,
            position,
        }
    }

    /// Wakes the readers that sleep, if there is anything to read. Cheap when none does.
    /// Called after the locks were released: waking is a system call.
    #[inline]
    pub fn wake(&self) {
        if self.sleeping.load(Ordering::SeqCst) {
            self.wake_all();
        }
    }

    /// Wakes all readers, whether there is anything to read or not.
    #[cold]
    pub fn wake_all(&self) {
        let _tail = self.tail.lock();
        self.sleeping.store(false, Ordering::SeqCst);
        self.appended.notify_all();
    }
}

impl Tail {
    /// Notes when what is appended next happens.
    #[inline]
    fn note_time(&mut self, second: i64) {
        if second > self.second || self.open.is_empty() {
            self.second = self.second.max(second);
            self.open_times.push(Time {
                offset: self.open_start + self.open.len() as u64,
                second: self.second,
            });
        }
    }

    /// Ends the open block.
    fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let length = self.open.len() as u64;
        if self.kept_from.iter().all(Option::is_none) {
            self.open.clear();
            self.open_times.clear();
            self.open_start += length;
            return;
        }
        let next = self.spare.pop().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.open, next);
        self.sealed.push_back(Block {
            start: self.open_start,
            bytes: Arc::new(bytes),
            times: self.open_times.drain(..).collect(),
        });
        self.open_start += length;
    }

    /// Frees the blocks that no cursor needs.
    fn free(&mut self) {
        let kept_from = self.kept_from.iter().flatten().min().copied();
        while let Some(first) = self.sealed.front() {
            if kept_from.is_some_and(|kept| kept < first.end()) {
                break;
            }
            let Some(block) = self.sealed.pop_front() else {
                break;
            };
            if self.spare.len() < SPARE_BLOCKS_MAX
                && let Ok(mut bytes) = Arc::try_unwrap(block.bytes)
                && bytes.capacity() <= 2 * BLOCK_BYTES
            {
                bytes.clear();
                self.spare.push(bytes);
            }
        }
    }
}

/// A place in the stream from which somebody reads. What lies between the place up to
/// which it let go and the end is kept.
#[derive(Debug)]
pub struct Cursor {
    journal: Arc<Journal>,
    index: usize,
    position: u64,
}

impl Cursor {
    /// The offset of the next byte to be read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next part of the stream, whole units of it; `None` at the end.
    pub fn read(&mut self) -> Option<Chunk> {
        let mut tail = self.journal.tail.lock();
        if self.position >= tail.open_start {
            tail.seal();
        }
        let at = tail
            .sealed
            .partition_point(|block| block.end() <= self.position);
        let block = tail.sealed.get(at)?.clone();
        drop(tail);
        let chunk = Chunk {
            start: self.position,
            skip: (self.position - block.start) as usize,
            bytes: block.bytes,
            times: block.times,
        };
        self.position = chunk.end();
        Some(chunk)
    }

    /// Lets go of what lies before `offset`: it will not be read again.
    pub fn release(&mut self, offset: u64) {
        let mut tail = self.journal.tail.lock();
        tail.kept_from[self.index] = Some(offset.min(self.position));
        tail.free();
    }

    /// Goes back to an offset that was not let go of.
    ///
    /// # Panics
    /// If it was.
    pub fn rewind(&mut self, offset: u64) {
        let tail = self.journal.tail.lock();
        let kept_from = tail.kept_from[self.index].unwrap_or(self.position);
        assert!(
            (kept_from..=self.position).contains(&offset),
            "offset {offset} is not kept: {kept_from} to {}",
            self.position
        );
        drop(tail);
        self.position = offset;
    }

    /// Sleeps until there is something to read, somebody calls [`Journal::wake_all`], or
    /// `at_most` has passed.
    pub fn wait(&self, at_most: Option<Duration>) {
        let journal = &*self.journal;
        let mut tail = journal.tail.lock();
        journal.sleeping.store(true, Ordering::SeqCst);
        if journal.end() > self.position {
            return;
        }
        match at_most {
            Some(at_most) => {
                journal.appended.wait_for(&mut tail, at_most);
            }
            None => journal.appended.wait(&mut tail),
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let mut tail = self.journal.tail.lock();
        tail.kept_from[self.index] = None;
        tail.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(commands: &[(u16, &[&str])]) -> Record {
        let mut record = Record::default();
        for (database, words) in commands {
            record.command(*database, words);
        }
        record
    }

    fn read_all(cursor: &mut Cursor) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = cursor.read() {
            assert_eq!(chunk.end(), cursor.position());
            all.extend_from_slice(chunk.bytes());
        }
        all
    }

    #[test]
    fn databases_are_selected_and_units_wrapped() {
        let journal = Arc::new(Journal::default());
        let mut cursor = journal.follow();
        journal.append(&record(&[(0, &["DEL", "a"])]), Wrap::Unit);
        journal.append(
            &record(&[(0, &["DEL", "b"]), (2, &["DEL", "c"])]),
            Wrap::Unit,
        );
        journal.append(
            &record(&[(2, &["DEL", "d"]), (2, &["DEL", "e"])]),
            Wrap::Separate,
        );
        journal.append(&Record::default(), Wrap::Unit);
        let offset = journal.begin_section();
        assert_eq!(offset, journal.end());
        journal.append(&record(&[(2, &["DEL", "f"])]), Wrap::Unit);
        let text = String::from_utf8(read_all(&mut cursor)).unwrap();
        let words: Vec<&str> = text
            .split("\r\n")
            .filter(|line| !line.starts_with(['*', '$']) && !line.is_empty())
            .collect();
        assert_eq!(
            words.join(" "),
            "SELECT 0 DEL a MULTI DEL b SELECT 2 DEL c EXEC DEL d DEL e SELECT 2 DEL f"
        );
        assert_eq!(text.len() as u64, journal.end());
    }

    #[test]
    fn it_is_known_what_happened_in_which_second() {
        let journal = Arc::new(Journal::default());
        let mut cursor = journal.follow();
        let append = |second| {
            let mut record = record(&[(0, &["DEL", "a"])]);
            record.set_second(second);
            let start = journal.end();
            journal.append(&record, Wrap::Unit);
            start
        };
        // Clocks of several threads differ; and one may be set back.
        let starts = [5, 5, 4, 7, 7, 3, 8].map(append);
        let chunk = cursor.read().unwrap();
        let seconds = starts.map(|start| chunk.second_at(start));
        assert_eq!(seconds, [5, 5, 5, 7, 7, 7, 8]);
        assert_eq!(chunk.next_second(0), Some(starts[3]));
        assert_eq!(chunk.next_second(starts[3]), Some(starts[6]));
        assert_eq!(chunk.next_second(starts[6]), None);
        let start = append(8);
        cursor.rewind(starts[1]);
        assert_eq!(
            cursor.read().unwrap().next_second(starts[1]),
            Some(starts[3])
        );
        assert_eq!(cursor.read().unwrap().second_at(start), 8);
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let journal = Arc::new(Journal::default());
        let long = "x".repeat(BLOCK_BYTES);
        for _ in 0..10 {
            journal.append(&record(&[(0, &["DEL", &long])]), Wrap::Unit);
        }
        assert_eq!(journal.kept_bytes(), 0);
        assert!(journal.end() > 10 * BLOCK_BYTES as u64);
        let mut cursor = journal.follow();
        assert_eq!(cursor.position(), journal.end());
        assert!(cursor.read().is_none());
    }

    #[test]
    fn what_was_released_is_freed_and_the_rest_can_be_read_again() {
        let journal = Arc::new(Journal::default());
        let mut cursor = journal.follow();
        journal.append(&record(&[(0, &["DEL", "a"])]), Wrap::Unit);
        let first = cursor.read().unwrap();
        journal.append(&record(&[(0, &["DEL", "b"])]), Wrap::Unit);
        let second = cursor.read().unwrap();
        cursor.release(first.end());
        cursor.rewind(first.end());
        assert_eq!(cursor.read().unwrap().bytes(), second.bytes());
        cursor.release(journal.end());
        drop((first, second));
        assert_eq!(journal.kept_bytes(), 0);
    }

    #[test]
    fn a_sleeping_reader_is_woken() {
        let journal = Arc::new(Journal::default());
        let mut cursor = journal.follow();
        let reader = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while seen.len() < 1000 {
                cursor.wait(None);
                while let Some(chunk) = cursor.read() {
                    let text = String::from_utf8_lossy(chunk.bytes()).into_owned();
                    seen.extend(
                        text.split("\r\n")
                            .filter_map(|line| line.strip_prefix("n="))
                            .map(|number| number.parse::<usize>().unwrap()),
                    );
                    cursor.release(chunk.end());
                }
            }
            seen
        });
        for number in 0..1000 {
            let key = format!("n={number}");
            journal.append(&record(&[(0, &["DEL", &key])]), Wrap::Unit);
            journal.wake();
        }
        assert_eq!(reader.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[derive(Debug, Clone)]
    enum Action {
        Append(usize),
        Follow,
        Read(usize),
        ReadAll(usize),
        Leave(usize),
    }

    fn actions() -> impl Strategy<Value = Vec<Action>> {
        let action = prop_oneof![
            4 => (1..200_000_usize).prop_map(Action::Append),
            1 => Just(Action::Follow),
            3 => (0..4_usize).prop_map(Action::Read),
            1 => (0..4_usize).prop_map(Action::ReadAll),
            1 => (0..4_usize).prop_map(Action::Leave),
        ];
        proptest::collection::vec(action, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every cursor reads the stream from where it began, and no more is kept than
        /// the slowest needs.
        #[test]
        fn cursors_read_all_of_the_stream(actions in actions()) {
            let journal = Arc::new(Journal::default());
            let mut whole = Vec::new();
            let mut witness = journal.follow();
            let mut cursors: Vec<(Cursor, u64, Vec<u8>)> = Vec::new();
            for action in actions {
                match action {
                    Action::Append(length) => {
                        let key = "k".repeat(length);
                        journal.append(&record(&[(0, &["DEL", &key])]), Wrap::Unit);
                        whole.extend(read_all(&mut witness));
                        witness.release(witness.position());
                    }
                    Action::Follow => {
                        let cursor = journal.follow();
                        let start = cursor.position();
                        cursors.push((cursor, start, Vec::new()));
                    }
                    Action::Read(which) => {
                        if let Some((cursor, _, seen)) = cursors.get_mut(which)
                            && let Some(chunk) = cursor.read()
                        {
                            seen.extend_from_slice(chunk.bytes());
                            cursor.release(chunk.end());
                        }
                    }
                    Action::ReadAll(which) => {
                        if let Some((cursor, _, seen)) = cursors.get_mut(which) {
                            seen.extend(read_all(cursor));
                            cursor.release(cursor.position());
                        }
                    }
                    Action::Leave(which) => {
                        if which < cursors.len() {
                            cursors.remove(which);
                        }
                    }
                }
                prop_assert_eq!(whole.len() as u64, journal.end());
                for (cursor, start, seen) in &cursors {
                    let range = *start as usize..cursor.position() as usize;
                    prop_assert_eq!(&whole[range], &seen[..]);
                }
                let slowest = cursors.iter().map(|(c, ..)| c.position()).min();
                let needed = journal.end() - slowest.unwrap_or(journal.end());
                // Blocks are freed as a whole.
                prop_assert!(journal.kept_bytes() <= needed + 2 * BLOCK_BYTES as u64);
            }
        }
    }
}
