//! The files of the chain one by one: to be loaded, measured, cut off and gone on with.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::{AofFolder, Doing, FolderError, Increment};
use crate::aof::commit::LostTail;
use crate::aof::manifest::{AofFile, FileKind};

/// A file to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Its name within the folder.
    pub name: OsString,
    /// Base or increment.
    pub kind: FileKind,
    /// Its number.
    pub sequence: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whether no file with any bytes follows it: its tail may be torn.
    pub is_last: bool,
}

/// How many bytes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AofSizes {
    /// In the base.
    pub base_bytes: u64,
    /// In all increments.
    pub increments_bytes: u64,
}

impl AofFolder {
    /// Gives the last increment back what it lost when the machine went down and the commit
    /// log has, and removes the log. Before anything is loaded or written.
    ///
    /// # Errors
    /// The disk's; or those of [`AofFolder::parts`].
    pub fn restore_commits(&self) -> Result<Option<LostTail>, FolderError> {
        let log = self.place.commit_log();
        if !self.disk.exists(&log).map_err(Doing::Look.error(&log))? {
            return Ok(None);
        }
        let parts = self.parts()?;
        // Whatever is followed by others was synced before these began.
        let increments = parts
            .iter()
            .filter(|part| part.is_last && part.kind == FileKind::Increment)
            .map(|part| (part.sequence, part.path.clone()));
        let lost =
            LostTail::find(&*self.disk, &log, increments).map_err(Doing::Read.error(&log))?;
        if let Some(lost) = &lost {
            lost.restore(&*self.disk)
                .map_err(Doing::Write.error(&lost.increment))?;
        }
        self.remove_file(&log)?;
        self.sync_folder()?;
        Ok(lost)
    }

    /// The files to be loaded, in their order: the base and the increments.
    ///
    /// # Errors
    /// One that is listed is not there, or cannot be looked at.
    pub fn parts(&self) -> Result<Vec<Part>, FolderError> {
        let base = self.manifest.base.iter();
        let increments = self.manifest.increments.iter();
        let mut parts = base
            .map(|file| self.part(file, FileKind::Base))
            .chain(increments.map(|file| self.part(file, FileKind::Increment)))
            .collect::<Result<Vec<_>, _>>()?;
        let last = parts.iter().rposition(|part| part.bytes > 0).unwrap_or(0);
        for part in parts.iter_mut().skip(last) {
            part.is_last = true;
        }
        Ok(parts)
    }

    fn part(&self, file: &AofFile, kind: FileKind) -> Result<Part, FolderError> {
        let path = self.path(&file.name);
        let bytes = self.disk.len(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FolderError::Missing {
                name: file.name.clone(),
            },
            _ => Doing::Look.error(&path)(error),
        })?;
        Ok(Part {
            path,
            name: file.name.clone(),
            kind,
            sequence: file.sequence,
            bytes,
            is_last: false,
        })
    }

    /// How large the base and the increments are.
    ///
    /// # Errors
    /// Those of [`AofFolder::parts`].
    pub fn sizes(&self) -> Result<AofSizes, FolderError> {
        let mut sizes = AofSizes::default();
        for part in self.parts()? {
            match part.kind {
                FileKind::Base => sizes.base_bytes += part.bytes,
                _ => sizes.increments_bytes += part.bytes,
            }
        }
        Ok(sizes)
    }

    /// Opens the last increment, to go on at its end; or starts the first.
    ///
    /// # Errors
    /// The disk's.
    pub fn resume(&mut self) -> Result<Increment, FolderError> {
        let Some(last) = self.manifest.increments.last() else {
            return self.start_increment();
        };
        let path = self.path(&last.name);
        let file = self.disk.append(&path).map_err(Doing::Open.error(&path))?;
        Ok(Increment {
            bytes: file.len().map_err(Doing::Look.error(&path))?,
            file,
            name: last.name.clone(),
            path,
            sequence: last.sequence,
        })
    }

    /// Cuts off the torn tail of the last file; durable when this returns.
    ///
    /// # Errors
    /// Files follow this one; or the disk's.
    pub fn truncate(&self, part: &Part, valid_up_to: u64) -> Result<(), FolderError> {
        if !part.is_last {
            return Err(FolderError::NotLast {
                name: part.name.clone(),
            });
        }
        let mut file = self
            .disk
            .append(&part.path)
            .map_err(Doing::Open.error(&part.path))?;
        let bytes = file.len().map_err(Doing::Look.error(&part.path))?;
        // Never made longer: what is filled up would be zeros.
        file.set_len(valid_up_to.min(bytes))
            .and_then(|()| file.sync_data())
            .map_err(Doing::Cut.error(&part.path))
    }
}
