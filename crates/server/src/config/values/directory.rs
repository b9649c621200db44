//! `dir`: the folder of all files that are named without one.
//!
//! It is absolute from the moment it is set. The process's own working folder is never changed,
//! so that several servers can live in one process; whoever opens a file joins it to this one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Absent, Line, Origin, Value};
use crate::config::words::quoted;

/// An existing folder, as an absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Default for Directory {
    fn default() -> Self {
        Directory(std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")))
    }
}

impl Directory {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file named relative to the folder (an absolute name stays as it is).
    pub fn join(&self, file: impl AsRef<Path>) -> PathBuf {
        self.0.join(file)
    }
}

impl Value for Directory {
    const FORM: &'static str = "<path of an existing folder>";

    fn text(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    /// A relative path is taken from the folder set before.
    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let &[word] = words else {
            return Err("wrong number of arguments".into());
        };
        if word.is_empty() {
            return Err(reason(&rustix::io::Errno::NOENT.into()));
        }
        let path = self.0.join(OsStr::from_bytes(word));
        let path = path.canonicalize().map_err(|error| reason(&error))?;
        if !path.is_dir() {
            return Err(reason(&rustix::io::Errno::NOTDIR.into()));
        }
        self.0 = path;
        Ok(())
    }

    /// Always written, as Redis does: where the server is started from may change.
    fn lines(&self, _default: &Self) -> Vec<Line> {
        vec![Line {
            text: quoted(self.0.as_os_str().as_bytes()),
            absent: Absent::Append,
        }]
    }
}

/// The system's text for an error, without Rust's "(os error N)".
pub(in crate::config) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.into(),
        None => text,
    }
}
