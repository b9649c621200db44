//! What a write leaves for the rest of the server to act upon: changes to record,
//! events to announce, waiters to serve, garbage to free.

use crate::freeing::GarbageList;

/// The classes of keyspace events, as `notify-keyspace-events` names them by letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum EventClass {
    /// `g`: commands that are not of one type.
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `l`
    List = 1 << 4,
    /// `s`
    Set = 1 << 5,
    /// `h`
    Hash = 1 << 6,
    /// `z`
    SortedSet = 1 << 7,
    /// `x`
    Expired = 1 << 8,
    /// `e`
    Evicted = 1 << 9,
    /// `t`
    Stream = 1 << 10,
    /// `m`: a key that is not there was asked for.
    Miss = 1 << 11,
    /// `d`
    Module = 1 << 13,
    /// `n`: a new key.
    New = 1 << 14,
}

/// A keyspace event: `name` happened to `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub class: EventClass,
    pub name: &'static str,
    pub db: u16,
    pub key: Box<[u8]>,
}

/// A command as it is recorded: its name and arguments.
pub type Recorded = Vec<Vec<u8>>;

/// A command of these words, to be recorded.
pub fn recorded(words: &[&[u8]]) -> Recorded {
    words.iter().map(|word| word.to_vec()).collect()
}

/// What is recorded of a write.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The command as it came, if it changed anything.
    #[default]
    AsSent,
    /// Nothing, though something changed.
    Nothing,
    /// These commands instead.
    As(Vec<Recorded>),
}

/// A key that was removed on the way, not by the command itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub db: u16,
    pub key: Box<[u8]>,
}

/// Fields of a hash that were past their deadline and were removed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedFields {
    pub db: u16,
    pub key: Box<[u8]>,
    pub fields: Vec<Vec<u8>>,
}

/// A key that a blocked client may be waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub db: u16,
    pub key: Box<[u8]>,
}

/// The effects of one command (or of one unit: a transaction, a script).
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes made, as `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
    /// Whether anybody records changes; when not, none are prepared.
    pub recording: bool,
    pub propagation: Propagation,
    /// Expired keys removed on the way, recorded before the command.
    pub removed: Vec<Removed>,
    /// Expired fields removed on the way, recorded (HDEL) before the command and after
    /// `removed`. The key goes with its last field.
    pub removed_fields: Vec<RemovedFields>,
    /// A union of [`EventClass`] bits: the events wanted.
    pub wanted_events: u32,
    pub events: Vec<Event>,
    /// Whether anybody caches keys (client-side caching).
    pub tracking: bool,
    /// Keys changed, collected only while `tracking`.
    pub changed: Vec<Removed>,
    /// Every key of a database went at once.
    pub flushed: bool,
    pub ready: Vec<Ready>,
    pub garbage: GarbageList,
    /// Keys that were found expired and removed.
    pub expired: u64,
    /// Fields of hashes that were found expired and removed (`expired_subkeys`).
    pub expired_fields: u64,
}

impl Effects {
    /// Whether nobody has to act upon anything but the number of changes.
    #[inline]
    pub fn are_changes_alone(&self) -> bool {
        let left = self.removed.len()
            | self.removed_fields.len()
            | self.events.len()
            | self.changed.len()
            | self.ready.len()
            | self.garbage.len();
        let is_noted = self.recording | self.flushed | (self.propagation != Propagation::AsSent);
        left == 0 && !is_noted && self.expired | self.expired_fields == 0
    }

    /// Forgets all effects, keeping the room they took unless that is large.
    pub fn clear(&mut self) {
        /// Elements of a list that are room enough to keep.
        const KEPT: usize = 64;
        fn empty<T>(list: &mut Vec<T>) {
            if list.capacity() > 0 {
                list.clear();
                list.shrink_to(KEPT);
            }
        }
        // All by name: a field added later must be thought of here.
        let Self {
            dirty,
            recording,
            propagation,
            removed,
            removed_fields,
            wanted_events,
            events,
            tracking,
            changed,
            flushed,
            ready,
            garbage,
            expired,
            expired_fields,
        } = self;
        [*dirty, *expired, *expired_fields] = [0; 3];
        [*recording, *tracking, *flushed] = [false; 3];
        *propagation = Propagation::AsSent;
        *wanted_events = 0;
        empty(removed);
        empty(removed_fields);
        empty(events);
        empty(changed);
        empty(ready);
        garbage.clear();
    }

    /// Records `commands` instead of the command as it came. Costs nothing when
    /// nobody records.
    pub fn propagate_as(&mut self, commands: impl FnOnce() -> Vec<Recorded>) {
        if self.recording {
            self.propagation = Propagation::As(commands());
        }
    }

    #[inline]
    pub(crate) fn event(&mut self, class: EventClass, name: &'static str, db: u16, key: &[u8]) {
        if self.wanted_events & class as u32 != 0 {
            self.events.push(Event {
                class,
                name,
                db,
                key: key.into(),
            });
        }
    }
}
