//! From replies to chunks for the reactor, in order; and replies that are drawn in
//! slices as the connection drains.

use std::collections::VecDeque;

use ochre_resp::{Insert, Protocol, Reply, Source};

use super::reactor::{Chunk, Reactor, Token};

/// About how much of a sliced reply is made at a time, in bytes: 0.1 to 0.2 ms of work
/// where each element is a cache miss.
const SLICE_BYTES: usize = 16 * 1024;

/// The output behind a reply in the making: sources and what follows them.
#[derive(Default)]
pub struct Drawing {
    queue: VecDeque<Piece>,
    protocol: Protocol,
}

enum Piece {
    Chunk(Chunk),
    Source(Box<dyn Source>),
}

/// Hands the replies to the reactor. What cannot be sent yet, because a source comes
/// first, is kept in `drawing`. Returns how many bytes went out.
pub fn deliver(
    reactor: &mut Reactor,
    token: Token,
    protocol: Protocol,
    parts: (Vec<u8>, Vec<(usize, Insert)>),
    drawing: &mut Option<Box<Drawing>>,
) -> u64 {
    let (bytes, inserts) = parts;
    if inserts.is_empty() {
        return put(reactor, token, Chunk::Bytes(bytes), drawing);
    }
    let mut from = 0;
    let mut sent = 0;
    for (at, insert) in inserts {
        if at > from {
            sent += put(
                reactor,
                token,
                Chunk::Bytes(bytes[from..at].to_vec()),
                drawing,
            );
            from = at;
        }
        match insert {
            Insert::Shared(shared) => {
                sent += put(reactor, token, Chunk::Shared(shared), drawing);
            }
            Insert::Source(source) => {
                let drawing = drawing.get_or_insert_with(Box::default);
                drawing.protocol = protocol;
                drawing.queue.push_back(Piece::Source(source));
            }
        }
    }
    if from < bytes.len() {
        sent += put(
            reactor,
            token,
            Chunk::Bytes(bytes[from..].to_vec()),
            drawing,
        );
    }
    sent
}

/// Queues a chunk behind the drawing, or sends it where there is none. Returns how many
/// bytes went out.
pub fn put(
    reactor: &mut Reactor,
    token: Token,
    chunk: Chunk,
    drawing: &mut Option<Box<Drawing>>,
) -> u64 {
    match drawing {
        Some(drawing) => {
            drawing.queue.push_back(Piece::Chunk(chunk));
            0
        }
        None => send(reactor, token, chunk),
    }
}

fn send(reactor: &mut Reactor, token: Token, chunk: Chunk) -> u64 {
    let bytes = match &chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::Shared(bytes) => (**bytes).as_ref().len(),
    };
    reactor.send(token, chunk);
    bytes as u64
}

/// How a drawing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything is with the reactor.
    Complete,
    /// A slice is being sent: go on when the connection has drained.
    Sending,
    /// A source still works out what to write: go on when others had their turn.
    Working,
}

/// Draws one slice of the first source and sends it, or lets the source work for as
/// long as a slice takes. Returns how many bytes went out, and how it goes on. The line of
/// a source that ends in an error is shown to `failed`.
pub fn draw(
    reactor: &mut Reactor,
    token: Token,
    drawing: &mut Drawing,
    failed: impl Fn(&[u8]),
) -> (u64, Progress) {
    let mut drawn = 0;
    let mut sent = 0;
    while drawn < SLICE_BYTES {
        match drawing.queue.front_mut() {
            None => return (sent, Progress::Complete),
            Some(Piece::Source(source)) => {
                let mut reply = Reply::with_buffer(reactor.recycled(), drawing.protocol);
                let more = source.draw(&mut reply, SLICE_BYTES);
                if reply.errors() > 0 {
                    failed(&reply.bytes()[1..]);
                }
                let (bytes, inserts) = reply.into_parts();
                // Elements are bytes: a source within a source has no use.
                debug_assert!(inserts.is_empty());
                let is_silent = bytes.is_empty();
                drawn += bytes.len().max(1);
                if !is_silent {
                    sent += send(reactor, token, Chunk::Bytes(bytes));
                }
                if !more {
                    drawing.queue.pop_front();
                } else if is_silent {
                    return (sent, Progress::Working);
                }
            }
            Some(Piece::Chunk(_)) => {
                if let Some(Piece::Chunk(chunk)) = drawing.queue.pop_front() {
                    sent += send(reactor, token, chunk);
                }
            }
        }
    }
    let progress = if drawing.queue.is_empty() {
        Progress::Complete
    } else {
        Progress::Sending
    };
    (sent, progress)
}
