//! The reactor's table of connections: what a socket costs while nothing happens on it.
//!
//! ```text
//! Token.slot --> by_slot --> index --> entries[index]: Connection
//! ```
//!
//! The worker's slots and the reactor's indices differ because a connection may outlive its
//! token: it may still be flushing, or the kernel may still hold a request on it, when the
//! worker uses the slot again.
//!
//! Not here: anything that touches the kernel.
//!
//! Invariant: `by_slot[slot]`, if set, is the index of an open connection whose token has
//! that slot.

use std::io;
use std::os::fd::OwnedFd;

use super::Token;
use super::output::Output;
use super::uring::{Held, Receive};

/// Slots beyond this are a mistake, not a table.
const SLOTS_MAX: u32 = 1 << 24;

/// Stands for "no connection" in `by_slot`.
const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// The worker holds its token.
    Open,
    /// Closed by the worker, with output left to send.
    Flushing,
    /// Shut down; the kernel still holds a request on it (io_uring).
    Gone,
}

/// One socket. Idle, it holds no buffer.
pub(super) struct Connection {
    pub token: Token,
    pub socket: OwnedFd,
    /// What is queued; `None` while there is nothing.
    pub output: Option<Box<Output>>,
    pub life: Life,
    /// Bytes handed over that may not leave yet: see `Core::withheld`.
    pub withheld_bytes: usize,
    /// The worker wants no input.
    pub paused: bool,
    /// The end of the stream was reported.
    pub ended: bool,
    /// An error was reported: output is ignored.
    pub failed: bool,
    /// Member of `Core::dirty`.
    pub dirty: bool,
    /// epoll: the socket may have bytes or an end that were not read yet.
    pub readable: bool,
    /// epoll: the peer hung up, so that a short read does not mean "drained".
    pub hung_up: bool,
    /// epoll: member of the list of connections to read from in the next turn.
    pub has_turn: bool,
    /// epoll: the socket's buffer is full; an event will tell of room.
    pub stuffed: bool,
    /// epoll: registered for writing too.
    pub watches_writing: bool,
    /// io_uring: the receive request.
    pub receive: Receive,
    /// io_uring: a send request is under way.
    pub sending: bool,
    /// io_uring: what that request has yet to send.
    pub in_flight_bytes: usize,
    /// io_uring: what arrived during a pause.
    pub held: Option<Box<Held>>,
}

impl Connection {
    pub fn queued_bytes(&self) -> usize {
        let queued = self.output.as_ref().map_or(0, |output| output.bytes());
        queued + self.in_flight_bytes + self.withheld_bytes
    }

    /// Whether the handler may be told of input.
    pub fn wants_input(&self) -> bool {
        self.life == Life::Open && !self.paused && !self.ended && !self.failed
    }

    /// Whether this is the connection that `token` named, flushing.
    pub fn is_flushing(&self, token: Token) -> bool {
        self.life == Life::Flushing && self.token == token
    }
}

#[derive(Default)]
pub(super) struct Connections {
    by_slot: Vec<u32>,
    entries: Vec<Option<Connection>>,
    free: Vec<u32>,
}

impl Connections {
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub fn insert(&mut self, token: Token, socket: OwnedFd) -> io::Result<u32> {
        if token.slot() >= SLOTS_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let slot = token.slot() as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, NOBODY);
        }
        if self.by_slot[slot] != NOBODY {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let connection = Connection {
            token,
            socket,
            output: None,
            life: Life::Open,
            withheld_bytes: 0,
            paused: false,
            ended: false,
            failed: false,
            dirty: false,
            readable: false,
            hung_up: false,
            has_turn: false,
            stuffed: false,
            watches_writing: false,
            receive: Receive::Idle,
            sending: false,
            in_flight_bytes: 0,
            held: None,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = Some(connection);
                index
            }
            None => {
                let index = u32::try_from(self.entries.len()).map_err(io::Error::other)?;
                self.entries.push(Some(connection));
                index
            }
        };
        self.by_slot[slot] = index;
        Ok(index)
    }

    /// The open connection of that name.
    pub fn by_token(&mut self, token: Token) -> Option<(u32, &mut Connection)> {
        let index = *self.by_slot.get(token.slot() as usize)?;
        let connection = self.entries.get_mut(index as usize)?.as_mut()?;
        (connection.token == token).then_some((index, connection))
    }

    pub fn peek(&self, token: Token) -> Option<&Connection> {
        let index = *self.by_slot.get(token.slot() as usize)?;
        let connection = self.entries.get(index as usize)?.as_ref()?;
        (connection.token == token).then_some(connection)
    }

    /// The connection at an index, open or not.
    pub fn at(&mut self, index: u32) -> Option<&mut Connection> {
        self.entries.get_mut(index as usize)?.as_mut()
    }

    pub fn peek_at(&self, index: u32) -> Option<&Connection> {
        self.entries.get(index as usize)?.as_ref()
    }

    /// Gives the slot back to the worker; the connection itself stays.
    pub fn forget(&mut self, token: Token) {
        if self.peek(token).is_some() {
            self.by_slot[token.slot() as usize] = NOBODY;
        }
    }

    /// Takes the connection out. Its slot must have been given back by [`Self::forget`].
    pub fn remove(&mut self, index: u32) -> Option<Connection> {
        let connection = self.entries.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(connection)
    }
}
