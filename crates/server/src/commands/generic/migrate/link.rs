//! The talk with the server that keys go to: plain RESP over TCP, with a timeout on
//! every wait. Knows no keyspace and no locks.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use ochre_store::Settings;
use ochre_structures::number;

use crate::error::Error;
use crate::persistence::image::{self, FrozenEntry};

/// How much is gathered before it is sent.
const CHUNK_BYTES: usize = 64 << 10;

/// The longest line of an answer that is read.
const LINE_BYTES_MAX: u64 = 1 << 10;

/// A connection to another server.
pub(super) struct Link {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
    /// The database that is selected there.
    db: Option<i64>,
}

/// Who to be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'a> {
    pub user: Option<&'a [u8]>,
    pub password: &'a [u8],
}

/// What to do there.
pub(super) enum Errand<'a> {
    /// Make this key.
    Restore {
        frozen: FrozenEntry,
        ttl_ms: Option<i64>,
        replace: bool,
    },
    /// Delete this key.
    Delete { key: &'a [u8] },
}

/// At what the talk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkError {
    Connecting,
    Writing,
    Reading,
}

impl LinkError {
    /// As Redis tells it.
    pub(super) fn told(self) -> Error {
        Error::text(match self {
            Self::Connecting => "IOERR error or timeout connecting to the client",
            Self::Writing => "IOERR error or timeout writing to target instance",
            Self::Reading => "IOERR error or timeout reading to target instance",
        })
    }
}

impl Link {
    /// Connects; every wait takes at most `timeout_ms`.
    ///
    /// # Errors
    /// [`LinkError::Connecting`] where there is no such server or it does not answer; a
    /// refusal is a failure to write to it, as Redis finds out only then.
    pub(super) fn connect(host: &[u8], port: &[u8], timeout_ms: u64) -> Result<Self, LinkError> {
        let host = str::from_utf8(host).map_err(|_| LinkError::Connecting)?;
        // As C reads it: what is no number is port 0, where nobody listens.
        let port = number::parse_i64(port).unwrap_or(0) as u16;
        let timeout = Duration::from_millis(timeout_ms.max(1));
        let addresses = (host, port).to_socket_addrs();
        let mut failure = LinkError::Connecting;
        for address in addresses.map_err(|_| LinkError::Connecting)? {
            let connected = TcpStream::connect_timeout(&address, timeout);
            match connected.and_then(|stream| Self::over(stream, timeout)) {
                Ok(link) => return Ok(link),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    failure = LinkError::Writing;
                }
                Err(_) => failure = LinkError::Connecting,
            }
        }
        Err(failure)
    }

    fn over(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self {
            reader: BufReader::new(stream.try_clone()?),
            writer: BufWriter::with_capacity(CHUNK_BYTES, stream),
            db: None,
        })
    }

    /// Runs the errands in database `db`; says of each whether it was done, and the first
    /// error that was answered or that ended the talk.
    ///
    /// # Errors
    /// Not even that could be sent.
    pub(super) fn run<'a>(
        &mut self,
        login: Option<Login<'_>>,
        db: i64,
        errands: impl Iterator<Item = Errand<'a>>,
        settings: &Settings,
    ) -> Result<(Vec<bool>, Option<Error>), Error> {
        // A link that was used before is logged in.
        let login = login.filter(|_| self.db.is_none());
        let select = self.db != Some(db);
        let errands = self
            .send(login, select.then_some(db), errands, settings)
            .map_err(|_| LinkError::Writing.told())?;
        let mut refused: Option<Error> = None;
        // Whether this server is let in, and where it wants to be.
        let mut is_there = true;
        let mut heads = usize::from(login.is_some()) + usize::from(select);
        let mut done = Vec::new();
        while heads > 0 || done.len() < errands {
            let Ok(line) = self.line() else {
                let error = refused.unwrap_or_else(|| LinkError::Reading.told());
                return Ok((done, Some(error)));
            };
            let is_error = line.first() == Some(&b'-');
            if is_error && refused.is_none() {
                let mut text = b"ERR Target instance replied with error: ".to_vec();
                text.extend_from_slice(&line[1..]);
                refused = Some(Error::Bytes(text));
            }
            if heads > 0 {
                heads -= 1;
                is_there &= !is_error;
            } else {
                // What was done elsewhere, or as somebody else, does not count.
                done.push(is_there && !is_error);
            }
        }
        self.db = refused.is_none().then_some(db);
        Ok((done, refused))
    }

    /// Writes everything; returns the number of errands.
    fn send<'a>(
        &mut self,
        login: Option<Login<'_>>,
        db: Option<i64>,
        errands: impl Iterator<Item = Errand<'a>>,
        settings: &Settings,
    ) -> io::Result<usize> {
        if let Some(Login { user, password }) = login {
            match user {
                Some(user) => self.command(&[b"AUTH", user, password])?,
                None => self.command(&[b"AUTH", password])?,
            }
        }
        let mut digits = itoa::Buffer::new();
        if let Some(db) = db {
            self.command(&[b"SELECT", digits.format(db).as_bytes()])?;
        }
        let mut count = 0;
        for errand in errands {
            match errand {
                Errand::Restore {
                    frozen,
                    ttl_ms,
                    replace,
                } => {
                    let payload = image::with_dump_encoder(settings, |encoder| {
                        image::dump(&frozen.value(), encoder)
                    });
                    let ttl = digits.format(ttl_ms.unwrap_or(0)).as_bytes();
                    let words: &[&[u8]] = &[b"RESTORE", frozen.key(), ttl, &payload, b"REPLACE"];
                    self.command(if replace { words } else { &words[..4] })?;
                }
                Errand::Delete { key } => self.command(&[b"DEL", key])?,
            }
            count += 1;
        }
        self.writer.flush()?;
        Ok(count)
    }

    fn command(&mut self, words: &[&[u8]]) -> io::Result<()> {
        write!(self.writer, "*{}\r\n", words.len())?;
        for word in words {
            write!(self.writer, "${}\r\n", word.len())?;
            self.writer.write_all(word)?;
            self.writer.write_all(b"\r\n")?;
        }
        Ok(())
    }

    /// A line of the answer, without its end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }
}
