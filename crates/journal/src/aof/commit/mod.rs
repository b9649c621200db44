//! The commit log: makes the newest bytes of an increment durable at less cost than a
//! sync of the increment.
//!
//! ```text
//!   increment   ....... synced ......│ written, perhaps not on disk ........│
//!                                    │                                      │
//!   log                              │ commit │ commit │ commit │ commit │  : older runs
//!               block 0 ─────────────┘        each synced before its replies leave
//! ```
//!
//! A file that grows changes its length with every write, so each sync of it commits the
//! file system's own journal as well. The log is written over and over: its syncs write
//! its blocks, and no more. The increment gets the same bytes at the same time, and is
//! synced when the log is full, or a second has passed; then the log begins anew at its
//! first block.
//!
//! As long as the machine's kernel runs, the increment is all there is to know: whoever
//! reads it finds every byte written, also after the server was killed. Only after the
//! machine went down may it lack bytes, and then the log has them: the [`LostTail`]. There
//! is one only if the increment ends within the commits and agrees with them up to there:
//! whatever else became of it, in other hands, is let be.
//!
//! One more case: a sync of the increment fails. What it concerned is then cut off and
//! written again, and until that is done only the log has it, which says so first
//! ([`CommitLog::insist`]).
//!
//! Invariants: a run begins where the increment is durable; its commits follow each other
//! without gaps; a commit is durable wholly or not at all, by its checksum.

mod log;
mod record;
mod recovery;

pub use log::{CommitLog, Committed};
pub use recovery::LostTail;

/// How large a log gets. The increment is synced whenever it is full, which takes the
/// longer the larger this is, and the smaller the more often: at a hundred thousand small
/// commands a second three times.
const CAPACITY_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests;
