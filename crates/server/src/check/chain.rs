//! Checks a manifest, and every file that it lists.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use ochre_journal::aof::{AofFile, LostTail, Manifest};

use super::aof::Position;
use super::report::{reason, shown};
use super::{Broken, Check, Kind, Repair, Verdict};

/// A manifest larger than this is none.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

impl Check<'_, '_> {
    pub(super) fn chain(&mut self, manifest_path: &Path) -> Verdict {
        self.terminal
            .line(format_args!("Start checking Multi Part AOF"));
        let manifest = self.manifest(manifest_path)?;
        let folder = match manifest_path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        self.commits(manifest_path, folder, &manifest)?;
        let last = self.last_index(folder, &manifest);
        let position = |index| {
            if index < last {
                Position::Followed
            } else {
                Position::Last
            }
        };
        let mut verdict = Ok(());
        let mut index = 0;
        if let Some(base) = &manifest.base {
            let kind = self.kind(&folder.join(&base.name))?;
            let format = if kind == Kind::Rdb { "RDB" } else { "RESP" };
            self.terminal
                .line(format_args!("Start to check BASE AOF ({format} format)."));
            let checked = self.file(folder, base, "BASE AOF", position(index));
            verdict = self.and_then(verdict, checked)?;
            index += 1;
        }
        if !manifest.increments.is_empty() {
            self.terminal
                .line(format_args!("Start to check INCR files."));
        }
        for file in &manifest.increments {
            let checked = self.file(folder, file, "INCR AOF", position(index));
            verdict = self.and_then(verdict, checked)?;
            index += 1;
        }
        self.unlisted(folder, &manifest);
        if verdict.is_ok() {
            self.terminal
                .line(format_args!("All AOF files and manifest are valid"));
        }
        verdict
    }

    /// Which of the base and the increments is the last that has any bytes: files without
    /// them do not keep the one before from being the last.
    fn last_index(&self, folder: &Path, manifest: &Manifest) -> usize {
        let files = manifest.base.iter().chain(&manifest.increments);
        let has_bytes = |file: &AofFile| {
            let size = self.disk.len(&folder.join(&file.name));
            size.is_ok_and(|size| size > 0)
        };
        let files: Vec<bool> = files.map(has_bytes).collect();
        files.iter().rposition(|has_bytes| *has_bytes).unwrap_or(0)
    }

    /// Tells what the last increment lost when the machine went down. Where files are to be
    /// changed it gets that back first: the commit log could undo any later change.
    fn commits(&mut self, manifest_path: &Path, folder: &Path, manifest: &Manifest) -> Verdict {
        let log = manifest_path.with_extension("commits");
        if !self.disk.exists(&log).unwrap_or(false) {
            return Ok(());
        }
        let bases = usize::from(manifest.base.is_some());
        let followed = self.last_index(folder, manifest).saturating_sub(bases);
        let increments = manifest.increments.iter().skip(followed);
        let increments = increments
            .map(|file| (file.sequence, folder.join(&file.name)))
            // Of those that are not there the check itself tells.
            .filter(|(_, path)| self.disk.exists(path).unwrap_or(false));
        let lost = LostTail::find(self.disk, &log, increments).map_err(|error| {
            let (log, reason) = (log.display(), reason(&error));
            self.terminal
                .line(format_args!("Cannot read commit log {log}: {reason}"));
            Broken
        })?;
        if let Some(lost) = &lost {
            let (name, bytes) = (lost.increment.display(), lost.bytes.len());
            self.terminal.line(format_args!(
                "{name} was not wholly on disk: it lacks its last {bytes} bytes, which the \
                 commit log has"
            ));
        }
        if self.repair == Repair::Nothing {
            if lost.is_some() {
                self.terminal.line(format_args!(
                    "The server's next start, or --fix, adds them."
                ));
            }
            return Ok(());
        }
        if lost.is_some()
            && self.repair == Repair::Ask
            && !self.terminal.confirms("Add them? [y/N]: ")
        {
            self.terminal.line(format_args!("Aborting..."));
            return Err(Broken);
        }
        let restored = lost.map_or(Ok(()), |lost| lost.restore(self.disk));
        let removed = restored.and_then(|()| self.disk.remove(&log));
        removed
            .and_then(|()| self.disk.sync_folder(folder))
            .map_err(|error| {
                let (log, reason) = (log.display(), reason(&error));
                self.terminal
                    .line(format_args!("Failed to follow commit log {log}: {reason}"));
                Broken
            })
    }

    /// Goes on to the next file, whatever is wrong with this one; but not when files
    /// are changed: a file must not be cut off when one before it stays broken.
    fn and_then(&self, so_far: Verdict, next: Verdict) -> Verdict<Verdict> {
        if self.repair == Repair::Nothing {
            Ok(so_far.and(next))
        } else {
            next.map(|()| so_far)
        }
    }

    fn file(&mut self, folder: &Path, file: &AofFile, what: &str, position: Position) -> Verdict {
        let name = shown_name(&file.name);
        let outcome = self.aof(&folder.join(&file.name), &name, position)?;
        self.conclude(what, &name, outcome);
        Ok(())
    }

    fn manifest(&mut self, path: &Path) -> Verdict<Manifest> {
        let mut text = Vec::new();
        let read = self
            .disk
            .read(path)
            .and_then(|input| input.take(MAX_MANIFEST_BYTES).read_to_end(&mut text));
        if let Err(error) = read {
            self.terminal.line(format_args!(
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                path.display(),
                reason(&error)
            ));
            return Err(Broken);
        }
        Manifest::parse(&text).map_err(|error| {
            self.terminal
                .line(format_args!("\n*** FATAL AOF MANIFEST FILE ERROR ***"));
            if let Some(text) = &error.text {
                let line = error.line;
                self.terminal
                    .line(format_args!("Reading the manifest file, at line {line}"));
                self.terminal.line(format_args!(">>> '{}'", shown(text)));
            }
            self.terminal.line(format_args!("{}", error.fault));
            Broken
        })
    }

    /// Names what is in the folder and is no part of the chain.
    fn unlisted(&mut self, folder: &Path, manifest: &Manifest) {
        let Ok(mut names) = self.disk.list(folder) else {
            return;
        };
        names.sort();
        for name in names {
            let listed = manifest.base.iter().chain(&manifest.increments);
            let is_aof = name.to_string_lossy().ends_with(".aof")
                || name.to_string_lossy().ends_with(".rdb");
            if manifest.history.iter().any(|file| file.name == name) {
                let name = shown_name(&name);
                self.terminal
                    .line(format_args!("[info] {name} is history, and not checked"));
            } else if is_aof && listed.into_iter().all(|file| file.name != name) {
                let name = shown_name(&name);
                self.terminal
                    .line(format_args!("[info] {name} is not listed in the manifest"));
            }
        }
    }
}

fn shown_name(name: &OsStr) -> String {
    name.display().to_string()
}
