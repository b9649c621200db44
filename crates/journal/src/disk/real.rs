//! The disk of the machine, through the standard library.
//!
//! Invariant: files but those of blocks are opened for appending, so a write always lands
//! at the end, also after the file was cut off.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::{BlockFile, BootId, Disk, DiskFile};

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(0)?;
        Ok(Box::new(RealFile(file)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Box::new(file))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match File::open(path)?.sync_all() {
            // Some file systems know no such thing, and keep names by other means.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }

    fn create_blocks(&self, path: &Path) -> io::Result<Box<dyn BlockFile>> {
        Ok(Box::new(RealBlocks(File::create(path)?)))
    }

    fn boot_id(&self) -> Option<BootId> {
        parse_boot_id(&fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?)
    }
}

/// Reads a boot's identifier, a UUID as text.
fn parse_boot_id(text: &str) -> Option<BootId> {
    let digits = text.trim().replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok()?;
    (digits.len() == 32).then(|| BootId(number.to_be_bytes()))
}

struct RealBlocks(File);

impl BlockFile for RealBlocks {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

struct RealFile(File);

impl Write for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn start_writeback(&mut self, from: u64, to: u64) {
        // Linux begins to write the dirty pages of a range that is said not to be
        // needed, and waits for none. It also forgets its clean ones, which are those
        // of an earlier hint: a file that only grows does not push out what others read.
        if let Some(length) = NonZeroU64::new(to.saturating_sub(from)) {
            let _ = fadvise(&self.0, from, Some(length), Advice::DontNeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_cut_off_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut file = RealDisk.create(&path).unwrap();
        file.write_all(b"hello world").unwrap();
        file.start_writeback(0, 11);
        file.start_writeback(11, 11);
        file.sync_data().unwrap();
        file.set_len(5).unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(file.len().unwrap(), 6);
        drop(file);
        RealDisk.append(&path).unwrap().write_all(b"?").unwrap();
        let mut text = String::new();
        let mut input = RealDisk.read_from(&path, 4).unwrap();
        input.read_to_string(&mut text).unwrap();
        assert_eq!(text, "o!?");
        assert_eq!(RealDisk.len(&path).unwrap(), 7);
        assert!(RealDisk.create(&path).unwrap().is_empty().unwrap());
    }

    #[test]
    fn blocks_are_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "former").unwrap();
        let mut file = RealDisk.create_blocks(&path).unwrap();
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello,", 0).unwrap();
        file.write_at(b"W", 6).unwrap();
        file.sync_data().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"hello,World");
    }

    #[test]
    fn a_boot_has_an_identifier() {
        let text = "0a1b2c3d-0000-4000-8000-00000000ffff\n";
        let BootId(bytes) = parse_boot_id(text).unwrap();
        assert_eq!((bytes[0], bytes[1], bytes[15]), (0x0a, 0x1b, 0xff));
        for wrong in [
            "",
            "0a1b",
            "0a1b2c3d-0000-4000-8000-00000000fffg",
            "+a1b2c3d000040008000000000000ffff0",
        ] {
            assert_eq!(parse_boot_id(wrong), None);
        }
        assert!(RealDisk.boot_id().is_some());
        assert_eq!(RealDisk.boot_id(), RealDisk.boot_id());
    }

    #[test]
    fn names_are_changed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        RealDisk.create_folder(&inner).unwrap();
        RealDisk.create_folder(&inner).unwrap();
        RealDisk.create(&inner.join("a")).unwrap();
        RealDisk.rename(&inner.join("a"), &inner.join("b")).unwrap();
        RealDisk.sync_folder(&inner).unwrap();
        assert_eq!(RealDisk.list(&inner).unwrap(), ["b"]);
        assert!(!RealDisk.exists(&inner.join("a")).unwrap());
        assert!(RealDisk.exists(&inner.join("b")).unwrap());
        RealDisk.remove(&inner.join("b")).unwrap();
        assert!(RealDisk.list(&inner).unwrap().is_empty());
        let over_a_file = folder.path().join("file");
        RealDisk.create(&over_a_file).unwrap();
        assert!(RealDisk.create_folder(&over_a_file).is_err());
    }
}
