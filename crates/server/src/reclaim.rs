//! The reclaimer: a thread that removes keys when their deadline passes.
//!
//! It sleeps until the earliest deadline known; a command that sets an earlier one rings
//! its [`crate::alarm::Alarm`]. It locks one stripe at a time for a bounded slice of work.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ochre_journal::{Record, Wrap};
use ochre_store::{KeyspaceView, Scope, Stripe, view::Observed};

use crate::blocking;
use crate::pubsub::Wakes;
use crate::server::Server;
use crate::threads::{self, Duty};
use crate::unit;

/// Keys may stay this long past their deadline, so that one visit finds several.
const SLACK_MS: i64 = 1;
/// How soon stripes are visited again where a script kept keys to itself.
const RESERVED_PATIENCE: Duration = Duration::from_millis(10);
/// What is done on behalf of the server itself is done by no client.
const NO_CLIENT: u64 = 0;
/// The longest sleep while any deadline is set. Deadlines are of the wall clock, which
/// may be set forward while the reclaimer sleeps by the steady one.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

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
        .spawn(move || {
            threads::begin(Duty::Background, &server.live().config, &server.log);
            run(&server);
        })
}

fn run(server: &Server) {
    let mut are_left = false;
    loop {
        let mut wait = if server.is_active_expire() {
            let earliest_ms = server.store.deadlines().refresh();
            wait_for(earliest_ms, crate::clock::now_ms())
        } else {
            // Switching it on rings.
            None
        };
        if are_left {
            wait = wait.map(|wait| wait.max(RESERVED_PATIENCE));
        }
        if !server.reclaimer.sleep(wait) {
            return;
        }
        if server.is_active_expire() && !server.persistence.loading.is_active() {
            let began = Instant::now();
            are_left = reclaim_due(server);
            let spent_us = began.elapsed().as_micros() as u64;
            crate::stats::add(&server.stats.counters.expire_microseconds, spent_us);
        }
    }
}

/// How long to sleep at `now_ms` when the earliest deadline is `earliest_ms`; `None` is
/// until somebody rings.
fn wait_for(earliest_ms: i64, now_ms: i64) -> Option<Duration> {
    if earliest_ms == i64::MAX {
        return None;
    }
    let wait_ms = earliest_ms.saturating_add(SLACK_MS).saturating_sub(now_ms);
    Some(Duration::from_millis(wait_ms.max(0) as u64).min(LONGEST_SLEEP))
}

/// Removes every key that is due now; says whether stripes were passed over where a
/// script keeps keys to itself, which would miss them.
fn reclaim_due(server: &Server) -> bool {
    let mut are_left = false;
    let live = server.live();
    let now_ms = crate::clock::now_ms();
    let mut record = Record::default();
    // Commands on the whole keyspace (DBSIZE, SCAN) pass the stripes in ascending order.
    // In the other direction they meet the reclaimer once; in the same one they would
    // catch up with it and then wait behind it at every stripe.
    for index in (0..server.store.stripes.count() as u32).rev() {
        while server.store.deadlines().of(index) <= now_ms {
            let scope = Scope {
                store: &server.store,
                settings: &live.settings,
                now_ms,
                touch: false,
                expire: true,
                observed: Observed::default(),
                named: None,
            };
            let mut effects = unit::effects(server, &live);
            let mut held = server.store.stripes.lock_one(index);
            let is_reserved = |stripe: &Stripe| !stripe.reserved.is_empty();
            if held.stripe(index).is_some_and(is_reserved) {
                are_left = true;
                break;
            }
            effects.recording = server.persistence.is_recording();
            let more = KeyspaceView::new(&scope, &mut held, 0, &mut effects).expire_due(index);
            crate::stats::add(&server.stats.counters.expired_keys, effects.expired);
            let mut wakes = Wakes::default();
            unit::tell(server, &mut held, &effects, NO_CLIENT, &mut wakes);
            if effects.recording {
                unit::note_removals(&mut effects, &mut record, &live);
                record.set_second(now_ms / 1000);
                server.persistence.journal.append(&record, Wrap::Separate);
                record.clear();
            }
            blocking::hand_over(server, &held, &effects.ready);
            drop(held);
            wakes.wake(server);
            server.persistence.journal.wake();
            unit::settle(server, &mut effects);
            if !more {
                break;
            }
        }
    }
    are_left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_until_the_deadline_but_not_for_ever() {
        let ms = Duration::from_millis;
        assert_eq!(wait_for(i64::MAX, 5), None);
        assert_eq!(wait_for(1000, 900), Some(ms(100 + SLACK_MS as u64)));
        assert_eq!(wait_for(1000, 5000), Some(ms(0)));
        assert_eq!(wait_for(-5, 0), Some(ms(0)));
        assert_eq!(wait_for(i64::MAX - 1, i64::MIN), Some(LONGEST_SLEEP));
    }
}
