//! The reclaimer: a thread that removes keys when their deadline passes.
//!
//! It sleeps until the earliest deadline known; a command that sets an earlier one rings
//! the [`Alarm`]. It locks one stripe at a time for a bounded slice of work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use ochre_store::{Effects, KeyspaceView, Scope, view::Observed};
use parking_lot::{Condvar, Mutex};

use crate::server::Server;

/// Keys may stay this long past their deadline, so that one visit finds several.
const SLACK_MS: i64 = 1;
/// How often the reclaimer looks again while reclaiming is switched off.
const OFF_POLL: Duration = Duration::from_millis(100);

/// Wakes the reclaimer.
#[derive(Debug, Default)]
pub struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct AlarmState {
    rung: bool,
    stop: bool,
}

impl Alarm {
    pub fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_one();
    }

    pub fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_one();
    }

    /// Sleeps until rung or for `at_most`; returns whether to go on.
    fn sleep(&self, at_most: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if !state.rung && !state.stop {
            match at_most {
                Some(at_most) => {
                    self.changed.wait_for(&mut state, at_most);
                }
                None => self.changed.wait(&mut state),
            }
        }
        state.rung = false;
        !state.stop
    }
}

/// Starts the thread.
pub fn start(server: Arc<Server>) -> std::io::Result<JoinHandle<()>> {
    let ringing = Arc::downgrade(&server);
    server.store.deadlines().on_earlier(Box::new(move |_| {
        if let Some(server) = ringing.upgrade() {
            server.reclaimer.ring();
        }
    }));
    std::thread::Builder::new()
        .name("ochre-reclaim".into())
        .spawn(move || run(&server))
}

fn run(server: &Server) {
    loop {
        let earliest = server.store.deadlines().refresh();
        let now_ms = crate::clock::now_ms();
        let wait = if earliest == i64::MAX {
            None
        } else if !server.active_expire.load(Ordering::Relaxed) {
            Some(OFF_POLL)
        } else {
            Some(Duration::from_millis(
                (earliest + SLACK_MS - now_ms).max(0) as u64
            ))
        };
        if !wait.is_some_and(|wait| wait.is_zero()) && !server.reclaimer.sleep(wait) {
            return;
        }
        if wait.is_some_and(|wait| wait.is_zero()) && server.reclaimer.state.lock().stop {
            return;
        }
        if server.active_expire.load(Ordering::Relaxed) {
            reclaim_due(server);
        }
    }
}

/// Removes every key that is due now.
fn reclaim_due(server: &Server) {
    let live = server.live();
    let now_ms = crate::clock::now_ms();
    for index in 0..server.store.stripes.count() as u32 {
        while server.store.deadlines().of(index) <= now_ms {
            let scope = Scope {
                store: &server.store,
                settings: &live.settings,
                now_ms,
                touch: false,
                expire: true,
                observed: Observed::default(),
            };
            let mut effects = Effects::default();
            let mut held = server.store.stripes.lock_one(index);
            let more = KeyspaceView::new(&scope, &mut held, 0, &mut effects).expire_due(index);
            drop(held);
            server
                .store
                .freer
                .dispose(std::mem::take(&mut effects.garbage));
            crate::stats::add(&server.stats.counters.expired_keys, effects.expired);
            if !more {
                break;
            }
        }
    }
}
