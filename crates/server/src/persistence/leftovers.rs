//! What a server that was killed while it saved has left in its folder.
//!
//! A snapshot is written as `temp-PID.rdb` and renamed when it is whole, here as in Redis,
//! which removes the file when its child fails but not when it was killed itself: a
//! server that crashes now and then fills its disk. So the start removes such files.
//!
//! Invariant: nothing is removed that could be of use to anybody. A file goes only if it
//! has such a name, is no whole RDB (a copy that somebody has put aside under such a name
//! is), and no other process that lives has that number.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ochre_journal::disk::{Disk, folder_of};
use rustix::process::{Pid, test_kill_process};

/// Removes what is left of attempts to write the snapshot `dump`; tells of each, and of
/// what could not be removed.
pub fn remove_torn_snapshots(disk: &dyn Disk, dump: &Path, mut tell: impl FnMut(String)) {
    let folder = folder_of(dump);
    // A folder that cannot be read is told of by whoever needs it.
    for name in disk.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        if dump.file_name() == Some(&name)
            || process_of(&name).is_none_or(is_another_alive)
            || !is_torn(disk, &path).unwrap_or(false)
        {
            continue;
        }
        let path = path.display();
        tell(match disk.remove(&folder.join(&name)) {
            Ok(()) => format!("Removed {path}, which a server that was killed has left"),
            Err(error) => format!("Can't remove {path}, which a killed server has left: {error}"),
        });
    }
}

/// The number of the process that writes a file of this name.
fn process_of(name: &OsStr) -> Option<i32> {
    let digits = name.as_bytes().strip_prefix(b"temp-")?;
    let digits = digits.strip_suffix(b".rdb")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i32 = str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

/// Whether another process of this number lives. In a container a server often has the
/// number that the one before it had.
fn is_another_alive(process: i32) -> bool {
    let Some(pid) = Pid::from_raw(process) else {
        return false;
    };
    pid != rustix::process::getpid() && test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Whether a file is the beginning of an RDB: it has not got the opcode of the end and the
/// checksum behind it.
fn is_torn(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    const MAGIC: &[u8] = b"REDIS";
    const END_OPCODE: u8 = 0xff;
    const CHECKSUM_BYTES: u64 = 8;
    let length = disk.len(path)?;
    let read = |offset: u64, count: usize| {
        let mut bytes = Vec::new();
        let input = disk.read_from(path, offset)?;
        input.take(count as u64).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    if !MAGIC.starts_with(&read(0, MAGIC.len())?) {
        return Ok(false);
    }
    match length.checked_sub(1 + CHECKSUM_BYTES) {
        Some(end) => Ok(read(end, 1)? != [END_OPCODE]),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ochre_journal::disk::RealDisk;

    use super::*;

    /// No process has it: the largest that Linux gives is 2^22.
    const NOBODY: i32 = i32::MAX;

    /// It may have any name, also such a one.
    const DUMP: &str = "temp-2147483646.rdb";

    fn left(name: &str, bytes: &[u8]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut told = 0;
        remove_torn_snapshots(&RealDisk, &folder.path().join(DUMP), |_| told += 1);
        assert_eq!(told, u32::from(!path.exists()));
        path.exists()
    }

    #[test]
    fn only_what_a_dead_process_left_torn_goes() {
        let torn = b"REDIS0011\xfa\x09redis-ver\x057.2.4";
        let whole = b"REDIS0011\xff\0\0\0\0\0\0\0\0";
        let dead = format!("temp-{NOBODY}.rdb");
        let own = format!("temp-{}.rdb", std::process::id());
        for bytes in [&torn[..], b"", b"RED", b"REDIS", b"REDIS0011"] {
            assert!(!left(&dead, bytes));
            assert!(!left(&own, bytes));
        }
        // A copy put aside; something else; what a living process writes.
        assert!(left(&dead, whole));
        assert!(left(&dead, b"# notes of mine, for later"));
        let parent = std::os::unix::process::parent_id();
        assert!(left(&format!("temp-{parent}.rdb"), torn));
        // Of replicas of Redis, which have the time in it; and of anybody.
        for name in [
            "temp-1700000000.2147483647.rdb",
            "temp-.rdb",
            "temp-x.rdb",
            "temp--1.rdb",
            "temp-0.rdb",
            "temp-99999999999999999999.rdb",
            "temp-2147483647.rdb.bak",
            DUMP,
        ] {
            assert!(left(name, torn), "{name}");
        }
    }

    #[test]
    fn a_folder_of_such_a_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(format!("temp-{NOBODY}.rdb"));
        fs::create_dir(&inner).unwrap();
        let dump = folder.path().join(DUMP);
        remove_torn_snapshots(&RealDisk, &dump, |text| panic!("{text}"));
        assert!(inner.is_dir());
    }
}
