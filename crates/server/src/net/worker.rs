//! A worker: one thread, one reactor, its connections.
//!
//! A tick: the reactor waits and reports what happened; bytes become commands, which run
//! here and now, under the locks of their keys; replies are handed to the reactor, which
//! sends them at the end of the tick; figures are merged.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ochre_resp::Reply;

use super::connection::{Connection, Stall};
use super::input::{Engine, Reader};
use super::mail::{Mailbox, NewConnection};
use super::output::{self, Progress};
use super::reactor::{Chunk, Close, Reactor, Token};
use crate::blocking;
use crate::clients::NewClient;
use crate::commands::{pubsub, transactions};
use crate::config::values::ClientClass;
use crate::error::Error;
use crate::execute::{Call, Local};
use crate::live::Live;
use crate::pubsub::Message;
use crate::server::Server;
use crate::session::Session;

mod events;
mod waits;

/// How often a worker looks after its connections while something needs it (timeouts,
/// soft limits of output buffers, a pause).
const CARE_INTERVAL: Duration = Duration::from_millis(100);

/// How long replies in the making may be worked at in one tick, in nanoseconds, but for
/// the slice in hand: requests that arrive meanwhile wait for that.
const WORK_NS: u64 = 200_000;

/// A worker. Made and run on its own thread.
pub struct Worker {
    reactor: Reactor,
    desk: Desk,
}

/// What a worker has besides its reactor.
struct Desk {
    server: Arc<Server>,
    index: usize,
    mailbox: Arc<Mailbox>,
    live: Arc<Live>,
    generation: u64,
    local: Local,
    reader: Reader,
    connections: Vec<Slot>,
    free: Vec<u32>,
    /// Connections with a command that waits for the end of a pause, in the order in
    /// which they began to wait.
    paused: Vec<Token>,
    /// Connections with a command that waits for the end of a script, likewise.
    deferred: Vec<Token>,
    /// To be dropped when those have been run again.
    deferred_done: Vec<std::sync::mpsc::Sender<()>>,
    /// When this tick's first event was met, by the local clock.
    tick_started: Option<u64>,
    /// When the waits of blocked clients end, and whose they are.
    deadlines: BTreeSet<(i64, u32)>,
    stop: bool,
    cared_at_ms: i64,
    /// Connections whose reply can get on by a slice, in the order of their turns.
    working: VecDeque<Token>,
}

/// A place in the table of connections; generations tell successive tenants apart.
#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Worker {
    pub fn new(server: Arc<Server>, index: usize, reactor: Reactor) -> Self {
        let desk = Desk {
            mailbox: server.mailboxes[index].mailbox.clone(),
            live: server.live(),
            generation: server.generation(),
            local: Local::new(server.commands.len()),
            reader: Reader::default(),
            connections: Vec::new(),
            free: Vec::new(),
            paused: Vec::new(),
            deferred: Vec::new(),
            deferred_done: Vec::new(),
            tick_started: None,
            deadlines: BTreeSet::new(),
            stop: false,
            cared_at_ms: 0,
            working: VecDeque::new(),
            server,
            index,
        };
        Self { reactor, desk }
    }

    /// Serves until told to stop.
    pub fn run(mut self) {
        while !self.desk.stop {
            if let Err(error) = self.reactor.wait(self.desk.patience(), &mut self.desk) {
                let text = format!("Worker {} cannot wait for events: {error}", self.desk.index);
                self.desk.server.log.warning(&text);
                break;
            }
            self.desk.resume_paused(&mut self.reactor);
            self.desk.resume_deferred(&mut self.reactor);
            self.desk.work(&mut self.reactor);
            self.desk.end_overdue_waits(&mut self.reactor);
            self.desk.heed_durability(&mut self.reactor);
            self.desk.end_tick();
            self.desk.care(&mut self.reactor);
        }
        // What was answered still leaves: one more tick without waiting.
        let _ = self.reactor.wait(Some(Duration::ZERO), &mut self.desk);
    }
}

impl Desk {
    fn take(&mut self, token: Token) -> Option<Box<Connection>> {
        let slot = self.connections.get_mut(token.slot() as usize)?;
        (slot.generation == token.generation())
            .then(|| slot.connection.take())
            .flatten()
    }

    fn put_back(&mut self, connection: Box<Connection>) {
        let slot = &mut self.connections[connection.token.slot() as usize];
        slot.connection = Some(connection);
    }

    fn open(&mut self, reactor: &mut Reactor, new: NewConnection) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(Slot::default());
            self.connections.len() as u32 - 1
        });
        let token = Token(slot, self.connections[slot as usize].generation);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&new.socket);
        if let Err(error) = reactor.register(token, new.socket) {
            let text = format!("Error registering fd event for the new client: {error}");
            self.server.log.warning(&text);
            self.free.push(slot);
            self.server.mailboxes[self.index]
                .connections
                .fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let client = self.server.clients.add(
            NewClient {
                address: new.address,
                local_address: new.local_address,
                fd,
                is_unix: new.is_unix,
                worker: self.index,
                token,
                mailbox: self.mailbox.clone(),
            },
            crate::clock::now_ms(),
        );
        // A password that was set before the client came may not have been met in the mail.
        self.server.refresh(&mut self.generation, &mut self.live);
        let authenticated = self.live.config.security.password.is_empty();
        let session = Session::new(client, authenticated);
        self.connections[slot as usize].connection =
            Some(Box::new(Connection::new(token, session)));
    }

    /// Forgets a connection that was taken out of the table.
    #[allow(clippy::boxed_local, reason = "it comes out of the table in its box")]
    fn close(&mut self, reactor: &mut Reactor, mut connection: Box<Connection>, how: Close) {
        reactor.close(connection.token, how);
        if let Some(blocked) = connection.blocked.take() {
            if let Some(deadline) = blocked.deadline_ms {
                self.deadlines.remove(&(deadline, connection.token.slot()));
            }
            let call = Call {
                server: &self.server,
                live: &self.live,
                session: &mut connection.session,
                local: &mut self.local,
                named: None,
            };
            blocking::cancel(&call, &blocked);
            // The client and its wait know each other: break the circle.
            *connection.session.client.wait.lock() = None;
        }
        transactions::forget(&self.server, &mut connection.session);
        pubsub::unsubscribe_all(&self.server, &mut connection.session);
        self.server.monitors.remove(connection.session.id());
        self.server.trackers.set(&connection.session.client, None);
        let slot = &mut self.connections[connection.token.slot() as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(connection.token.slot());
        self.server.clients.remove(connection.session.id());
        self.server.mailboxes[self.index]
            .connections
            .fetch_sub(1, Ordering::Relaxed);
    }

    /// Runs `work` on a connection with a buffer for replies, then delivers those and
    /// does what has become due.
    fn with(
        &mut self,
        reactor: &mut Reactor,
        token: Token,
        work: impl FnOnce(&mut Reader, &mut Engine<'_>, &mut Connection, &mut Reply),
    ) {
        let Some(mut connection) = self.take(token) else {
            return;
        };
        self.local.now_ms = crate::clock::now_ms();
        self.local.withholding = self.server.persistence.withholds();
        if self.tick_started.is_none() {
            self.tick_started = Some(self.local.clock.raw());
        }
        let mut out = Reply::with_buffer(reactor.recycled(), connection.session.protocol);
        let mut engine = Engine {
            server: &self.server,
            live: &mut self.live,
            generation: &mut self.generation,
            local: &mut self.local,
        };
        let was_stalled = connection.stalled;
        let was_blocked = connection.blocked.is_some();
        work(&mut self.reader, &mut engine, &mut connection, &mut out);
        if connection.stalled != was_stalled {
            match connection.stalled {
                Some(Stall::Paused) => self.paused.push(token),
                Some(Stall::Deferred) => self.deferred.push(token),
                _ => {}
            }
        }
        if let Some(blocked) = &connection.blocked
            && !was_blocked
            && let Some(deadline) = blocked.deadline_ms
        {
            self.deadlines.insert((deadline, token.slot()));
        }
        self.deliver(reactor, connection, out);
    }

    /// Hands replies to the reactor, draws what must be drawn, closes what must close.
    fn deliver(&mut self, reactor: &mut Reactor, mut connection: Box<Connection>, out: Reply) {
        let token = connection.token;
        let protocol = connection.session.protocol;
        let had_output = !out.is_empty();
        reactor.withhold(self.local.withholding);
        self.local.stats.writes += u64::from(had_output);
        self.local.stats.output_bytes += output::deliver(
            reactor,
            token,
            protocol,
            out.into_parts(),
            &mut connection.drawing,
        );
        if connection.session.close && connection.drawing.is_none() {
            return self.close(reactor, connection, Close::AfterFlush);
        }
        if connection.session.client.killed.load(Ordering::Acquire) {
            return self.close(reactor, connection, Close::AfterFlush);
        }
        if had_output && self.exceeds_output_limit(reactor, &mut connection) {
            return self.close(reactor, connection, Close::Now);
        }
        // A source that wrote nothing yet waits for no socket to drain.
        let is_silent = connection.drawing.is_some() && reactor.queued_bytes(token) == 0;
        if is_silent {
            self.note_working(&mut connection);
        }
        self.put_back(connection);
    }

    /// Writes a push message to a connection.
    fn push(
        &mut self,
        reactor: &mut Reactor,
        token: Token,
        write: impl FnOnce(&Session, &mut Reply),
    ) {
        if let Some(connection) = self.take(token) {
            let protocol = connection.session.protocol;
            let mut out = Reply::with_buffer(reactor.recycled(), protocol);
            write(&connection.session, &mut out);
            self.deliver(reactor, connection, out);
        }
    }

    /// Sends a published message to its receivers here.
    fn deliver_published(&mut self, reactor: &mut Reactor, to: &[Token], message: &Message) {
        for &token in to {
            let Some(mut connection) = self.take(token) else {
                continue;
            };
            let mut bytes = reactor.recycled();
            bytes.extend_from_slice(message.bytes(connection.session.protocol));
            output::put(reactor, token, Chunk::Bytes(bytes), &mut connection.drawing);
            if self.exceeds_output_limit(reactor, &mut connection) {
                self.close(reactor, connection, Close::Now);
            } else {
                self.put_back(connection);
            }
        }
    }

    fn note_working(&mut self, connection: &mut Connection) {
        if !connection.is_working {
            connection.is_working = true;
            self.working.push_back(connection.token);
        }
    }

    /// Lets replies in the making get on, each by a slice at most, while there is time.
    fn work(&mut self, reactor: &mut Reactor) {
        let began = self.local.clock.raw();
        for _ in 0..self.working.len() {
            let Some(token) = self.working.pop_front() else {
                return;
            };
            if let Some(mut connection) = self.take(token) {
                connection.is_working = false;
                self.draw(reactor, connection);
            }
            let clock = &self.local.clock;
            if clock.delta_as_nanos(began, clock.raw()) >= WORK_NS {
                return;
            }
        }
    }

    /// Draws a slice of the reply of a connection that was taken out of the table; goes
    /// on with its commands when that was the last.
    fn draw(&mut self, reactor: &mut Reactor, mut connection: Box<Connection>) {
        let token = connection.token;
        let Some(drawing) = connection.drawing.as_mut() else {
            return self.put_back(connection);
        };
        let stats = &self.server.stats;
        let failed = |line: &[u8]| stats.count_error(Error::code(line));
        let (drawn, progress) = output::draw(reactor, token, drawing, failed);
        self.local.stats.output_bytes += drawn;
        self.local.stats.writes += 1;
        match progress {
            Progress::Sending => self.put_back(connection),
            Progress::Working => {
                self.note_working(&mut connection);
                self.put_back(connection);
            }
            Progress::Complete => {
                connection.drawing = None;
                if connection.session.close {
                    return self.close(reactor, connection, Close::AfterFlush);
                }
                let was_stalled = connection.stalled == Some(Stall::Drawing);
                self.put_back(connection);
                if was_stalled {
                    self.unstall(reactor, token);
                }
            }
        }
    }

    /// Whether a client leaves more output unread than it may.
    fn exceeds_output_limit(&self, reactor: &Reactor, connection: &mut Connection) -> bool {
        let queued = reactor.queued_bytes(connection.token) as u64;
        let client = &connection.session.client;
        client.output_bytes.store(queued, Ordering::Relaxed);
        let class = if connection.session.subscriptions.is_some() {
            ClientClass::Pubsub
        } else {
            ClientClass::Normal
        };
        let limit = self.live.config.clients.output_buffer_limits.of(class);
        let hard = limit.hard_bytes > 0 && queued >= limit.hard_bytes;
        let soft = if limit.soft_bytes > 0 && queued >= limit.soft_bytes {
            let since = *connection
                .over_limit_since_ms
                .get_or_insert(self.local.now_ms);
            (self.local.now_ms - since) / 1000 >= limit.soft_seconds as i64
        } else {
            connection.over_limit_since_ms = None;
            false
        };
        if hard || soft {
            self.server.output_limit_exceeded(client);
        }
        hard || soft
    }

    /// How long the reactor may sleep.
    fn patience(&self) -> Option<Duration> {
        if !self.working.is_empty() {
            return Some(Duration::ZERO);
        }
        let until_wait = self.deadlines.first().map(|&(deadline, _)| {
            Duration::from_millis((deadline - crate::clock::now_ms()).max(0) as u64)
        });
        let until_resumed = (!self.paused.is_empty()).then(|| {
            let left_ms = self.server.pause.until_ms() - crate::clock::now_ms();
            Duration::from_millis(left_ms.max(0) as u64)
        });
        let until_care =
            (self.live.config.clients.idle_timeout_seconds > 0).then_some(CARE_INTERVAL);
        let reasons = [until_wait, until_resumed, until_care];
        reasons.into_iter().flatten().min()
    }

    /// Runs the input that had to wait.
    fn unstall(&mut self, reactor: &mut Reactor, token: Token) {
        self.with(reactor, token, |reader, engine, connection, out| {
            if connection.stalled == Some(Stall::Closing) {
                return;
            }
            connection.stalled = None;
            reader.resume(engine, connection, out);
        });
    }

    /// Says until when this tick's replies are withheld, and lets those go whose changes
    /// are on disk by now.
    fn heed_durability(&mut self, reactor: &mut Reactor) {
        if std::mem::take(&mut self.local.has_recorded) {
            self.server.persistence.journal.wake();
        }
        if reactor.withholds() {
            let persistence = &self.server.persistence;
            let waits = &self.server.mailboxes[self.index].waits_for_disk;
            // Said before looking, so that the disk's progress is told or seen.
            waits.store(true, Ordering::SeqCst);
            reactor.withhold_until(persistence.journal.end());
            let is_left = reactor.release(persistence.aof.released());
            waits.store(is_left, Ordering::SeqCst);
        }
        self.server.persistence.throttle();
    }

    /// Adds the tick to the common figures.
    fn end_tick(&mut self) {
        let server = &self.server;
        let busy_us = self.tick_started.take().map_or(0, |started| {
            let clock = &self.local.clock;
            clock.delta_as_nanos(started, clock.raw()) / 1000
        });
        crate::purging::note_activity();
        crate::stats::add(&server.stats.counters.ticks, 1);
        crate::stats::add(&server.stats.counters.tick_microseconds, busy_us);
        self.local.stats.merge_into(server, self.local.now_ms);
        server.memory.watch_peak(self.local.now_ms);
    }

    /// Closes connections idle for too long, now and then.
    fn care(&mut self, reactor: &mut Reactor) {
        let timeout_s = i64::from(self.live.config.clients.idle_timeout_seconds);
        if timeout_s == 0 {
            return;
        }
        let now_ms = crate::clock::now_ms();
        if now_ms - self.cared_at_ms < CARE_INTERVAL.as_millis() as i64 {
            return;
        }
        self.cared_at_ms = now_ms;
        let idle: Vec<Token> = self
            .connections
            .iter()
            .filter_map(|slot| slot.connection.as_ref())
            .filter(|connection| {
                let used = connection
                    .session
                    .client
                    .last_used_ms
                    .load(Ordering::Relaxed);
                !connection.stalled.is_some_and(Stall::is_wait) && now_ms - used > timeout_s * 1000
            })
            .map(|connection| connection.token)
            .collect();
        for token in idle {
            if let Some(connection) = self.take(token) {
                self.server.log.verbose("Closing idle client");
                self.close(reactor, connection, Close::Now);
            }
        }
    }
}
