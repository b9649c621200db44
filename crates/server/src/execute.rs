//! From arguments to a reply: find the command, admit it, run it as a unit of execution
//! (or queue it in a transaction), time it and count it.

use std::sync::Arc;

use ochre_journal::Record;
use ochre_resp::Reply;
use ochre_store::{Effects, EventClass, Hashed, Held, ReadView, WriteView};

use crate::blocking::{self, Blocked};
use crate::commands::args::Args;
use crate::commands::spec::{Flags, Flow, Outcome, Run, Wait};
use crate::commands::table::Known;
use crate::commands::transactions;
use crate::error::{Error, quoted};
use crate::gates;
use crate::live::Live;
use crate::pubsub::Wakes;
use crate::script::{Engine, aside};
use crate::server::Server;
use crate::session::Session;
use crate::stats::{Ending, LocalStats};
use crate::tracking;
use crate::unit::{self, Kind, Unit};

/// Arguments that lie in buffers of their own, by index.
pub type BigArguments = [(usize, Arc<Vec<u8>>)];

/// Where commands are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Among other clients' commands, which must not be kept waiting.
    Worker,
    /// On the thread of scripts.
    Aside,
    /// What is executed was recorded before: deadlines are not enforced, the record says
    /// itself when a key went.
    Replay,
}

/// What one thread keeps for executing commands.
pub struct Local {
    pub stats: LocalStats,
    pub clock: quanta::Clock,
    pub now_ms: i64,
    /// Waits begun so far, to number them.
    pub waits: u64,
    /// The interpreter of this thread, once a script has run.
    pub engine: Option<Box<Engine>>,
    pub role: Role,
    /// Something was appended to the journal whose followers are not woken yet.
    pub has_recorded: bool,
    /// Replies wait for the disk (`appendfsync always`).
    pub withholding: bool,
    /// Room for what a unit notes for the journal.
    pub record: Record,
    /// When the last command of a pipeline ended, by `clock`, which is when the next one
    /// begins; `None` where the clock must be read.
    pub measured_at: Option<u64>,
    /// Room for the effects of the next unit, without any.
    pub effects: Option<Box<Effects>>,
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
            waits: 0,
            engine: None,
            role: Role::Worker,
            has_recorded: false,
            withholding: false,
            record: Record::default(),
            effects: None,
            measured_at: None,
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

/// How a request went.
pub enum Executed {
    /// The reply is written.
    Done,
    /// Clients are paused: the request is to be executed again when the pause ends.
    Paused,
    /// A script has what the command needs: the request is to be executed again when
    /// that has ended.
    Deferred,
    /// The command runs on the thread of scripts; its reply comes by mail.
    Aside(Arc<Blocked>),
    /// The client waits; its reply comes by mail.
    Blocked(Arc<Blocked>),
}

/// What a command runs within.
pub struct Call<'c> {
    pub server: &'c Arc<Server>,
    pub live: &'c Live,
    pub session: &'c mut Session,
    pub local: &'c mut Local,
    /// The key that the request names, if it names one, with its hash.
    pub named: Option<Hashed<'c>>,
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

/// Whether this is no command but a line of an HTTP request: a web page may have made a
/// browser send it, with commands for a body.
#[cold]
fn speaks_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Ends a connection that does not come from a client of ours.
#[cold]
fn hang_up(call: &mut Call<'_>) {
    call.session.close = true;
    let address = &call.session.client.address;
    call.server.log.warning(&format!(
        "Closing {address}: it sends HTTP (POST or Host:), which may be a web page's attempt \
         to reach this server through a browser"
    ));
}

#[cold]
fn unknown_command(argv: &[&[u8]]) -> Error {
    // Redis quotes at most 128 bytes of the name and of the arguments together.
    const QUOTED_MAX: usize = 128;
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(quoted(argv[0], QUOTED_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for argument in &argv[1..] {
        let used = text.len() - start;
        if used >= QUOTED_MAX {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(quoted(argument, QUOTED_MAX - used));
        text.extend_from_slice(b"' ");
    }
    Error::UnknownCommand(text)
}

#[cold]
fn unknown_subcommand(of: &Known, name: &[u8]) -> Error {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(quoted(name, 128));
    text.extend_from_slice(b"'. Try ");
    text.extend_from_slice(of.command.name.to_ascii_uppercase().as_bytes());
    text.extend_from_slice(b" HELP.");
    Error::Bytes(text)
}

/// Executes one request and appends its reply.
pub fn execute(
    call: &mut Call<'_>,
    argv: &[&[u8]],
    big: &BigArguments,
    out: &mut Reply,
) -> Executed {
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
) -> Executed {
    let server = call.server;
    let resolved = match found {
        Some(known) => resolve_known(server, known, argv),
        None if speaks_http(argv[0]) => {
            hang_up(call);
            return Executed::Done;
        }
        None => Err(unknown_command(argv)),
    };
    let known = match resolved.and_then(|known| gates::admit(call, known, argv).map(|()| known)) {
        Ok(known) => known,
        Err(error) => {
            reject(call, found, &error, out);
            return Executed::Done;
        }
    };
    if call.server.pause.is_set() && holds_back(call, known) {
        return Executed::Paused;
    }
    call.session.used(known.id, call.local.now_ms);
    if !server.monitors.is_empty() && !std::mem::take(&mut call.session.was_deferred) {
        server.monitors.show(call, known, argv);
    }
    if call.session.multi.is_some() && !transactions::runs_within_multi(known) {
        transactions::queue(call.session, known, argv);
        out.raw(b"+QUEUED\r\n");
        return Executed::Done;
    }
    run(call, known, argv, big, out)
}

/// Whether the command has to wait for the end of a pause. EXEC writes if what was
/// queued does.
#[cold]
fn holds_back(call: &Call<'_>, known: &Known) -> bool {
    let queued = match &call.session.multi {
        Some(transaction) if known.command.name == "exec" => transaction.flags(),
        _ => Flags::NONE,
    };
    let pause = &call.server.pause;
    pause.holds_back(known.flags.or(queued), call.local.now_ms)
}

/// Writes the error of a command that was not run.
#[cold]
fn reject(call: &mut Call<'_>, found: Option<&Known>, error: &Error, out: &mut Reply) {
    if let Some(known) = found {
        call.local.stats.rejected(known.id);
    }
    if found.is_some_and(|known| known.command.name == "exec") {
        // An EXEC that is refused ends its transaction.
        transactions::forget_transaction(call);
        let line = error.line();
        let reason = match error {
            Error::Arity(_) => line.strip_prefix(b"ERR ").unwrap_or(&line),
            _ => &line,
        };
        let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
        text.extend_from_slice(reason);
        return write_error(call.server, &Error::Bytes(text), out);
    }
    if let Some(transaction) = &mut call.session.multi {
        transaction.abort();
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
) -> Executed {
    let mut blocked = None;
    let flow = timed(call, known, argv, out, |call, out| {
        dispatch(call, known, argv, big, out, &mut blocked)
    });
    match flow {
        Flow::Deferred => return Executed::Deferred,
        Flow::Aside => return Executed::Aside(aside::send(call, known, argv)),
        // A wait is in `blocked`.
        Flow::Done | Flow::Block(_) => {}
    }
    if call.session.tracking.is_some() {
        let is_caching = known.full_name == "client|caching";
        tracking::after_command(call.session, is_caching);
    }
    match blocked {
        Some(blocked) => Executed::Blocked(blocked),
        None => Executed::Done,
    }
}

/// Runs the command of a client that waits for it, on the thread of scripts.
pub fn run_aside(call: &mut Call<'_>, blocked: &Blocked, out: &mut Reply) {
    let known = call.server.commands.get(blocked.command());
    let argv = blocked.argv();
    timed(call, known, &argv, out, |call, out| {
        dispatch(call, known, &argv, &[], out, &mut None)
    });
}

/// Runs `work` as the given command: times it, counts it, turns its error into a reply.
pub fn timed<'c>(
    call: &mut Call<'c>,
    known: &Known,
    argv: &[&[u8]],
    out: &mut Reply,
    work: impl FnOnce(&mut Call<'c>, &mut Reply) -> Outcome,
) -> Flow {
    let started = match call.local.measured_at.take() {
        Some(ended) => ended,
        None => call.local.clock.raw(),
    };
    let written = out.len();
    let errors = out.errors();
    let outcome = work(call, out);
    match outcome {
        // It has not run yet.
        Err(Error::Reserved) => return Flow::Deferred,
        Ok(Flow::Aside) => return Flow::Aside,
        _ => {}
    }
    let ended = call.local.clock.raw();
    call.local.measured_at = Some(ended);
    let elapsed_ns = call.local.clock.delta_as_nanos(started, ended);
    let flow = match outcome {
        Ok(flow) => flow,
        Err(error) => {
            out.truncate(written);
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
    note_latency(call, known, elapsed_ns);
    flow
}

/// Remembers what a client that caches has read, and keeps the memory of that bounded.
#[cold]
fn remember(call: &mut Call<'_>, held: &mut Held<'_>, known: &Known, argv: &[&[u8]]) {
    tracking::remember(call, held, known, argv);
    let limit = call.live.config.clients.tracking_table_max_keys;
    if call.server.trackers.keys() as u64 > limit {
        let mut wakes = Wakes::default();
        for stripe in unit::stripes_of(&call.server.store, known, argv) {
            tracking::shrink(call.server, held, stripe, limit, &mut wakes);
        }
        wakes.wake(call.server);
    }
}

/// Tells the latency monitor of a command that took long.
#[inline]
fn note_latency(call: &Call<'_>, known: &Known, elapsed_ns: u64) {
    const NS_PER_MS: u64 = 1_000_000;
    let threshold_ms = call.live.config.latency.monitor_threshold_ms;
    if threshold_ms > 0 && elapsed_ns / NS_PER_MS >= threshold_ms {
        let event = if known.flags.has(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        let at_s = call.local.now_ms / 1000;
        call.server.latency.add(event, at_s, elapsed_ns / NS_PER_MS);
    }
}

/// Runs a command as a unit of its own; a wait is registered before its locks are
/// released.
#[inline]
fn dispatch<'c>(
    call: &mut Call<'c>,
    known: &Known,
    argv: &[&[u8]],
    big: &BigArguments,
    out: &mut Reply,
    blocked: &mut Option<Arc<Blocked>>,
) -> Outcome {
    let server = call.server;
    match known.command.run {
        Run::Session(handler) => handler(call, &mut Args::new(argv, known.name_words(), big), out),
        // The most frequent kind has a shorter way: no effects, unless a key was past
        // its deadline.
        Run::Read(handler) if !known.flags.has(Flags::BLOCKING) => {
            let mut held = unit::lock_keys(call, known, argv)?;
            let scope = unit::scope(call, call.local.now_ms);
            let db = call.session.db;
            let mut args = Args::new(argv, known.name_words(), big);
            let outcome = handler(&ReadView::new(&scope, &held, db), &mut args, out);
            unit::observe(call, &scope);
            if call.session.tracking.is_some() {
                remember(call, &mut held, known, argv);
            }
            let wants_misses = call.live.wanted_events & EventClass::Miss as u32 != 0;
            let missed = wants_misses && scope.observed.misses.get() > 0;
            if scope.observed.expired.get() || missed {
                let mut unit = Unit::new(call, Kind::Single);
                unit.held = held;
                unit.remove_expired(&scope, db, known, argv);
                if missed {
                    unit.announce_misses(&scope, db, known, argv);
                }
                unit.conclude(call);
            }
            outcome
        }
        // So has a write that leaves nothing to act upon. What it does leave, a unit
        // takes over.
        Run::Write(handler) if !known.flags.has(Flags::BLOCKING) => {
            let mut held = unit::lock_keys(call, known, argv)?;
            let scope = unit::scope(call, call.local.now_ms);
            let mut effects = unit::take_effects(call);
            // Known only now: recording begins and ends under all locks.
            effects.recording = server.persistence.is_recording();
            let db = call.session.db;
            let mut args = Args::new(argv, known.name_words(), big);
            let mut view = WriteView::new(&scope, &mut held, db, &mut effects);
            let outcome = handler(&mut view, &mut args, out);
            unit::observe(call, &scope);
            if effects.are_changes_alone() && !scope.observed.expired.get() {
                drop(held);
                call.local.stats.changes += std::mem::take(&mut effects.dirty);
                call.local.effects = Some(effects);
                return outcome;
            }
            let mut unit = Unit::resumed(call, held, effects);
            unit.note_write(call, &scope, known, argv, 0);
            unit.conclude(call);
            outcome
        }
        _ => {
            let mut unit = Unit::new(call, Kind::Single);
            let outcome = match unit.dispatch(call, known, argv, big, out) {
                Ok(Flow::Block(wait)) => {
                    *blocked = Some(wait_for(call, &mut unit, known, argv, *wait));
                    Ok(Flow::Done)
                }
                outcome => outcome,
            };
            unit.conclude(call);
            outcome
        }
    }
}

/// Registers the client's wait, under the locks of the unit that found nothing for it.
#[cold]
fn wait_for<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    known: &Known,
    argv: &[&[u8]],
    wait: Wait,
) -> Arc<Blocked> {
    call.local.waits += 1;
    let until = wait.until;
    // A snapshot begun by the wait has the changes made before it.
    call.local.stats.merge_into(call.server, call.local.now_ms);
    let wait = Arc::new(Blocked::new(call, known.id, argv, wait, call.local.waits));
    blocking::register(call, &mut unit.held, &wait);
    blocking::await_event(call, until, &wait);
    wait
}
