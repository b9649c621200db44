//! Everything that can go wrong in a client's eyes, with Redis's texts verbatim.
//!
//! Handlers return an [`Error`]; `execute` writes it as an error reply and counts it
//! under its code in INFO errorstats.

use std::borrow::Cow;

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    Syntax,
    NotInteger,
    NotFloat,
    NotFinite,
    OutOfRange,
    Overflow,
    WrongType,
    NoSuchKey,
    IndexOutOfRange,
    /// Wrong number of arguments for the command of this (full, lower-case) name.
    Arity(Cow<'static, str>),
    /// The error line as it is, code first.
    Text(Cow<'static, str>),
    /// As `Text`, quoting bytes of the client's.
    Bytes(Vec<u8>),
    /// `invalid expire time in '…' command`
    InvalidExpire(&'static str),
    /// A command that is not known, with the start of its arguments.
    UnknownCommand(Vec<u8>),
    NoAuth,
    /// A script that runs aside has what the command needs: it is to run again when that
    /// has ended. No client sees this.
    Reserved,
    OutOfMemory,
    MaxString,
}

impl Error {
    /// An error line that is known at compile time, code first.
    pub const fn text(line: &'static str) -> Self {
        Self::Text(Cow::Borrowed(line))
    }

    /// An error line made for the occasion, code first.
    pub fn owned(line: String) -> Self {
        Self::Text(Cow::Owned(line))
    }

    /// A subcommand of `container` that does not take so many arguments, as those say it
    /// whose arity alone cannot.
    pub fn subcommand(container: &str, name: &[u8]) -> Self {
        let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
        text.extend_from_slice(&name[..name.len().min(128)]);
        text.extend_from_slice(format!("'. Try {container} HELP.").as_bytes());
        Self::Bytes(text)
    }

    /// The error line without the leading `-`.
    pub fn line(&self) -> Cow<'_, [u8]> {
        let text = match self {
            Self::Syntax => "ERR syntax error",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::NotFinite => "ERR increment would produce NaN or Infinity",
            Self::OutOfRange => "ERR value is out of range",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::NoSuchKey => "ERR no such key",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::Reserved => "TRYAGAIN A script has what the command needs",
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::MaxString => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::Text(text) => return Cow::Borrowed(text.as_bytes()),
            Self::Bytes(bytes) | Self::UnknownCommand(bytes) => return Cow::Borrowed(bytes),
            Self::Arity(name) => {
                let text = format!("ERR wrong number of arguments for '{name}' command");
                return Cow::Owned(text.into_bytes());
            }
            Self::InvalidExpire(name) => {
                let text = format!("ERR invalid expire time in '{name}' command");
                return Cow::Owned(text.into_bytes());
            }
        };
        Cow::Borrowed(text.as_bytes())
    }

    /// The error's code: the first word of its line.
    pub fn code(line: &[u8]) -> &[u8] {
        line.split(|&byte| byte == b' ').next().unwrap_or(b"ERR")
    }
}

/// A client's bytes as error texts quote them: up to `max` bytes and, as Redis prints
/// them as C strings, up to the first NUL.
pub fn quoted(bytes: &[u8], max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(max)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

impl From<ochre_store::WrongType> for Error {
    fn from(_: ochre_store::WrongType) -> Self {
        Self::WrongType
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.line()))
    }
}

impl std::error::Error for Error {}
