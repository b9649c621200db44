//! What a worker keeps for one connection. An idle one holds no buffers.

use std::sync::Arc;

use ochre_resp::{Parser, Span};

use super::output::Drawing;
use super::reactor::Token;
use crate::blocking::Blocked;
use crate::session::Session;

/// A connection and its conversation.
pub struct Connection {
    pub token: Token,
    pub session: Session,
    /// A request that has not arrived whole.
    pub partial: Option<Box<Partial>>,
    /// A complete request of several reads that has not run ([`Stall::precedes`]), in
    /// front of `stash`.
    pub parked: Option<Box<Partial>>,
    /// Input that must wait: behind a blocked command, a pause, or a reply in the making.
    pub stash: Vec<u8>,
    /// A reply that is made in slices as the connection drains.
    pub drawing: Option<Box<Drawing>>,
    /// Whether `drawing` has its turn coming, as nothing is being sent.
    pub is_working: bool,
    /// What the client waits for, while it is [`Stall::Blocked`].
    pub blocked: Option<Arc<Blocked>>,
    /// Whether the reply of the blocked command is not wanted (CLIENT REPLY).
    pub is_muted: bool,
    /// Why no commands of this connection run for now.
    pub stalled: Option<Stall>,
    /// When the output first exceeded its soft limit.
    pub over_limit_since_ms: Option<i64>,
}

/// Why a connection's commands wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// CLIENT PAUSE.
    Paused,
    /// A script that has what the command needs.
    Deferred,
    /// A blocking command, or a script that runs aside.
    Blocked,
    /// The reply before must be drawn first.
    Drawing,
    /// The connection is about to be closed: its input is ignored.
    Closing,
}

impl Stall {
    /// Whether the client waits for something that it has asked for, so that it is not
    /// idle.
    pub fn is_wait(self) -> bool {
        matches!(self, Self::Blocked | Self::Deferred)
    }

    /// Whether the command that the connection came to has not run, and is to run first
    /// when the stall ends.
    pub fn precedes(self) -> bool {
        matches!(self, Self::Paused | Self::Deferred)
    }
}

/// A request in the making: its bytes so far, and where the parser stands.
#[derive(Default)]
pub struct Partial {
    pub buffer: Vec<u8>,
    pub parser: Parser,
    pub spans: Vec<Span>,
    /// Large arguments, each in a buffer of its own.
    pub big: Vec<Arc<Vec<u8>>>,
    /// The large argument being received, and its full length with the CR LF.
    pub filling: Option<(Vec<u8>, usize)>,
    /// Whether it came as an inline request. Known once it is complete.
    pub is_inline: bool,
}

impl Partial {
    /// Bytes held.
    pub fn len(&self) -> usize {
        let big: usize = self.big.iter().map(|bytes| bytes.len()).sum();
        let filling = self.filling.as_ref().map_or(0, |(bytes, _)| bytes.len());
        self.buffer.len() + big + filling
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Connection {
    pub fn new(token: Token, session: Session) -> Self {
        Self {
            token,
            session,
            partial: None,
            parked: None,
            stash: Vec::new(),
            drawing: None,
            is_working: false,
            blocked: None,
            is_muted: false,
            stalled: None,
            over_limit_since_ms: None,
        }
    }

    /// Waits for the reply of a command that was run without one, or runs elsewhere.
    pub fn wait_for(&mut self, blocked: Arc<Blocked>, is_muted: bool) {
        self.blocked = Some(blocked);
        self.is_muted = is_muted;
        self.stalled = Some(Stall::Blocked);
    }

    /// Bytes of input held for this connection.
    pub fn input_bytes(&self) -> usize {
        let pending = [&self.partial, &self.parked];
        let pending = pending.into_iter().flatten().map(|partial| partial.len());
        self.stash.len() + pending.sum::<usize>()
    }
}
