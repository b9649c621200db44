//! The script of a [`FaultyDisk`](super::FaultyDisk): what fails, and when.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The kinds of operations of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making or opening a file for writing.
    Open,
    /// Writing to a file.
    Write,
    /// Waiting until a file's bytes are durable.
    Sync,
    /// Cutting a file off.
    SetLen,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Making a folder.
    CreateFolder,
    /// Waiting until a folder's names are durable.
    SyncFolder,
    /// Whatever changes nothing.
    Look,
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) failing_writes: u64,
    pub(super) failing_syncs: u64,
    pub(super) failing_cuts: u64,
    pub(super) torn_write: Option<usize>,
    pub(super) space: Option<u64>,
    pub(super) until_halt: Option<u64>,
    pub(super) operations: u64,
    pub(super) delays: HashMap<Operation, Duration>,
}

impl Faults {
    /// Whether an operation may be carried out.
    pub(super) fn admit(&mut self, operation: Operation) -> io::Result<()> {
        if self.until_halt == Some(0) {
            return Err(io::Error::other("the power is off"));
        }
        if operation != Operation::Look {
            self.operations += 1;
            if let Some(left) = &mut self.until_halt {
                *left -= 1;
            }
        }
        match operation {
            Operation::Sync | Operation::SyncFolder => count_down(&mut self.failing_syncs),
            Operation::Write => count_down(&mut self.failing_writes),
            Operation::SetLen => count_down(&mut self.failing_cuts),
            _ => Ok(()),
        }
    }

    /// How many of so many bytes are written.
    pub(super) fn admit_bytes(&mut self, wanted: usize) -> io::Result<usize> {
        let mut count = wanted;
        if let Some(torn) = self.torn_write.take() {
            count = count.min(torn);
            self.failing_writes = 1;
        }
        let Some(space) = &mut self.space else {
            return Ok(count);
        };
        if *space == 0 && wanted > 0 {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        count = count.min(usize::try_from(*space).unwrap_or(usize::MAX));
        *space -= count as u64;
        Ok(count)
    }

    /// Whether all of so many new bytes are written; otherwise none is.
    pub(super) fn admit_all(&mut self, wanted: usize) -> io::Result<()> {
        let Some(space) = &mut self.space else {
            return Ok(());
        };
        match space.checked_sub(wanted as u64) {
            Some(left) => *space = left,
            None => return Err(io::Error::from_raw_os_error(ENOSPC)),
        }
        Ok(())
    }
}

fn count_down(failures: &mut u64) -> io::Result<()> {
    if *failures == 0 {
        return Ok(());
    }
    *failures -= 1;
    Err(io::Error::from_raw_os_error(EIO))
}
