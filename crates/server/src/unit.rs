//! A unit of execution: what happens at once, under one set of locks: a single command,
//! a transaction, or a script.
//!
//! A unit holds stripes from its first command to its conclusion. How it comes by them
//! is what its kind says: a single command names its keys; a transaction locks what all
//! its commands name before the first runs; a script takes the global lock and then
//! stripes as it touches keys.

use ochre_resp::Reply;
use ochre_store::locks::GaveUp;
use ochre_store::view::Observed;
use ochre_store::{
    Effects, EventClass, Held, KeyspaceView, ReadView, Removal, Scope, Store, WriteView,
};
use smallvec::SmallVec;

use crate::blocking;
use crate::commands::args::Args;
use crate::commands::spec::{Flags, Flow, KeyspaceCall, Outcome, Run, TimeoutReply};
use crate::commands::table::{KeyPlan, Known};
use crate::error::Error;
use crate::execute::{self, BigArguments, Call};
use crate::gates;
use crate::live::Live;
use crate::pubsub::{self, Wakes};
use crate::server::Server;
use crate::tracking;

/// What a unit consists of, and hence how it comes by its locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One command: its keys are locked when it starts.
    Single,
    /// MULTI … EXEC: everything is locked before the first command.
    Transaction,
    /// A script or function: holds the global lock, takes stripes as it goes.
    Script,
}

/// A list of stripes, ascending.
pub type StripeList = SmallVec<[u32; 16]>;

/// A unit of execution.
pub struct Unit<'s> {
    pub held: Held<'s>,
    pub kind: Kind,
    pub effects: Effects,
    store: &'s Store,
    now_ms: i64,
}

impl<'s> Unit<'s> {
    /// A unit that holds nothing yet.
    pub fn new(call: &Call<'s>, kind: Kind) -> Self {
        Self {
            held: call.server.store.stripes.none(),
            kind,
            effects: effects(call.server, call.live),
            store: &call.server.store,
            now_ms: call.local.now_ms,
        }
    }

    /// Unix time in milliseconds, which stands still within the unit.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Locks what a transaction needs: these stripes, or all.
    ///
    /// # Errors
    /// BUSY, when a script that takes too long holds one.
    pub fn lock_transaction(
        &mut self,
        server: &Server,
        stripes: &StripeList,
        reach: Reach,
    ) -> Result<(), Error> {
        self.kind = Kind::Transaction;
        let mut give_up = || server.is_busy();
        let locked = match reach {
            Reach::Keys => self.store.stripes.lock_many_or(stripes, &mut give_up),
            Reach::Script => self.store.stripes.lazily_or(&mut give_up).map(|mut held| {
                held.extend(stripes);
                held
            }),
            Reach::Everything => self.store.stripes.exclusive_or(&mut give_up),
        };
        self.held = locked.map_err(|GaveUp| gates::busy(server))?;
        Ok(())
    }

    /// Takes the global lock, so that stripes can be taken one by one. Nothing to do
    /// within a transaction that has it.
    ///
    /// # Errors
    /// BUSY, when another script takes too long.
    pub fn lock_script(&mut self, server: &Server) -> Result<(), Error> {
        if !self.held.is_global() {
            debug_assert!(
                self.held.is_nothing(),
                "a transaction with scripts is global"
            );
            self.held = self
                .store
                .stripes
                .lazily_or(&mut || server.is_busy())
                .map_err(|GaveUp| gates::busy(server))?;
        }
        Ok(())
    }

    /// Sees to it that the command's keys are locked.
    fn lock_for(&mut self, server: &Server, known: &Known, argv: &[&[u8]]) -> Result<(), Error> {
        if self.kind == Kind::Single && self.held.is_nothing() && !self.held.is_global() {
            self.held = lock_keys(server, self.store, known, argv)?;
        } else if self.held.is_global() && !self.held.is_everything() {
            if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) {
                self.held.extend_to_all();
            } else {
                match known.plan {
                    KeyPlan::None => {}
                    KeyPlan::One(index) => {
                        self.held.extend(&[self.store.stripe_of(argv[index])]);
                    }
                    KeyPlan::Many => self.held.extend(&stripes_of(self.store, known, argv)),
                }
            }
        }
        Ok(())
    }

    /// Runs one command within the unit.
    ///
    /// # Errors
    /// The command's own, and BUSY.
    pub fn dispatch(
        &mut self,
        call: &mut Call<'s>,
        known: &Known,
        argv: &[&[u8]],
        big: &BigArguments,
        out: &mut Reply,
    ) -> Outcome {
        let mut args = Args::new(argv, known.name_words(), big);
        match known.command.run {
            Run::Session(handler) => handler(call, &mut args, out),
            Run::Unit(handler) => handler(call, self, &mut args, out),
            Run::Container => Err(Error::Arity(known.full_name.clone().into())),
            Run::Keyspace(handler) => {
                let scope = scope(call, self.now_ms);
                if self.kind != Kind::Single && !self.held.is_everything() {
                    self.held.extend_to_all();
                }
                let db = call.session.db;
                let mut view = KeyspaceView::new(&scope, &mut self.held, db, &mut self.effects);
                let outcome = handler(
                    &mut KeyspaceCall {
                        view: &mut view,
                        call,
                    },
                    &mut args,
                    out,
                );
                observe(call, &scope);
                outcome
            }
            Run::Read(handler) => {
                self.lock_for(call.server, known, argv)?;
                let scope = scope(call, self.now_ms);
                let db = call.session.db;
                let outcome = handler(&ReadView::new(&scope, &self.held, db), &mut args, out);
                if scope.observed.expired.get() {
                    self.remove_expired(&scope, db, known, argv);
                }
                if scope.observed.misses.get() > 0 && self.wants(EventClass::Miss) {
                    self.announce_misses(&scope, db, known, argv);
                }
                observe(call, &scope);
                if call.session.tracking.is_some() {
                    tracking::remember(call, &mut self.held, known, argv);
                }
                outcome
            }
            Run::Write(handler) => {
                self.lock_for(call.server, known, argv)?;
                let scope = scope(call, self.now_ms);
                let db = call.session.db;
                let mut view = WriteView::new(&scope, &mut self.held, db, &mut self.effects);
                let outcome = handler(&mut view, &mut args, out);
                if scope.observed.expired.get() {
                    self.remove_expired(&scope, db, known, argv);
                }
                observe(call, &scope);
                outcome
            }
        }
    }

    /// Runs one command of a transaction or script: with its statistics, with errors
    /// turned into replies, with a reply that is complete when this returns.
    pub fn run_nested(
        &mut self,
        call: &mut Call<'s>,
        known: &Known,
        argv: &[&[u8]],
        out: &mut Reply,
    ) {
        let outer = std::mem::replace(&mut call.session.in_unit, true);
        let flow = execute::timed(call, known, argv, out, |call, out| {
            self.dispatch(call, known, argv, &[], out)
        });
        call.session.in_unit = outer;
        if let Flow::Block(wait) = flow {
            // Nobody waits while others are locked out.
            match wait.on_timeout {
                TimeoutReply::Null | TimeoutReply::NullOrNullArray => out.null(),
                TimeoutReply::NullArray => out.null_array(),
                TimeoutReply::Zero => out.integer(0),
            }
        }
        out.draw_sources();
    }

    /// Removes the keys of a command that were found past their deadline and are still
    /// there.
    #[cold]
    pub fn remove_expired(&mut self, scope: &Scope<'_>, db: u16, known: &Known, argv: &[&[u8]]) {
        let keys = known.keys(argv).unwrap_or_default();
        let mut view = WriteView::new(scope, &mut self.held, db, &mut self.effects);
        for (at, _) in keys {
            if view.is_expired(argv[at]) {
                view.remove_as(argv[at], Removal::Expired);
            }
        }
    }

    /// Whether somebody listens to events of a class.
    pub fn wants(&self, class: EventClass) -> bool {
        self.effects.wanted_events & class as u32 != 0
    }

    /// Announces the keys of a read that are not there.
    #[cold]
    pub fn announce_misses(&mut self, scope: &Scope<'_>, db: u16, known: &Known, argv: &[&[u8]]) {
        let keys = known.keys(argv).unwrap_or_default();
        let mut view = WriteView::new(scope, &mut self.held, db, &mut self.effects);
        for (at, _) in keys {
            if view.read().peek(argv[at]).is_none() {
                view.notify(argv[at], EventClass::Miss, "keymiss");
            }
        }
    }

    /// Acts upon what the unit did, and releases its locks.
    #[inline]
    pub fn conclude(self, call: &mut Call<'s>) {
        let mut postponed = self.finish(call);
        while let Some(next) = postponed.pop_front() {
            let mut unit = Unit::new(call, Kind::Single);
            // The key's own stripe is among those of every waiter on it.
            unit.held = unit.store.stripes.lock_many(&next.stripes);
            unit.effects.ready.push(next.ready);
            postponed.extend(unit.finish(call));
        }
    }

    /// As `conclude`, but for the waiters that need stripes which others hold.
    #[inline]
    fn finish(mut self, call: &mut Call<'s>) -> blocking::PostponedList {
        let mut postponed = blocking::PostponedList::new();
        let mut wakes = Wakes::default();
        if !self.effects.ready.is_empty() {
            postponed = blocking::serve_ready(call, &mut self, &mut wakes);
        }
        let by = call.session.id();
        tell(call.server, &mut self.held, &self.effects, by, &mut wakes);
        self.held = self.store.stripes.none();
        wakes.wake(call.server);
        self.settle(call);
        postponed
    }

    /// The effects that need no lock.
    #[inline]
    fn settle(self, call: &mut Call<'_>) {
        call.local.stats.expired += self.effects.expired;
        settle(call.server, self.effects);
    }
}

/// Room for effects, prepared for what is wanted of them.
#[inline]
pub fn effects(server: &Server, live: &Live) -> Effects {
    Effects {
        wanted_events: live.wanted_events,
        tracking: server.trackers.is_active(),
        ..Effects::default()
    }
}

/// Tells those who listen what happened to the keys, whose locks are held: subscribers
/// of keyspace events, and clients that cache. `by` is the client that did it, 0 for the
/// server itself.
#[inline]
pub fn tell(server: &Server, held: &mut Held<'_>, effects: &Effects, by: u64, wakes: &mut Wakes) {
    if !effects.events.is_empty() {
        pubsub::announce(server, &effects.events, effects.wanted_events, wakes);
    }
    if !effects.changed.is_empty() {
        tracking::invalidate(server, held, &effects.changed, by, wakes);
    }
    if effects.flushed {
        tracking::invalidate_all(server, held, wakes);
    }
}

/// Acts upon effects after the locks they were made under are released, whoever made
/// them: a client's unit or the reclaimer.
#[inline]
pub fn settle(server: &Server, effects: Effects) {
    if effects.dirty > 0 {
        server.count_changes(effects.dirty);
    }
    server.store.freer.dispose(effects.garbage);
}

/// How far a transaction's commands may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The keys they name.
    Keys,
    /// Those, and what their scripts touch.
    Script,
    /// Anything.
    Everything,
}

/// What the views of one command have in common.
pub fn scope<'a>(call: &mut Call<'a>, now_ms: i64) -> Scope<'a> {
    Scope {
        store: &call.server.store,
        settings: &call.live.settings,
        now_ms,
        touch: !call.session.no_touch,
        expire: true,
        observed: Observed::seeded(call.local.random()),
    }
}

/// Counts what lookups saw.
#[inline]
pub fn observe(call: &mut Call<'_>, scope: &Scope<'_>) {
    call.local.stats.hits += u64::from(scope.observed.hits.get());
    call.local.stats.misses += u64::from(scope.observed.misses.get());
}

/// The stripes of the command's keys.
pub fn stripes_of(store: &Store, known: &Known, argv: &[&[u8]]) -> StripeList {
    // Where the keys cannot be told, the handler says what is wrong before it looks at
    // any.
    let keys = known.keys(argv).unwrap_or_default();
    let mut stripes: StripeList = keys
        .iter()
        .map(|&(at, _)| store.stripe_of(argv[at]))
        .collect();
    stripes.sort_unstable();
    stripes.dedup();
    stripes
}

/// Locks the stripes of the command's keys.
///
/// # Errors
/// BUSY, when a script that takes too long holds one.
#[inline]
pub fn lock_keys<'s>(
    server: &Server,
    store: &'s Store,
    known: &Known,
    argv: &[&[u8]],
) -> Result<Held<'s>, Error> {
    let mut give_up = || server.is_busy();
    let locked = if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) {
        store.stripes.exclusive_or(&mut give_up)
    } else {
        match known.plan {
            KeyPlan::None => Ok(store.stripes.none()),
            KeyPlan::One(index) => store
                .stripes
                .lock_one_or(store.stripe_of(argv[index]), &mut give_up),
            KeyPlan::Many => store
                .stripes
                .lock_many_or(&stripes_of(store, known, argv), &mut give_up),
        }
    };
    locked.map_err(|GaveUp| gates::busy(server))
}
