//! The folder of the append-only file: which files there are, and how they change.
//!
//! ```text
//! dir/appenddirname/appendfilename.manifest        the list of the others
//!                   appendfilename.2.base.rdb      state
//!                   appendfilename.2.incr.aof      changes after that state
//!                   appendfilename.3.incr.aof      changes after those
//!                   appendfilename.commits         the newest of these, while needed
//!
//! rewrite   start_increment()      3.incr made, listed          changes go there
//!           …                      the state before 3.incr is written elsewhere
//!           install_base()         3.base named, listed; 2.base and 2.incr history
//!           remove_history()       2.base and 2.incr removed, no longer listed
//! ```
//!
//! Not here: what the files say, and when to rewrite.
//!
//! Invariant: whatever the manifest lists as base or increment is durable under that
//! name before the manifest that lists it is, and is removed only after a manifest
//! that does not list it is durable. So after a crash at any moment the manifest names
//! a complete chain, an older or a newer one.

mod error;
mod open;
mod part;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{AofFile, Manifest};
use crate::disk::{Disk, DiskFile, replace_file};
use error::Doing;
pub use error::FolderError;
pub use open::Opened;
pub use part::{AofSizes, Part};

/// Where an append-only file is, in the words of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofPlace {
    /// The server's working folder.
    pub dir: PathBuf,
    /// The name of the folder within.
    pub appenddirname: String,
    /// What the names of the files begin with.
    pub appendfilename: String,
}

impl AofPlace {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.join(&self.appenddirname)
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder()
            .join(format!("{}.manifest", self.appendfilename))
    }

    /// The commit log.
    #[must_use]
    pub fn commit_log(&self) -> PathBuf {
        self.folder()
            .join(format!("{}.commits", self.appendfilename))
    }

    /// The one file that Redis had before version 7.
    #[must_use]
    pub fn single_file(&self) -> PathBuf {
        self.dir.join(&self.appendfilename)
    }

    fn stem(&self) -> &OsStr {
        OsStr::new(&self.appendfilename)
    }
}

/// What a base is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFormat {
    /// An RDB.
    Rdb,
    /// Commands.
    Commands,
}

impl BaseFormat {
    fn suffix(self) -> &'static str {
        match self {
            BaseFormat::Rdb => ".base.rdb",
            BaseFormat::Commands => ".base.aof",
        }
    }
}

/// An increment that is open for writing.
#[derive(Debug)]
pub struct Increment {
    /// The file, at its end.
    pub file: Box<dyn DiskFile>,
    /// Its name within the folder.
    pub name: OsString,
    /// Where it is.
    pub path: PathBuf,
    /// Its number.
    pub sequence: u64,
    /// How many bytes it has already.
    pub bytes: u64,
}

/// The files of an append-only file. There may be one such value for a folder.
#[derive(Debug)]
pub struct AofFolder {
    disk: Arc<dyn Disk>,
    place: AofPlace,
    manifest: Manifest,
    /// An increment that is not listed before there is a base for it.
    provisional: Option<AofFile>,
}

impl AofFolder {
    /// The files, as the manifest lists them.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where the files are.
    #[must_use]
    pub fn place(&self) -> &AofPlace {
        &self.place
    }

    /// Where a base may be written before it is installed. The same place each time:
    /// there is one rewrite at a time.
    #[must_use]
    pub fn temporary_base(&self) -> PathBuf {
        self.path(OsStr::new("temp-rewriteaof.aof"))
    }

    /// Makes an empty increment, which follows all others. The manifest that lists it
    /// is durable when this returns. Before anything is written to it, all that was
    /// written to the one before must be durable: only the last file may be torn.
    ///
    /// # Errors
    /// The disk's. The increments are then what they were.
    pub fn start_increment(&mut self) -> Result<Increment, FolderError> {
        let file = self.manifest.next_increment(self.place.stem());
        let increment = self.make(&file, file.name.clone())?;
        let mut manifest = self.manifest.clone();
        manifest.increments.push(file);
        self.persist(manifest)?;
        Ok(increment)
    }

    /// Makes an empty increment that follows a base which is still to be made: after
    /// a crash before [`AofFolder::install_base`] it never was. For a server that
    /// turns its append-only file on while it runs.
    ///
    /// # Errors
    /// The disk's.
    pub fn start_provisional_increment(&mut self) -> Result<Increment, FolderError> {
        let file = self.manifest.next_increment(self.place.stem());
        let increment = self.make(&file, provisional_name(&file))?;
        self.provisional = Some(file);
        Ok(increment)
    }

    /// Forgets and removes a provisional increment.
    ///
    /// # Errors
    /// The disk's; it is forgotten all the same.
    pub fn discard_provisional_increment(&mut self) -> Result<(), FolderError> {
        match self.provisional.take() {
            Some(file) => self.remove_file(&self.path(&provisional_name(&file))),
            None => Ok(()),
        }
    }

    /// Makes a durable file the base: the state before the increment `first_increment`,
    /// which is the provisional one if there is that. The former base and what came
    /// before that increment become history, which the caller should have removed
    /// ([`AofFolder::remove_history`]).
    ///
    /// # Errors
    /// The disk's; or there is no such increment. The chain is then what it was.
    pub fn install_base(
        &mut self,
        temporary: &Path,
        format: BaseFormat,
        first_increment: u64,
    ) -> Result<(), FolderError> {
        let listed = self.manifest.increments.iter().chain(&self.provisional);
        if !listed
            .map(|file| file.sequence)
            .any(|number| number == first_increment)
        {
            return Err(FolderError::NoIncrement {
                sequence: first_increment,
            });
        }
        let base = self.manifest.next_base(self.place.stem(), format.suffix());
        self.rename(temporary, &self.path(&base.name))?;
        let mut manifest = self.manifest.clone();
        if let Some(file) = &self.provisional {
            let from = self.path(&provisional_name(file));
            // After a failure further down it may have its name already.
            if self.disk.exists(&from).map_err(Doing::Look.error(&from))? {
                self.rename(&from, &self.path(&file.name))?;
            }
            manifest.increments.push(file.clone());
        }
        self.sync_folder()?;
        let is_history = |file: &mut AofFile| file.sequence < first_increment;
        let old_increments = manifest.increments.extract_if(.., is_history);
        let history: Vec<_> = manifest
            .base
            .replace(base)
            .into_iter()
            .chain(old_increments)
            .collect();
        manifest.history.extend(history);
        self.persist(manifest)?;
        self.provisional = None;
        Ok(())
    }

    /// Removes the files that are history. Returns their names. O(their number), and
    /// what the file system takes to free them.
    ///
    /// # Errors
    /// The disk's. Those that are still there are still listed.
    pub fn remove_history(&mut self) -> Result<Vec<OsString>, FolderError> {
        if self.manifest.history.is_empty() {
            return Ok(Vec::new());
        }
        let mut manifest = self.manifest.clone();
        let names: Vec<_> = std::mem::take(&mut manifest.history)
            .into_iter()
            .map(|file| file.name)
            // A manifest made by hand may list a file twice.
            .filter(|name| !self.is_needed(name))
            .collect();
        for name in &names {
            self.remove_file(&self.path(name))?;
        }
        self.sync_folder()?;
        self.persist(manifest)?;
        Ok(names)
    }

    fn is_needed(&self, name: &OsStr) -> bool {
        let files = self.manifest.base.iter().chain(&self.manifest.increments);
        files.into_iter().any(|file| file.name == name)
    }

    /// Makes an increment whose name is durable.
    fn make(&self, file: &AofFile, name: OsString) -> Result<Increment, FolderError> {
        let path = self.path(&name);
        let output = self
            .disk
            .create(&path)
            .map_err(Doing::Create.error(&path))?;
        self.sync_folder()?;
        Ok(Increment {
            file: output,
            name: file.name.clone(),
            path,
            sequence: file.sequence,
            bytes: 0,
        })
    }

    /// Makes this the manifest, on the disk first.
    fn persist(&mut self, manifest: Manifest) -> Result<(), FolderError> {
        let path = self.place.manifest();
        let mut text = manifest.format();
        if text.is_empty() {
            // Redis takes a manifest without bytes for a broken one.
            text.extend_from_slice(b"# no files\n");
        }
        // What could not be read again must not take the place of what can.
        if let Err(source) = Manifest::parse(&text) {
            return Err(FolderError::Manifest { path, source });
        }
        replace_file(&*self.disk, &path, |output| output.write_all(&text))
            .map_err(Doing::Write.error(&path))?;
        self.manifest = manifest;
        Ok(())
    }

    fn path(&self, name: &OsStr) -> PathBuf {
        self.place.folder().join(name)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FolderError> {
        self.disk
            .rename(from, to)
            .map_err(Doing::Rename.error(from))
    }

    /// Removes a file, if it is there.
    fn remove_file(&self, path: &Path) -> Result<(), FolderError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Doing::Remove.error(path)(error))
            }
            _ => Ok(()),
        }
    }

    fn sync_folder(&self) -> Result<(), FolderError> {
        let folder = self.place.folder();
        self.disk
            .sync_folder(&folder)
            .map_err(Doing::Sync.error(&folder))
    }
}

/// What an increment is called while it has no base.
fn provisional_name(file: &AofFile) -> OsString {
    let mut name = OsString::from("temp-");
    name.push(&file.name);
    name
}

#[cfg(test)]
mod tests;
