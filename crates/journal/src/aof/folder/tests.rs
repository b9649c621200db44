//! The folder on a disk that crashes between any two operations, and against the
//! habits of Redis.

use std::io::Write;

use super::*;
use crate::aof::{CommitLog, FileKind, ManifestFault};
use crate::disk::FaultyDisk;

const DIR: &str = "/data";

fn place() -> AofPlace {
    AofPlace {
        dir: DIR.into(),
        appenddirname: "appendonlydir".into(),
        appendfilename: "appendonly.aof".into(),
    }
}

fn disk(seed: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(seed);
    disk.create_folder(Path::new(DIR)).unwrap();
    disk.sync_folder(Path::new("/")).unwrap();
    disk
}

fn open(disk: &FaultyDisk) -> Result<(AofFolder, Opened), FolderError> {
    AofFolder::open(Arc::new(disk.clone()), place())
}

fn put(disk: &FaultyDisk, name: &str, bytes: &[u8]) {
    let mut file = disk.create(&Path::new(DIR).join(name)).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_data().unwrap();
}

fn in_folder(disk: &FaultyDisk) -> Vec<String> {
    let names = disk.list(&place().folder()).unwrap();
    let mut names: Vec<_> = names
        .into_iter()
        .map(|name| name.into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn manifest_text(disk: &FaultyDisk) -> String {
    String::from_utf8(disk.content(&place().manifest()).unwrap()).unwrap()
}

/// A server in small: its state are the numbers from 0 on, one a line.
struct Writer {
    disk: FaultyDisk,
    folder: AofFolder,
    increment: Increment,
    written: u64,
    durable: u64,
}

impl Writer {
    /// Opens what is there, checks it, cuts off a torn tail, and goes on.
    fn start(disk: &FaultyDisk, at_least: u64) -> Result<Self, FolderError> {
        let (mut folder, _) = open(disk)?;
        folder.remove_leftovers()?;
        let mut next = 0;
        for part in folder.parts()? {
            let bytes = disk.content(&part.path).unwrap();
            let whole = bytes
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            for line in std::str::from_utf8(&bytes[..whole]).unwrap().lines() {
                assert_eq!(line.parse::<u64>().unwrap(), next, "in {:?}", part.name);
                next += 1;
            }
            if whole < bytes.len() {
                assert!(part.is_last, "{:?} is torn", part.name);
                folder.truncate(&part, whole as u64)?;
            }
        }
        assert!(next >= at_least, "{next} of {at_least} are left");
        let increment = folder.resume()?;
        Ok(Writer {
            disk: disk.clone(),
            folder,
            increment,
            written: next,
            durable: next.min(at_least),
        })
    }

    fn write(&mut self, count: u64) -> Result<(), FolderError> {
        for _ in 0..count {
            let line = format!("{}\n", self.written);
            self.increment
                .file
                .write_all(line.as_bytes())
                .map_err(Doing::Write.error(&self.increment.path))?;
            self.written += 1;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), FolderError> {
        self.increment
            .file
            .sync_data()
            .map_err(Doing::Sync.error(&self.increment.path))?;
        self.durable = self.written;
        Ok(())
    }

    fn rewrite(&mut self) -> Result<(), FolderError> {
        self.sync()?;
        self.increment = self.folder.start_increment()?;
        let state = self.written;
        self.write(3)?;
        self.write_base(state)?;
        self.write(1)?;
        let first = self.increment.sequence;
        let temporary = self.folder.temporary_base();
        self.folder
            .install_base(&temporary, BaseFormat::Commands, first)?;
        self.write(2)?;
        self.folder.remove_history()?;
        Ok(())
    }

    /// Writes the numbers below this one.
    fn write_base(&mut self, state: u64) -> Result<(), FolderError> {
        let path = self.folder.temporary_base();
        let text: String = (0..state).map(|number| format!("{number}\n")).collect();
        let mut base = self
            .disk
            .create(&path)
            .map_err(Doing::Create.error(&path))?;
        base.write_all(text.as_bytes())
            .and_then(|()| base.sync_data())
            .map_err(Doing::Write.error(&path))
    }

    fn live(&mut self) -> Result<(), FolderError> {
        self.write(3)?;
        self.rewrite()?;
        self.write(2)?;
        self.sync()?;
        self.increment = self.folder.start_increment()?;
        self.write(4)?;
        self.rewrite()?;
        self.write(5)
    }
}

/// The power goes out after any number of operations, several times over: what was
/// durable is still there, and the chain is whole.
#[test]
fn a_crash_anywhere_leaves_a_whole_chain() {
    for seed in 0..12 {
        for operations in 0..200 {
            let mut disk = disk(seed);
            let mut durable = 0;
            let mut is_through = false;
            for round in 0..3 {
                disk.halt_after(operations + round * 7);
                is_through = false;
                if let Ok(mut writer) = Writer::start(&disk, durable) {
                    is_through = writer.live().is_ok();
                    durable = durable.max(writer.durable);
                }
                disk = disk.crash();
            }
            Writer::start(&disk, durable).unwrap();
            if is_through && operations > 150 {
                break;
            }
        }
    }
}

/// Operations fail without a crash: one can go on, and nothing is lost.
#[test]
fn a_failure_anywhere_leaves_a_whole_chain() {
    for failing in 0..60 {
        let disk = disk(failing);
        let mut writer = Writer::start(&disk, 0).unwrap();
        writer.write(5).unwrap();
        writer.rewrite().unwrap();
        writer.write(5).unwrap();
        writer.sync().unwrap();
        let durable = writer.durable;
        // Let one of the operations of a rewrite fail.
        let before = disk.operations();
        disk.limit_space(failing * 3);
        disk.fail_syncs(failing % 3);
        let _ = writer.rewrite();
        assert!(disk.operations() > before);
        drop(writer);
        disk.return_space();
        disk.fail_syncs(0);
        let mut again = Writer::start(&disk.crash(), durable).unwrap();
        again.rewrite().unwrap();
    }
}

/// Old file, crash anywhere while it is taken over, start again: it is the base.
#[test]
fn a_crash_during_an_upgrade_loses_nothing() {
    for seed in 0..30 {
        for operations in 0..30 {
            let disk = disk(seed);
            put(&disk, "appendonly.aof", b"0\n1\n");
            disk.sync_folder(Path::new(DIR)).unwrap();
            disk.halt_after(operations);
            let first = Writer::start(&disk, 2).and_then(|mut writer| {
                writer.write(1)?;
                writer.sync()?;
                Ok(writer.durable)
            });
            Writer::start(&disk.crash(), first.unwrap_or(2)).unwrap();
        }
    }
}

#[test]
fn an_old_file_becomes_the_base_as_in_redis() {
    let disk = disk(1);
    put(&disk, "appendonly.aof", b"0\n");
    let (mut folder, opened) = open(&disk).unwrap();
    assert_eq!(opened, Opened::Upgraded);
    assert_eq!(manifest_text(&disk), "file appendonly.aof seq 1 type b\n");
    assert_eq!(
        in_folder(&disk),
        ["appendonly.aof", "appendonly.aof.manifest"]
    );
    assert!(!disk.exists(Path::new("/data/appendonly.aof")).unwrap());
    folder.resume().unwrap();
    assert_eq!(
        manifest_text(&disk),
        "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    );
    // A file of that name that appears later is none of ours.
    put(&disk, "appendonly.aof", b"other");
    assert_eq!(open(&disk).unwrap().1, Opened::Existing);
}

#[test]
fn the_steps_of_a_rewrite_are_those_of_redis() {
    let disk = disk(1);
    let (mut folder, opened) = open(&disk).unwrap();
    assert_eq!(opened, Opened::Empty);
    let mut increment = folder.resume().unwrap();
    increment.file.write_all(b"0\n").unwrap();
    assert_eq!(increment.name, "appendonly.aof.1.incr.aof");
    let next = folder.start_increment().unwrap();
    assert_eq!(next.sequence, 2);
    put(&disk, "appendonlydir/temp-rewriteaof.aof", b"REDIS");
    let temporary = folder.temporary_base();
    folder.install_base(&temporary, BaseFormat::Rdb, 2).unwrap();
    assert_eq!(
        manifest_text(&disk),
        "file appendonly.aof.1.base.rdb seq 1 type b\n\
         file appendonly.aof.1.incr.aof seq 1 type h\n\
         file appendonly.aof.2.incr.aof seq 2 type i\n"
    );
    let sizes = folder.sizes().unwrap();
    assert_eq!((sizes.base_bytes, sizes.increments_bytes), (5, 0));
    assert_eq!(
        folder.remove_history().unwrap(),
        ["appendonly.aof.1.incr.aof"]
    );
    assert!(folder.remove_history().unwrap().is_empty());
    assert_eq!(
        in_folder(&disk),
        [
            "appendonly.aof.1.base.rdb",
            "appendonly.aof.2.incr.aof",
            "appendonly.aof.manifest"
        ]
    );
    let parts = folder.parts().unwrap();
    let seen: Vec<_> = parts
        .iter()
        .map(|part| (part.kind, part.bytes, part.is_last))
        .collect();
    // The increment has no bytes: the base may still be torn.
    let expected = [(FileKind::Base, 5, true), (FileKind::Increment, 0, true)];
    assert_eq!(seen, expected);
    let wrong = folder.install_base(&temporary, BaseFormat::Rdb, 9);
    assert!(matches!(
        wrong,
        Err(FolderError::NoIncrement { sequence: 9 })
    ));
}

#[test]
fn a_provisional_increment_counts_once_it_has_a_base() {
    let disk = disk(1);
    let (mut folder, _) = open(&disk).unwrap();
    folder.start_increment().unwrap();
    let before = manifest_text(&disk);
    let mut increment = folder.start_provisional_increment().unwrap();
    increment.file.write_all(b"1\n").unwrap();
    increment.file.sync_data().unwrap();
    assert_eq!(manifest_text(&disk), before);
    // After a crash it never was.
    let crashed = disk.crash();
    let (left, _) = open(&crashed).unwrap();
    let leftover = "temp-appendonly.aof.2.incr.aof";
    assert_eq!(left.remove_leftovers().unwrap(), [leftover]);
    assert_eq!(
        in_folder(&crashed),
        ["appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]
    );
    folder.discard_provisional_increment().unwrap();
    assert!(!in_folder(&disk).contains(&leftover.to_string()));
    let mut increment = folder.start_provisional_increment().unwrap();
    put(&disk, "appendonlydir/temp-rewriteaof.aof", b"0\n");
    // The first attempt fails after the renaming.
    disk.fail_syncs(1);
    let temporary = folder.temporary_base();
    let first = increment.sequence;
    folder
        .install_base(&temporary, BaseFormat::Commands, first)
        .unwrap_err();
    put(&disk, "appendonlydir/temp-rewriteaof.aof", b"0\n");
    folder
        .install_base(&temporary, BaseFormat::Commands, first)
        .unwrap();
    increment.file.write_all(b"1\n").unwrap();
    assert_eq!(
        manifest_text(&disk),
        "file appendonly.aof.1.base.aof seq 1 type b\n\
         file appendonly.aof.1.incr.aof seq 1 type h\n\
         file appendonly.aof.2.incr.aof seq 2 type i\n"
    );
    let increment = Path::new("/data/appendonlydir/appendonly.aof.2.incr.aof");
    assert_eq!(disk.content(increment).unwrap(), b"1\n");
}

#[test]
fn only_the_last_file_may_be_torn() {
    let disk = disk(1);
    let (mut folder, _) = open(&disk).unwrap();
    folder.resume().unwrap().file.write_all(b"0\n1").unwrap();
    let first = folder.parts().unwrap().remove(0);
    folder.truncate(&first, 2).unwrap();
    folder.truncate(&first, 100).unwrap();
    assert_eq!(disk.content(&first.path).unwrap(), b"0\n");
    folder
        .start_increment()
        .unwrap()
        .file
        .write_all(b"1\n")
        .unwrap();
    let first = folder.parts().unwrap().remove(0);
    assert!(matches!(
        folder.truncate(&first, 1),
        Err(FolderError::NotLast { .. })
    ));
}

#[test]
fn what_cannot_be_right_is_refused() {
    let disk = disk(1);
    let manifest = "appendonlydir/appendonly.aof.manifest";
    open(&disk).unwrap();
    put(&disk, manifest, b"");
    let refused = open(&disk).unwrap_err();
    assert_eq!(refused.to_string(), ManifestFault::Empty.to_string());
    put(
        &disk,
        manifest,
        b"file appendonly.aof.1.incr.aof seq 1 type i\n",
    );
    let refused = open(&disk).unwrap_err().to_string();
    let expected = "Unable to obtain the AOF file appendonly.aof.1.incr.aof length. \
                    stat: No such file or directory";
    assert_eq!(refused, expected);
    disk.remove(&place().manifest()).unwrap();
    // An increment that is still empty was being made when the power went out.
    put(&disk, "appendonlydir/appendonly.aof.1.incr.aof", b"");
    put(&disk, "appendonlydir/appendonly.aof.1.base.rdb", b"REDIS");
    assert_eq!(open(&disk).unwrap().1, Opened::Empty);
    put(&disk, "appendonlydir/appendonly.aof.1.incr.aof", b"*1");
    assert!(matches!(open(&disk), Err(FolderError::NoManifest { .. })));
}

#[test]
fn a_manifest_that_could_not_be_read_is_not_written() {
    let disk = disk(1);
    let place = AofPlace {
        appendfilename: "\u{1}".repeat(260),
        ..place()
    };
    let (mut folder, _) = AofFolder::open(Arc::new(disk.clone()), place.clone()).unwrap();
    let refused = folder.start_increment();
    assert!(matches!(refused, Err(FolderError::Manifest { .. })));
    assert!(disk.content(&place.manifest()).is_none());
    assert!(folder.manifest().is_empty());
}

#[test]
fn only_leftovers_are_removed() {
    let disk = disk(1);
    let (folder, _) = open(&disk).unwrap();
    let leftovers = [
        "temp-1.rdb",
        "temp-appendonly.aof.manifest.replacing",
        "temp-rewriteaof-bg-5.aof",
        "temp_appendonly.aof.manifest",
    ];
    let others = [
        "appendonly.aof.7.incr.aof",
        "temp-notes.txt",
        "temporary.aof",
    ];
    for name in leftovers.iter().chain(&others) {
        put(&disk, &format!("appendonlydir/{name}"), b"");
    }
    let mut removed = folder.remove_leftovers().unwrap();
    removed.sort();
    assert_eq!(removed, leftovers);
    assert_eq!(in_folder(&disk), others);
}

/// What the commit log of increment `sequence` has, after a power failure.
fn with_commits(sequence: u64, bytes: &[u8]) -> (FaultyDisk, AofFolder) {
    let disk = disk(1);
    let (mut folder, _) = open(&disk).unwrap();
    for _ in 0..3 {
        folder.start_increment().unwrap();
    }
    put(&disk, "appendonlydir/appendonly.aof.2.incr.aof", b"1\n");
    let shared = Arc::new(disk.clone());
    let mut log = CommitLog::begin(shared, place().commit_log(), sequence, 0).unwrap();
    log.note(bytes);
    log.commit().unwrap();
    let left = disk.crash();
    let (folder, _) = open(&left).unwrap();
    (left, folder)
}

#[test]
fn the_commit_log_gives_back_what_the_last_increment_lost() {
    for (sequence, bytes, expected) in [
        (2, b"1\n2\n", Some(2)),
        (3, b"2\n3\n", Some(4)),
        // Followed by another that has bytes; the same; not listed; something else.
        (1, b"0\n1\n", None),
        (2, b"0\n1\n", None),
        (4, b"2\n3\n", None),
    ] {
        let (disk, folder) = with_commits(sequence, bytes);
        let lost = folder.restore_commits().unwrap();
        assert_eq!(lost.as_ref().map(|lost| lost.bytes.len()), expected);
        if let Some(lost) = lost {
            let content = disk.crash().content(&lost.increment).unwrap();
            assert_eq!(content, bytes);
        }
        assert!(!disk.crash().exists(&place().commit_log()).unwrap());
        assert_eq!(folder.restore_commits().unwrap(), None);
    }
}

#[test]
fn a_commit_log_that_cannot_be_followed_is_kept() {
    let (disk, folder) = with_commits(3, b"2\n3\n");
    disk.fail_syncs(1);
    let error = folder.restore_commits().unwrap_err();
    assert!(error.to_string().contains("3.incr.aof"), "{error}");
    let left = disk.crash();
    let (folder, _) = open(&left).unwrap();
    folder.restore_commits().unwrap();
    let path = place().folder().join("appendonly.aof.3.incr.aof");
    assert_eq!(left.content(&path).unwrap(), b"2\n3\n");
}
