//! Blocked clients: registered under the locks of their keys, served by whoever makes a
//! key ready, in the order they came.
//!
//! A blocked client is its command, kept to be run again. The unit that changes one of
//! its keys runs it before it releases its locks, if it holds all the stripes that the
//! command needs; else right after. So an element is never seen by anybody between its
//! arrival and its delivery to the first in line, and a waiter is served once: whoever
//! moves its state from waiting has it.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ochre_resp::{Protocol, Reply};
use ochre_store::effects::Ready;
use ochre_store::waiting::Waiter;
use ochre_store::{Held, ReadView, Store, WriteView};

use crate::clients::Client;
use crate::commands::args::Args;
use crate::commands::spec::{Flow, Outcome, Run, TimeoutReply, Wait};
use crate::error::Error;
use crate::execute::{Call, write_error};
use crate::net::mail::Mail;
use crate::unit::{Kind, StripeList, Unit, scope};

/// Waiters that could not be served under the locks held.
pub type WaiterList = Vec<Arc<Blocked>>;

const WAITING: u8 = 0;
const TAKEN: u8 = 1;

/// A blocked client.
pub struct Blocked {
    pub client: Arc<Client>,
    /// Tells this wait from others of the same connection.
    pub number: u64,
    db: u16,
    protocol: Protocol,
    command: u16,
    argv: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    /// Unix time in milliseconds, or `None` to wait for ever.
    pub deadline_ms: Option<i64>,
    pub on_timeout: TimeoutReply,
    unblock_on_missing: bool,
    state: AtomicU8,
}

impl Waiter for Blocked {}

impl Blocked {
    /// Makes the wait of the session's current command.
    pub fn new(call: &Call<'_>, command: u16, argv: &[&[u8]], wait: Wait, number: u64) -> Self {
        Self {
            client: call.session.client.clone(),
            number,
            db: call.session.db,
            protocol: call.session.protocol,
            command,
            argv: wait
                .argv
                .unwrap_or_else(|| argv.iter().map(|argument| argument.to_vec()).collect()),
            keys: wait.keys,
            deadline_ms: wait
                .timeout_ms
                .map(|timeout| call.local.now_ms.saturating_add_unsigned(timeout)),
            on_timeout: wait.on_timeout,
            unblock_on_missing: wait.unblock_on_missing,
            state: AtomicU8::new(WAITING),
        }
    }

    /// Takes the right to end the wait. One caller gets it.
    fn claim(&self) -> bool {
        self.state
            .compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Gives the right back: the command still has to wait.
    fn release(&self) {
        self.state.store(WAITING, Ordering::Release);
    }

    fn stripes(&self, call: &Call<'_>) -> StripeList {
        let server = call.server;
        let argv: Vec<&[u8]> = self.argv.iter().map(Vec::as_slice).collect();
        crate::unit::stripes_of(&server.store, server.commands.get(self.command), &argv)
    }
}

/// Registers a wait in the stripes of its keys, which are held.
pub fn register(call: &Call<'_>, held: &mut Held<'_>, blocked: &Arc<Blocked>) {
    let waiter: Arc<dyn Waiter> = blocked.clone();
    for key in &blocked.keys {
        let index = call.server.store.stripe_of(key);
        if let Some(stripe) = held.stripe_mut(index) {
            stripe.waiters.add(blocked.db, key, &waiter);
        }
    }
}

fn deregister(call: &Call<'_>, held: &mut Held<'_>, blocked: &Arc<Blocked>) {
    let waiter: Arc<dyn Waiter> = blocked.clone();
    for key in &blocked.keys {
        let index = call.server.store.stripe_of(key);
        if let Some(stripe) = held.stripe_mut(index) {
            stripe.waiters.remove(blocked.db, key, &waiter);
        }
    }
}

/// Ends a wait that nobody serves any more (timeout, CLIENT UNBLOCK, a closed
/// connection). Returns `false` where somebody is serving it this moment: the reply is
/// on its way.
pub fn cancel(call: &Call<'_>, blocked: &Arc<Blocked>) -> bool {
    if !blocked.claim() {
        return false;
    }
    let stripes = blocked.stripes(call);
    let mut held = call.server.store.stripes.lock_many(&stripes);
    deregister(call, &mut held, blocked);
    true
}

/// Serves the waiters on the unit's ready keys as far as the stripes held allow. Those
/// that need others are returned, to be served after the unit has released its own.
pub fn serve_ready(call: &mut Call<'_>, unit: &mut Unit<'_>) -> WaiterList {
    let mut later = WaiterList::new();
    let mut seen = HashSet::new();
    // Serving may make further keys ready (BLMOVE), until none is left.
    while !unit.effects.ready.is_empty() {
        for ready in std::mem::take(&mut unit.effects.ready) {
            let index = call.server.store.stripe_of(&ready.key);
            let Some(stripe) = unit.held.stripe(index) else {
                continue;
            };
            for waiter in stripe.waiters.of(ready.db, &ready.key) {
                let Ok(blocked) = (waiter as Arc<dyn Any + Send + Sync>).downcast::<Blocked>()
                else {
                    continue;
                };
                let within = blocked
                    .stripes(call)
                    .iter()
                    .all(|&stripe| unit.held.holds(stripe));
                if within {
                    serve(call, unit, &blocked);
                } else if seen.insert(Arc::as_ptr(&blocked)) {
                    later.push(blocked);
                }
            }
        }
    }
    later
}

/// The waiters among those of the keys `ready` that want to know when a key has gone.
pub fn disappointed(store: &Store, held: &Held<'_>, ready: &[Ready]) -> WaiterList {
    ready
        .iter()
        .filter_map(|ready| {
            let stripe = held.stripe(store.stripe_of(&ready.key))?;
            Some(stripe.waiters.of(ready.db, &ready.key))
        })
        .flatten()
        .filter_map(wants_to_know)
        .collect()
}

/// All waiters that want to know when a key has gone; every stripe is held.
pub fn all_disappointed(store: &Store, held: &Held<'_>) -> WaiterList {
    let mut seen = HashSet::new();
    (0..store.stripes.count() as u32)
        .filter_map(|index| held.stripe(index))
        .flat_map(|stripe| stripe.waiters.all())
        .filter_map(|waiter| wants_to_know(waiter.clone()))
        .filter(|blocked| seen.insert(Arc::as_ptr(blocked)))
        .collect()
}

fn wants_to_know(waiter: Arc<dyn Waiter>) -> Option<Arc<Blocked>> {
    let blocked = (waiter as Arc<dyn Any + Send + Sync>).downcast::<Blocked>();
    blocked.ok().filter(|blocked| blocked.unblock_on_missing)
}

/// Has waiters served by their own workers, for threads that run no commands.
pub fn reconsider(waiters: WaiterList) {
    for blocked in waiters {
        blocked.client.send(Mail::Reconsider {
            to: blocked.client.token,
            wait: blocked.number,
        });
    }
}

/// Serves waiters one by one, each under its own locks.
pub fn serve_each(call: &mut Call<'_>, waiters: WaiterList) {
    for blocked in waiters {
        let stripes = blocked.stripes(call);
        let mut unit = Unit::new(call, Kind::Single);
        unit.held = call.server.store.stripes.lock_many(&stripes);
        serve(call, &mut unit, &blocked);
        unit.conclude(call);
    }
}

/// Runs the command of a waiter, whose stripes are held; sends the reply if it has one
/// now.
fn serve(call: &mut Call<'_>, unit: &mut Unit<'_>, blocked: &Arc<Blocked>) {
    if !blocked.claim() {
        return;
    }
    let mut out = Reply::new(blocked.protocol);
    match rerun(call, unit, blocked, &mut out) {
        Ok(Flow::Done) => {}
        // The key is of another type now: whoever waits for a list waits on.
        Err(Error::WrongType) if !blocked.unblock_on_missing => return blocked.release(),
        Ok(Flow::Block(_)) => return blocked.release(),
        Err(error) => {
            out = Reply::new(blocked.protocol);
            write_error(call.server, &error, &mut out);
        }
    }
    out.draw_sources();
    deregister(call, &mut unit.held, blocked);
    blocked.client.send(Mail::Served {
        to: blocked.client.token,
        wait: blocked.number,
        reply: out.into_bytes(),
    });
}

fn rerun(call: &mut Call<'_>, unit: &mut Unit<'_>, blocked: &Blocked, out: &mut Reply) -> Outcome {
    let known = call.server.commands.get(blocked.command);
    let argv: Vec<&[u8]> = blocked.argv.iter().map(Vec::as_slice).collect();
    let mut args = Args::new(&argv, known.name_words(), &[]);
    let scope = scope(call, unit.now_ms());
    match known.command.run {
        Run::Write(handler) => {
            let mut view = WriteView::new(&scope, &mut unit.held, blocked.db, &mut unit.effects);
            handler(&mut view, &mut args, out)
        }
        Run::Read(handler) => handler(
            &ReadView::new(&scope, &unit.held, blocked.db),
            &mut args,
            out,
        ),
        // Only commands on keys wait for keys.
        _ => Err(Error::Syntax),
    }
}
