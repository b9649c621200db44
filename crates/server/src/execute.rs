//! From arguments to a reply: find the command, admit it, lock its keys, run it, and
//! act upon its effects.
//!
//! This is the only place that decides which stripes a command holds, and the only one
//! that releases them.

use ochre_resp::Reply;
use ochre_store::locks::GaveUp;
use ochre_store::view::Observed;
use ochre_store::{Effects, Held, KeyspaceView, ReadView, Removal, Scope, WriteView};
use smallvec::SmallVec;
use std::sync::Arc;

use crate::commands::args::Args;
use crate::commands::spec::{Flags, Flow, KeyspaceCall, Outcome, Run};
use crate::commands::table::{KeyPlan, Known};
use crate::error::Error;
use crate::gates;
use crate::live::Live;
use crate::server::Server;
use crate::session::Session;
use crate::stats::{Ending, LocalStats};

/// Arguments that lie in buffers of their own, by index.
pub type BigArguments = [(usize, Arc<Vec<u8>>)];

/// What one thread keeps for executing commands.
pub struct Local {
    pub stats: LocalStats,
    pub clock: quanta::Clock,
    pub now_ms: i64,
    random: u64,
}

impl Local {
    pub fn new(commands: usize) -> Self {
        let mut seed = [0; 8];
        // A fixed seed is good enough where the system has no randomness to give.
        let _ = getrandom::fill(&mut seed);
        Self {
            stats: LocalStats::new(commands),
            clock: quanta::Clock::new(),
            now_ms: crate::clock::now_ms(),
            random: u64::from_le_bytes(seed) | 1,
        }
    }

    /// A random number (xorshift64*): for sampling, not for secrets.
    pub fn random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// What a command runs within.
pub struct Call<'c> {
    pub server: &'c Server,
    pub live: &'c Live,
    pub session: &'c mut Session,
    pub local: &'c mut Local,
}

/// Finds the command that `argv` names.
///
/// # Errors
/// Unknown command or subcommand, or the wrong number of arguments.
pub fn resolve<'s>(server: &'s Server, argv: &[&[u8]]) -> Result<&'s Known, Error> {
    let Some(known) = server.commands.find(argv[0]) else {
        return Err(unknown_command(argv));
    };
    resolve_known(server, known, argv)
}

/// As [`resolve`], for a name that was looked up already.
#[inline]
pub fn resolve_known<'s>(
    server: &'s Server,
    known: &'s Known,
    argv: &[&[u8]],
) -> Result<&'s Known, Error> {
    let known = if known.is_container() && argv.len() > 1 {
        server
            .commands
            .find_subcommand(known, argv[1])
            .ok_or_else(|| unknown_subcommand(known, argv[1]))?
    } else {
        known
    };
    if known.accepts(argv.len()) {
        Ok(known)
    } else {
        Err(Error::Arity(known.full_name.clone().into()))
    }
}

#[cold]
fn unknown_command(argv: &[&[u8]]) -> Error {
    // Redis quotes at most 128 bytes of the name and of the arguments together.
    const QUOTED_MAX: usize = 128;
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(&argv[0][..argv[0].len().min(QUOTED_MAX)]);
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for argument in &argv[1..] {
        let used = text.len() - start;
        if used >= QUOTED_MAX {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(&argument[..argument.len().min(QUOTED_MAX - used)]);
        text.extend_from_slice(b"' ");
    }
    Error::UnknownCommand(text)
}

#[cold]
fn unknown_subcommand(of: &Known, name: &[u8]) -> Error {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(&name[..name.len().min(128)]);
    text.extend_from_slice(b"'. Try ");
    text.extend_from_slice(of.command.name.to_ascii_uppercase().as_bytes());
    text.extend_from_slice(b" HELP.");
    Error::Bytes(text)
}

/// Executes one request and appends its reply.
pub fn execute(call: &mut Call<'_>, argv: &[&[u8]], big: &BigArguments, out: &mut Reply) -> Flow {
    let found = call.server.commands.find(argv[0]);
    execute_found(call, found, argv, big, out)
}

/// As [`execute`], for a command that was looked up already.
#[inline]
pub fn execute_found(
    call: &mut Call<'_>,
    found: Option<&Known>,
    argv: &[&[u8]],
    big: &BigArguments,
    out: &mut Reply,
) -> Flow {
    let server = call.server;
    let resolved = match found {
        Some(known) => resolve_known(server, known, argv),
        None => Err(unknown_command(argv)),
    };
    let known = match resolved.and_then(|known| gates::admit(call, known, argv).map(|()| known)) {
        Ok(known) => known,
        Err(error) => {
            reject(call, found, &error, out);
            return Flow::Done;
        }
    };
    call.session.used(known.id, call.local.now_ms);
    run(call, known, argv, big, out)
}

/// Writes the error of a command that was not run.
#[cold]
fn reject(call: &mut Call<'_>, found: Option<&Known>, error: &Error, out: &mut Reply) {
    if let Some(known) = found {
        call.local.stats.rejected(known.id);
    }
    write_error(call.server, error, out);
}

/// Writes an error reply and counts it.
#[cold]
pub fn write_error(server: &Server, error: &Error, out: &mut Reply) {
    let line = error.line();
    server.stats.count_error(Error::code(&line));
    out.error_bytes(&line);
}

/// Runs an admitted command: times it, counts it, turns its error into a reply.
fn run(
    call: &mut Call<'_>,
    known: &Known,
    argv: &[&[u8]],
    big: &BigArguments,
    out: &mut Reply,
) -> Flow {
    let started = call.local.clock.raw();
    let written = out.len();
    let mut errors = out.errors();
    let outcome = dispatch(call, known, argv, big, out);
    let elapsed_ns = call
        .local
        .clock
        .delta_as_nanos(started, call.local.clock.raw());
    let flow = match outcome {
        Ok(flow) => flow,
        Err(error) => {
            out.truncate(written);
            errors = errors.min(out.errors());
            write_error(call.server, &error, out);
            Flow::Done
        }
    };
    let ending = if out.errors() > errors {
        Ending::Failed
    } else {
        Ending::Ok
    };
    let track = call.live.config.latency.tracking;
    call.local.stats.called(known.id, elapsed_ns, ending, track);
    call.server.slowlog.note(call, known, argv, elapsed_ns);
    flow
}

fn dispatch(
    call: &mut Call<'_>,
    known: &Known,
    argv: &[&[u8]],
    big: &BigArguments,
    out: &mut Reply,
) -> Outcome {
    let name_words = if known.command.subcommands.is_empty() && known.full_name.contains('|') {
        2
    } else {
        1
    };
    let mut args = Args::new(argv, name_words, big);
    match known.command.run {
        Run::Session(handler) => handler(call, &mut args, out),
        Run::Container => Err(Error::Arity(known.full_name.clone().into())),
        Run::Keyspace(handler) => {
            let (server, live) = (call.server, call.live);
            let scope = scope(server, live, call);
            let mut effects = effects(server);
            let mut held = server.store.stripes.none();
            let db = call.session.db;
            let outcome = {
                let mut view = KeyspaceView::new(&scope, &mut held, db, &mut effects);
                let mut whole = KeyspaceCall {
                    view: &mut view,
                    call,
                };
                handler(&mut whole, &mut args, out)
            };
            conclude(call, &scope, held, effects, known, argv);
            outcome
        }
        Run::Read(handler) => {
            let (server, live) = (call.server, call.live);
            let scope = scope(server, live, call);
            let mut held = lock_keys(call, known, argv)?;
            let db = call.session.db;
            let outcome = handler(&ReadView::new(&scope, &held, db), &mut args, out);
            if scope.observed.expired.get() {
                let mut effects = effects(server);
                remove_expired(&scope, &mut held, db, known, argv, &mut effects);
                conclude(call, &scope, held, effects, known, argv);
            } else {
                drop(held);
                observe(call, &scope);
            }
            outcome
        }
        Run::Write(handler) => {
            let (server, live) = (call.server, call.live);
            let scope = scope(server, live, call);
            let mut effects = effects(server);
            let mut held = lock_keys(call, known, argv)?;
            let db = call.session.db;
            let mut view = WriteView::new(&scope, &mut held, db, &mut effects);
            let outcome = handler(&mut view, &mut args, out);
            if scope.observed.expired.get() {
                remove_expired(&scope, &mut held, db, known, argv, &mut effects);
            }
            conclude(call, &scope, held, effects, known, argv);
            outcome
        }
    }
}

fn scope<'a>(server: &'a Server, live: &'a Live, call: &mut Call<'_>) -> Scope<'a> {
    Scope {
        store: &server.store,
        settings: &live.settings,
        now_ms: call.local.now_ms,
        touch: !call.session.no_touch,
        expire: true,
        observed: Observed::seeded(call.local.random()),
    }
}

/// Room for the effects of one unit of execution, prepared for what is wanted of them.
pub fn effects(_server: &Server) -> Effects {
    Effects::default()
}

/// Locks the stripes of the command's keys.
fn lock_keys<'s>(call: &Call<'s>, known: &Known, argv: &[&[u8]]) -> Result<Held<'s>, Error> {
    let server = call.server;
    let store = &server.store;
    let mut give_up = || server.is_busy();
    let busy = |GaveUp| gates::busy();
    if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) {
        return store.stripes.exclusive_or(&mut give_up).map_err(busy);
    }
    match known.plan {
        KeyPlan::None => Ok(store.stripes.none()),
        KeyPlan::One(index) => {
            let stripe = store.stripe_of(argv[index]);
            store
                .stripes
                .lock_one_or(stripe, &mut give_up)
                .map_err(busy)
        }
        KeyPlan::Many => {
            // Where the keys cannot be told, the handler says what is wrong before it
            // looks at any.
            let keys = known.keys(argv).unwrap_or_default();
            let mut stripes: SmallVec<[u32; 16]> = keys
                .iter()
                .map(|&(at, _)| store.stripe_of(argv[at]))
                .collect();
            stripes.sort_unstable();
            stripes.dedup();
            store
                .stripes
                .lock_many_or(&stripes, &mut give_up)
                .map_err(busy)
        }
    }
}

/// Removes the keys of the command that were found past their deadline and are still
/// there.
#[cold]
fn remove_expired(
    scope: &Scope<'_>,
    held: &mut Held<'_>,
    db: u16,
    known: &Known,
    argv: &[&[u8]],
    effects: &mut Effects,
) {
    let keys = known.keys(argv).unwrap_or_default();
    let mut view = WriteView::new(scope, held, db, effects);
    for (at, _) in keys {
        if view.is_expired(argv[at]) {
            view.remove_as(argv[at], Removal::Expired);
        }
    }
}

/// Acts upon what a command did, and releases its stripes.
#[inline]
fn conclude(
    call: &mut Call<'_>,
    scope: &Scope<'_>,
    held: Held<'_>,
    effects: Effects,
    _known: &Known,
    _argv: &[&[u8]],
) {
    call.local.stats.expired += effects.expired;
    act_upon(call.server, held, effects);
    observe(call, scope);
}

/// Acts upon effects of whatever origin, and releases the stripes they were made under.
#[inline]
pub fn act_upon(server: &Server, held: Held<'_>, effects: Effects) {
    drop(held);
    if effects.dirty > 0 {
        server.count_changes(effects.dirty);
    }
    server.store.freer.dispose(effects.garbage);
}

/// Counts what lookups saw.
#[inline]
fn observe(call: &mut Call<'_>, scope: &Scope<'_>) {
    call.local.stats.hits += u64::from(scope.observed.hits.get());
    call.local.stats.misses += u64::from(scope.observed.misses.get());
}
