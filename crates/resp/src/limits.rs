//! How much one client may ask of the parser.

/// Bounds on a request, from the configuration and from the client's standing.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `proto-max-bulk-len`: the longest argument, in bytes.
    pub max_bulk_bytes: u64,
    /// The longest line (inline request, or a count before its CR LF), in bytes.
    pub max_line_bytes: usize,
    /// The most arguments of one request.
    pub max_arguments: u64,
    /// Whether these are the tight bounds of a client that has yet to authenticate:
    /// they have error texts of their own.
    pub unauthenticated: bool,
}

impl Limits {
    /// The bounds for a client that may run commands.
    pub const fn authenticated(max_bulk_bytes: u64) -> Self {
        Self {
            max_bulk_bytes,
            max_line_bytes: 64 * 1024,
            max_arguments: i32::MAX as u64,
            unauthenticated: false,
        }
    }

    /// The bounds before authentication: ten arguments of at most 16 KiB.
    pub const fn unauthenticated() -> Self {
        Self {
            max_bulk_bytes: 16 * 1024,
            max_line_bytes: 64 * 1024,
            max_arguments: 10,
            unauthenticated: true,
        }
    }
}
