//! A socket and the replies that come out of it.
//!
//! Everything is explicit: nothing is retried, nothing is reconnected, pushes are set
//! apart from replies but never dropped, and a reply comes with the bytes it was read
//! from. Not a client for applications.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::encode_command;
use super::reply::{Malformed, Reply, parse};
use crate::servers::Address;

/// How long a reply may take before it counts as missing, in milliseconds.
const REPLY_TIMEOUT_MS: u64 = 10_000;

/// The version of the protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// What a fresh connection speaks.
    Resp2,
    /// What `HELLO 3` switches to.
    Resp3,
}

/// One reply and the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The tree.
    pub reply: Reply,
    /// Exactly what the server sent.
    pub raw: Vec<u8>,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The server closed (or reset) the connection.
    #[error("the connection was closed{}", unread_note(.unread))]
    Closed {
        /// Bytes of an incomplete reply that had arrived before.
        unread: Vec<u8>,
    },
    /// Nothing complete arrived in time.
    #[error("no reply within {waited_ms} ms{}", unread_note(.unread))]
    Timeout {
        /// How long was waited.
        waited_ms: u64,
        /// Bytes of an incomplete reply that had arrived.
        unread: Vec<u8>,
    },
    /// What arrived is not RESP.
    #[error("{error}, in {}", .bytes.escape_ascii())]
    Malformed {
        /// What is wrong.
        error: Malformed,
        /// The bytes from the start of the bad reply.
        bytes: Vec<u8>,
    },
    /// The socket failed otherwise.
    #[error("socket: {0}")]
    Io(#[from] std::io::Error),
}

fn unread_note(unread: &[u8]) -> String {
    if unread.is_empty() {
        String::new()
    } else {
        format!(" after \"{}\"", unread.escape_ascii())
    }
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A raw connection. Dropping it closes the socket.
pub struct Connection {
    socket: Socket,
    received: Vec<u8>,
    pushes: VecDeque<Frame>,
    reply_timeout: Duration,
}

impl Connection {
    /// Connects, speaking RESP2 as every fresh connection does.
    ///
    /// # Errors
    /// [`WireError::Io`] when nobody listens at `address`.
    pub fn open(address: &Address) -> Result<Self, WireError> {
        let socket = match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, Duration::from_secs(5))?;
                stream.set_nodelay(true)?;
                Socket::Tcp(stream)
            }
            Address::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
        };
        Ok(Connection {
            socket,
            received: Vec::new(),
            pushes: VecDeque::new(),
            reply_timeout: Duration::from_millis(REPLY_TIMEOUT_MS),
        })
    }

    /// Connects and, for RESP3, says `HELLO 3`.
    ///
    /// # Errors
    /// As [`Connection::open`] and [`Connection::command`].
    pub fn open_with(address: &Address, protocol: Protocol) -> Result<Self, WireError> {
        let mut connection = Self::open(address)?;
        if protocol == Protocol::Resp3 {
            connection.command(&["HELLO", "3"])?;
        }
        Ok(connection)
    }

    /// Sets how long [`Connection::read_reply`] waits.
    pub fn set_reply_timeout(&mut self, timeout: Duration) {
        self.reply_timeout = timeout;
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// [`WireError::Closed`] or [`WireError::Io`].
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let sent = match &mut self.socket {
            Socket::Tcp(stream) => stream.write_all(bytes),
            Socket::Unix(stream) => stream.write_all(bytes),
        };
        match sent {
            Err(error) if is_closed(&error) => Err(WireError::Closed { unread: Vec::new() }),
            other => Ok(other?),
        }
    }

    /// Sends one command without waiting for its reply.
    ///
    /// # Errors
    /// As [`Connection::send_bytes`].
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<(), WireError> {
        self.send_bytes(&encode_command(args))
    }

    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// [`WireError`]; an error reply is a reply.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Reply, WireError> {
        self.send(args)?;
        Ok(self.read_reply()?.reply)
    }

    /// Sends commands in one write and reads one reply for each.
    ///
    /// # Errors
    /// [`WireError`] at the first missing reply.
    pub fn pipeline<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, WireError> {
        let mut bytes = Vec::new();
        for command in commands {
            super::append_command(&mut bytes, command);
        }
        self.send_bytes(&bytes)?;
        commands
            .iter()
            .map(|_| Ok(self.read_reply()?.reply))
            .collect()
    }

    /// Reads the next reply that is no push; pushes met on the way are kept for
    /// [`Connection::read_push`].
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read_reply(&mut self) -> Result<Frame, WireError> {
        let deadline = Instant::now() + self.reply_timeout;
        loop {
            let frame = self.read_from_socket(deadline)?;
            if matches!(frame.reply, Reply::Push(_)) {
                self.pushes.push_back(frame);
            } else {
                return Ok(frame);
            }
        }
    }

    /// The oldest push not yet taken, waiting for one for at most `timeout`. A reply that
    /// arrives instead stays unread.
    ///
    /// # Errors
    /// [`WireError::Timeout`] when none came, and the other [`WireError`]s.
    pub fn read_push(&mut self, timeout: Duration) -> Result<Frame, WireError> {
        if let Some(push) = self.pushes.pop_front() {
            return Ok(push);
        }
        let frame = self.read_from_socket(Instant::now() + timeout)?;
        if matches!(frame.reply, Reply::Push(_)) {
            return Ok(frame);
        }
        // Put the reply back in front of what follows it.
        let waited_ms = timeout.as_millis() as u64;
        let error = WireError::Timeout {
            waited_ms,
            unread: frame.raw.clone(),
        };
        self.received.splice(..0, frame.raw);
        Err(error)
    }

    /// The next frame of either kind, kept pushes first.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read_any(&mut self, timeout: Duration) -> Result<Frame, WireError> {
        match self.pushes.pop_front() {
            Some(push) => Ok(push),
            None => self.read_from_socket(Instant::now() + timeout),
        }
    }

    /// Pushes that arrived with replies and were not taken yet.
    pub fn waiting_pushes(&mut self) -> Vec<Frame> {
        self.pushes.drain(..).collect()
    }

    /// Everything that arrives until nothing has for `quiet`, or the connection closes.
    /// The flag tells whether it closed. Waits `patience` for the first byte.
    ///
    /// # Errors
    /// [`WireError::Io`].
    pub fn read_until_quiet(
        &mut self,
        patience: Duration,
        quiet: Duration,
    ) -> Result<(Vec<u8>, bool), WireError> {
        let mut bytes: Vec<u8> = self.pushes.drain(..).flat_map(|frame| frame.raw).collect();
        let mut wait = if self.received.is_empty() {
            patience
        } else {
            quiet
        };
        loop {
            match self.fill(Instant::now() + wait) {
                Ok(()) => wait = quiet,
                Err(WireError::Timeout { .. }) => {
                    bytes.append(&mut self.received);
                    return Ok((bytes, false));
                }
                Err(WireError::Closed { .. }) => {
                    bytes.append(&mut self.received);
                    return Ok((bytes, true));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Whether bytes have arrived that were not read yet, waiting for at most `timeout`.
    pub fn readable(&mut self, timeout: Duration) -> bool {
        !self.received.is_empty()
            || !matches!(
                self.fill(Instant::now() + timeout),
                Err(WireError::Timeout { .. })
            )
    }

    /// Says goodbye and waits until the server has let go of the connection, so that
    /// whatever it had blocked, watched or subscribed is gone when this returns.
    pub fn close_and_wait(self) {
        let Connection { mut socket, .. } = self;
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut scratch = [0; 4096];
        let closing = match &socket {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        if closing.is_err() {
            return;
        }
        while Instant::now() < deadline {
            match read_some(&mut socket, &mut scratch, deadline) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn read_from_socket(&mut self, deadline: Instant) -> Result<Frame, WireError> {
        loop {
            match parse(&self.received) {
                Ok(Some((reply, length))) => {
                    let raw = self.received.drain(..length).collect();
                    return Ok(Frame { reply, raw });
                }
                Ok(None) => self.fill(deadline)?,
                Err(error) => {
                    return Err(WireError::Malformed {
                        error,
                        bytes: std::mem::take(&mut self.received),
                    });
                }
            }
        }
    }

    /// Reads at least one byte more. The chunk grows with what is already waiting, so a
    /// large reply is parsed a logarithmic number of times.
    fn fill(&mut self, deadline: Instant) -> Result<(), WireError> {
        let started = Instant::now();
        let old_length = self.received.len();
        let goal = (old_length * 2).max(16 * 1024);
        self.received.resize(goal, 0);
        let mut length = old_length;
        let outcome = loop {
            match read_some(&mut self.socket, &mut self.received[length..], deadline) {
                Ok(0) => break Err(WireError::Closed { unread: Vec::new() }),
                Ok(count) => {
                    length += count;
                    // Small replies must not wait for more; large ones collect a while.
                    if old_length < 16 * 1024
                        || length == goal
                        || parse_could_finish(&self.received[..length])
                    {
                        break Ok(());
                    }
                }
                Err(error) if is_closed(&error) => {
                    break Err(WireError::Closed { unread: Vec::new() });
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    let waited_ms = started.elapsed().as_millis() as u64;
                    break Err(WireError::Timeout {
                        waited_ms,
                        unread: Vec::new(),
                    });
                }
                Err(error) => break Err(WireError::Io(error)),
            }
        };
        self.received.truncate(length);
        match outcome {
            Err(_) if length > old_length => Ok(()),
            Err(WireError::Closed { .. }) => Err(WireError::Closed {
                unread: self.received.clone(),
            }),
            Err(WireError::Timeout { waited_ms, .. }) => Err(WireError::Timeout {
                waited_ms,
                unread: self.received.clone(),
            }),
            other => other,
        }
    }
}

/// Every complete reply ends a line; anything else cannot be complete.
fn parse_could_finish(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n")
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
    )
}

fn read_some(socket: &mut Socket, into: &mut [u8], deadline: Instant) -> std::io::Result<usize> {
    loop {
        // A zero timeout means "for ever" to the kernel.
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_micros(1));
        let outcome = match socket {
            Socket::Tcp(stream) => stream
                .set_read_timeout(Some(left))
                .and_then(|()| stream.read(into)),
            Socket::Unix(stream) => stream
                .set_read_timeout(Some(left))
                .and_then(|()| stream.read(into)),
        };
        match outcome {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
