//! How a file is replaced so that there is always a whole one under its name.
//!
//! ```text
//!   write NAME.tmp ─► fsync ─► rename over NAME ─► fsync of the folder
//! ```

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Disk, folder_of};

/// How a temporary file's name begins and ends.
const PREFIX: &str = "temp-";
const SUFFIX: &str = ".replacing";

/// Writes a file anew. Until all of it is durable, the name stands for what was there
/// before; afterwards for the new content; never for a part of it.
///
/// # Errors
/// What failed. Before the rename the old file is untouched and the temporary one is
/// removed, if possible. If the folder cannot be synced, the new file is in place, but
/// a power failure may bring the old one back.
pub fn replace_file(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary_path(path);
    let written = write_durably(disk, &temporary, write);
    if let Err(error) = written.and_then(|()| disk.rename(&temporary, path)) {
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    disk.sync_folder(folder_of(path))
}

fn write_durably(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(64 << 10, disk.create(path)?);
    write(&mut output)?;
    output
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_data()
}

/// Where [`replace_file`] writes what is to be the file `path`: beside it.
pub fn temporary_path(path: &Path) -> PathBuf {
    let mut name = PREFIX.as_bytes().to_vec();
    name.extend_from_slice(path.file_name().unwrap_or_default().as_bytes());
    name.extend_from_slice(SUFFIX.as_bytes());
    path.with_file_name(OsStr::from_bytes(&name))
}

/// Removes what a crash left behind of replacing this file. Nobody else may be
/// replacing it.
///
/// # Errors
/// The temporary file is there and cannot be removed.
pub fn remove_temporaries(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(&temporary_path(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FaultyDisk;

    const PATH: &str = "/data/file";

    fn content(disk: &FaultyDisk) -> Option<Vec<u8>> {
        disk.content(Path::new(PATH))
    }

    fn put(disk: &FaultyDisk, text: &[u8]) -> io::Result<()> {
        replace_file(disk, Path::new(PATH), |output| output.write_all(text))
    }

    /// With the power going out after any number of operations, the file is the old
    /// one or the new one; and the new one for sure once replacing has succeeded.
    #[test]
    fn a_crash_leaves_the_old_or_the_new() {
        let new = vec![7; 200_000];
        for seed in 0..20 {
            for operations in 0.. {
                let disk = FaultyDisk::new(seed);
                disk.create_folder(Path::new("/data")).unwrap();
                disk.sync_folder(Path::new("/")).unwrap();
                put(&disk, b"old").unwrap();
                disk.halt_after(operations);
                let outcome = put(&disk, &new);
                let survivors = disk.crash();
                let found = content(&survivors).unwrap();
                if outcome.is_ok() {
                    assert!(found == new, "lost after success, seed {seed}");
                    break;
                }
                assert!(found == b"old" || found == new, "{operations}, seed {seed}");
            }
        }
    }

    #[test]
    fn a_failure_leaves_the_old_and_no_rest() {
        let folder = Path::new("/data");
        let disk = FaultyDisk::new(1);
        disk.create_folder(folder).unwrap();
        put(&disk, b"old").unwrap();
        disk.limit_space(3);
        assert_eq!(
            put(&disk, b"longer").unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        disk.return_space();
        disk.fail_syncs(1);
        assert!(put(&disk, b"longer").is_err());
        let failed = replace_file(&disk, Path::new(PATH), |_| Err(io::Error::other("no")));
        assert!(failed.is_err());
        assert_eq!(content(&disk).unwrap(), b"old");
        assert_eq!(disk.list(folder).unwrap(), ["file"]);
        put(&disk, b"longer").unwrap();
        assert_eq!(content(&disk).unwrap(), b"longer");
    }

    #[test]
    fn leftovers_are_removed() {
        let path = Path::new(PATH);
        let disk = FaultyDisk::new(1);
        disk.create_folder(Path::new("/data")).unwrap();
        disk.create(&temporary_path(path)).unwrap();
        remove_temporaries(&disk, path).unwrap();
        assert!(!disk.exists(&temporary_path(path)).unwrap());
        remove_temporaries(&disk, path).unwrap();
    }
}
