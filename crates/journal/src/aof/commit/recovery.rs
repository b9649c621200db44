//! Reading the commit log after the machine went down.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::CAPACITY_BYTES;
use super::record::{BLOCK_BYTES, HEADER_BYTES, Header};
use crate::disk::Disk;

/// What an increment lost when the machine went down, and the commit log has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostTail {
    /// The increment.
    pub increment: PathBuf,
    /// From where on it lacks bytes.
    pub offset: u64,
    /// The bytes that belong there, up to its end.
    pub bytes: Vec<u8>,
}

impl LostTail {
    /// Looks for it in a log, whose bytes belong to one of these increments, or to none of
    /// them any more. `None` if nothing is lost. Takes memory for the log and as much of
    /// the increment, which is little.
    ///
    /// # Errors
    /// The disk's.
    pub fn find(
        disk: &dyn Disk,
        log: &Path,
        increments: impl IntoIterator<Item = (u64, PathBuf)>,
    ) -> io::Result<Option<Self>> {
        let Some(commits) = Commits::read(disk, log)? else {
            return Ok(None);
        };
        let mut increments = increments.into_iter();
        match increments.find(|(sequence, _)| *sequence == commits.sequence) {
            Some((_, increment)) => commits.missing_from(disk, increment),
            None => Ok(None),
        }
    }

    /// Writes what is missing; durable when this returns.
    ///
    /// # Errors
    /// The disk's. It can be done again.
    pub fn restore(&self, disk: &dyn Disk) -> io::Result<()> {
        let mut file = disk.append(&self.increment)?;
        file.set_len(self.offset)?;
        file.write_all(&self.bytes)?;
        file.sync_data()
    }
}

/// The newest run of commits.
struct Commits {
    /// The number of the increment.
    sequence: u64,
    /// Where in the increment the bytes are.
    offset: u64,
    bytes: Vec<u8>,
}

impl Commits {
    /// `None` where there is no log, or no commit in it, or nothing can be lost because the
    /// machine has not been down since, and the log does not insist.
    fn read(disk: &dyn Disk, log: &Path) -> io::Result<Option<Self>> {
        let mut blocks = Vec::new();
        match disk.read(log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            input => input?.take(CAPACITY_BYTES).read_to_end(&mut blocks)?,
        };
        let Some((first, _)) = Header::open(&blocks) else {
            return Ok(None);
        };
        if disk.boot_id() == Some(first.boot) && !first.is_needed {
            return Ok(None);
        }
        let mut bytes: Vec<u8> = Vec::new();
        let mut rest = blocks.as_slice();
        while let Some((header, committed)) = Header::open(rest) {
            let offset = first.offset.checked_add(bytes.len() as u64);
            let is_next = header.run == first.run
                && header.sequence == first.sequence
                && Some(header.offset) == offset;
            if !is_next {
                break;
            }
            bytes.extend_from_slice(committed);
            let taken = (HEADER_BYTES + committed.len()).next_multiple_of(BLOCK_BYTES);
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(Some(Commits {
            sequence: first.sequence,
            offset: first.offset,
            bytes,
        }))
    }

    fn missing_from(self, disk: &dyn Disk, increment: PathBuf) -> io::Result<Option<LostTail>> {
        if disk.len(&increment)? < self.offset {
            return Ok(None);
        }
        let mut found = Vec::new();
        disk.read_from(&increment, self.offset)?
            .take(self.bytes.len() as u64)
            .read_to_end(&mut found)?;
        let pairs = found.iter().zip(&self.bytes);
        let same = pairs.take_while(|(found, bytes)| found == bytes).count();
        // Some file systems leave zeros where bytes did not get to the disk.
        let is_hole = found[same..].iter().all(|&byte| byte == 0);
        if !is_hole || same == self.bytes.len() {
            return Ok(None);
        }
        Ok(Some(LostTail {
            increment,
            offset: self.offset + same as u64,
            bytes: self.bytes[same..].to_vec(),
        }))
    }
}
