//! Output that may not leave yet: replies whose changes are not on disk.
//!
//! ```text
//! batches: [ until 120: chunk chunk ][ until 180: chunk ] | pending: chunk chunk
//!            ^ released first                               marked at the tick's end
//! ```
//!
//! Chunks stand in the order in which they were sent, whoever they are for, so that each
//! connection's output keeps its order. What the marks mean is the worker's business.
//!
//! Invariant: `Connection::withheld_bytes` is the sum of its chunks here.

use std::collections::VecDeque;

use super::connection::Connection;
use super::{Chunk, Token};

type Piece = (u32, Token, Chunk);

#[derive(Default)]
pub(super) struct Withheld {
    active: bool,
    batches: VecDeque<(u64, VecDeque<Piece>)>,
    pending: VecDeque<Piece>,
}

impl Withheld {
    /// Whether output for the connection must wait: always while active, and as long as
    /// earlier output for it waits.
    #[inline]
    pub fn concerns(&self, connection: &Connection) -> bool {
        self.active || connection.withheld_bytes > 0
    }

    pub fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.pending.is_empty()
    }

    /// Whether anything came since the last mark.
    pub fn has_unmarked(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn add(&mut self, index: u32, token: Token, chunk: Chunk) {
        self.pending.push_back((index, token, chunk));
    }

    /// Says when what came since the last mark is released.
    pub fn mark(&mut self, mark: u64) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        match self.batches.back_mut() {
            Some((last, batch)) if *last >= mark => batch.extend(pending),
            _ => self.batches.push_back((mark, pending)),
        }
    }

    /// Takes out the next chunk that was withheld until `mark` or earlier.
    pub fn next_released(&mut self, mark: u64) -> Option<Piece> {
        loop {
            let (until, batch) = self.batches.front_mut()?;
            if *until > mark {
                return None;
            }
            if let Some(piece) = batch.pop_front() {
                return Some(piece);
            }
            self.batches.pop_front();
        }
    }
}
