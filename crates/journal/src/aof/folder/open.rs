//! Opening the folder at the server's start: what is there is found out, the one file
//! of former versions is taken over, and what a crash left behind is cleared away.
//!
//! ```text
//! dir/appendonly.aof  ─► manifest: base appendonly.aof, seq 1  ─► renamed into the folder
//! ```
//!
//! A crash between the two is recognised by the manifest, and the renaming repeated.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::{AofFolder, AofPlace, Doing, FolderError};
use crate::aof::manifest::{AofFile, Manifest};
use crate::disk::Disk;

/// A manifest larger than this is none: it would list hundreds of thousands of files.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// What was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: there is no data, and no increment yet.
    Empty,
    /// Files to be loaded.
    Existing,
    /// The one file of a former version, which has become the base.
    Upgraded,
}

impl AofFolder {
    /// Finds out what files there are, making the folder if need be, and takes over
    /// a file of a former version as Redis 7 does. Loads nothing.
    ///
    /// # Errors
    /// The manifest is malformed, or lists files that are not there, or is missing
    /// where there are increments; or the disk's.
    pub fn open(disk: Arc<dyn Disk>, place: AofPlace) -> Result<(Self, Opened), FolderError> {
        let folder = place.folder();
        let is_there = disk.exists(&folder).map_err(Doing::Look.error(&folder))?;
        if !is_there {
            disk.create_folder(&folder)
                .map_err(Doing::Create.error(&folder))?;
            disk.sync_folder(&place.dir)
                .map_err(Doing::Sync.error(&place.dir))?;
        }
        let mut opened = AofFolder {
            manifest: read_manifest(&*disk, &place)?,
            disk,
            place,
            provisional: None,
        };
        if opened.manifest.is_empty() {
            opened.refuse_unlisted_increments()?;
        }
        if opened.needs_upgrade()? {
            opened.upgrade()?;
            return Ok((opened, Opened::Upgraded));
        }
        if opened.manifest.is_empty() {
            return Ok((opened, Opened::Empty));
        }
        opened.parts()?;
        Ok((opened, Opened::Existing))
    }

    /// Removes what a crash left of files that were being made. Returns their names.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove_leftovers(&self) -> Result<Vec<OsString>, FolderError> {
        let mut removed = Vec::new();
        for name in self.names()? {
            if is_leftover(&name) && !self.is_needed(&name) {
                self.remove_file(&self.path(&name))?;
                removed.push(name);
            }
        }
        Ok(removed)
    }

    fn names(&self) -> Result<Vec<OsString>, FolderError> {
        let folder = self.place.folder();
        self.disk.list(&folder).map_err(Doing::Read.error(&folder))
    }

    /// Where no increment is listed there must be none that has any bytes: it would
    /// be overwritten.
    fn refuse_unlisted_increments(&self) -> Result<(), FolderError> {
        for name in self.names()? {
            let path = self.path(&name);
            if is_increment(&name, self.place.stem())
                && self.disk.len(&path).map_err(Doing::Look.error(&path))? > 0
            {
                return Err(FolderError::NoManifest {
                    manifest: self.place.manifest(),
                    name,
                });
            }
        }
        Ok(())
    }

    /// Whether there is a file of a former version, and it is not known better.
    fn needs_upgrade(&self) -> Result<bool, FolderError> {
        let single = self.place.single_file();
        let exists = |path: &std::path::Path| {
            let found = self.disk.exists(path);
            found.map_err(Doing::Look.error(path))
        };
        if !exists(&single)? {
            return Ok(false);
        }
        match (&self.manifest.base, self.manifest.increments.as_slice()) {
            (None, []) => Ok(true),
            // The crash came between the manifest and the renaming.
            (Some(base), []) if base.name == self.place.stem() => {
                Ok(!exists(&self.path(&base.name))?)
            }
            _ => Ok(false),
        }
    }

    fn upgrade(&mut self) -> Result<(), FolderError> {
        if self.manifest.base.is_none() {
            let mut manifest = self.manifest.clone();
            manifest.base = Some(AofFile {
                name: self.place.stem().into(),
                sequence: 1,
            });
            self.persist(manifest)?;
        }
        let to = self.path(self.place.stem());
        self.rename(&self.place.single_file(), &to)?;
        self.sync_folder()?;
        let dir = &self.place.dir;
        self.disk.sync_folder(dir).map_err(Doing::Sync.error(dir))
    }
}

/// Reads the manifest; none lists nothing.
fn read_manifest(disk: &dyn Disk, place: &AofPlace) -> Result<Manifest, FolderError> {
    let path = place.manifest();
    let input = match disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
        input => input.map_err(Doing::Open.error(&path))?,
    };
    let mut text = Vec::new();
    input
        .take(MAX_MANIFEST_BYTES)
        .read_to_end(&mut text)
        .map_err(Doing::Read.error(&path))?;
    Manifest::parse(&text).map_err(|source| FolderError::Manifest { path, source })
}

/// Whether a name is that of a numbered increment.
fn is_increment(name: &OsStr, stem: &OsStr) -> bool {
    let number = name
        .as_bytes()
        .strip_prefix(stem.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".incr.aof"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Whether a name is one that files have while they are made, here or by Redis.
fn is_leftover(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let ends = |suffixes: &[&str]| {
        let mut suffixes = suffixes.iter();
        suffixes.any(|suffix| name.ends_with(suffix.as_bytes()))
    };
    (name.starts_with(b"temp-") && ends(&[".aof", ".rdb", ".replacing"]))
        || (name.starts_with(b"temp_") && ends(&[".manifest"]))
}
