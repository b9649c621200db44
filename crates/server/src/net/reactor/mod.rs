//! The reactor: sockets as *completions*. Bytes arrived; everything was sent; the peer
//! is gone; somebody woke this worker.
//!
//! One reactor belongs to one worker thread and owns that worker's sockets. The worker
//! names a connection by a [`Token`] of its own choosing, implements [`Handler`], and
//! calls [`Reactor::wait`] once per tick. Two backends stand behind the same interface:
//!
//! ```text
//!                     Reactor (this file)
//!      connections + output queues + waker   (connection, output, wake)
//!               |                      |
//!             epoll                  uring            the tick of each backend
//!           (mio, safe)                |
//!                                 uring/ring          submission, provided buffers:
//!                                                     the only unsafe code
//! ```
//!
//! A tick: send what was queued since the last one, sleep until something happens, hand
//! each socket's bytes to the handler, send what that produced.
//!
//! Not here: accepting (sockets arrive accepted and nonblocking), parsing, TLS, timers
//! (the worker passes its next deadline as the timeout of `wait`).
//!
//! Invariants:
//! - No callback runs outside [`Reactor::wait`], and none for a token after
//!   [`Reactor::close`] was called for it or after [`Handler::ended`] told of an error.
//! - Bytes handed to [`Reactor::send`] leave in order; they stay alive until the kernel is
//!   done with them, even if the connection is closed meanwhile.
//! - A connection with nothing queued owns no buffer: it costs the reactor about 50 bytes.
//! - A sleeping reactor sleeps: it polls without waiting only while a connection still has
//!   bytes to hand over or room to send.

mod connection;
mod epoll;
mod output;
mod uring;
mod wake;
mod withhold;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connection::{Connections, Life};
use output::Recycler;
pub use wake::Waker;
use withhold::Withheld;

/// The worker's name for a connection: a slot in the worker's own table, and the number of
/// times that slot has been used, so that a name outlives its connection harmlessly.
///
/// Slots should be dense: the reactor keeps four bytes for each slot up to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u32, pub u32);

impl Token {
    /// The position in the worker's table.
    pub const fn slot(self) -> u32 {
        self.0
    }

    /// Which use of the slot this is.
    pub const fn generation(self) -> u32 {
        self.1
    }
}

/// A piece of output.
pub enum Chunk {
    /// Bytes made for this connection; the vector comes back through [`Reactor::recycled`].
    Bytes(Vec<u8>),
    /// Bytes that live elsewhere (a large value, a message for many subscribers), sent
    /// without a copy. `as_ref` must give the same slice every time.
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

impl Chunk {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Shared(shared) => (**shared).as_ref(),
        }
    }
}

/// Why a connection receives nothing more.
#[derive(Debug)]
pub enum Ended {
    /// The peer finished sending. What is queued, and what is sent from now on, still goes
    /// out; the worker decides when to [`Reactor::close`].
    Eof,
    /// Receiving or sending failed. Queued output is dropped and later sends are ignored;
    /// no callback follows. The worker calls [`Reactor::close`] to release the socket.
    Error(io::Error),
}

/// How [`Reactor::close`] treats what is still queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Drop it.
    Now,
    /// Send it first, for at most [`Options::linger`].
    AfterFlush,
}

/// Where the next bytes of a connection should go instead of the shared read buffer.
pub struct Fill<'a> {
    /// The bytes are appended here. Give it a spare capacity of at least one and at most
    /// `want` bytes and the kernel writes straight into it (epoll).
    pub buffer: &'a mut Vec<u8>,
    /// How many bytes belong here at most; later ones go to [`Handler::received`] again.
    pub want: usize,
}

/// What a worker does with the events of its connections.
///
/// Every callback gets the reactor, and may register, send, pause, resume and close any
/// connection of it.
pub trait Handler {
    /// Bytes arrived. The slice is part of a shared buffer and valid for this call only.
    fn received(&mut self, reactor: &mut Reactor, token: Token, bytes: &[u8]);

    /// Nothing more will be received. Called once per connection at most, except that an
    /// error of sending may follow an [`Ended::Eof`].
    fn ended(&mut self, reactor: &mut Reactor, token: Token, why: Ended);

    /// Everything handed to [`Reactor::send`] has gone out: called each time a queue that
    /// was not empty becomes empty (hence about once per tick for a connection that sends).
    fn drained(&mut self, reactor: &mut Reactor, token: Token);

    /// Whether something is to be done before the reactor sleeps, for instance since a
    /// connection has drained at the tick's start.
    fn has_work(&self) -> bool {
        false
    }

    /// A [`Waker`] was used since the last call.
    fn woken(&mut self, reactor: &mut Reactor);

    /// Asked before each read: a buffer of the connection's own for the bytes to come, as
    /// for a large argument whose length is known. `want` of zero means the same as `None`.
    fn fill(&mut self, _token: Token) -> Option<Fill<'_>> {
        None
    }

    /// `added` bytes (never zero) were appended to the buffer that [`Handler::fill`] gave.
    fn filled(&mut self, _reactor: &mut Reactor, _token: Token, _added: usize) {}
}

/// Which backend to use, or is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactorKind {
    /// io_uring where the kernel offers what the backend needs (Linux 6.0), else epoll.
    Auto,
    IoUring,
    Epoll,
}

/// Sizes and limits. The defaults are meant for a worker with up to ten thousand
/// connections.
#[derive(Clone, Debug)]
pub struct Options {
    /// epoll: size of the one buffer that all connections of the worker are read into.
    pub read_buffer_bytes: usize,
    /// epoll: reads that one connection gets before the others have their turn.
    pub reads_per_turn: usize,
    /// io_uring: number of provided buffers at most, rounded up to a power of two.
    pub provided_buffers: u16,
    /// io_uring: size of each provided buffer.
    pub provided_buffer_bytes: usize,
    /// io_uring: when the kernel completes work on the worker's behalf.
    pub task_run: TaskRun,
    /// How long a connection closed with [`Close::AfterFlush`] may take to flush.
    pub linger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            read_buffer_bytes: 64 * 1024,
            reads_per_turn: 1,
            provided_buffers: 64,
            provided_buffer_bytes: 8 * 1024,
            task_run: TaskRun::Cooperative,
            linger: Duration::from_secs(30),
        }
    }
}

/// When io_uring runs the completion side of requests (see `io_uring_setup(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskRun {
    /// At any kernel entry of the worker: `IORING_SETUP_COOP_TASKRUN`. Measured with
    /// `examples/reactor_echo`, slightly the cheaper of the two.
    Cooperative,
    /// Only when the worker waits: `IORING_SETUP_DEFER_TASKRUN` (Linux 6.1).
    Deferred,
}

/// One worker's sockets. See the module's documentation.
///
/// A reactor may be made on one thread and moved to another before its first
/// [`Reactor::wait`]; from then on it must stay on that thread (io_uring refuses others).
pub struct Reactor {
    /// Dropped first: the sockets must be open until the kernel's requests on them are over.
    backend: Backend,
    core: Core,
}

#[expect(clippy::large_enum_variant, reason = "there is one per worker")]
enum Backend {
    Epoll(epoll::Epoll),
    Uring(uring::Uring),
}

/// What both backends share.
struct Core {
    connections: Connections,
    /// Connections (by index) with output to send; `Connection::dirty` marks membership.
    dirty: Vec<u32>,
    /// Connections that flush before they close, by deadline (all linger equally long).
    lingering: std::collections::VecDeque<(Instant, u32, Token)>,
    /// Output that waits for the disk.
    withheld: Withheld,
    recycler: Recycler,
    wake: wake::WakeReceiver,
    linger: Duration,
}

impl Reactor {
    /// A reactor without connections.
    ///
    /// # Errors
    /// The kernel's, when it refuses the backend asked for or the descriptors it needs.
    /// [`ReactorKind::Auto`] fails only if epoll does.
    pub fn new(kind: ReactorKind, options: Options) -> io::Result<Reactor> {
        let wake = wake::WakeReceiver::new()?;
        let epoll = || epoll::Epoll::new(&options, &wake).map(Backend::Epoll);
        let uring = || uring::Uring::new(&options, &wake).map(Backend::Uring);
        let backend = match kind {
            ReactorKind::Epoll => epoll()?,
            ReactorKind::IoUring => uring()?,
            ReactorKind::Auto => uring().or_else(|_| epoll())?,
        };
        Ok(Reactor {
            core: Core {
                connections: Connections::default(),
                dirty: Vec::new(),
                lingering: std::collections::VecDeque::new(),
                withheld: Withheld::default(),
                recycler: Recycler::default(),
                wake,
                linger: options.linger,
            },
            backend,
        })
    }

    /// The backend in use; never [`ReactorKind::Auto`].
    pub fn kind(&self) -> ReactorKind {
        match self.backend {
            Backend::Epoll(_) => ReactorKind::Epoll,
            Backend::Uring(_) => ReactorKind::IoUring,
        }
    }

    /// A handle by which other threads end this reactor's sleep.
    pub fn waker(&self) -> Waker {
        self.core.wake.waker()
    }

    /// Number of registered connections, those that still flush before closing included.
    pub fn len(&self) -> usize {
        self.core.connections.len()
    }

    /// Whether no connection is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes over a connected, nonblocking stream socket and starts receiving from it.
    ///
    /// # Errors
    /// `AlreadyExists` if the token's slot is in use, `InvalidInput` if the slot is absurdly
    /// high, else the kernel's. The socket is closed on error.
    pub fn register(&mut self, token: Token, socket: OwnedFd) -> io::Result<()> {
        let index = self.core.connections.insert(token, socket)?;
        let registered = match &mut self.backend {
            Backend::Epoll(epoll) => epoll.register(&self.core, index),
            Backend::Uring(uring) => {
                uring.register(&mut self.core, index);
                Ok(())
            }
        };
        if registered.is_err() {
            self.core.connections.forget(token);
            self.core.connections.remove(index);
        }
        registered
    }

    /// Stops receiving: no `received`, `filled` or end of stream is reported until
    /// [`Reactor::resume`]. Sending goes on, and its failures are reported.
    pub fn pause(&mut self, token: Token) {
        let Some((index, connection)) = self.core.connections.by_token(token) else {
            return;
        };
        connection.paused = true;
        if let Backend::Uring(uring) = &mut self.backend {
            uring.disarm(connection, index);
        }
    }

    /// Starts receiving again.
    pub fn resume(&mut self, token: Token) {
        let Some((index, connection)) = self.core.connections.by_token(token) else {
            return;
        };
        if !connection.paused {
            return;
        }
        connection.paused = false;
        match &mut self.backend {
            Backend::Epoll(epoll) => epoll.resume(connection, index),
            Backend::Uring(uring) => uring.resume(connection, index),
        }
    }

    /// Queues output. It leaves, together with everything else queued for the connection,
    /// when the worker's tick is over; or, while output is withheld, when that ends for it.
    pub fn send(&mut self, token: Token, chunk: Chunk) {
        let core = &mut self.core;
        let Some((index, connection)) = core.connections.by_token(token) else {
            return;
        };
        if connection.failed || chunk.as_bytes().is_empty() {
            core.recycler.take_chunk(chunk);
        } else if core.withheld.concerns(connection) {
            connection.withheld_bytes += chunk.as_bytes().len();
            core.withheld.add(index, token, chunk);
        } else {
            core.queue(index, chunk);
        }
    }

    /// Whether output is withheld from now on. What is withheld already stays so, and
    /// what is sent to the same connections queues behind it.
    pub fn withhold(&mut self, withholding: bool) {
        self.core.withheld.set_active(withholding);
    }

    /// Whether any output is withheld.
    pub fn withholds(&self) -> bool {
        !self.core.withheld.is_empty()
    }

    /// Says until when what was sent since the last call is withheld: until
    /// [`Reactor::release`] is called with this mark or a later one. Marks ascend.
    pub fn withhold_until(&mut self, mark: u64) {
        self.core.withheld.mark(mark);
    }

    /// Lets go of the output withheld until `mark` or earlier. Returns whether any is
    /// still withheld.
    pub fn release(&mut self, mark: u64) -> bool {
        while let Some((index, token, chunk)) = self.core.withheld.next_released(mark) {
            let Some(connection) = self.core.connections.at(index) else {
                continue;
            };
            // It may be another by now.
            if connection.token != token {
                continue;
            }
            connection.withheld_bytes -= chunk.as_bytes().len();
            if connection.failed || connection.life == Life::Gone {
                self.core.recycler.take_chunk(chunk);
            } else {
                self.core.queue(index, chunk);
            }
        }
        !self.core.withheld.is_empty()
    }

    /// Bytes queued by [`Reactor::send`] that the kernel has not accepted yet.
    pub fn queued_bytes(&self, token: Token) -> usize {
        self.core
            .connections
            .peek(token)
            .map_or(0, connection::Connection::queued_bytes)
    }

    /// Lets go of a connection. No callback for the token follows, and its slot may be used
    /// again at once.
    pub fn close(&mut self, token: Token, how: Close) {
        let Some((index, connection)) = self.core.connections.by_token(token) else {
            return;
        };
        let flush = how == Close::AfterFlush && connection.queued_bytes() > 0;
        self.core.connections.forget(token);
        if flush {
            let Some(connection) = self.core.connections.at(index) else {
                return;
            };
            connection.life = Life::Flushing;
            if let Backend::Uring(uring) = &mut self.backend {
                uring.disarm(connection, index);
            }
            let deadline = Instant::now() + self.core.linger;
            self.core.lingering.push_back((deadline, index, token));
        } else {
            self.finish(index);
        }
    }

    /// An empty vector, with the capacity of one that was sent before where there is one.
    pub fn recycled(&mut self) -> Vec<u8> {
        self.core.recycler.bytes()
    }

    /// The socket, for its options and addresses. Do not read, write or keep it.
    pub fn socket(&self, token: Token) -> Option<BorrowedFd<'_>> {
        self.core
            .connections
            .peek(token)
            .map(|connection| connection.socket.as_fd())
    }

    /// One tick: sends what is queued, sleeps until something happens or `timeout` is over
    /// (`None`: for as long as it takes), and reports what happened.
    ///
    /// Returns early, having reported nothing, when a signal arrives.
    ///
    /// # Errors
    /// Only what makes the reactor unusable; a connection's errors go to
    /// [`Handler::ended`].
    pub fn wait<H: Handler>(
        &mut self,
        timeout: Option<Duration>,
        handler: &mut H,
    ) -> io::Result<()> {
        match self.backend {
            Backend::Epoll(_) => epoll::tick(self, timeout, handler)?,
            Backend::Uring(_) => uring::tick(self, timeout, handler)?,
        }
        self.cut_off_lingering();
        Ok(())
    }

    /// Shuts the socket down and releases it.
    fn finish(&mut self, index: u32) {
        let Some(connection) = self.core.connections.at(index) else {
            return;
        };
        // A reset socket is no longer connected: nothing to tell the peer then.
        let _ = rustix::net::shutdown(&connection.socket, rustix::net::Shutdown::Both);
        match &mut self.backend {
            Backend::Epoll(_) => self.core.release(index),
            Backend::Uring(uring) => uring.finish(&mut self.core, index),
        }
    }

    /// A write to the socket failed for good.
    fn sending_failed<H: Handler>(&mut self, index: u32, error: io::Error, handler: &mut H) {
        self.core.fail(index);
        let Some(connection) = self.core.connections.at(index) else {
            return;
        };
        let token = connection.token;
        match connection.life {
            Life::Open => {
                connection.ended = true;
                handler.ended(self, token, Ended::Error(error));
            }
            Life::Flushing | Life::Gone => self.finish(index),
        }
    }

    /// Closes connections whose time to flush is over.
    fn cut_off_lingering(&mut self) {
        while let Some(&(deadline, index, token)) = self.core.lingering.front() {
            let over = match self.core.connections.at(index) {
                Some(connection) if connection.is_flushing(token) => deadline <= Instant::now(),
                // It flushed and was closed long ago.
                _ => {
                    self.core.lingering.pop_front();
                    continue;
                }
            };
            if !over {
                return;
            }
            self.core.lingering.pop_front();
            self.finish(index);
        }
    }
}

impl Core {
    /// Queues a piece that is not empty for a connection, which is marked dirty.
    fn queue(&mut self, index: u32, chunk: Chunk) {
        let Some(connection) = self.connections.at(index) else {
            return;
        };
        connection
            .output
            .get_or_insert_with(|| self.recycler.output())
            .push(chunk, &mut self.recycler);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Drops a connection, keeping its buffers for others.
    fn release(&mut self, index: u32) {
        if let Some(connection) = self.connections.remove(index)
            && let Some(output) = connection.output
        {
            self.recycler.take_output(output);
        }
    }

    /// Notes an error: output is of no use any more.
    fn fail(&mut self, index: u32) {
        if let Some(connection) = self.connections.at(index) {
            connection.failed = true;
            connection.in_flight_bytes = 0;
            if let Some(output) = connection.output.take() {
                self.recycler.take_output(output);
            }
        }
    }

    /// How long the kernel may let us sleep.
    fn sleep(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some((deadline, ..)) = self.lingering.front() else {
            return timeout;
        };
        let until = deadline.saturating_duration_since(Instant::now());
        Some(timeout.map_or(until, |timeout| timeout.min(until)))
    }
}
