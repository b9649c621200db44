//! Elements of a reply whose header tells how many there are, which is known only when all
//! are found.

use std::collections::VecDeque;

use ochre_resp::Reply;

/// Elements are kept in chunks of about this many bytes, in each of which they are sent.
const CHUNK_BYTES: usize = 16 * 1024;

/// Elements as they will be sent, in the order in which they were found.
#[derive(Default)]
pub struct Found {
    full: VecDeque<Vec<u8>>,
    last: Reply,
    count: usize,
}

impl Found {
    /// Adds an element, which `write` writes; in the same way for either protocol.
    #[inline]
    pub fn add(&mut self, write: impl FnOnce(&mut Reply)) {
        write(&mut self.last);
        self.count += 1;
        if self.last.len() >= CHUNK_BYTES {
            let (chunk, _) = self.last.take(Vec::new());
            self.full.push_back(chunk);
        }
    }

    /// How many were added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Writes elements not written yet, about as many as the budget allows. Returns
    /// whether some are left.
    pub fn write(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while let Some(chunk) = self.full.pop_front() {
            out.raw(&chunk);
            if out.len() >= end {
                return true;
            }
        }
        let (chunk, _) = self.last.take(Vec::new());
        out.raw(&chunk);
        false
    }
}
