//! A disk in memory that fails when told to, for tests of what persistence promises.
//!
//! ```text
//!   FaultyDisk ─► faults     the script: which operations fail, how much space there is
//!              └► contents   files and names, and what of them would survive a crash
//!                   └► blocks   the same for files of blocks
//! ```
//!
//! It is as mean as a disk may be within what [`Disk`] promises: bytes that were not
//! synced, and names whose folder was not, are lost or kept at random when the power
//! goes out, sector by sector where blocks are written; bytes whose sync has failed never
//! become durable.
//!
//! Invariant: the same seed and the same operations give the same outcome.

mod blocks;
mod contents;
mod faults;

use std::ffi::OsString;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{BlockFile, BootId, Disk, DiskFile};
use contents::{Contents, FileId};
use faults::Faults;
pub use faults::Operation;

/// A disk in memory with scripted faults. Clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    faults: Faults,
    contents: Contents,
}

impl FaultyDisk {
    /// An empty disk without faults. The seed decides what a crash leaves.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(Contents::new(seed))
    }

    fn with(contents: Contents) -> Self {
        FaultyDisk {
            state: Arc::new(Mutex::new(State {
                faults: Faults::default(),
                contents,
            })),
        }
    }

    /// Lets the next `count` writes fail with an input/output error, having written
    /// nothing.
    pub fn fail_writes(&self, count: u64) {
        self.state.lock().faults.failing_writes = count;
    }

    /// Lets the next `count` syncs, of files and folders, fail with an input/output
    /// error.
    pub fn fail_syncs(&self, count: u64) {
        self.state.lock().faults.failing_syncs = count;
    }

    /// Lets the next `count` attempts to cut a file off fail with an input/output error.
    pub fn fail_cuts(&self, count: u64) {
        self.state.lock().faults.failing_cuts = count;
    }

    /// Lets the next write write only so many of its bytes and report that, as a disk
    /// that is about to be full does; the one after it fails.
    pub fn tear_next_write(&self, bytes: usize) {
        self.state.lock().faults.torn_write = Some(bytes);
    }

    /// Leaves space for so many more bytes, after which writes fail with ENOSPC.
    pub fn limit_space(&self, bytes: u64) {
        self.state.lock().faults.space = Some(bytes);
    }

    /// There is space again.
    pub fn return_space(&self) {
        self.state.lock().faults.space = None;
    }

    /// Lets every operation of this kind take so long from now on.
    pub fn delay(&self, operation: Operation, by: Duration) {
        self.state.lock().faults.delays.insert(operation, by);
    }

    /// The power goes out after so many more operations that change anything: all
    /// later ones of any kind fail, and do nothing. What is left is for
    /// [`FaultyDisk::crash`] to say.
    pub fn halt_after(&self, operations: u64) {
        self.state.lock().faults.until_halt = Some(operations);
    }

    /// How many operations that change anything were carried out or have failed.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().faults.operations
    }

    /// What a power failure now would leave: a disk of its own without faults. Each
    /// call may leave something else.
    #[must_use]
    pub fn crash(&self) -> FaultyDisk {
        Self::with(self.state.lock().contents.survivors())
    }

    /// What a killed process leaves, on a machine that goes on: everything that was
    /// written, on a disk of its own without faults.
    #[must_use]
    pub fn kill(&self) -> FaultyDisk {
        Self::with(self.state.lock().contents.clone())
    }

    /// All bytes of a file as they are now; `None` if it is not there.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let id = state.contents.find(path).ok()?;
        Some(state.contents.bytes(id).to_vec())
    }

    /// Copies everything into a real folder, for programs that read real files. The
    /// paths of the disk become relative to that folder.
    ///
    /// # Errors
    /// Those of the real file system.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        let state = self.state.lock();
        for inner in state.contents.folders() {
            std::fs::create_dir_all(folder.join(relative(inner)))?;
        }
        for (path, bytes) in state.contents.files() {
            std::fs::write(folder.join(relative(path)), bytes)?;
        }
        Ok(())
    }

    /// Passes the faults of an operation, and carries it out.
    fn run<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let delay = self.state.lock().faults.delays.get(&operation).copied();
        if let Some(delay) = delay {
            std::thread::sleep(delay);
        }
        let mut state = self.state.lock();
        state.faults.admit(operation)?;
        act(&mut state)
    }

    fn sync(&self, id: FileId) -> io::Result<()> {
        let synced = self.run(Operation::Sync, |state| {
            state.contents.sync(id);
            Ok(())
        });
        if synced.is_err() {
            self.state.lock().contents.sync_failed(id);
        }
        synced
    }

    fn file(&self, id: FileId) -> Box<dyn DiskFile> {
        Box::new(FaultyFile {
            disk: self.clone(),
            id,
        })
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.run(Operation::Open, |state| {
            let id = state.contents.open(path)?;
            state.contents.set_len(id, 0);
            Ok(self.file(id))
        })
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.run(Operation::Open, |state| {
            Ok(self.file(state.contents.open(path)?))
        })
    }

    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        self.run(Operation::Look, |state| {
            let id = state.contents.find(path)?;
            let mut input = Cursor::new(state.contents.bytes(id).to_vec());
            input.set_position(offset);
            Ok(Box::new(input) as Box<dyn Read + Send>)
        })
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.run(Operation::Look, |state| {
            let id = state.contents.find(path)?;
            Ok(state.contents.bytes(id).len() as u64)
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.run(Operation::Look, |state| Ok(state.contents.exists(path)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.run(Operation::Look, |state| state.contents.list(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(Operation::Rename, |state| state.contents.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::Remove, |state| state.contents.remove(path))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::CreateFolder, |state| {
            state.contents.create_folder(path)
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::SyncFolder, |state| {
            state.contents.sync_folder(path)
        })
    }

    fn create_blocks(&self, path: &Path) -> io::Result<Box<dyn BlockFile>> {
        self.run(Operation::Open, |state| {
            let id = state.contents.open_blocks(path)?;
            let disk = self.clone();
            Ok(Box::new(FaultyBlocks { disk, id }) as Box<dyn BlockFile>)
        })
    }

    fn boot_id(&self) -> Option<BootId> {
        Some(self.state.lock().contents.boot_id())
    }
}

struct FaultyBlocks {
    disk: FaultyDisk,
    id: FileId,
}

impl BlockFile for FaultyBlocks {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        self.disk.run(Operation::Write, |state| {
            let there = state.contents.bytes(self.id).len();
            let growth = (at + bytes.len()).saturating_sub(there);
            // Only what is new takes space.
            state.faults.admit_all(growth)?;
            state.contents.write_at(self.id, bytes, at);
            Ok(())
        })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.sync(self.id)
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    id: FileId,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.run(Operation::Write, |state| {
            let count = state.faults.admit_bytes(bytes.len())?;
            state.contents.append(self.id, &bytes[..count]);
            Ok(count)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.sync(self.id)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        self.disk.run(Operation::SetLen, |state| {
            state.contents.set_len(self.id, bytes);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.run(Operation::Look, |state| {
            Ok(state.contents.bytes(self.id).len() as u64)
        })
    }

    fn start_writeback(&mut self, _from: u64, _to: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> FaultyDisk {
        FaultyDisk::new(3)
    }

    #[test]
    fn what_is_synced_survives_and_a_prefix_of_the_rest() {
        let path = Path::new("/a");
        let disk = disk();
        let mut file = disk.create(path).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write_all(b"synced").unwrap();
        file.sync_data().unwrap();
        file.write_all(b" not synced").unwrap();
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let left = disk.crash().content(path).unwrap();
            assert!(b"synced not synced".starts_with(&left));
            lengths.insert(left.len());
        }
        assert_eq!(lengths, (6..=17).collect());
    }

    #[test]
    fn a_cut_that_is_not_synced_may_be_undone() {
        let path = Path::new("/a");
        let disk = disk();
        let mut file = disk.create(path).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write_all(b"abcdef").unwrap();
        file.sync_data().unwrap();
        file.set_len(3).unwrap();
        file.write_all(b"XY").unwrap();
        let left: std::collections::BTreeSet<_> = (0..200)
            .map(|_| disk.crash().content(path).unwrap())
            .collect();
        let expected = [&b"abc"[..], b"abcX", b"abcXY", b"abcdef"];
        assert!(left.iter().eq(expected), "{left:?}");
        file.sync_data().unwrap();
        assert_eq!(disk.crash().content(path).unwrap(), b"abcXY");
    }

    #[test]
    fn blocks_that_are_not_synced_are_lost_and_kept_sector_by_sector() {
        let path = Path::new("/a");
        let disk = disk();
        let mut file = disk.create_blocks(path).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write_at(&[b'a'; 1024], 0).unwrap();
        file.sync_data().unwrap();
        let sectors = |disk: &FaultyDisk| {
            let left = disk.crash().content(path).unwrap();
            let sectors = left.chunks(512);
            sectors.map(|sector| sector[0] as char).collect::<String>()
        };
        let mut seen = std::collections::BTreeSet::new();
        file.write_at(&[b'b'; 1024], 512).unwrap();
        for _ in 0..200 {
            seen.insert(sectors(&disk));
        }
        assert!(seen.iter().eq(["aa", "aab", "ab", "abb"]), "{seen:?}");
        disk.fail_syncs(1);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(sectors(&disk), "aa");
        file.write_at(&[b'c'; 512], 512).unwrap();
        file.sync_data().unwrap();
        assert!(sectors(&disk).starts_with("ac"));
        assert_ne!(disk.boot_id(), disk.crash().boot_id());
        assert_eq!(disk.boot_id(), disk.kill().boot_id());
    }

    #[test]
    fn names_survive_when_their_folder_was_synced() {
        let disk = disk();
        disk.create_folder(Path::new("/f")).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        disk.create(Path::new("/f/kept")).unwrap();
        disk.sync_folder(Path::new("/f")).unwrap();
        disk.rename(Path::new("/f/kept"), Path::new("/f/other"))
            .unwrap();
        disk.create(Path::new("/f/new")).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let mut names = disk.crash().list(Path::new("/f")).unwrap();
            names.sort();
            seen.insert(names.join(std::ffi::OsStr::new(" ")));
        }
        assert!(seen.iter().eq(["kept", "kept new", "new other", "other"]));
    }

    #[test]
    fn bytes_whose_sync_failed_never_become_durable() {
        let path = Path::new("/a");
        let disk = disk();
        let mut file = disk.create(path).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write_all(b"good").unwrap();
        file.sync_data().unwrap();
        file.write_all(b" lost").unwrap();
        disk.fail_syncs(1);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        let kept = |disk: &FaultyDisk| {
            (0..50)
                .map(|_| disk.crash().content(path).unwrap().len())
                .min()
        };
        assert_eq!(kept(&disk), Some(4));
        file.set_len(4).unwrap();
        file.write_all(b" again").unwrap();
        file.sync_data().unwrap();
        assert_eq!(kept(&disk), Some(10));
    }

    #[test]
    fn writes_fail_as_scripted() {
        let disk = disk();
        let mut file = disk.create(Path::new("/a")).unwrap();
        disk.fail_writes(1);
        assert_eq!(file.write(b"x").unwrap_err().raw_os_error(), Some(5));
        disk.tear_next_write(2);
        assert_eq!(file.write(b"abc").unwrap(), 2);
        assert!(file.write(b"c").is_err());
        disk.limit_space(3);
        assert_eq!(file.write(b"cde").unwrap(), 3);
        assert_eq!(file.write(b"f").unwrap_err().raw_os_error(), Some(28));
        disk.limit_space(1);
        assert_eq!(file.write(b"fgh").unwrap(), 1);
        disk.return_space();
        file.write_all(b"gh").unwrap();
        assert_eq!(disk.content(Path::new("/a")).unwrap(), b"abcdefgh");
        disk.delay(Operation::Sync, Duration::from_millis(1));
        file.sync_data().unwrap();
        disk.halt_after(1);
        file.write_all(b"i").unwrap();
        assert!(file.write(b"j").is_err());
        assert!(disk.read(Path::new("/a")).is_err());
        assert!(disk.crash().read(Path::new("/")).is_err());
        assert_eq!(disk.content(Path::new("/a")).unwrap(), b"abcdefghi");
    }

    #[test]
    fn it_can_become_real() {
        let disk = disk();
        disk.create_folder(Path::new("/f")).unwrap();
        let mut file = disk.create(Path::new("/f/a")).unwrap();
        file.write_all(b"x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        disk.write_to(folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("f/a")).unwrap(), b"x");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let disk = disk();
        let nowhere = Path::new("/no/where");
        for error in [
            disk.create(nowhere).err(),
            disk.read(nowhere).err(),
            disk.len(nowhere).err(),
            disk.list(nowhere).err(),
            disk.remove(nowhere).err(),
            disk.rename(nowhere, Path::new("/a")).err(),
            disk.create_folder(nowhere).err(),
            disk.sync_folder(nowhere).err(),
        ] {
            assert_eq!(error.unwrap().kind(), io::ErrorKind::NotFound);
        }
        assert!(!disk.exists(nowhere).unwrap());
    }
}
