//! A small blocking RESP2 client for what surrounds a measurement: filling, configuring,
//! asking for progress. Not for loads, and not a general client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The largest payload this client takes; what it asks for is never larger.
const LARGEST_BULK: usize = 64 * 1024 * 1024;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Status(String),
    /// `-ERR …`
    Error(String),
    /// `:1`
    Integer(i64),
    /// `$…`, or nothing
    Bulk(Option<Vec<u8>>),
    /// `*…`
    Array(Vec<Reply>),
}

/// Why a control command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed.
    #[error("control connection: {0}")]
    Io(#[from] io::Error),
    /// The server refused the command.
    #[error("{command}: {error}")]
    Refused {
        /// The command's name.
        command: String,
        /// The server's text.
        error: String,
    },
}

/// A blocking connection.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects; replies are awaited for at most five minutes.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Sends a command and returns its reply, an error reply included.
    ///
    /// # Errors
    /// When the connection fails or the reply is not RESP2.
    pub fn ask(&mut self, arguments: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", arguments.len());
        for argument in arguments {
            request.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
        }
        self.reader.get_mut().write_all(request.as_bytes())?;
        self.reply(0)
    }

    /// Sends a command; an error reply is an error.
    ///
    /// # Errors
    /// As [`Client::ask`], or when the server refuses.
    pub fn command(&mut self, arguments: &[&str]) -> Result<Reply, ClientError> {
        match self.ask(arguments)? {
            Reply::Error(error) => Err(ClientError::Refused {
                command: arguments
                    .first()
                    .map_or_else(String::new, |name| (*name).to_owned()),
                error,
            }),
            reply => Ok(reply),
        }
    }

    /// A field of INFO, or `None` when the server does not show it.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn info(&mut self, section: &str, field: &str) -> Result<Option<String>, ClientError> {
        let Reply::Bulk(Some(text)) = self.command(&["INFO", section])? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then(|| value.trim().to_owned())
        }))
    }

    fn reply(&mut self, depth: usize) -> io::Result<Reply> {
        let mut line = String::new();
        if self.reader.by_ref().take(64 * 1024).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed reply");
        let text = line.strip_suffix("\r\n").ok_or_else(malformed)?;
        let (kind, rest) = text.split_at_checked(1).ok_or_else(malformed)?;
        match kind {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => rest.parse().map(Reply::Integer).map_err(|_| malformed()),
            "$" => match rest.parse::<i64>().map_err(|_| malformed())? {
                -1 => Ok(Reply::Bulk(None)),
                length => {
                    let length = usize::try_from(length).map_err(|_| malformed())?;
                    if length > LARGEST_BULK {
                        return Err(malformed());
                    }
                    let mut payload = vec![0; length + 2];
                    self.reader.read_exact(&mut payload)?;
                    payload.truncate(length);
                    Ok(Reply::Bulk(Some(payload)))
                }
            },
            "*" if depth < 16 => match rest.parse::<i64>().map_err(|_| malformed())? {
                -1 => Ok(Reply::Bulk(None)),
                count => (0..count)
                    .map(|_| self.reply(depth + 1))
                    .collect::<io::Result<_>>()
                    .map(Reply::Array),
            },
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(answer: &'static [u8]) -> Client {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        });
        Client::connect(address).unwrap()
    }

    #[test]
    fn replies_are_read() {
        let mut client = served(b"*3\r\n+OK\r\n$2\r\nab\r\n:5\r\n");
        let expected = [
            Reply::Status("OK".into()),
            Reply::Bulk(Some(b"ab".to_vec())),
            Reply::Integer(5),
        ];
        assert_eq!(client.ask(&["X"]).unwrap(), Reply::Array(expected.to_vec()));
    }

    #[test]
    fn refusals_name_the_command() {
        let refused = served(b"-ERR unknown command\r\n")
            .command(&["ZADD", "k"])
            .unwrap_err();
        assert_eq!(refused.to_string(), "ZADD: ERR unknown command");
        assert!(served(b"$99999999999\r\n").ask(&["X"]).is_err());
        assert!(served(b"what\r\n").ask(&["X"]).is_err());
    }

    #[test]
    fn info_fields() {
        let mut client = served(b"$30\r\n# Server\r\nredis_version:7.0.1\r\n\r\n");
        assert_eq!(
            client.info("server", "redis_version").unwrap().as_deref(),
            Some("7.0.1")
        );
    }
}
