//! From bytes to executed commands.
//!
//! Requests are parsed in place in the reactor's read buffer, a small group ahead; the
//! memory that the group's keys will touch is prefetched; then the group is executed.
//! Only a request that has not arrived whole is copied.

use std::sync::Arc;

use arrayvec::ArrayVec;
use ochre_resp::{BIG_ARGUMENT_BYTES, Limits, Missing, Parser, ProtocolError, Reply, Span, Status};
use ochre_store::Hashed;
use smallvec::SmallVec;

use super::ahead::{Ahead, Aim, Target};
use super::connection::{Connection, Partial, Stall};
use crate::commands::spec::Group;
use crate::commands::table::{KeyPlan, Known};
use crate::execute::{self, Call, Executed, Local};
use crate::live::Live;
use crate::server::Server;
use crate::session::{ReplyMode, Session};

/// Requests parsed ahead.
pub const GROUP: usize = 16;
/// A large argument's buffer grows with what has arrived, by at most this much ahead.
const FILL_AHEAD_BYTES: usize = 1 << 20;

/// What a worker keeps for reading requests.
#[derive(Default)]
pub struct Reader {
    parser: Parser,
    spans: Vec<Span>,
    requests: Vec<Request>,
    ahead: Ahead,
}

/// Arguments of a request that need no allocation to be listed.
const ARGUMENTS_NEAR: usize = 8;

/// A parsed request: its spans, and where it ends in the input.
#[derive(Clone, Copy)]
struct Request {
    spans: (usize, usize),
    end: usize,
    is_inline: bool,
}

/// What executing needs besides the connection.
pub struct Engine<'w> {
    pub server: &'w Arc<Server>,
    pub live: &'w mut Arc<Live>,
    pub generation: &'w mut u64,
    pub local: &'w mut Local,
}

impl Engine<'_> {
    /// A command's surroundings in the given session.
    pub fn call<'c>(&'c mut self, session: &'c mut Session) -> Call<'c> {
        Call {
            server: self.server,
            live: self.live,
            session,
            local: self.local,
            named: None,
        }
    }

    /// Takes over a changed configuration.
    #[inline]
    fn refresh(&mut self) {
        self.server.refresh(self.generation, self.live);
    }
}

impl Reader {
    /// Executes what `input` holds for `connection`, appending replies to `out`. What
    /// must wait is kept in the connection.
    pub fn read(
        &mut self,
        engine: &mut Engine<'_>,
        connection: &mut Connection,
        mut input: &[u8],
        out: &mut Reply,
    ) {
        while !input.is_empty() {
            if let Some(stall) = connection.stalled {
                if stall != Stall::Closing {
                    connection.stash.extend_from_slice(input);
                }
                return;
            }
            input = if connection.partial.is_some() {
                self.complete(engine, connection, input, out)
            } else {
                self.read_group(engine, connection, input, out)
            };
        }
    }

    /// Parses and executes a group of requests at the start of `input`; returns the rest.
    fn read_group<'i>(
        &mut self,
        engine: &mut Engine<'_>,
        connection: &mut Connection,
        input: &'i [u8],
        out: &mut Reply,
    ) -> &'i [u8] {
        self.parser.restart(0);
        self.spans.clear();
        self.requests.clear();
        engine.local.measured_at = None;
        engine.refresh();
        let authenticated = connection.session.authenticated;
        let limits = limits(engine.live, authenticated);
        let group = if authenticated { GROUP } else { 1 };
        let mut failure = None;
        let mut incomplete_from = None;
        // What is known of each request of the group: its command, and the one key that
        // it names.
        let mut known = [None; GROUP];
        let mut keys = [None; GROUP];
        while self.requests.len() < group && self.parser.position() < input.len() {
            let first = self.spans.len();
            let start = self.parser.position();
            match self.parser.parse(input, &mut self.spans, &limits) {
                Ok(Status::Incomplete) => {
                    incomplete_from = Some((start, first));
                    break;
                }
                Ok(status) => {
                    let index = self.requests.len();
                    self.requests.push(Request {
                        spans: (first, self.spans.len()),
                        end: self.parser.position(),
                        is_inline: status == Status::CompleteInline,
                    });
                    if status == Status::CompleteInline {
                        // The next inline request would overwrite the scratch.
                        if let Some(name) = self.spans.get(first) {
                            let name = name.of(self.parser.scratch());
                            known[index] = engine.server.commands.find(name);
                        }
                        break;
                    }
                    let words = &self.spans[first..];
                    let Some(name) = words.first() else {
                        continue;
                    };
                    known[index] = engine.server.commands.find(name.of(input));
                    if let Some(Known {
                        plan: KeyPlan::One(at),
                        ..
                    }) = known[index]
                        && let Some(key) = words.get(*at)
                    {
                        let key = Hashed::new(key.of(input));
                        engine.server.store.prefetch_stripe(key.hash());
                        keys[index] = Some(key);
                    }
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut consumed = self.parser.position();
        if let Some((start, first)) = incomplete_from {
            keep_partial(
                connection,
                &mut self.parser,
                input,
                start,
                &self.spans[first..],
            );
            consumed = input.len();
        }
        if self.requests.len() > 1 {
            self.load_ahead(engine.server, connection.session.db, &known, &keys, input);
        }
        for index in 0..self.requests.len() {
            let request = self.requests[index];
            let source = if request.is_inline {
                self.parser.scratch()
            } else {
                input
            };
            let spans = &self.spans[request.spans.0..request.spans.1];
            if spans.is_empty() {
                continue;
            }
            let mut near = [&[][..]; ARGUMENTS_NEAR];
            let far: Vec<&[u8]>;
            let argv = match near.get_mut(..spans.len()) {
                Some(near) => {
                    for (argument, span) in near.iter_mut().zip(spans) {
                        *argument = span.of(source);
                    }
                    &*near
                }
                None => {
                    far = spans.iter().map(|span| span.of(source)).collect();
                    &far
                }
            };
            let (known, named) = (known[index], keys[index]);
            run(engine, connection, known, named, argv, &[], out);
            if connection.stalled.is_some_and(Stall::precedes) {
                // It has not run: it waits in front of what follows.
                connection.partial = None;
                let start = index.checked_sub(1).map_or(0, |at| self.requests[at].end);
                return &input[start..];
            }
            if connection.stalled.is_some() {
                // Whatever follows waits; a partial request kept above is part of it.
                if connection.partial.take().is_some() || request.end < input.len() {
                    return &input[request.end..];
                }
                return &[];
            }
        }
        if let Some(error) = failure {
            fail(connection, &error, out);
            return &[];
        }
        &input[consumed..]
    }

    /// Has the memory loaded that the group's requests will touch.
    fn load_ahead(
        &mut self,
        server: &Server,
        db: u16,
        known: &[Option<&Known>; GROUP],
        keys: &[Option<Hashed<'_>>; GROUP],
        input: &[u8],
    ) {
        let mut targets: ArrayVec<Target<'_>, GROUP> = ArrayVec::new();
        for ((request, known), key) in self.requests.iter().zip(known).zip(keys) {
            let (Some(known), Some(key)) = (known, *key) else {
                continue;
            };
            let KeyPlan::One(at) = known.plan else {
                continue;
            };
            let is_collection = !matches!(known.command.group, Group::String | Group::Generic);
            targets.push(Target {
                key,
                aim: is_collection.then(|| {
                    let behind = &self.spans[request.spans.0..request.spans.1][at + 1..];
                    let [first, last] = [behind.first(), behind.last()]
                        .map(|span| span.map_or(&[][..], |span| span.of(input)));
                    let end = known.command.list_end;
                    Aim { first, last, end }
                }),
            });
        }
        self.ahead.load(&server.store, db, &targets);
    }

    /// Feeds the connection's partial request from `input`, byte for byte as many as it
    /// needs; executes it when it is complete. Returns the rest of the input.
    fn complete<'i>(
        &mut self,
        engine: &mut Engine<'_>,
        connection: &mut Connection,
        mut input: &'i [u8],
        out: &mut Reply,
    ) -> &'i [u8] {
        engine.refresh();
        let limits = limits(engine.live, connection.session.authenticated);
        let Some(mut partial) = connection.partial.take() else {
            return input;
        };
        while !input.is_empty() {
            if let Some((buffer, full)) = &mut partial.filling {
                let taken = (*full - buffer.len()).min(input.len());
                buffer.extend_from_slice(&input[..taken]);
                input = &input[taken..];
            } else {
                let wanted = match partial.parser.missing(partial.buffer.len()) {
                    Missing::Line => memchr::memchr(b'\n', input).map_or(input.len(), |at| at + 1),
                    Missing::Bytes(bytes) => bytes.min(input.len()),
                    Missing::Big(_) => 0,
                };
                partial.buffer.extend_from_slice(&input[..wanted]);
                input = &input[wanted..];
            }
            match advance(&mut partial, &limits) {
                Ok(Status::Incomplete) => {}
                Ok(status) => {
                    partial.is_inline = status == Status::CompleteInline;
                    execute_partial(engine, connection, partial, out);
                    return input;
                }
                Err(error) => {
                    fail(connection, &error, out);
                    return &[];
                }
            }
        }
        if exceeds_query_limit(engine.live, partial.len()) {
            connection.stalled = Some(Stall::Closing);
            connection.session.close = true;
            engine
                .server
                .query_limit_exceeded(&connection.session.client);
            return &[];
        }
        connection.partial = Some(partial);
        input
    }

    /// Goes on after the kernel has filled the buffer of a large argument directly.
    pub fn filled(
        &mut self,
        engine: &mut Engine<'_>,
        connection: &mut Connection,
        out: &mut Reply,
    ) {
        let limits = limits(engine.live, connection.session.authenticated);
        let Some(mut partial) = connection.partial.take() else {
            return;
        };
        match advance(&mut partial, &limits) {
            Ok(Status::Incomplete) => connection.partial = Some(partial),
            Ok(status) => {
                partial.is_inline = status == Status::CompleteInline;
                execute_partial(engine, connection, partial, out);
            }
            Err(error) => fail(connection, &error, out),
        }
    }

    /// Goes on with the input that had to wait while the connection was stalled.
    pub fn resume(
        &mut self,
        engine: &mut Engine<'_>,
        connection: &mut Connection,
        out: &mut Reply,
    ) {
        if let Some(parked) = connection.parked.take() {
            execute_partial(engine, connection, parked, out);
            if connection.stalled.is_some() {
                return;
            }
        }
        let stash = std::mem::take(&mut connection.stash);
        self.read(engine, connection, &stash, out);
    }
}

/// Room for the next bytes of a large argument, and how many belong there.
pub fn fill(connection: &mut Connection) -> Option<(&mut Vec<u8>, usize)> {
    let (buffer, full) = connection.partial.as_mut()?.filling.as_mut()?;
    let want = *full - buffer.len();
    if buffer.capacity() == buffer.len() {
        // Not all at once: the length is only what the client says.
        let ahead = want.min(buffer.len().max(FILL_AHEAD_BYTES));
        buffer.reserve_exact(ahead);
    }
    Some((buffer, want))
}

fn limits(live: &Live, authenticated: bool) -> Limits {
    if authenticated {
        Limits::authenticated(live.config.clients.max_bulk_bytes)
    } else {
        Limits::unauthenticated()
    }
}

fn exceeds_query_limit(live: &Live, bytes: usize) -> bool {
    let limit = live.config.clients.query_buffer_limit_bytes;
    limit > 0 && bytes as u64 > limit
}

/// Copies the incomplete request at the end of `input` into the connection.
fn keep_partial(
    connection: &mut Connection,
    parser: &mut Parser,
    input: &[u8],
    start: usize,
    spans: &[Span],
) {
    let mut partial = Box::new(Partial::default());
    partial.parser = parser.take(start);
    let unparsed_from = match partial.parser.missing(input.len()) {
        Missing::Big(full) => {
            let at = partial.parser.position();
            let mut buffer = Vec::with_capacity(full.min(FILL_AHEAD_BYTES));
            buffer.extend_from_slice(&input[at..]);
            partial.filling = Some((buffer, full));
            at
        }
        _ => input.len(),
    };
    partial
        .buffer
        .extend_from_slice(&input[start..unparsed_from]);
    partial.parser.rebase(start);
    partial.spans.extend(spans.iter().map(|span| Span {
        start: span.start - start as u32,
        len: span.len,
    }));
    connection.partial = Some(partial);
}

/// Parses on in a partial request after more bytes have come.
fn advance(partial: &mut Partial, limits: &Limits) -> Result<Status, ProtocolError> {
    loop {
        if let Some((mut buffer, full)) = partial.filling.take() {
            if buffer.len() < full {
                partial.filling = Some((buffer, full));
                return Ok(Status::Incomplete);
            }
            buffer.truncate(full - 2);
            partial.big.push(Arc::new(buffer));
            let index = partial.big.len() - 1;
            if partial.parser.big_argument_done(index, &mut partial.spans) == Status::Complete {
                return Ok(Status::Complete);
            }
        }
        let status = partial
            .parser
            .parse(&partial.buffer, &mut partial.spans, limits)?;
        if status != Status::Incomplete {
            return Ok(status);
        }
        match partial.parser.missing(partial.buffer.len()) {
            Missing::Big(full) => {
                let at = partial.parser.position();
                let mut buffer = Vec::with_capacity(full.min(FILL_AHEAD_BYTES));
                buffer.extend(partial.buffer.drain(at..));
                partial.filling = Some((buffer, full));
                if partial
                    .filling
                    .as_ref()
                    .is_some_and(|(bytes, full)| bytes.len() < *full)
                {
                    return Ok(Status::Incomplete);
                }
            }
            _ => return Ok(Status::Incomplete),
        }
    }
}

fn execute_partial(
    engine: &mut Engine<'_>,
    connection: &mut Connection,
    partial: Box<Partial>,
    out: &mut Reply,
) {
    run_partial(engine, connection, &partial, out);
    if connection.stalled.is_some_and(Stall::precedes) {
        connection.parked = Some(partial);
    }
}

fn run_partial(
    engine: &mut Engine<'_>,
    connection: &mut Connection,
    partial: &Partial,
    out: &mut Reply,
) {
    engine.local.measured_at = None;
    let source = if partial.is_inline {
        partial.parser.scratch()
    } else {
        &partial.buffer
    };
    let argv: SmallVec<[&[u8]; 8]> = partial
        .spans
        .iter()
        .map(|span| match span.start {
            Span::BIG => &partial.big[span.len as usize][..],
            _ => span.of(source),
        })
        .collect();
    if argv.is_empty() {
        return;
    }
    let big: Vec<(usize, Arc<Vec<u8>>)> = partial
        .spans
        .iter()
        .enumerate()
        .filter(|(_, span)| span.start == Span::BIG)
        .map(|(index, span)| (index, partial.big[span.len as usize].clone()))
        .collect();
    debug_assert!(
        big.iter()
            .all(|(_, bytes)| bytes.len() >= BIG_ARGUMENT_BYTES)
    );
    let known = engine.server.commands.find(argv[0]);
    let named = known
        .and_then(|known| known.plan.only_key(&argv))
        .map(Hashed::new);
    run(engine, connection, known, named, &argv, &big, out);
}

/// Executes one request in the connection's session.
#[inline]
fn run(
    engine: &mut Engine<'_>,
    connection: &mut Connection,
    known: Option<&Known>,
    named: Option<Hashed<'_>>,
    argv: &[&[u8]],
    big: &[(usize, Arc<Vec<u8>>)],
    out: &mut Reply,
) {
    engine.refresh();
    let session = &mut connection.session;
    let written = out.len();
    out.set_protocol(session.protocol);
    let mut call = engine.call(session);
    call.named = named;
    let executed = execute::execute_found(&mut call, known, argv, big, out);
    if matches!(executed, Executed::Paused) {
        connection.stalled = Some(Stall::Paused);
        connection.session.update_flags(|flags| flags.paused = true);
        return;
    }
    if matches!(executed, Executed::Deferred) {
        connection.stalled = Some(Stall::Deferred);
        connection.session.was_deferred = true;
        return;
    }
    let is_muted = matches!(
        connection.session.reply_mode,
        ReplyMode::Off | ReplyMode::Skip
    );
    match connection.session.reply_mode {
        ReplyMode::On => {}
        ReplyMode::Off | ReplyMode::Skip => {
            out.truncate(written);
            if connection.session.reply_mode == ReplyMode::Skip {
                connection.session.reply_mode = ReplyMode::On;
            }
        }
        ReplyMode::SkipNext => {
            out.truncate(written);
            connection.session.reply_mode = ReplyMode::Skip;
        }
    }
    match executed {
        Executed::Blocked(blocked) => {
            *connection.session.client.wait.lock() = Some(blocked.clone());
            connection
                .session
                .update_flags(|flags| flags.blocked = true);
            connection.wait_for(blocked, is_muted);
        }
        // To others, the client is not waiting: its command runs.
        Executed::Aside(blocked) => connection.wait_for(blocked, is_muted),
        Executed::Done | Executed::Paused | Executed::Deferred => {}
    }
    if connection.session.close {
        connection.stalled = Some(Stall::Closing);
    } else if !out.is_plain() && out.has_source() {
        connection.stalled = Some(Stall::Drawing);
    }
}

/// Answers a violation of the protocol; the connection closes after it.
#[cold]
fn fail(connection: &mut Connection, error: &ProtocolError, out: &mut Reply) {
    out.error_bytes(&[b"ERR ", &*error.line()].concat());
    connection.session.close = true;
    connection.stalled = Some(Stall::Closing);
}
