//! Checks all that is in a server's folder, or in that of an append-only file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::report::reason;
use super::{Broken, Check, Verdict};

impl Check<'_, '_> {
    pub(super) fn folder(&mut self, folder: &Path) -> Verdict {
        let names = self.names(folder)?;
        let mut manifests = with_extension(folder, &names, "manifest");
        let mut files = Vec::new();
        if manifests.is_empty() {
            // Files beside a manifest are checked with it; here they stand alone.
            files = with_extension(folder, &names, "rdb");
            files.extend(with_extension(folder, &names, "aof"));
            for name in &names {
                let inner = folder.join(name);
                if inner.is_dir() {
                    let names = self.names(&inner)?;
                    manifests.extend(with_extension(&inner, &names, "manifest"));
                }
            }
        }
        if files.is_empty() && manifests.is_empty() {
            self.terminal.line(format_args!(
                "There is nothing to check in {}",
                folder.display()
            ));
            return Err(Broken);
        }
        let mut verdict = Ok(());
        for file in files {
            verdict = verdict.and(self.anything(&file));
        }
        for manifest in manifests {
            verdict = verdict.and(self.chain(&manifest));
        }
        verdict
    }

    fn names(&mut self, folder: &Path) -> Verdict<Vec<OsString>> {
        let mut names = self.disk.list(folder).map_err(|error| {
            let (folder, reason) = (folder.display(), reason(&error));
            self.terminal
                .line(format_args!("Cannot read folder {folder}: {reason}"));
            Broken
        })?;
        names.sort();
        Ok(names)
    }
}

/// The files with this extension that are not being made.
fn with_extension(folder: &Path, names: &[OsString], extension: &str) -> Vec<PathBuf> {
    names
        .iter()
        .filter(|name| !name.to_string_lossy().starts_with("temp"))
        .map(|name| folder.join(name))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter(|path| !path.is_dir())
        .collect()
}
