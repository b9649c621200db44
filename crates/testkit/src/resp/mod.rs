//! A raw RESP client: bytes out, typed replies and their exact bytes in.
//!
//! It shares no code with the server under test on purpose: a mistake in the server's
//! protocol crate must not be mirrored in what checks it. It hides nothing either:
//! numbers that RESP carries as text stay text, and null has its three spellings.

mod connection;
mod reply;

pub use connection::{Connection, Frame, Protocol, WireError};
pub use reply::{Malformed, Reply, parse};

/// Encodes one command as an array of bulk strings, the form every client sends.
pub fn encode_command<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(16 + args.iter().map(|a| a.as_ref().len() + 16).sum::<usize>());
    append_command(&mut bytes, args);
    bytes
}

/// Appends one encoded command to a pipeline under construction.
pub fn append_command<A: AsRef<[u8]>>(pipeline: &mut Vec<u8>, args: &[A]) {
    pipeline.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        pipeline.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        pipeline.extend_from_slice(arg);
        pipeline.extend_from_slice(b"\r\n");
    }
}
