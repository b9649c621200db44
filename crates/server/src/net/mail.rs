//! Mail between threads: what others want a worker to do for one of its connections.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam_queue::SegQueue;

use ochre_store::effects::Ready;

use super::reactor::{Token, Waker};
use crate::pubsub::Message;
use crate::tracking::Invalidated;

/// A piece of mail.
pub enum Mail {
    /// Close a connection.
    Close(Token),
    /// Bytes of a complete reply or push for a connection. The same bytes may go to many.
    Message { to: Token, bytes: Arc<Vec<u8>> },
    /// A published message for subscribers on this worker.
    Published {
        to: Arc<[Token]>,
        message: Arc<Message>,
    },
    /// Keys that a client may have cached have changed.
    Invalidate {
        to: Token,
        keys: Invalidated,
        is_redirected: bool,
    },
    /// The client that gets this client's invalidations is gone.
    RedirectBroken { to: Token, redirect: u64 },
    /// A blocked client's command was served elsewhere: its reply, made for its protocol.
    Served {
        to: Token,
        wait: u64,
        reply: Vec<u8>,
        /// Whether the reply may tell of a change, and hence waits for the disk where
        /// those do.
        tells_of_change: bool,
    },
    /// A key that this blocked client is the first to wait for has gone by itself: who
    /// waits for it is to be served.
    Ready { to: Token, ready: Ready },
    /// CLIENT UNBLOCK has ended this wait.
    Unblock { to: Token, wait: u64, error: bool },
    /// CLIENT PAUSE began or ended.
    PauseChanged,
    /// The disk has got on: what was withheld may leave.
    Durable,
    /// Say that this was passed: what came before is done.
    Pass(std::sync::mpsc::Sender<()>),
    /// Run the commands that a script has deferred, then drop this.
    ResumeDeferred(Option<std::sync::mpsc::Sender<()>>),
    /// The configuration changed.
    ConfigChanged,
    /// End the worker.
    Stop,
}

/// An accepted connection.
pub struct NewConnection {
    pub socket: OwnedFd,
    pub address: String,
    pub local_address: String,
    pub is_unix: bool,
}

/// A worker's mailbox: any thread may put, the worker takes.
///
/// New connections lie apart: they have no order with other mail, so that whoever sees
/// that the worker is held up can take them elsewhere.
pub struct Mailbox {
    queue: SegQueue<Mail>,
    arrivals: SegQueue<NewConnection>,
    waker: Waker,
}

impl Mailbox {
    pub fn new(waker: Waker) -> Self {
        Self {
            queue: SegQueue::new(),
            arrivals: SegQueue::new(),
            waker,
        }
    }

    /// Puts mail and wakes the worker.
    pub fn put(&self, mail: Mail) {
        self.put_quietly(mail);
        self.wake();
    }

    /// Puts mail; the worker finds it when it is woken.
    pub fn put_quietly(&self, mail: Mail) {
        self.queue.push(mail);
    }

    /// Puts a new connection to serve, and wakes the worker.
    pub fn put_arrival(&self, connection: NewConnection) {
        self.arrivals.push(connection);
        self.wake();
    }

    /// A new connection that nobody serves yet.
    pub fn take_arrival(&self) -> Option<NewConnection> {
        self.arrivals.pop()
    }

    pub fn wake(&self) {
        self.waker.wake();
    }

    pub fn take(&self) -> Option<Mail> {
        self.queue.pop()
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("waiting", &self.queue.len())
            .finish()
    }
}
