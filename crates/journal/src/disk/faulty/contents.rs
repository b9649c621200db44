//! Files and names of a [`FaultyDisk`](super::FaultyDisk), and what a crash leaves.
//!
//! ```text
//!   file    bytes    durable ........ | not durable ......
//!                    0                ^durable_len
//!           cut_off  durable bytes that were there before a cut that is not durable
//!   names   as seen, as durable, and the changes in between
//! ```
//!
//! Invariant: `bytes[..durable_len] + cut_off` is what the file is known to hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::blocks::Blocks;
use crate::disk::{BootId, folder_of};

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(usize);

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    durable_len: usize,
    cut_off: Vec<u8>,
    /// Bytes from here on were lost by a sync that failed.
    lost_from: Option<usize>,
    /// For a file of blocks, what the rest is for others.
    blocks: Option<Blocks>,
}

/// A change of names that may be lost.
#[derive(Clone)]
enum Change {
    Linked(PathBuf, FileId),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf, FileId),
    Folder(PathBuf),
}

impl Change {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> &Path {
        let (Change::Linked(path, _)
        | Change::Removed(path)
        | Change::Renamed(_, path, _)
        | Change::Folder(path)) = self;
        folder_of(path)
    }
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, FileId>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Linked(path, id) => {
                self.files.insert(path.clone(), *id);
            }
            Change::Removed(path) => {
                self.files.remove(path);
            }
            Change::Renamed(from, to, id) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *id);
            }
            Change::Folder(path) => {
                self.folders.insert(path.clone());
            }
        }
    }
}

#[derive(Clone)]
pub(super) struct Contents {
    random: Random,
    boot: u64,
    files: Vec<File>,
    names: Names,
    durable_names: Names,
    pending: Vec<Change>,
}

impl Contents {
    pub(super) fn new(seed: u64) -> Self {
        Contents {
            random: Random(seed),
            boot: 1,
            files: Vec::new(),
            names: Names::default(),
            durable_names: Names::default(),
            pending: Vec::new(),
        }
    }

    pub(super) fn boot_id(&self) -> BootId {
        BootId(u128::from(self.boot).to_be_bytes())
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<FileId> {
        let id = self.names.files.get(path).copied();
        id.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.names.files.contains_key(path) || self.is_folder(path)
    }

    pub(super) fn bytes(&self, id: FileId) -> &[u8] {
        &self.files[id.0].bytes
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.names.folders.iter().map(PathBuf::as_path)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let files = self.names.files.iter();
        files.map(|(path, id)| (path.as_path(), self.bytes(*id)))
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.need_folder(folder)?;
        let all = self.names.files.keys().chain(&self.names.folders);
        Ok(all
            .filter(|path| path.parent().is_some() && folder_of(path) == folder)
            .filter_map(|path| path.file_name())
            .map(OsString::from)
            .collect())
    }

    /// The file of this name, made if need be.
    pub(super) fn open(&mut self, path: &Path) -> io::Result<FileId> {
        self.need_folder(folder_of(path))?;
        if let Ok(id) = self.find(path) {
            return Ok(id);
        }
        let id = FileId(self.files.len());
        self.files.push(File::default());
        self.change(Change::Linked(path.into(), id));
        Ok(id)
    }

    /// The file of blocks of this name, without any bytes, made if need be.
    pub(super) fn open_blocks(&mut self, path: &Path) -> io::Result<FileId> {
        let id = self.open(path)?;
        let file = &mut self.files[id.0];
        if file.blocks.is_none() {
            let durable = file.bytes[..file.durable_len].to_vec();
            file.blocks = Some(Blocks::durable(durable));
        }
        file.bytes.clear();
        Ok(id)
    }

    pub(super) fn write_at(&mut self, id: FileId, bytes: &[u8], at: usize) {
        let file = &mut self.files[id.0];
        let range = at..at + bytes.len();
        file.bytes.resize(file.bytes.len().max(range.end), 0);
        file.bytes[range.clone()].copy_from_slice(bytes);
        if let Some(blocks) = &mut file.blocks {
            blocks.written(range);
        }
    }

    pub(super) fn append(&mut self, id: FileId, bytes: &[u8]) {
        self.files[id.0].bytes.extend_from_slice(bytes);
    }

    pub(super) fn set_len(&mut self, id: FileId, len: usize) {
        let file = &mut self.files[id.0];
        if len < file.durable_len {
            let mut cut_off = file.bytes[len..file.durable_len].to_vec();
            cut_off.append(&mut file.cut_off);
            file.cut_off = cut_off;
            file.durable_len = len;
        }
        if file.lost_from.is_some_and(|lost| len <= lost) {
            file.lost_from = None;
        }
        file.bytes.resize(len, 0);
    }

    pub(super) fn sync(&mut self, id: FileId) {
        let file = &mut self.files[id.0];
        if let Some(blocks) = &mut file.blocks {
            return blocks.sync(&file.bytes);
        }
        file.durable_len = file.lost_from.unwrap_or(file.bytes.len());
        file.cut_off.clear();
    }

    pub(super) fn sync_failed(&mut self, id: FileId) {
        let file = &mut self.files[id.0];
        if let Some(blocks) = &mut file.blocks {
            return blocks.sync_failed(&file.bytes);
        }
        file.lost_from.get_or_insert(file.durable_len);
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from)?;
        self.need_folder(folder_of(to))?;
        self.change(Change::Renamed(from.into(), to.into(), id));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.change(Change::Removed(path.into()));
        Ok(())
    }

    pub(super) fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        self.need_folder(folder_of(path))?;
        if !self.is_folder(path) {
            self.change(Change::Folder(path.into()));
        }
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.need_folder(folder)?;
        for change in std::mem::take(&mut self.pending) {
            if change.folder() == folder {
                self.durable_names.apply(&change);
            } else {
                self.pending.push(change);
            }
        }
        Ok(())
    }

    /// Something that a crash may leave.
    pub(super) fn survivors(&mut self) -> Contents {
        let mut names = self.durable_names.clone();
        for change in &self.pending {
            if self.random.coin() {
                names.apply(change);
            }
        }
        // What is in a folder that is lost is lost with it.
        let folders = names.folders.clone();
        let is_there = |path: &Path| is_root(path) || folders.contains(path);
        names.files.retain(|path, _| is_there(folder_of(path)));
        names.folders.retain(|path| is_there(folder_of(path)));
        let files = self.files.iter().map(|file| self.random.survivor(file));
        Contents {
            files: files.collect(),
            boot: self.boot + 1,
            random: Random(self.random.next()),
            durable_names: names.clone(),
            names,
            pending: Vec::new(),
        }
    }

    fn change(&mut self, change: Change) {
        self.names.apply(&change);
        self.pending.push(change);
    }

    fn is_folder(&self, path: &Path) -> bool {
        is_root(path) || self.names.folders.contains(path)
    }

    fn need_folder(&self, path: &Path) -> io::Result<()> {
        if self.is_folder(path) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

/// The folders that are always there.
fn is_root(path: &Path) -> bool {
    path == Path::new("/") || path == Path::new(".")
}

/// SplitMix64.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// The file with a part of what is not durable.
    fn survivor(&mut self, file: &File) -> File {
        if let Some(blocks) = &file.blocks {
            let bytes = blocks.survivor(&file.bytes, self);
            return File {
                blocks: Some(Blocks::durable(bytes.clone())),
                bytes,
                ..File::default()
            };
        }
        let mut bytes = file.bytes[..file.durable_len].to_vec();
        if !file.cut_off.is_empty() && self.coin() {
            bytes.extend_from_slice(&file.cut_off);
        } else {
            let rest = &file.bytes[file.durable_len..];
            let kept = self.next() % (rest.len() as u64 + 1);
            bytes.extend_from_slice(&rest[..kept as usize]);
        }
        File {
            durable_len: bytes.len(),
            bytes,
            ..File::default()
        }
    }
}
