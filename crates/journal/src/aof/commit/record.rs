//! One commit as it lies in the log.
//!
//! ```text
//! byte 0   "OCHRECL1"
//!      8   CRC-32 (IEEE) of the rest of the header
//!     12   how many bytes were committed, u32
//!     16   CRC-32 of these bytes
//!     20   1 if the run is needed whatever boot it is, u32
//!     24   the run, u64: commits of one run follow each other
//!     32   the number of the increment, u64
//!     40   where in the increment the bytes are, u64
//!     48   the boot that wrote it, 16 bytes
//!     64   the bytes; then whatever, up to a full block
//! ```
//!
//! Numbers are little-endian. Each commit begins a block of its own, so that no sector
//! of a durable commit is ever written again while it is needed, but for the flag at 20.

use crate::disk::BootId;

/// What a commit takes a multiple of: at least a sector of any disk.
pub(super) const BLOCK_BYTES: usize = 4096;

/// What is in front of the bytes.
pub(super) const HEADER_BYTES: usize = 64;

/// A header as it is in the log.
pub(super) type Encoded = [u8; HEADER_BYTES];

const MAGIC: &[u8; 8] = b"OCHRECL1";
/// Where that begins which the header's checksum is of.
const CHECKED_FROM: usize = 12;

/// What a commit says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) run: u64,
    pub(super) sequence: u64,
    pub(super) offset: u64,
    pub(super) boot: BootId,
    /// Of the first commit of a run, for all of them.
    pub(super) is_needed: bool,
}

impl Header {
    /// Completes a record: the bytes are there, behind room for the header.
    pub(super) fn seal(self, record: &mut Vec<u8>) -> Encoded {
        let (room, bytes) = record.split_at_mut(HEADER_BYTES);
        let mut header: Encoded = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[12..16].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        header[16..20].copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
        header[24..32].copy_from_slice(&self.run.to_le_bytes());
        header[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        header[40..48].copy_from_slice(&self.offset.to_le_bytes());
        header[48..64].copy_from_slice(&self.boot.0);
        set_needed(&mut header, self.is_needed);
        room.copy_from_slice(&header);
        record.resize(record.len().next_multiple_of(BLOCK_BYTES), 0);
        header
    }

    /// The commit at the start of `log`, with its bytes; `None` if there is none, or not
    /// the whole of it.
    pub(super) fn open(log: &[u8]) -> Option<(Header, &[u8])> {
        let header: &Encoded = log.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes(copied(&header[at..]));
        let number = |at: usize| u64::from_le_bytes(copied(&header[at..]));
        if header[..8] != *MAGIC || crc32fast::hash(&header[CHECKED_FROM..]) != word(8) {
            return None;
        }
        let bytes = log[HEADER_BYTES..].get(..word(12) as usize)?;
        if crc32fast::hash(bytes) != word(16) {
            return None;
        }
        let header = Header {
            run: number(24),
            sequence: number(32),
            offset: number(40),
            boot: BootId(copied(&header[48..])),
            is_needed: word(20) == 1,
        };
        Some((header, bytes))
    }
}

/// Says in the header of a run's first commit whether the run is needed whatever boot it is.
pub(super) fn set_needed(header: &mut Encoded, is_needed: bool) {
    header[20..24].copy_from_slice(&u32::from(is_needed).to_le_bytes());
    let checksum = crc32fast::hash(&header[CHECKED_FROM..]);
    header[8..12].copy_from_slice(&checksum.to_le_bytes());
}

fn copied<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    copy.copy_from_slice(&bytes[..N]);
    copy
}
