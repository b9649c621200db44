//! The epoll backend: readiness turned into completions, on mio.
//!
//! One system call per event that matters: sockets are registered once, edge-triggered, for
//! reading only. A read that does not fill the buffer has drained the socket, so no read is
//! spent on learning that (except after the peer hung up, when the end is still to be read).
//! Writing is tried without asking; only a socket that takes no more is registered for
//! writing, until it has drained.
//!
//! ```text
//! tick: flush -> epoll_wait -> woken -> a turn of reading for each ready socket -> flush
//! ```
//!
//! A turn is bounded ([`super::Options::reads_per_turn`]); a socket that has more keeps its
//! place in `turns`, and the next tick does not sleep.
//!
//! Not here: `unsafe`.
//!
//! Invariant: a connection that may have input and wants it (`readable`, not paused) is in
//! `turns`; a connection with output is dirty, or `stuffed` and registered for writing.

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use super::connection::{Connection, Life};
use super::wake::WakeReceiver;
use super::{Backend, Core, Ended, Fill, Handler, Options, Reactor};

/// mio's name of the waker; connections are named by their index.
const WAKE: mio::Token = mio::Token(usize::MAX);

const EVENTS_PER_TICK: usize = 1024;

/// Slices given to the kernel in one write.
const SLICES_MAX: usize = 64;

/// Bytes read in one step into a connection's own buffer that has no suitable room.
const FILL_STEP_BYTES: usize = 64 * 1024;

pub(super) struct Epoll {
    poll: Poll,
    /// Absent while its events are being handled.
    events: Option<Events>,
    /// Connections to read from (by index); `Connection::has_turn` marks membership.
    turns: Vec<u32>,
    /// The worker's one read buffer; empty while a handler looks at it.
    buffer: Vec<u8>,
    buffer_bytes: usize,
    reads_per_turn: usize,
}

impl Epoll {
    pub fn new(options: &Options, wake: &WakeReceiver) -> io::Result<Epoll> {
        let poll = Poll::new()?;
        let eventfd = wake.eventfd().as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&eventfd), WAKE, Interest::READABLE)?;
        Ok(Epoll {
            poll,
            events: Some(Events::with_capacity(EVENTS_PER_TICK)),
            turns: Vec::new(),
            buffer: Vec::new(),
            buffer_bytes: options.read_buffer_bytes.max(1),
            reads_per_turn: options.reads_per_turn.max(1),
        })
    }

    pub fn register(&mut self, core: &Core, index: u32) -> io::Result<()> {
        let Some(connection) = core.connections.peek_at(index) else {
            return Ok(());
        };
        self.poll.registry().register(
            &mut SourceFd(&connection.socket.as_raw_fd()),
            mio::Token(index as usize),
            Interest::READABLE,
        )
    }

    pub fn resume(&mut self, connection: &mut Connection, index: u32) {
        self.take_turn(connection, index);
    }

    fn take_turn(&mut self, connection: &mut Connection, index: u32) {
        if connection.readable && connection.wants_input() && !connection.has_turn {
            connection.has_turn = true;
            self.turns.push(index);
        }
    }

    fn watch(&self, connection: &Connection, index: u32, interest: Interest) -> io::Result<()> {
        self.poll.registry().reregister(
            &mut SourceFd(&connection.socket.as_raw_fd()),
            mio::Token(index as usize),
            interest,
        )
    }

    /// Notes what an event says. An event may be stale (meant for a closed connection whose
    /// index is in use again): all it can cause is a read or write that finds nothing to do.
    fn note(&mut self, core: &mut Core, event: &Event) {
        let Ok(index) = u32::try_from(event.token().0) else {
            return;
        };
        let Some(connection) = core.connections.at(index) else {
            return;
        };
        let over = event.is_read_closed() || event.is_error();
        if event.is_readable() || over {
            connection.readable = true;
            connection.hung_up |= over;
            self.take_turn(connection, index);
        }
        let room = event.is_writable() || event.is_write_closed() || event.is_error();
        if room && connection.stuffed {
            connection.stuffed = false;
            if !connection.dirty {
                connection.dirty = true;
                core.dirty.push(index);
            }
        }
    }
}

fn backend(reactor: &mut Reactor) -> Option<(&mut Epoll, &mut Core)> {
    match &mut reactor.backend {
        Backend::Epoll(epoll) => Some((epoll, &mut reactor.core)),
        Backend::Uring(_) => None,
    }
}

pub(super) fn tick<H: Handler>(
    reactor: &mut Reactor,
    timeout: Option<Duration>,
    handler: &mut H,
) -> io::Result<()> {
    flush(reactor, handler);
    let Some((epoll, core)) = backend(reactor) else {
        return Ok(());
    };
    // What was withheld during the flush has no mark yet, which the worker sets when the
    // tick is over.
    let unmarked = core.withheld.has_unmarked();
    let busy = unmarked || !core.dirty.is_empty() || !epoll.turns.is_empty() || handler.has_work();
    let timeout = if busy || !core.wake.may_sleep() {
        Some(Duration::ZERO)
    } else {
        core.sleep(timeout)
    };
    let mut events = epoll
        .events
        .take()
        .unwrap_or_else(|| Events::with_capacity(EVENTS_PER_TICK));
    let polled = epoll.poll.poll(&mut events, timeout);
    let woken = core.wake.was_woken();
    match polled {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
        Err(error) => return Err(error),
    }
    for event in events.iter().filter(|event| event.token() != WAKE) {
        epoll.note(core, event);
    }
    epoll.events = Some(events);
    let turns = std::mem::take(&mut epoll.turns);
    if woken {
        handler.woken(reactor);
    }
    for index in turns {
        read(reactor, index, handler);
    }
    flush(reactor, handler);
    Ok(())
}

/// What one read came to.
enum Read {
    /// Bytes in the shared buffer.
    Shared(usize),
    /// Bytes appended to the connection's own buffer.
    Own(usize),
    Nothing,
    /// A signal came first.
    Again,
    Over(Ended),
}

/// One connection's turn.
fn read<H: Handler>(reactor: &mut Reactor, index: u32, handler: &mut H) {
    let Some((epoll, core)) = backend(reactor) else {
        return;
    };
    let Some(connection) = core.connections.at(index) else {
        return;
    };
    connection.has_turn = false;
    let token = connection.token;
    for _ in 0..epoll.reads_per_turn {
        let Some((epoll, core)) = backend(reactor) else {
            return;
        };
        // The handler may have closed the connection, and even put another in its place.
        let Some(connection) = core.connections.at(index) else {
            return;
        };
        if connection.token != token || !connection.readable || !connection.wants_input() {
            return;
        }
        let outcome = match handler.fill(token) {
            Some(fill) if fill.want > 0 => read_into(connection, fill),
            _ => {
                epoll.buffer.resize(epoll.buffer_bytes, 0);
                read_shared(connection, &mut epoll.buffer)
            }
        };
        match outcome {
            Read::Shared(count) => {
                let buffer = std::mem::take(&mut epoll.buffer);
                handler.received(reactor, token, &buffer[..count]);
                if let Some((epoll, _)) = backend(reactor) {
                    epoll.buffer = buffer;
                }
            }
            Read::Own(count) => handler.filled(reactor, token, count),
            Read::Again => {}
            Read::Nothing => return,
            Read::Over(why) => {
                connection.ended = true;
                if matches!(why, Ended::Error(_)) {
                    reactor.core.fail(index);
                }
                handler.ended(reactor, token, why);
                return;
            }
        }
    }
    let Some((epoll, core)) = backend(reactor) else {
        return;
    };
    if let Some(connection) = core.connections.at(index) {
        epoll.take_turn(connection, index);
    }
}

fn read_shared(connection: &mut Connection, buffer: &mut [u8]) -> Read {
    let room = buffer.len();
    let result = rustix::net::recv(&connection.socket, buffer, RecvFlags::DONTWAIT);
    judge(
        connection,
        result.map(|(_, count)| count),
        room,
        Read::Shared,
    )
}

/// Reads into the connection's own buffer: straight into its spare capacity if that is no
/// more than what is wanted, else in zeroed steps.
fn read_into(connection: &mut Connection, fill: Fill<'_>) -> Read {
    let Fill { buffer, want } = fill;
    let spare = buffer.capacity() - buffer.len();
    if spare > 0 && spare <= want {
        let result = rustix::net::recv(
            &connection.socket,
            spare_capacity(buffer),
            RecvFlags::DONTWAIT,
        );
        return judge(connection, result.map(|(_, count)| count), spare, Read::Own);
    }
    let start = buffer.len();
    let room = want.min(FILL_STEP_BYTES);
    buffer.resize(start + room, 0);
    let result = rustix::net::recv(
        &connection.socket,
        &mut buffer[start..],
        RecvFlags::DONTWAIT,
    )
    .map(|(_, count)| count);
    buffer.truncate(start + result.unwrap_or(0));
    judge(connection, result, room, Read::Own)
}

/// What the result of a read of up to `room` bytes means.
fn judge(
    connection: &mut Connection,
    result: Result<usize, Errno>,
    room: usize,
    bytes: fn(usize) -> Read,
) -> Read {
    match result {
        Ok(0) => Read::Over(Ended::Eof),
        Ok(count) => {
            if count < room && !connection.hung_up {
                connection.readable = false;
            }
            bytes(count)
        }
        Err(Errno::AGAIN) => {
            connection.readable = false;
            connection.hung_up = false;
            Read::Nothing
        }
        Err(Errno::INTR) => Read::Again,
        Err(errno) => Read::Over(Ended::Error(errno.into())),
    }
}

/// Sends what is queued. What handlers queue meanwhile waits for the next flush.
fn flush<H: Handler>(reactor: &mut Reactor, handler: &mut H) {
    for index in std::mem::take(&mut reactor.core.dirty) {
        write(reactor, index, handler);
    }
}

/// One write for one connection.
fn write<H: Handler>(reactor: &mut Reactor, index: u32, handler: &mut H) {
    let Some((epoll, core)) = backend(reactor) else {
        return;
    };
    let Some(connection) = core.connections.at(index) else {
        return;
    };
    connection.dirty = false;
    if connection.stuffed {
        return;
    }
    let Some(output) = &mut connection.output else {
        return;
    };
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let (offered, result) = if output.pieces() == 1 {
        let slice = output.slices().next().unwrap_or_default();
        (
            slice.len(),
            rustix::net::send(&connection.socket, slice, flags),
        )
    } else {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut offered = 0;
        for (place, slice) in slices.iter_mut().zip(output.slices()) {
            *place = IoSlice::new(slice);
            count += 1;
            offered += slice.len();
        }
        let mut control = SendAncillaryBuffer::default();
        let result =
            rustix::net::sendmsg(&connection.socket, &slices[..count], &mut control, flags);
        (offered, result)
    };
    let sent = match result {
        Ok(sent) => sent,
        Err(Errno::AGAIN) => 0,
        Err(Errno::INTR) => {
            connection.dirty = true;
            core.dirty.push(index);
            return;
        }
        Err(errno) => return reactor.sending_failed(index, errno.into(), handler),
    };
    output.advance(sent, &mut core.recycler);
    if output.bytes() > 0 {
        if sent == offered {
            // More slices than one write takes.
            connection.dirty = true;
            core.dirty.push(index);
        } else {
            // Registering anew also tells of room that was made since the write.
            connection.stuffed = true;
            let both = Interest::READABLE | Interest::WRITABLE;
            connection.watches_writing = true;
            if let Err(error) = epoll.watch(connection, index, both) {
                reactor.sending_failed(index, error, handler);
            }
        }
        return;
    }
    if let Some(output) = connection.output.take() {
        core.recycler.take_output(output);
    }
    if connection.watches_writing {
        connection.watches_writing = false;
        if let Err(error) = epoll.watch(connection, index, Interest::READABLE) {
            return reactor.sending_failed(index, error, handler);
        }
    }
    // More follows when it is released.
    if connection.withheld_bytes > 0 {
        return;
    }
    let token = connection.token;
    match connection.life {
        Life::Flushing | Life::Gone => reactor.finish(index),
        Life::Open => handler.drained(reactor, token),
    }
}
