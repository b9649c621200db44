//! Writing the commit log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::CAPACITY_BYTES;
use super::record::{self, Encoded, HEADER_BYTES, Header};
use crate::disk::{BlockFile, BootId, Disk, folder_of};

/// More than this is not worth the second writing: a sync of the increment takes long
/// anyway.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// The file is made longer by so much at a time, which only the first run pays for.
const GROWTH_BYTES: u64 = 1 << 20;

/// A commit log that is being written.
#[derive(Debug)]
pub struct CommitLog {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    boot: BootId,
    /// `None` before the first commit.
    file: Option<Box<dyn BlockFile>>,
    /// How much of the file was written at some time: writing there again changes no
    /// length and allocates no space.
    prepared: u64,
    /// Where the next commit goes.
    at: u64,
    run: u64,
    /// The header of the run's first commit.
    first: Option<Encoded>,
    sequence: u64,
    /// Where in the increment the bytes begin that are in `record`.
    offset: u64,
    /// Room for the header, and what was noted. Without that room the run has ended.
    record: Vec<u8>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// What was noted is durable.
    Yes,
    /// The run has ended. The increment is to be synced, and another run begun.
    Ended,
}

impl CommitLog {
    /// A log at this place, for an increment of which `length` bytes are durable. There is
    /// no file before the first commit. `None` where a boot cannot be told from another:
    /// nobody could know then whether the log is needed.
    #[must_use]
    pub fn begin(disk: Arc<dyn Disk>, path: PathBuf, sequence: u64, length: u64) -> Option<Self> {
        let boot = disk.boot_id()?;
        Some(CommitLog {
            disk,
            path,
            boot,
            file: None,
            prepared: 0,
            at: 0,
            run: 1,
            first: None,
            sequence,
            offset: length,
            record: vec![0; HEADER_BYTES],
        })
    }

    /// Begins a run: of this increment so many bytes are durable, and whatever the log
    /// holds is no longer needed.
    pub fn restart(&mut self, sequence: u64, length: u64) {
        self.at = 0;
        self.run += 1;
        self.first = None;
        self.sequence = sequence;
        self.offset = length;
        self.clear();
    }

    /// Commits nothing more in this run. What was committed stays.
    pub fn abandon(&mut self) {
        self.record.clear();
    }

    /// Says in the log that the increment lacks what was committed in this run, although the
    /// machine was not down: before its end is cut off, to be written again. Not synced: a
    /// log of another boot is believed anyway.
    ///
    /// # Errors
    /// The disk's.
    pub fn insist(&mut self) -> io::Result<()> {
        if let (Some(file), Some(first)) = (&mut self.file, &mut self.first) {
            record::set_needed(first, true);
            file.write_at(first, 0)?;
        }
        Ok(())
    }

    /// Takes what was written to the end of the increment.
    pub fn note(&mut self, bytes: &[u8]) {
        if self.record.len() + bytes.len() > MAX_RECORD_BYTES {
            self.abandon();
        }
        if !self.record.is_empty() {
            self.record.extend_from_slice(bytes);
        }
    }

    /// Makes durable what was noted since the last commit. O(its bytes), one sync.
    ///
    /// # Errors
    /// The disk's. What was committed before stays so, but nothing more can be.
    pub fn commit(&mut self) -> io::Result<Committed> {
        if self.record.is_empty() {
            return Ok(Committed::Ended);
        }
        let bytes = self.record.len() - HEADER_BYTES;
        let header = Header {
            run: self.run,
            sequence: self.sequence,
            offset: self.offset,
            boot: self.boot,
            is_needed: false,
        };
        let header = header.seal(&mut self.record);
        let end = self.at + self.record.len() as u64;
        if end > CAPACITY_BYTES {
            self.abandon();
            return Ok(Committed::Ended);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = self.disk.create_blocks(&self.path)?;
                self.disk.sync_folder(folder_of(&self.path))?;
                self.file.insert(file)
            }
        };
        if end > self.prepared {
            let prepared = end.next_multiple_of(GROWTH_BYTES);
            self.record.resize((prepared - self.at) as usize, 0);
            self.prepared = prepared;
        }
        file.write_at(&self.record, self.at)?;
        file.sync_data()?;
        self.first.get_or_insert(header);
        self.at = end;
        self.offset += bytes as u64;
        self.clear();
        Ok(Committed::Yes)
    }

    /// Removes the file. All of the increment must be durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(self) -> io::Result<()> {
        match self.file {
            Some(_) => self.disk.remove(&self.path),
            None => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.record.clear();
        self.record.resize(HEADER_BYTES, 0);
        // Not kept for the sake of the few times when the file grows.
        self.record.shrink_to(MAX_RECORD_BYTES);
    }
}
