//! What a client can get wrong at the level of bytes, in Redis's own words.

use thiserror::Error;

/// A violation of the protocol. The connection is answered `-ERR ` and this text,
/// then closed: after it the byte stream has no meaning any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolError {
    #[error("Protocol error: too big inline request")]
    InlineTooBig,
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    #[error("Protocol error: too big mbulk count string")]
    CountLineTooBig,
    #[error("Protocol error: invalid multibulk length")]
    InvalidCount,
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedCount,
    #[error("Protocol error: too big bulk count string")]
    BulkLineTooBig,
    #[error("Protocol error: expected '$', got '{}'", *.0 as char)]
    ExpectedBulk(u8),
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// The text that the client gets: as shown, but with the very byte that came.
    pub fn line(&self) -> Vec<u8> {
        match self {
            Self::ExpectedBulk(byte) => {
                [&b"Protocol error: expected '$', got '"[..], &[*byte], b"'"].concat()
            }
            other => other.to_string().into_bytes(),
        }
    }
}
