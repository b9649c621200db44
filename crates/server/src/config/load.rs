//! Start-up: file, standard input and options, line by line, into a [`Startup`].
//!
//! ```text
//!   file ─┐
//!   stdin ┼─► one text ─► line ─► words ─┬─ a directive        → Config
//!   options                              ├─ include <file>     → the same for that file, in place
//!                                        ├─ rename-command, user → kept for the server, with line
//!                                        └─ anything else      → StartupError
//! ```
//!
//! Differences from CONFIG SET: `save` lines accumulate, immutable directives may be set.
//! Not here: whether the renamed command exists and the user's rules make sense. The server
//! checks them, and reports with [`ConfigLine::refuse`], so that the user sees one shape of error.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{ffi::OsStr, fs};

use thiserror::Error;

use super::Config;
use super::command_line::{Sources, Stdin};
use super::glob;
use super::section::find;
use super::values::{Origin, reason};
use super::words::split;

/// How deep `include` may nest: a file that includes itself must end in an error.
const MAX_INCLUDE_DEPTH: usize = 16;

/// The least backlog, whatever `repl-backlog-size` says.
const MIN_BACKLOG_BYTES: u64 = 16 << 10;

/// Everything that the start-up configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Startup {
    /// The directives' values.
    pub config: Config,
    /// The configuration file as an absolute path, for CONFIG REWRITE.
    pub file: Option<PathBuf>,
    /// `rename-command`, in order.
    pub renames: Vec<Rename>,
    /// `user`, in order.
    pub users: Vec<UserDefinition>,
}

/// A `rename-command` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The command.
    pub command: Vec<u8>,
    /// Its new name; empty means that it is taken away.
    pub new_name: Vec<u8>,
    /// Where it says so.
    pub line: ConfigLine,
}

/// A `user` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDefinition {
    /// The user's name.
    pub name: Vec<u8>,
    /// The rules, as for ACL SETUSER.
    pub rules: Vec<Vec<u8>>,
    /// Where it says so.
    pub line: ConfigLine,
}

/// A line of the configuration, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLine {
    /// Counted from 1 over the whole text of its file (the options follow the file).
    pub number: usize,
    /// The line, trimmed.
    pub text: String,
}

impl ConfigLine {
    /// The start-up error that points to this line.
    pub fn refuse(&self, reason: impl Into<String>) -> StartupError {
        StartupError::Line {
            line: self.clone(),
            reason: reason.into(),
        }
    }
}

/// Why the server cannot start with this configuration. The text goes to the standard error,
/// the exit status is 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartupError {
    /// A line is wrong.
    #[error(
        "\n*** FATAL CONFIG FILE ERROR (Ochre {version}) ***\nReading the configuration file, at line {number}\n>>> '{text}'\n{reason}",
        version = env!("CARGO_PKG_VERSION"), number = line.number, text = line.text
    )]
    Line {
        /// The line.
        line: ConfigLine,
        /// What is wrong.
        reason: String,
    },
    /// The whole is wrong.
    #[error("\n*** FATAL CONFIG FILE ERROR (Ochre {version}) ***\n{0}", version = env!("CARGO_PKG_VERSION"))]
    Whole(String),
    /// A file cannot be read.
    #[error("Fatal error, can't open config file '{path}': {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
}

/// Reads all sources. `stdin` is read to its end if they say so.
///
/// # Errors
/// The first wrong line, an unreadable file, or directives that contradict each other.
pub fn load(sources: &Sources, stdin: impl Read) -> Result<Startup, StartupError> {
    let mut loader = Loader::default();
    let mut text = Vec::new();
    if let Some(file) = &sources.file {
        let path = loader.startup.config.persistence.dir.join(file);
        text = read(&path, file)?;
        loader.startup.file = Some(path);
    }
    if sources.stdin == Stdin::Read {
        let mut stdin = stdin;
        let read = stdin.read_to_end(&mut text);
        read.map_err(|error| {
            StartupError::Whole(format!("Reading the standard input: {}", reason(&error)))
        })?;
    }
    if !sources.options.is_empty() {
        text.push(b'\n');
        text.extend_from_slice(&sources.options);
    }
    loader.text(&text, 0)?;
    let mut startup = loader.startup;
    startup.config.normalize();
    check_whole(&startup.config)?;
    Ok(startup)
}

impl Config {
    /// Brings values into range that Redis accepts out of range.
    pub(super) fn normalize(&mut self) {
        self.memory.hz = self.memory.hz.clamp(1, 500);
        self.replication.backlog_bytes = self.replication.backlog_bytes.max(MIN_BACKLOG_BYTES);
    }
}

/// What no single line is to blame for.
fn check_whole(config: &Config) -> Result<(), StartupError> {
    let whole = |text: &str| Err(StartupError::Whole(text.into()));
    if !config.logging.file.is_empty() {
        let path = config.persistence.dir.join(&config.logging.file);
        if let Err(error) = fs::OpenOptions::new().append(true).create(true).open(path) {
            return whole(&format!("Can't open the log file: {}", reason(&error)));
        }
    }
    if config.cluster.enabled && config.replication.replica_of.0.is_some() {
        return whole("replicaof directive not allowed in cluster mode");
    }
    Ok(())
}

#[derive(Default)]
struct Loader {
    startup: Startup,
    /// Directives that a line has named already.
    named: Vec<&'static str>,
}

impl Loader {
    fn text(&mut self, text: &[u8], depth: usize) -> Result<(), StartupError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let place = ConfigLine {
                number: index + 1,
                text: String::from_utf8_lossy(line).into_owned(),
            };
            let Some(words) = split(line) else {
                return Err(place.refuse("Unbalanced quotes in configuration line"));
            };
            if let [name, arguments @ ..] = words.as_slice() {
                self.line(place, &name.to_ascii_lowercase(), arguments, depth)?;
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        place: ConfigLine,
        name: &[u8],
        arguments: &[Vec<u8>],
        depth: usize,
    ) -> Result<(), StartupError> {
        if let Some((_, directive)) = find(name) {
            let origin = if self.named.contains(&directive.name) {
                Origin::LaterLine
            } else {
                self.named.push(directive.name);
                Origin::FirstLine
            };
            let words: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let written = directive.write(&mut self.startup.config, &words, origin);
            return written.map_err(|reason| place.refuse(reason));
        }
        match (name, arguments) {
            // Redis forgot what these did, and so passes them over.
            (
                b"list-max-ziplist-entries" | b"list-max-ziplist-value" | b"lua-replicate-commands",
                [_],
            ) => {}
            (b"include", [pattern]) => self.include(&place, pattern, depth)?,
            (b"rename-command", [command, new_name]) => self.startup.renames.push(Rename {
                command: command.clone(),
                new_name: new_name.clone(),
                line: place,
            }),
            (b"user", [user, rules @ ..]) => self.startup.users.push(UserDefinition {
                name: user.clone(),
                rules: rules.to_vec(),
                line: place,
            }),
            (b"loadmodule", [_, ..]) => {
                return Err(place.refuse(
                    "Ochre cannot load modules: they are native code for Redis's own internals",
                ));
            }
            (b"sentinel", []) => {
                return Err(place.refuse("Ochre has no sentinel mode: run redis-sentinel, which watches Ochre servers as it does Redis's"));
            }
            (b"sentinel", _) => {
                return Err(place.refuse("sentinel directive while not in sentinel mode"));
            }
            (name, _) if name.contains(&b'.') => {
                return Err(place.refuse(match arguments {
                    [_] => "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
                    _ => "Module config specified without value",
                }));
            }
            _ => return Err(place.refuse("Bad directive or wrong number of arguments")),
        }
        Ok(())
    }

    /// Reads a file, or all files of a pattern, in place. A pattern may match none. A relative
    /// path is taken from `dir` as it stands, which is where the server was started unless a
    /// line has changed it: just as in Redis.
    fn include(
        &mut self,
        place: &ConfigLine,
        pattern: &[u8],
        depth: usize,
    ) -> Result<(), StartupError> {
        if depth == MAX_INCLUDE_DEPTH {
            return Err(place.refuse("Files include each other too deeply"));
        }
        let named = Path::new(OsStr::from_bytes(pattern));
        let path = self.startup.config.persistence.dir.join(named);
        if !pattern
            .iter()
            .any(|byte| matches!(byte, b'*' | b'?' | b'['))
        {
            return self.text(&read(&path, named)?, depth + 1);
        }
        // Line numbers run through the files of a pattern, as if they were one.
        let mut text = Vec::new();
        for path in glob::files(&path) {
            text.extend_from_slice(&read(&path, &path)?);
        }
        self.text(&text, depth + 1)
    }
}

fn read(path: &Path, named: &Path) -> Result<Vec<u8>, StartupError> {
    let read: io::Result<Vec<u8>> = fs::read(path);
    read.map_err(|error| StartupError::Unreadable {
        path: named.to_string_lossy().into_owned(),
        reason: reason(&error),
    })
}

#[cfg(test)]
mod tests;
