//! The freeing thread: large values are dropped there, so that a DEL of a million
//! members stalls nobody.
//!
//! Nobody waits for it, so it is less urgent than the workers: where there are no more
//! cores than workers, it would take its share of their time in slices of milliseconds.
//! Not least urgent, as memory that is not freed in time has to come from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

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
    /// Whether dropping it takes longer than handing it over.
    fn is_large(&self) -> bool {
        const LARGE: usize = 64;
        match self {
            Self::Entry(entry) => entry.object().is_some_and(|o| o.free_effort() > LARGE),
            Self::Object(object) => object.free_effort() > LARGE,
            Self::Table(table) => table.len() > LARGE,
            Self::Part(_) => true,
        }
    }
}

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
    queue: Mutex<Sender<Garbage>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    pending: AtomicUsize,
    freed: AtomicU64,
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
            if item.is_large() {
                self.hand_over(item);
            }
        }
    }

    #[cold]
    fn hand_over(&self, item: Garbage) {
        self.state.pending.fetch_add(1, Ordering::Relaxed);
        if let Err(returned) = self.queue.lock().send(item) {
            // The thread is gone, as happens while the process ends.
            drop(returned);
            self.state.pending.fetch_sub(1, Ordering::Relaxed);
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

/// The niceness of the freeing thread: about a tenth of a worker's share of a core.
const NICENESS: i32 = 10;

fn be_less_urgent() {
    // To Linux a thread's priority is its own; elsewhere, or where it is forbidden, the
    // thread is as urgent as any.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

fn free_all(receiver: &Receiver<Garbage>, state: &State) {
    be_less_urgent();
    while let Ok(garbage) = receiver.recv() {
        drop(garbage);
        state.pending.fetch_sub(1, Ordering::Relaxed);
        state.freed.fetch_add(1, Ordering::Relaxed);
    }
}
