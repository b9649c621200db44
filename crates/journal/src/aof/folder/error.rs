//! What goes wrong with the files of an append-only file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::aof::ManifestError;

/// Why the files could not be opened or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The disk failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried: "write", "rename".
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The manifest is malformed.
    #[error("{source}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and in which line.
        source: ManifestError,
    },
    /// The manifest lists a file that is not there.
    #[error("Unable to obtain the AOF file {} length. stat: No such file or directory", name.display())]
    Missing {
        /// Its name.
        name: OsString,
    },
    /// There are increments, but no manifest: to start anew would overwrite them.
    #[error("The AOF manifest file {} doesn't exist, but there is {}", manifest.display(), name.display())]
    NoManifest {
        /// The manifest that is not there.
        manifest: PathBuf,
        /// One of the increments.
        name: OsString,
    },
    /// A file is torn, and others follow it.
    #[error("Fatal error: the truncated file is not the last file ({})", name.display())]
    NotLast {
        /// Its name.
        name: OsString,
    },
    /// A base was to be installed for an increment that is not there.
    #[error("there is no increment {sequence} for a base to precede")]
    NoIncrement {
        /// The number.
        sequence: u64,
    },
}

/// What is done with files and folders.
#[derive(Clone, Copy)]
pub(super) enum Doing {
    Create,
    Open,
    Read,
    Write,
    Rename,
    Remove,
    Sync,
    Cut,
    Look,
}

impl Doing {
    /// Makes the error of doing this with that file.
    pub(super) fn error(self, path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<'_> {
        move |source| FolderError::Io {
            doing: match self {
                Doing::Create => "create",
                Doing::Open => "open",
                Doing::Read => "read",
                Doing::Write => "write",
                Doing::Rename => "rename",
                Doing::Remove => "remove",
                Doing::Sync => "sync",
                Doing::Cut => "truncate",
                Doing::Look => "look at",
            },
            path: path.into(),
            source,
        }
    }
}
