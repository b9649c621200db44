//! `ochre check`: whether files on disk are what they should be, and what to do.
//!
//! ```text
//!   folder ──┬─► chain (manifest) ──► aof ──► rdb (preamble)
//!            ├─► aof (one file)
//!            └─► rdb
//! ```
//!
//! Called through a link named `redis-check-rdb` or `redis-check-aof`, it takes their
//! arguments; in every case it prints their lines, with more besides, and exits as
//! they do: 0 if all is well, 1 if anything is wrong.
//!
//! Nothing is written but with `--fix` or `--truncate-to-timestamp`, and then only the
//! last file of a chain is cut off, after asking.

mod aof;
mod chain;
mod duplicates;
mod folder;
mod rdb;
mod report;
mod request;

use std::path::Path;

use ochre_journal::disk::{Disk, RealDisk};

pub use report::Terminal;
use report::reason;
pub use request::{Repair, Request, Subject, Tool};

/// A verdict, when it is bad: it was printed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Broken;

/// The outcome of one check.
type Verdict<T = ()> = Result<T, Broken>;

/// Does what the arguments ask for, and says whether all is well.
pub fn run(request: &Request, terminal: &mut Terminal<'_>) -> bool {
    let mut check = Check {
        disk: &RealDisk,
        repair: request.repair,
        terminal,
    };
    let verdict = match request.subject {
        Subject::Anything => check.anything(&request.path),
        Subject::Rdb => check.rdb_alone(&request.path),
        Subject::Aof => check.aof_or_manifest(&request.path),
    };
    verdict.is_ok()
}

/// A check in progress.
struct Check<'a, 't> {
    disk: &'a dyn Disk,
    repair: Repair,
    terminal: &'a mut Terminal<'t>,
}

/// What a file seems to be, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rdb,
    Manifest,
    /// Commands, or anything else.
    Commands,
}

impl Check<'_, '_> {
    fn anything(&mut self, path: &Path) -> Verdict {
        if path.is_dir() {
            return self.folder(path);
        }
        let is_named_rdb = path.extension().is_some_and(|extension| extension == "rdb");
        match self.kind(path)? {
            _ if is_named_rdb => self.rdb_or_preamble(path),
            Kind::Rdb => self.rdb_or_preamble(path),
            Kind::Manifest => self.chain(path),
            Kind::Commands => self.single_aof(path),
        }
    }

    fn aof_or_manifest(&mut self, path: &Path) -> Verdict {
        if path.is_dir() {
            self.terminal
                .line(format_args!("Cannot read file: {}", path.display()));
            return Err(Broken);
        }
        match self.kind(path)? {
            Kind::Manifest => self.chain(path),
            Kind::Rdb | Kind::Commands => self.single_aof(path),
        }
    }

    /// Looks at the start of a file.
    fn kind(&mut self, path: &Path) -> Verdict<Kind> {
        const LOOK_BYTES: usize = 64 << 10;
        let mut start = Vec::new();
        let read = self.disk.read(path).and_then(|input| {
            let mut input = std::io::Read::take(input, LOOK_BYTES as u64);
            std::io::Read::read_to_end(&mut input, &mut start)
        });
        if let Err(error) = read {
            let (path, reason) = (path.display(), reason(&error));
            self.terminal
                .line(format_args!("Cannot open file {path}: {reason}"));
            return Err(Broken);
        }
        if start.starts_with(b"REDIS") {
            return Ok(Kind::Rdb);
        }
        let mut lines = start.split(|&byte| byte == b'\n');
        let first = lines.find(|line| !line.starts_with(b"#"));
        let is_manifest = first.is_some_and(|line| {
            let word = line.trim_ascii_start().get(..5);
            word.is_some_and(|word| word[..4].eq_ignore_ascii_case(b"file") && word[4] == b' ')
        });
        let is_named_so = path
            .extension()
            .is_some_and(|extension| extension == "manifest");
        if is_manifest || is_named_so {
            Ok(Kind::Manifest)
        } else {
            Ok(Kind::Commands)
        }
    }
}
