//! What a crash leaves of a file of blocks: each sector as it was or as it is.

use std::collections::BTreeSet;
use std::ops::Range;

use super::contents::Random;

/// What a disk writes wholly or not at all.
const SECTOR_BYTES: usize = 512;

/// What of a file of blocks is durable.
#[derive(Clone, Default)]
pub(super) struct Blocks {
    durable: Vec<u8>,
    /// Sectors that were lost by a sync that failed, and not written since.
    lost: BTreeSet<usize>,
}

impl Blocks {
    /// A file whose bytes are all durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Blocks {
            durable: bytes,
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn written(&mut self, range: Range<usize>) {
        for sector in range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES) {
            self.lost.remove(&sector);
        }
    }

    pub(super) fn sync(&mut self, bytes: &[u8]) {
        self.durable = self.merged(bytes, |_| true);
    }

    pub(super) fn sync_failed(&mut self, bytes: &[u8]) {
        let dirty = (0..bytes.len().div_ceil(SECTOR_BYTES))
            .filter(|&sector| part(bytes, sector) != part(&self.durable, sector));
        self.lost.extend(dirty);
    }

    /// Something that a crash may leave.
    pub(super) fn survivor(&self, bytes: &[u8], random: &mut Random) -> Vec<u8> {
        self.merged(bytes, |_| random.coin())
    }

    /// The durable bytes with those sectors of `bytes` that are chosen, and not lost.
    fn merged(&self, bytes: &[u8], mut is_chosen: impl FnMut(usize) -> bool) -> Vec<u8> {
        let mut merged = self.durable.clone();
        for sector in 0..bytes.len().div_ceil(SECTOR_BYTES) {
            let current = part(bytes, sector);
            if current != part(&self.durable, sector)
                && !self.lost.contains(&sector)
                && is_chosen(sector)
            {
                let start = sector * SECTOR_BYTES;
                let end = start + current.len();
                merged.resize(merged.len().max(end), 0);
                merged[start..end].copy_from_slice(current);
            }
        }
        merged
    }
}

/// A sector, as far as it is there.
fn part(bytes: &[u8], sector: usize) -> &[u8] {
    let start = bytes.len().min(sector * SECTOR_BYTES);
    let end = bytes.len().min(start + SECTOR_BYTES);
    &bytes[start..end]
}
