//! Blocked clients: registered under the locks of their keys, served by whoever makes a
//! key ready, in the order they came.
//!
//! A blocked client is its command, kept to be run again. The unit that changes one of
//! its keys runs it before it releases its locks. Stripes that the command needs beyond
//! are taken if nobody holds them this moment; else the key's line is served right
//! after, by a unit that waits for them: nobody overtakes the first in line. So an
//! element is seen by nobody between its arrival and its delivery, unless its receiver
//! needs a stripe that was held.
//!
//! ```text
//!            runs again, has a reply
//!   WAITING --------> SERVING --------> DONE
//!      ^  \              |               ^
//!      |   \             | must wait on  |
//!      |    \            v               |
//!      +-----+-----------+               |
//!             \  timeout, CLIENT UNBLOCK,|
//!              +  connection closed -----+
//! ```
//!
//! Invariants: SERVING is seen only while all stripes of the command are held by whoever
//! serves, who waits for nothing meanwhile. Whoever takes the wait to DONE answers the
//! client (or closes its connection), and nobody else does.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ochre_resp::{Protocol, Reply};
use ochre_store::effects::Ready;
use ochre_store::waiting::Waiter;
use ochre_store::{Held, ReadView, Type, WriteView};

use crate::clients::Client;
use crate::commands::args::Args;
use crate::commands::spec::{Flow, Group, Outcome, Run, TimeoutReply, Until, Wait};
use crate::error::Error;
use crate::execute::{Call, write_error};
use crate::net::mail::Mail;
use crate::persistence::{jobs, reload};
use crate::pubsub::Wakes;
use crate::server::Server;
use crate::unit::{self, Kind, StripeList, Unit, scope};

/// Keys whose waiters could not be served under the locks held.
pub type PostponedList = VecDeque<Postponed>;

/// A ready key, and the stripes that serving its first waiter takes.
pub struct Postponed {
    pub ready: Ready,
    pub stripes: StripeList,
}

const WAITING: u8 = 0;
const SERVING: u8 = 1;
const DONE: u8 = 2;

/// A blocked client.
pub struct Blocked {
    pub client: Arc<Client>,
    /// Tells this wait from others of the same connection.
    pub number: u64,
    db: u16,
    protocol: Protocol,
    command: u16,
    argv: Vec<Vec<u8>>,
    /// The keys, each once.
    keys: Vec<Vec<u8>>,
    /// The stripes of everything the command may touch.
    stripes: StripeList,
    /// What a key must hold to be of interest.
    wants: Option<Type>,
    /// Unix time in milliseconds, or `None` to wait for ever.
    pub deadline_ms: Option<i64>,
    pub on_timeout: TimeoutReply,
    unblock_on_missing: bool,
    state: AtomicU8,
}

impl std::fmt::Debug for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocked")
            .field("client", &self.client.id)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Waiter for Blocked {
    fn wakes_on_absence(&self) -> bool {
        self.unblock_on_missing
    }
}

impl Blocked {
    /// Makes the wait of the session's current command.
    pub fn new(call: &Call<'_>, command: u16, argv: &[&[u8]], wait: Wait, number: u64) -> Self {
        let known = call.server.commands.get(command);
        let mut keys = wait.keys;
        if keys.len() > 1 {
            let mut seen = std::collections::HashSet::new();
            let mut is_first: Vec<bool> = keys.iter().map(|key| seen.insert(key)).collect();
            is_first.reverse();
            keys.retain(|_| is_first.pop().unwrap_or(true));
        }
        Self {
            client: call.session.client.clone(),
            number,
            db: call.session.db,
            protocol: call.session.protocol,
            command,
            stripes: unit::stripes_of(&call.server.store, known, argv),
            argv: wait
                .argv
                .unwrap_or_else(|| argv.iter().map(|argument| argument.to_vec()).collect()),
            keys,
            wants: match known.command.group {
                Group::List => Some(Type::List),
                Group::SortedSet => Some(Type::SortedSet),
                Group::Stream => Some(Type::Stream),
                _ => None,
            },
            deadline_ms: wait
                .timeout_ms
                .map(|timeout| call.local.now_ms.saturating_add_unsigned(timeout)),
            on_timeout: wait.on_timeout,
            unblock_on_missing: wait.unblock_on_missing,
            state: AtomicU8::new(WAITING),
        }
    }

    pub fn db(&self) -> u16 {
        self.db
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The number of the command.
    pub fn command(&self) -> u16 {
        self.command
    }

    /// The command as it is to be run again, its name first.
    pub fn argv(&self) -> Vec<&[u8]> {
        self.argv.iter().map(Vec::as_slice).collect()
    }

    fn turn(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }

    /// Ends the wait on request of another client (CLIENT UNBLOCK); says whether it was
    /// not over yet. Its worker must be told. Any locks may be held: where somebody is
    /// about to serve it, the outcome is there in no time.
    pub fn end(&self) -> bool {
        loop {
            match self.turn(WAITING, DONE) {
                Ok(_) => return true,
                Err(SERVING) => std::thread::yield_now(),
                Err(_) => return false,
            }
        }
    }

    /// Ends the wait with a reply made for the client's protocol, unless it is over.
    /// For waits that are not for keys.
    pub fn finish(&self, reply: Vec<u8>) {
        self.finish_with(reply, false);
    }

    /// As [`Blocked::finish`], with a reply that may tell of a change.
    pub fn finish_with(&self, reply: Vec<u8>, tells_of_change: bool) {
        if self.end() {
            self.client.send(Mail::Served {
                to: self.client.token,
                wait: self.number,
                reply,
                tells_of_change,
            });
        }
    }

    /// Whether the wait has ended.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) == DONE
    }

    /// Whether a key that holds this is a reason to run the command again.
    fn heeds(&self, found: Option<Type>) -> bool {
        self.unblock_on_missing || found.is_some() && found == self.wants
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

/// Has the wait ended by what it waits for, where that is no key.
pub fn await_event(call: &Call<'_>, until: Until, blocked: &Arc<Blocked>) {
    let server = call.server;
    match until {
        Until::KeysReady => {}
        Until::Begun(kind) => jobs::begin_for(server, kind, blocked.clone()),
        Until::Saved => jobs::save_for(server, blocked.clone()),
        Until::OnDisk(offset) => server
            .persistence
            .waits
            .add(server, offset, blocked.clone()),
        Until::Reloaded(reload) => reload::spawn(server, reload, blocked.clone()),
        Until::Ended(request) => server.request_stop(request, Some(blocked.clone())),
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

/// Takes a wait out of its lines. Says whether that ended it: `false` where it had
/// ended before, and its answer is on the way.
pub fn cancel(call: &Call<'_>, blocked: &Arc<Blocked>) -> bool {
    let mut held = call.server.store.stripes.lock_many(&blocked.stripes);
    // Nobody is serving it: that takes the locks held here.
    let is_ended = blocked.turn(WAITING, DONE).is_ok();
    deregister(call, &mut held, blocked);
    is_ended
}

/// Serves the waiters on the unit's ready keys, and on those that become ready by it
/// (BLMOVE), as far as the stripes can be had without waiting. The rest is returned, to
/// be served after the unit has released its own.
pub fn serve_ready(call: &mut Call<'_>, unit: &mut Unit<'_>, wakes: &mut Wakes) -> PostponedList {
    let mut postponed = PostponedList::new();
    while !unit.effects.ready.is_empty() {
        for ready in std::mem::take(&mut unit.effects.ready) {
            if let Err(stripes) = serve_key(call, unit, &ready, wakes) {
                postponed.push_back(Postponed { ready, stripes });
            }
        }
    }
    postponed
}

/// Has the waiters on keys that have gone served by a worker of theirs: for threads that
/// run no commands.
pub fn hand_over(server: &Server, held: &Held<'_>, gone: &[Ready]) {
    for ready in gone {
        let stripe = held.stripe(server.store.stripe_of(&ready.key));
        let first = stripe.and_then(|stripe| stripe.waiters.get(ready.db, &ready.key, 0));
        let Some(first) = first.cloned() else {
            continue;
        };
        if let Ok(blocked) = (first as Arc<dyn Any + Send + Sync>).downcast::<Blocked>() {
            blocked.client.send(Mail::Ready {
                to: blocked.client.token,
                ready: ready.clone(),
            });
        }
    }
}

/// Serves the waiters on a key as a unit of its own.
pub fn serve_key_again(call: &mut Call<'_>, ready: Ready) {
    let store = &call.server.store;
    let mut unit = Unit::new(call, Kind::Single);
    unit.held = store.stripes.lock_one(store.stripe_of(&ready.key));
    unit.effects.ready.push(ready);
    unit.conclude(call);
}

/// Serves the waiters on one key in the order they came.
///
/// # Errors
/// The stripes to lock for the next in line, when they cannot be had without waiting.
fn serve_key(
    call: &mut Call<'_>,
    unit: &mut Unit<'_>,
    ready: &Ready,
    wakes: &mut Wakes,
) -> Result<(), StripeList> {
    let index = call.server.store.stripe_of(&ready.key);
    // What changed the key may have given its stripe back already (a walk).
    if !unit.held.try_extend(&[index]) {
        return Err(StripeList::from_slice(&[index]));
    }
    let mut place = 0;
    loop {
        let scope = scope(call, unit.now_ms());
        let found = ReadView::new(&scope, &unit.held, ready.db)
            .peek(&ready.key)
            .map(|entry| entry.value_type());
        let Some(stripe) = unit.held.stripe(index) else {
            return Ok(());
        };
        if found.is_none() && !stripe.waiters.has_on_absence(ready.db, &ready.key) {
            return Ok(());
        }
        let Some(waiter) = stripe.waiters.get(ready.db, &ready.key, place) else {
            return Ok(());
        };
        let blocked = (waiter.clone() as Arc<dyn Any + Send + Sync>).downcast::<Blocked>();
        place += 1;
        let Ok(blocked) = blocked else {
            continue;
        };
        if !blocked.heeds(found) {
            continue;
        }
        if !unit.held.try_extend(&blocked.stripes) {
            return Err(blocked.stripes.clone());
        }
        if needs_reserved(call, unit, &blocked) {
            // Nobody overtakes the first in line.
            call.server.aside.postpone(ready.clone());
            return Ok(());
        }
        if serve(call, unit, &blocked, wakes) {
            // It has left the line.
            place -= 1;
        }
    }
}

/// Whether the command of a waiter, whose stripes are held, names a key that a script which
/// runs aside keeps to itself.
fn needs_reserved(call: &Call<'_>, unit: &Unit<'_>, blocked: &Blocked) -> bool {
    if !unit::has_reserved(&unit.held, &blocked.stripes) {
        return false;
    }
    let argv = blocked.argv();
    let known = call.server.commands.get(blocked.command);
    let keys = known.keys(&argv).unwrap_or_default();
    let keys = keys.iter().map(|&(at, _)| argv[at]);
    unit::refuse_reserved(call.server, &unit.held, keys).is_err()
}

/// Runs the command of a waiter, whose stripes are held; sends the reply if it has one
/// now. Returns whether it was served.
fn serve(
    call: &mut Call<'_>,
    unit: &mut Unit<'_>,
    blocked: &Arc<Blocked>,
    wakes: &mut Wakes,
) -> bool {
    if blocked.turn(WAITING, SERVING).is_err() {
        // Ended on request; its worker will take it out of its lines.
        return false;
    }
    let mut out = Reply::new(blocked.protocol);
    match rerun(call, unit, blocked, &mut out) {
        // Scripts do not wait for keys, and nobody waits for locks here.
        Ok(Flow::Done | Flow::Aside | Flow::Deferred) => {}
        Ok(Flow::Block(_)) => {
            blocked.state.store(WAITING, Ordering::Release);
            return false;
        }
        Err(error) => {
            out = Reply::new(blocked.protocol);
            write_error(call.server, &error, &mut out);
        }
    }
    blocked.state.store(DONE, Ordering::Release);
    deregister(call, &mut unit.held, blocked);
    let reply = out.into_bytes();
    let mail = Mail::Served {
        to: blocked.client.token,
        wait: blocked.number,
        tells_of_change: !reply.starts_with(b"-"),
        reply,
    };
    wakes.put(call.server, blocked.client.worker, mail);
    true
}

/// Runs the command again. What is to be recorded of it comes after what the unit did.
fn rerun(call: &mut Call<'_>, unit: &mut Unit<'_>, blocked: &Blocked, out: &mut Reply) -> Outcome {
    let known = call.server.commands.get(blocked.command);
    let argv = blocked.argv();
    let mut args = Args::new(&argv, known.name_words(), &[]);
    let scope = scope(call, unit.now_ms());
    match known.command.run {
        Run::Write(handler) => {
            unit.effects.recording = call.server.persistence.is_recording();
            let mut view = WriteView::new(&scope, &mut unit.held, blocked.db, &mut unit.effects);
            let outcome = handler(&mut view, &mut args, out);
            unit.record_served(call, blocked.db);
            outcome
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
