//! One non-blocking connection of a load: what is still to be written, how many replies
//! are owed. It knows no clock and no schedule; [`crate::generator`] and
//! [`crate::steady`] decide when something is sent.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::generator::GeneratorError;
use crate::reply::Skipper;

/// What a read left behind.
pub(crate) enum Received {
    /// This many replies ended.
    Replies(u64),
    /// The server closed the connection.
    Closed,
}

/// A connection with its unwritten output and its reply skipper.
pub(crate) struct Connection {
    /// read(2) and write(2): the same for every kind of socket.
    stream: File,
    output: Vec<u8>,
    written: usize,
    /// Counts this connection's replies and errors.
    pub(crate) skipper: Skipper,
    /// Replies the server still owes.
    pub(crate) owed: u64,
    /// Whether the reactor watches for room to write.
    pub(crate) waits_for_room: bool,
}

impl Connection {
    /// Connects (blocking, at most five seconds) and makes the socket non-blocking.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self::over(stream.into()))
    }

    /// As [`Connection::open`], to a Unix socket.
    pub(crate) fn open_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_nonblocking(true)?;
        Ok(Self::over(stream.into()))
    }

    fn over(socket: OwnedFd) -> Self {
        Self {
            stream: socket.into(),
            output: Vec::new(),
            written: 0,
            skipper: Skipper::new(),
            owed: 0,
            waits_for_room: false,
        }
    }

    /// The buffer that the next requests are appended to.
    #[inline]
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes what the socket takes; `true` when nothing is left.
    #[inline]
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(true)
    }

    /// Reads once into the shared `buffer` and counts the replies in it. Once, because the
    /// reactor is level-triggered: what is left will be announced again.
    #[inline]
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, GeneratorError> {
        match self.stream.read(buffer) {
            Ok(0) => Ok(Received::Closed),
            Ok(count) => {
                let replies = self.skipper.feed(&buffer[..count])?;
                self.owed = self.owed.saturating_sub(replies);
                Ok(Received::Replies(replies))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Received::Replies(0))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
