//! The io_uring backend: one system call per tick, for everything.
//!
//! Each socket has one multishot receive request that takes a provided buffer whenever bytes
//! arrive, and at most one send request, which carries all that was queued when the tick
//! ended. Both are submitted by the call that waits.
//!
//! ```text
//! tick: queued output -> send requests -> io_uring_enter -> woken -> completions
//!       receive request of a connection:
//!
//!       Idle --arm--> Armed --(end, error, no buffers)--> Idle
//!         ^             | pause, close
//!         +-(completed)- Cancelling
//! ```
//!
//! What had arrived before a pause took effect is *held* by the connection until it resumes.
//! A closed connection stays in the table, `Gone`, until its last request has completed, so
//! an index in a completion never means another connection than it was submitted for.
//!
//! Not here: `unsafe`, which is all in `ring`.
//!
//! Invariant: a connection that wants input has `receive` armed, or being cancelled (it is
//! armed again at its completion), or holds bytes and is in `resumed`.

mod ring;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::connection::{Connection, Life};
use super::wake::WakeReceiver;
use super::{Backend, Core, Ended, Fill, Handler, Options, Reactor, Token};
use ring::{Completion, Received, Ring};

/// The state of a connection's receive request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    Idle,
    Armed,
    Cancelling,
}

/// Input that arrived while the handler wanted none.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    end: Option<Ended>,
}

pub(super) struct Uring {
    ring: Ring,
    /// Connections (by index) that hold input and were resumed.
    resumed: Vec<u32>,
}

impl Uring {
    pub fn new(options: &Options, wake: &WakeReceiver) -> io::Result<Uring> {
        let mut ring = Ring::new(options)?;
        ring.watch(wake.eventfd());
        Ok(Uring {
            ring,
            resumed: Vec::new(),
        })
    }

    pub fn register(&mut self, core: &mut Core, index: u32) {
        if let Some(connection) = core.connections.at(index) {
            self.arm(connection, index);
        }
    }

    /// Asks for input if the handler wants it and nobody has asked yet.
    fn arm(&mut self, connection: &mut Connection, index: u32) {
        if connection.receive == Receive::Idle
            && connection.wants_input()
            && connection.held.is_none()
        {
            connection.receive = Receive::Armed;
            self.ring.receive(connection.socket.as_fd(), index);
        }
    }

    /// Stops the receive request.
    pub fn disarm(&mut self, connection: &mut Connection, index: u32) {
        if connection.receive == Receive::Armed {
            connection.receive = Receive::Cancelling;
            self.ring.cancel_receive(index);
        }
    }

    pub fn resume(&mut self, connection: &mut Connection, index: u32) {
        if connection.held.is_some() {
            self.resumed.push(index);
        } else {
            self.arm(connection, index);
        }
    }

    /// Releases a connection that was shut down, now or when its requests have completed
    /// (which the shutdown makes them do, if nothing else does).
    pub fn finish(&mut self, core: &mut Core, index: u32) {
        let Some(connection) = core.connections.at(index) else {
            return;
        };
        connection.life = Life::Gone;
        connection.held = None;
        if let Some(output) = connection.output.take() {
            core.recycler.take_output(output);
        }
        self.disarm(connection, index);
        if connection.receive == Receive::Idle && !connection.sending {
            core.release(index);
        }
    }

    /// Submits what is queued, one request per connection.
    fn flush(&mut self, core: &mut Core) {
        for index in std::mem::take(&mut core.dirty) {
            let Some(connection) = core.connections.at(index) else {
                continue;
            };
            connection.dirty = false;
            // The rest follows when the request that is under way has completed.
            if connection.sending {
                continue;
            }
            if let Some(output) = connection.output.take() {
                connection.sending = true;
                connection.in_flight_bytes = output.bytes();
                self.ring.send(connection.socket.as_fd(), index, output);
            }
        }
    }
}

fn backend(reactor: &mut Reactor) -> Option<(&mut Uring, &mut Core)> {
    match &mut reactor.backend {
        Backend::Uring(uring) => Some((uring, &mut reactor.core)),
        Backend::Epoll(_) => None,
    }
}

pub(super) fn tick<H: Handler>(
    reactor: &mut Reactor,
    timeout: Option<Duration>,
    handler: &mut H,
) -> io::Result<()> {
    let Some((uring, core)) = backend(reactor) else {
        return Ok(());
    };
    uring.flush(core);
    let timeout = if !uring.resumed.is_empty() || !core.wake.may_sleep() {
        Some(Duration::ZERO)
    } else {
        core.sleep(timeout)
    };
    let entered = uring.ring.enter(timeout);
    let woken = core.wake.was_woken();
    entered?;
    let resumed = std::mem::take(&mut uring.resumed);
    let completions = uring.ring.completions();
    if woken {
        handler.woken(reactor);
    }
    for index in resumed {
        deliver_held(reactor, index, handler);
    }
    // What completes meanwhile belongs to the next tick.
    for _ in 0..completions {
        let Some((uring, core)) = backend(reactor) else {
            break;
        };
        match uring.ring.next() {
            Some(Completion::Received {
                connection,
                outcome,
                more,
            }) => {
                received(reactor, connection, outcome, more, handler)?;
            }
            Some(Completion::Sent {
                connection,
                output,
                outcome,
            }) => {
                sent(reactor, connection, output, outcome, handler);
            }
            Some(Completion::Wake { more: false }) => uring.ring.watch(core.wake.eventfd()),
            Some(Completion::Cancelled {
                connection: index,
                missed: true,
            }) => {
                if let Some(connection) = core.connections.at(index)
                    && connection.receive == Receive::Cancelling
                {
                    connection.receive = Receive::Armed;
                    uring.disarm(connection, index);
                }
            }
            Some(Completion::Wake { .. } | Completion::Cancelled { .. }) | None => {}
        }
    }
    Ok(())
}

/// A completion of a receive request.
fn received<H: Handler>(
    reactor: &mut Reactor,
    index: u32,
    outcome: Received,
    more: bool,
    handler: &mut H,
) -> io::Result<()> {
    let Some((uring, core)) = backend(reactor) else {
        return Ok(());
    };
    let Some(connection) = core.connections.at(index) else {
        return Ok(());
    };
    let token = connection.token;
    if !more {
        connection.receive = Receive::Idle;
    }
    match outcome {
        Received::Bytes(filled) => {
            let Some(mut pool) = uring.ring.take_pool() else {
                return Err(io::Error::other("a handler of this reactor panicked"));
            };
            deliver(reactor, index, token, pool.bytes(&filled), handler);
            pool.recycle(filled);
            if let Some((uring, _)) = backend(reactor) {
                uring.ring.put_back(pool);
            }
        }
        Received::Eof => end(reactor, index, token, Ended::Eof, handler),
        Received::Error(error) => end(reactor, index, token, Ended::Error(error), handler),
        Received::Nothing => {}
    }
    let Some((uring, core)) = backend(reactor) else {
        return Ok(());
    };
    let Some(connection) = core.connections.at(index) else {
        return Ok(());
    };
    if connection.life == Life::Gone {
        uring.finish(core, index);
    } else {
        uring.arm(connection, index);
    }
    Ok(())
}

/// Hands bytes to the handler for as long as it takes them, and holds the rest.
fn deliver<H: Handler>(
    reactor: &mut Reactor,
    index: u32,
    token: Token,
    mut bytes: &[u8],
    handler: &mut H,
) {
    while !bytes.is_empty() {
        let Some(connection) = reactor.core.connections.at(index) else {
            return;
        };
        if connection.token != token || connection.life != Life::Open || connection.ended {
            return;
        }
        if connection.paused || connection.held.is_some() {
            connection
                .held
                .get_or_insert_default()
                .bytes
                .extend_from_slice(bytes);
            return;
        }
        match handler.fill(token) {
            Some(Fill { buffer, want }) if want > 0 => {
                let (now, later) = bytes.split_at(want.min(bytes.len()));
                buffer.extend_from_slice(now);
                bytes = later;
                handler.filled(reactor, token, now.len());
            }
            _ => return handler.received(reactor, token, bytes),
        }
    }
}

/// Reports that no more is received, or holds that back.
fn end<H: Handler>(reactor: &mut Reactor, index: u32, token: Token, why: Ended, handler: &mut H) {
    let Some(connection) = reactor.core.connections.at(index) else {
        return;
    };
    if connection.token != token || connection.life != Life::Open || connection.ended {
        return;
    }
    if connection.paused || connection.held.is_some() {
        connection.held.get_or_insert_default().end = Some(why);
        return;
    }
    connection.ended = true;
    if matches!(why, Ended::Error(_)) {
        reactor.core.fail(index);
    }
    handler.ended(reactor, token, why);
}

/// Hands over what arrived during a pause that is over.
fn deliver_held<H: Handler>(reactor: &mut Reactor, index: u32, handler: &mut H) {
    let Some(connection) = reactor.core.connections.at(index) else {
        return;
    };
    if !connection.wants_input() {
        return;
    }
    let Some(held) = connection.held.take() else {
        return;
    };
    let token = connection.token;
    deliver(reactor, index, token, &held.bytes, handler);
    if let Some(why) = held.end {
        end(reactor, index, token, why, handler);
    }
    let Some((uring, core)) = backend(reactor) else {
        return;
    };
    if let Some(connection) = core.connections.at(index) {
        uring.arm(connection, index);
    }
}

/// The completion of a send request.
fn sent<H: Handler>(
    reactor: &mut Reactor,
    index: u32,
    mut output: Box<super::output::Output>,
    outcome: io::Result<usize>,
    handler: &mut H,
) {
    let Some((uring, core)) = backend(reactor) else {
        return;
    };
    let Some(connection) = core.connections.at(index) else {
        return;
    };
    let token = connection.token;
    connection.sending = false;
    connection.in_flight_bytes = 0;
    if connection.life == Life::Gone || connection.failed {
        core.recycler.take_output(output);
        if connection.life == Life::Gone {
            uring.finish(core, index);
        }
        return;
    }
    let failure = match outcome {
        Ok(count) => {
            output.advance(count, &mut core.recycler);
            None
        }
        Err(error) => match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => None,
            _ => Some(error),
        },
    };
    if let Some(error) = failure {
        core.recycler.take_output(output);
        return reactor.sending_failed(index, error, handler);
    }
    if output.bytes() > 0 {
        if let Some(mut queued) = connection.output.take() {
            output.append(&mut queued);
            core.recycler.take_output(queued);
        }
        connection.output = Some(output);
    } else {
        core.recycler.take_output(output);
    }
    if connection.output.is_some() {
        if !connection.dirty {
            connection.dirty = true;
            core.dirty.push(index);
        }
        return;
    }
    // More follows when it is released.
    if connection.withheld_bytes > 0 {
        return;
    }
    match connection.life {
        Life::Open => handler.drained(reactor, token),
        Life::Flushing | Life::Gone => reactor.finish(index),
    }
}
