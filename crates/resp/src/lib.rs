//! The Redis protocol (RESP2 and RESP3): bytes to requests, replies to bytes.
//!
//! This crate knows neither sockets nor commands. [`request`] splits a byte stream
//! into requests without copying them; [`reply`] appends replies to a buffer in the
//! version the client asked for. Nothing here allocates more than the input warrants.
#![forbid(unsafe_code)]

mod error;
pub mod inline;
mod limits;
mod number;
pub mod reply;
pub mod request;

pub use error::ProtocolError;
pub use limits::Limits;
pub use reply::{Insert, Protocol, Reply, Source};
pub use request::{BIG_ARGUMENT_BYTES, Missing, Parser, Span, Status};
