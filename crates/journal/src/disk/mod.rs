//! What persistence needs of a file system, and nothing more.
//!
//! ```text
//!             Disk ──────► DiskFile, BlockFile
//!   RealDisk ──┘ └── FaultyDisk       in memory, fails when told, survives crashes
//! ```
//!
//! Everything that writes data which must outlive the process does so through a
//! [`Disk`], so that tests can let writes fail, the disk fill up, and the power go
//! out between any two operations.
//!
//! What a disk promises, and no more: bytes of a file are durable after
//! [`DiskFile::sync_data`]; the presence of a name in a folder is durable after
//! [`Disk::sync_folder`] of that folder; a rename happens wholly or not at all.

mod real;
mod replace;

#[cfg(any(test, feature = "faults"))]
mod faulty;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

#[cfg(any(test, feature = "faults"))]
pub use faulty::{FaultyDisk, Operation};
pub use real::RealDisk;
pub use replace::{remove_temporaries, replace_file, temporary_path};

/// What persistence needs of a file system. Errors are those of the operating system.
pub trait Disk: Send + Sync {
    /// Makes an empty file for writing, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for writing at its end, or makes it.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading, from this many bytes after its start.
    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Opens a file for reading, from its start.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.read_from(path, 0)
    }

    /// How many bytes a file has.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Whether there is a file or folder of this name.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The names of the files and folders in a folder, in no particular order.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Gives a file another name, whose former holder, if any, is gone: atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder, unless it is there. Its parent must be there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Waits until the names in a folder are durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes an empty file for writing blocks anywhere in it, or empties the one that is
    /// there.
    fn create_blocks(&self, path: &Path) -> io::Result<Box<dyn BlockFile>>;

    /// Since when all that was written is there, synced or not: what another boot wrote
    /// may be lost but for what it synced. `None` where that cannot be told.
    fn boot_id(&self) -> Option<BootId>;
}

/// One run of the machine's kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

/// A file of blocks that are written over and over, in any order. What was written is
/// durable after a sync; until then any part of it may be, and any part not.
pub trait BlockFile: Send {
    /// Writes at so many bytes from the start. The file grows if need be.
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Waits until all bytes written, and the length, are durable. After a failure
    /// nothing is known of what was written since the last success.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// A file that is written at its end.
pub trait DiskFile: Write + Send {
    /// Waits until all bytes written and the length are durable.
    ///
    /// After a failure nothing is known of the bytes written since the last success,
    /// and another attempt that succeeds says nothing of them either: they must be
    /// cut off with [`DiskFile::set_len`] and written again.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts the file off at this length, or fills it up with zeros; what is written
    /// next comes after.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;

    /// How many bytes the file has.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// A hint to begin writing these bytes to the disk, without waiting for it, so
    /// that a later [`DiskFile::sync_data`] has less to do. Failures are of no account.
    fn start_writeback(&mut self, from: u64, to: u64);
}

impl std::fmt::Debug for dyn Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl std::fmt::Debug for dyn BlockFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockFile")
    }
}

impl std::fmt::Debug for dyn DiskFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiskFile")
    }
}

/// The folder that holds this name; the working folder for a bare name.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
