//! One client's conversation: what a command may read and change about its client.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ochre_resp::Protocol;

use crate::clients::{Client, ClientFlags, State};
use crate::commands::transactions::{Transaction, Watching};

/// The state of a conversation. Owned by the worker that serves the client; what other
/// threads ask about is mirrored in [`Client`].
pub struct Session {
    pub client: Arc<Client>,
    pub db: u16,
    pub protocol: Protocol,
    pub authenticated: bool,
    pub reply_mode: ReplyMode,
    /// Close the connection once the replies so far are sent.
    pub close: bool,
    /// The transaction being queued, between MULTI and EXEC.
    pub multi: Option<Box<Transaction>>,
    pub watching: Option<Box<Watching>>,
    /// Lookups leave no trace on access clocks (CLIENT NO-TOUCH).
    pub no_touch: bool,
}

/// What CLIENT REPLY chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// The next command gets no reply.
    SkipNext,
    /// This command gets no reply.
    Skip,
}

impl Session {
    pub fn new(client: Arc<Client>, authenticated: bool) -> Self {
        Self {
            client,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            reply_mode: ReplyMode::On,
            close: false,
            multi: None,
            watching: None,
            no_touch: false,
        }
    }

    pub fn id(&self) -> u64 {
        self.client.id
    }

    pub fn select(&mut self, db: u16) {
        if self.db != db {
            self.db = db;
            self.update(|state| state.db = db);
        }
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.update(|state| state.resp3 = protocol == Protocol::Resp3);
    }

    pub fn set_name(&self, name: &[u8]) {
        self.update(|state| state.name = name.to_vec());
    }

    pub fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.client.state.lock());
    }

    pub fn update_flags(&self, change: impl FnOnce(&mut ClientFlags)) {
        self.update(|state| change(&mut state.flags));
    }

    /// Notes that a command runs now.
    #[inline]
    pub fn used(&self, command: u16, now_ms: i64) {
        self.client.last_command.store(command, Ordering::Relaxed);
        self.client.last_used_ms.store(now_ms, Ordering::Relaxed);
    }

    /// RESET: back to the state of a new connection.
    pub fn reset(&mut self, authenticated: bool) {
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.authenticated = authenticated;
        self.reply_mode = ReplyMode::On;
        self.no_touch = false;
        self.update(|state| {
            *state = State {
                user: "default".into(),
                multi: -1,
                redirect: -1,
                library_name: std::mem::take(&mut state.library_name),
                library_version: std::mem::take(&mut state.library_version),
                ..State::default()
            };
        });
    }
}
