//! One client's conversation: what a command may read and change about its client.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ochre_resp::Protocol;

use crate::clients::{Client, ClientFlags, State};
use crate::commands::transactions::{Transaction, Watching};
use crate::pubsub::Subscriptions;
use crate::server::Server;

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
    pub subscriptions: Option<Box<Subscriptions>>,
    /// A transaction or script runs: what would wait does not.
    pub in_unit: bool,
    /// Lookups leave no trace on access clocks (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// The command that comes next was deferred: monitors have seen it.
    pub was_deferred: bool,
    /// Where the journal ended after this client's last change.
    pub wrote_to: u64,
    /// What CLIENT TRACKING asked for, while it is on.
    pub tracking: Option<Box<Tracking>>,
}

/// How a client wants to be told about keys that it caches (CLIENT TRACKING).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracking {
    /// The client that gets the invalidations; 0 is this one.
    pub redirect: u64,
    /// Keys of these prefixes, whoever read them; otherwise keys that this client read.
    pub broadcast: bool,
    /// Only after CLIENT CACHING YES.
    pub opt_in: bool,
    /// Unless after CLIENT CACHING NO.
    pub opt_out: bool,
    /// Not about its own changes.
    pub no_loop: bool,
    /// Sorted; of broadcast mode.
    pub prefixes: Vec<Vec<u8>>,
    pub caching: Caching,
}

/// What CLIENT CACHING said about the next command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Caching {
    #[default]
    Unsaid,
    Yes,
    No,
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
            subscriptions: None,
            in_unit: false,
            no_touch: false,
            was_deferred: false,
            wrote_to: 0,
            tracking: None,
        }
    }

    /// A session for a command that runs elsewhere than where its client is served.
    pub fn deputy(client: Arc<Client>, db: u16, protocol: Protocol) -> Self {
        Self {
            db,
            protocol,
            ..Self::new(client, true)
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

    /// Whether the client is in the subscriber mode of RESP2, where few commands are
    /// allowed.
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.is_some() && self.protocol == Protocol::Resp2
    }

    /// Copies the numbers of subscriptions to where others see them.
    pub fn mirror_subscriptions(&self) {
        let counts = self.subscriptions.as_ref().map_or((0, 0, 0), |s| {
            (s.channels.len(), s.patterns.len(), s.shards.len())
        });
        self.update(|state| {
            (
                state.subscriptions,
                state.pattern_subscriptions,
                state.shard_subscriptions,
            ) = counts;
        });
    }

    /// Notes that a command runs now.
    #[inline]
    pub fn used(&self, command: u16, now_ms: i64) {
        self.client.last_command.store(command, Ordering::Relaxed);
        self.client.last_used_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Switches tracking on, off, or to other wishes.
    pub fn set_tracking(&mut self, tracking: Option<Tracking>) {
        self.update(|state| {
            state.flags.tracking = tracking.is_some();
            state.flags.broadcast = tracking.as_ref().is_some_and(|t| t.broadcast);
            state.redirect = tracking.as_ref().map_or(-1, |t| t.redirect as i64);
        });
        self.tracking = tracking.map(Box::new);
    }

    /// Whether invalidations should go to a client that is gone.
    pub fn redirection_is_broken(&self, server: &Server) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| {
            tracking.redirect != 0 && server.clients.get(tracking.redirect).is_none()
        })
    }

    /// RESET: back to the state of a new connection.
    pub fn reset(&mut self, authenticated: bool) {
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.authenticated = authenticated;
        self.reply_mode = ReplyMode::On;
        self.no_touch = false;
        self.tracking = None;
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
