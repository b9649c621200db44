//! A unit of execution: what happens at once, under one set of locks: a single command,
//! a transaction, or a script.
//!
//! A unit holds stripes from its first command to its conclusion. How it comes by them
//! is what its kind says: a single command names its keys; a transaction locks what all
//! its commands name before the first runs; a script takes the global lock and then
//! stripes as it touches keys.

use ochre_journal::{Record, Wrap};
use ochre_resp::Reply;
use ochre_store::effects::{Propagation, RemovedFields};
use ochre_store::view::Observed;
use ochre_store::{
    Effects, EventClass, Held, KeyspaceView, ReadView, Removal, Scope, Store, WriteView,
};
use smallvec::SmallVec;

use crate::blocking;
use crate::commands::args::Args;
use crate::commands::spec::{Flags, Flow, KeyspaceCall, Outcome, Run, TimeoutReply};
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::{self, BigArguments, Call, Role};
use crate::live::Live;
use crate::pubsub::{self, Wakes};
use crate::server::Server;
use crate::tracking;

mod locking;

pub use locking::{Reach, has_reserved, lock_keys, refuse_reserved, stripes_of};

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
    pub effects: Box<Effects>,
    /// What is to be appended to the journal before the locks are released.
    record: Record,
    /// The script does not want its changes recorded (`redis.set_repl`).
    is_unrecorded: bool,
    /// Where keys are reserved, ascending: the unit is a script that runs aside, and holds
    /// no stripes between its commands.
    reserved: Option<StripeList>,
    store: &'s Store,
    now_ms: i64,
}

impl<'s> Unit<'s> {
    /// A unit that holds nothing yet.
    pub fn new(call: &mut Call<'s>, kind: Kind) -> Self {
        let effects = take_effects(call);
        Self {
            kind,
            ..Self::resumed(call, call.server.store.stripes.none(), effects)
        }
    }

    /// The unit of a single command that has run under these locks, with these effects.
    pub fn resumed(call: &Call<'s>, held: Held<'s>, effects: Box<Effects>) -> Self {
        Self {
            held,
            kind: Kind::Single,
            effects,
            record: Record::default(),
            is_unrecorded: false,
            reserved: None,
            store: &call.server.store,
            now_ms: call.local.now_ms,
        }
    }

    /// Unix time in milliseconds, which stands still within the unit.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
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
            Run::Unit(handler) => {
                let (db, dirty) = (call.session.db, self.effects.dirty);
                let outcome = handler(call, self, &mut args, out);
                // What is run within has been noted; libraries of functions are changed by
                // the command itself.
                if known.flags.has(Flags::WRITE) {
                    self.note_change(call, db, argv, dirty);
                }
                outcome
            }
            Run::Container => Err(Error::Arity(known.full_name.clone().into())),
            Run::Keyspace(handler) => {
                let scope = scope(call, self.now_ms);
                if self.kind != Kind::Single && !self.held.is_everything() {
                    self.extend_to_all(call.server);
                }
                if self.kind == Kind::Single {
                    self.lock_for_walk(call, known)?;
                }
                let db = call.session.db;
                let dirty = self.effects.dirty;
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
                self.note_change(call, db, argv, dirty);
                outcome
            }
            Run::Read(handler) => {
                self.lock_for(call, known, argv)?;
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
                self.write(call, known, argv, |view| handler(view, &mut args, out))
            }
            Run::Prepared(prepare) => {
                let prepared = prepare(&call.live.settings, &mut args)?;
                self.write(call, known, argv, |view| prepared(view, out))
            }
        }
    }

    /// Locks the keys of a command and has it work on them.
    #[inline]
    fn write(
        &mut self,
        call: &mut Call<'s>,
        known: &Known,
        argv: &[&[u8]],
        work: impl FnOnce(&mut WriteView<'_, '_>) -> Outcome,
    ) -> Outcome {
        self.lock_for(call, known, argv)?;
        let scope = scope(call, self.now_ms);
        let db = call.session.db;
        let dirty = self.effects.dirty;
        // Known only now: recording begins and ends under all locks.
        self.effects.recording = call.server.persistence.is_recording();
        let mut view = WriteView::new(&scope, &mut self.held, db, &mut self.effects);
        let outcome = work(&mut view);
        observe(call, &scope);
        self.note_write(call, &scope, known, argv, dirty);
        outcome
    }

    /// Sees to the keys that a write found past their deadline, and notes it for the
    /// journal. `dirty` changes had been made before it.
    pub fn note_write(
        &mut self,
        call: &mut Call<'_>,
        scope: &Scope<'_>,
        known: &Known,
        argv: &[&[u8]],
        dirty: u64,
    ) {
        let db = call.session.db;
        if scope.observed.expired.get() {
            self.remove_expired(scope, db, known, argv);
        }
        if self.effects.recording {
            self.note_change(call, db, argv, dirty);
        }
    }

    /// Notes for the journal what a command did that began when `dirty` changes had been
    /// made: it as it came, or what its handler has said instead; before that the keys
    /// and fields that were removed on the way.
    pub fn note_change(&mut self, call: &mut Call<'_>, db: u16, argv: &[&[u8]], dirty: u64) {
        let propagation = std::mem::take(&mut self.effects.propagation);
        if !call.server.persistence.is_recording() {
            return;
        }
        self.note_removals(call);
        if self.is_unrecorded {
            return;
        }
        match propagation {
            Propagation::AsSent if self.effects.dirty > dirty => {
                self.room(call).command(db, argv);
            }
            Propagation::AsSent | Propagation::Nothing => {}
            Propagation::As(commands) => {
                let record = self.room(call);
                for command in &commands {
                    record.command(db, command);
                }
            }
        }
    }

    /// Notes for the journal the keys and fields that were removed on the way.
    fn note_removals(&mut self, call: &mut Call<'_>) {
        if !self.effects.removed.is_empty() || !self.effects.removed_fields.is_empty() {
            self.room(call);
            note_removals(&mut self.effects, &mut self.record, call.live);
        }
    }

    /// The record, with the room of one that was used before.
    fn room(&mut self, call: &mut Call<'_>) -> &mut Record {
        if self.record.is_empty() {
            self.record = std::mem::take(&mut call.local.record);
        }
        &mut self.record
    }

    /// Whether changes made from now on are recorded. Those of expired keys always are.
    pub fn records_changes(&mut self, records: bool) {
        self.is_unrecorded = !records;
    }

    /// Appends what was noted to the journal. The locks are still held.
    fn append_record(&mut self, call: &mut Call<'_>) {
        if !self.record.is_empty() {
            let persistence = &call.server.persistence;
            self.record.set_second(self.now_ms / 1000);
            call.session.wrote_to = persistence.journal.append(&self.record, Wrap::Unit);
            // Whatever was known of the disk before: this must be there before its reply.
            call.local.withholding |= persistence.withholds_changes();
            self.record.clear();
            call.local.record = std::mem::take(&mut self.record);
        }
    }

    /// Notes what a blocked client did that this unit served, and appends it: as a
    /// change of its own, behind the unit's.
    pub fn record_served(&mut self, call: &mut Call<'_>, db: u16) {
        let dirty = self.effects.dirty;
        self.note_change(call, db, &[], dirty);
        self.append_record(call);
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
        // A script takes time of its own between its commands.
        call.local.measured_at = None;
        let flow = execute::timed(call, known, argv, out, |call, out| {
            let flow = self.dispatch(call, known, argv, &[], out)?;
            let errors = out.errors();
            out.draw_sources();
            if out.errors() > errors {
                call.server.stats.count_error(b"ERR");
            }
            Ok(flow)
        });
        call.session.in_unit = outer;
        if call.local.stats.is_full() {
            let stats = &mut call.local.stats;
            stats.merge_into(call.server, call.local.now_ms);
        }
        if self.reserved.is_some() {
            let keys = known.keys(argv).unwrap_or_default();
            self.reserve(keys.iter().map(|&(at, _)| argv[at]));
        }
        if let Flow::Block(wait) = flow {
            // Nobody waits while others are locked out.
            match wait.on_timeout {
                TimeoutReply::Null | TimeoutReply::NullOrNullArray => out.null(),
                TimeoutReply::NullArray => out.null_array(),
                TimeoutReply::Zero => out.integer(0),
                // Answered at once within a unit.
                TimeoutReply::Copies => {}
            }
        }
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
        let is_recording = call.server.persistence.is_recording();
        if is_recording {
            self.note_removals(call);
            self.append_record(call);
        }
        if self.reserved.is_some() {
            self.take_back();
        }
        if !self.effects.ready.is_empty() {
            postponed = blocking::serve_ready(call, &mut self, &mut wakes);
        }
        let by = call.session.id();
        tell(call.server, &mut self.held, &self.effects, by, &mut wakes);
        let Self {
            held, mut effects, ..
        } = self;
        drop(held);
        wakes.wake(call.server);
        // Whoever follows the journal is woken once a tick, not once a unit.
        call.local.has_recorded |= is_recording;
        // The effects that need no lock.
        call.local.stats.expired += effects.expired;
        call.local.stats.changes += std::mem::take(&mut effects.dirty);
        settle(call.server, &mut effects);
        effects.clear();
        call.local.effects = Some(effects);
        postponed
    }
}

/// The thread's room for effects, prepared for what is wanted of them.
#[inline]
pub fn take_effects(call: &mut Call<'_>) -> Box<Effects> {
    let mut effects = call.local.effects.take().unwrap_or_default();
    prepare(&mut effects, call.server, call.live);
    effects
}

/// New room for effects, prepared for what is wanted of them.
#[inline]
pub fn effects(server: &Server, live: &Live) -> Effects {
    let mut effects = Effects::default();
    prepare(&mut effects, server, live);
    effects
}

/// Prepares room without effects for what is wanted of them.
#[inline]
fn prepare(effects: &mut Effects, server: &Server, live: &Live) {
    effects.wanted_events = live.wanted_events;
    effects.tracking = server.trackers.is_active();
}

/// Notes for the journal the keys and fields that were found past their deadline.
pub fn note_removals(effects: &mut Effects, record: &mut Record, live: &Live) {
    let deletion: &[u8] = if live.settings.lazy_expire {
        b"UNLINK"
    } else {
        b"DEL"
    };
    for removed in effects.removed.drain(..) {
        record.command(removed.db, &[deletion, &removed.key]);
    }
    for RemovedFields { db, key, fields } in effects.removed_fields.drain(..) {
        let mut words: Vec<&[u8]> = vec![b"HDEL", &key];
        words.extend(fields.iter().map(Vec::as_slice));
        record.command(db, &words);
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
pub fn settle(server: &Server, effects: &mut Effects) {
    if effects.dirty > 0 {
        server.count_changes(effects.dirty);
    }
    server.store.freer.dispose(&mut effects.garbage);
}

/// What the views of one command have in common.
pub fn scope<'a>(call: &mut Call<'a>, now_ms: i64) -> Scope<'a> {
    Scope {
        store: &call.server.store,
        settings: &call.live.settings,
        now_ms,
        touch: !call.session.no_touch,
        expire: call.local.role != Role::Replay,
        observed: Observed::seeded(call.local.random()),
        named: call.named,
    }
}

/// Counts what lookups saw.
#[inline]
pub fn observe(call: &mut Call<'_>, scope: &Scope<'_>) {
    call.local.stats.hits += u64::from(scope.observed.hits.get());
    call.local.stats.misses += u64::from(scope.observed.misses.get());
}
