//! Checks a manifest, and every file that it lists.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use ochre_journal::aof::{AofFile, Manifest};

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
        let files = manifest.base.iter().chain(&manifest.increments);
        let sizes: Vec<u64> = files
            .map(|file| self.disk.len(&folder.join(&file.name)).unwrap_or(0))
            .collect();
        // Files without any bytes do not keep the one before from being the last.
        let last = sizes.iter().rposition(|size| *size > 0).unwrap_or(0);
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
