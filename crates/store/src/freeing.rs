//! The freeing thread: large values are dropped there, so that a DEL of a million
//! members stalls nobody.
//!
//! Nobody waits for it, but where there are no more cores than workers, it shares one with
//! those who serve clients, and a scheduler ends a thread's turn after milliseconds. So it
//! works in slices and offers its core after each. The more is waiting to be freed, the
//! longer they are: memory that is not freed in time has to come from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ochre_structures::table::Table;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::entry::Entry;
use crate::object::Object;

/// Something that is in nobody's reach any more.
pub enum Garbage {
    Entry(Entry),
    Object(Box<Object>),
    Table(Table<Entry>),
    /// A large part of a value that lives on.
    Part(Box<dyn Send>),
}

impl Garbage {
    /// How many allocations dropping it frees, roughly.
    fn effort(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.object().map_or(1, Object::free_effort),
            Self::Object(object) => object.free_effort(),
            Self::Table(table) => table.len(),
            Self::Part(_) => LARGE,
        }
    }
}

/// What costs more to drop than this is left to the freeing thread.
const LARGE: usize = 65;

impl std::fmt::Debug for Garbage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry(entry) => entry.fmt(f),
            Self::Object(object) => object.fmt(f),
            Self::Table(table) => write!(f, "table of {}", table.len()),
            Self::Part(_) => f.write_str("part of a value"),
        }
    }
}

/// What a command leaves to be dropped once its locks are released.
pub type GarbageList = SmallVec<[Garbage; 2]>;

/// The way to the freeing thread.
#[derive(Debug)]
pub struct Freer {
    queue: Mutex<Sender<Dropped>>,
    state: Arc<State>,
}

/// What is handed over, and what it will cost.
#[derive(Debug)]
struct Dropped {
    item: Garbage,
    effort: usize,
}

#[derive(Debug, Default)]
struct State {
    pending: AtomicUsize,
    /// The sum of what the pending ones cost.
    effort: AtomicUsize,
    freed: AtomicU64,
}

impl State {
    /// Something that cost this much is pending no more.
    fn settle(&self, effort: usize) {
        self.effort.fetch_sub(effort, Ordering::Relaxed);
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Freer {
    /// Starts the thread, which begins with `begin`; it ends when the `Freer` is dropped
    /// and its queue is empty.
    pub fn start(begin: impl FnOnce() + Send + 'static) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = channel();
        let state = Arc::new(State::default());
        let handle = std::thread::Builder::new()
            .name("ochre-free".into())
            .spawn({
                let state = state.clone();
                move || {
                    begin();
                    free_all(&receiver, &state);
                }
            })?;
        Ok((
            Self {
                queue: Mutex::new(sender),
                state,
            },
            handle,
        ))
    }

    /// Drops `garbage`: small things here, large ones on the freeing thread.
    #[inline]
    pub fn dispose(&self, garbage: &mut GarbageList) {
        if garbage.is_empty() {
            return;
        }
        for item in garbage.drain(..) {
            let effort = item.effort();
            if effort >= LARGE {
                self.hand_over(Dropped { item, effort });
            }
        }
    }

    #[cold]
    fn hand_over(&self, dropped: Dropped) {
        self.state.pending.fetch_add(1, Ordering::Relaxed);
        self.state
            .effort
            .fetch_add(dropped.effort, Ordering::Relaxed);
        if let Err(returned) = self.queue.lock().send(dropped) {
            // The thread is gone, as happens while the process ends.
            self.state.settle(returned.0.effort);
        }
    }

    /// Large values waiting to be freed (`lazyfree_pending_objects`).
    pub fn pending(&self) -> usize {
        self.state.pending.load(Ordering::Relaxed)
    }

    /// Large values freed so far (`lazyfreed_objects`).
    pub fn freed(&self) -> u64 {
        self.state.freed.load(Ordering::Relaxed)
    }

    pub fn reset_freed(&self) {
        self.state.freed.store(0, Ordering::Relaxed);
    }
}

fn free_all(receiver: &Receiver<Dropped>, state: &State) {
    let mut turn = Turn::begin(state);
    while let Ok(Dropped { item, effort }) = receiver.recv() {
        match item {
            Garbage::Entry(entry) => free_entry(entry, &mut turn),
            Garbage::Object(object) => free_object(object, &mut turn),
            Garbage::Table(table) => free_table(table, &mut turn),
            Garbage::Part(part) => drop(part),
        }
        turn.end_slice();
        state.settle(effort);
        state.freed.fetch_add(1, Ordering::Relaxed);
    }
}

fn free_table(mut table: Table<Entry>, turn: &mut Turn<'_>) {
    while let Some(entries) = table.drain_segment() {
        for entry in entries {
            free_entry(entry, turn);
        }
        turn.end_slice();
    }
}

fn free_entry(mut entry: Entry, turn: &mut Turn<'_>) {
    if let Some(object) = entry.take_object() {
        free_object(object, turn);
    }
}

fn free_object(mut object: Box<Object>, turn: &mut Turn<'_>) {
    while object.drop_some() {
        turn.end_slice();
    }
}

/// The thread's turn on its core.
struct Turn<'s> {
    state: &'s State,
    began: Instant,
}

impl<'s> Turn<'s> {
    /// How long others may have to wait for the core: where little waits here, about what
    /// it costs to change places; and that once more for each so many allocations.
    const SHORTEST: Duration = Duration::from_micros(50);
    const LONGER_EACH: usize = 1 << 18;
    /// In any case.
    const LONGEST: Duration = Duration::from_millis(1);

    fn begin(state: &'s State) -> Self {
        Self {
            state,
            began: Instant::now(),
        }
    }

    /// Offers the core to others if the turn has lasted long enough.
    fn end_slice(&mut self) {
        let waiting = self.state.effort.load(Ordering::Relaxed) / Self::LONGER_EACH;
        let times = u32::try_from(waiting + 1).unwrap_or(u32::MAX);
        let turn = Self::SHORTEST.saturating_mul(times).min(Self::LONGEST);
        if self.began.elapsed() >= turn {
            std::thread::yield_now();
            self.began = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Payload;
    use ochre_structures::hash::hash_bytes;

    fn freed_by(garbage: impl IntoIterator<Item = Garbage>) -> u64 {
        let (freer, handle) = Freer::start(|| {}).unwrap();
        let state = freer.state.clone();
        freer.dispose(&mut garbage.into_iter().collect());
        drop(freer);
        handle.join().unwrap();
        assert_eq!(state.pending.load(Ordering::Relaxed), 0);
        assert_eq!(state.effort.load(Ordering::Relaxed), 0);
        state.freed.load(Ordering::Relaxed)
    }

    /// Something whose last owner is seen to be gone.
    fn large_string() -> (Arc<Vec<u8>>, Payload<'static>) {
        let bytes = Arc::new(vec![0; 100_000]);
        let object = Object::String(bytes.clone());
        (bytes, Payload::Object(Box::new(object)))
    }

    #[test]
    fn values_in_tables_are_freed_and_what_was_handed_over_counts_once() {
        let mut table = Table::new();
        let mut watched = Vec::new();
        for number in 0..5000_u32 {
            let key = number.to_be_bytes();
            let entry = if number % 1000 == 0 {
                let (bytes, payload) = large_string();
                watched.push(bytes);
                Entry::new(&key, payload, None)
            } else {
                Entry::new(&key, Payload::Int(7), None)
            };
            table.insert(hash_bytes(&key), entry);
        }
        let (bytes, payload) = large_string();
        watched.push(bytes);
        let small = Garbage::Entry(Entry::new(b"key", payload, None));
        assert_eq!(freed_by([Garbage::Table(table), small]), 1);
        assert!(watched.iter().all(|bytes| Arc::strong_count(bytes) == 1));
    }

    #[test]
    fn large_values_of_every_type_are_freed() {
        use ochre_structures::field_map::{FieldDeadline, FieldMap};
        use ochre_structures::member_set::MemberSet;
        use ochre_structures::sorted_set::SortedSet;
        use ochre_structures::{list::List, list::NodeLimit, list::Side};
        let mut map = FieldMap::default();
        let mut set = MemberSet::default();
        let mut list = List::new(NodeLimit::from_config(-2));
        for number in 0..20_000_u32 {
            let name = number.to_string();
            map.set(name.as_bytes(), name.as_bytes(), FieldDeadline::Clear);
            set.insert(name.as_bytes());
            list.push(Side::Back, format!("{number:0>100}").as_bytes());
        }
        let sorted: SortedSet = (0..20_000_u32).map(|n| (n.to_string(), 1.0)).collect();
        let objects = [
            Object::Hash(map),
            Object::Set(set),
            Object::List(list),
            Object::SortedSet(sorted),
        ];
        for object in objects {
            assert!(object.free_effort() >= LARGE, "{}", object.encoding_name());
            assert_eq!(freed_by([Garbage::Object(Box::new(object))]), 1);
        }
    }
}
