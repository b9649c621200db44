//! What is to be checked, from the arguments.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The file or folder.
    pub path: PathBuf,
    /// What it is supposed to be.
    pub subject: Subject,
    /// What may be done to it.
    pub repair: Repair,
}

/// What a file is supposed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whatever it says it is.
    Anything,
    /// An RDB.
    Rdb,
    /// An append-only file or its manifest.
    Aof,
}

/// What may be done to a file that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    Nothing,
    /// Its torn tail may be cut off, after a question.
    Ask,
    /// Its torn tail may be cut off.
    Do,
    /// What was written after this time, in seconds since 1970, is cut off.
    TruncateToTimestamp(i64),
}

/// The tools of Redis that this one stands in for, by the name it is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `redis-check-rdb`.
    CheckRdb,
    /// `redis-check-aof`.
    CheckAof,
}

const USAGE: &str = "\
Usage: ochre check FILE|DIR [--fix] [--yes] [--truncate-to-timestamp SECONDS]

Checks an RDB, an append-only file, its manifest with all files, or a folder of these.
Exits with 0 if all is well, with 1 if not.

  --fix                            cuts off the torn tail of the last file, after asking
  --yes                            does not ask
  --truncate-to-timestamp SECONDS  cuts off what was written after this time; needs
                                   annotations (aof-timestamp-enabled yes)
";
const USAGE_RDB: &str = "Usage: redis-check-rdb <rdb-file-name>\n";
const USAGE_AOF: &str = "Usage: redis-check-aof \
     [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n";
const INVALID_TIMESTAMP: &str = "Invalid timestamp, aborting...\n";

impl Tool {
    /// The tool that a program's name asks for.
    #[must_use]
    pub fn named(program: &OsStr) -> Option<Self> {
        let name = Path::new(program).file_name()?.to_str()?;
        if name.ends_with("-check-rdb") {
            Some(Tool::CheckRdb)
        } else if name.ends_with("-check-aof") {
            Some(Tool::CheckAof)
        } else {
            None
        }
    }

    /// What the tool calls itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tool::CheckRdb => "redis-check-rdb",
            Tool::CheckAof => "redis-check-aof",
        }
    }

    /// Reads the arguments as the tool does.
    ///
    /// # Errors
    /// What to print instead, for arguments that are none.
    pub fn request(self, arguments: &[OsString]) -> Result<Request, String> {
        let words: Vec<_> = arguments
            .iter()
            .map(|word| word.to_str().unwrap_or(""))
            .collect();
        let (subject, repair) = match (self, words.as_slice()) {
            (Tool::CheckRdb, [_]) => (Subject::Rdb, Repair::Nothing),
            (Tool::CheckRdb, _) => return Err(USAGE_RDB.into()),
            (Tool::CheckAof, [_]) => (Subject::Aof, Repair::Nothing),
            (Tool::CheckAof, ["--fix", _]) => (Subject::Aof, Repair::Ask),
            (Tool::CheckAof, ["--truncate-to-timestamp", time, _]) => {
                (Subject::Aof, Repair::TruncateToTimestamp(timestamp(time)?))
            }
            (Tool::CheckAof, _) => return Err(USAGE_AOF.into()),
        };
        Ok(Request {
            path: arguments.last().map(PathBuf::from).unwrap_or_default(),
            subject,
            repair,
        })
    }
}

impl Request {
    /// Reads what follows `ochre check`.
    ///
    /// # Errors
    /// What to print instead, for arguments that are none.
    pub fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut path = None;
        let mut repair = Repair::Nothing;
        let mut is_sure = false;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--fix") if repair == Repair::Nothing => repair = Repair::Ask,
                Some("--yes" | "-y") => is_sure = true,
                Some("--truncate-to-timestamp") if repair == Repair::Nothing => {
                    let time = arguments.next().and_then(|time| time.to_str());
                    repair = Repair::TruncateToTimestamp(timestamp(time.unwrap_or(""))?);
                }
                Some(option) if option.starts_with("--") || option == "-h" => {
                    return Err(USAGE.into());
                }
                _ if path.is_some() => return Err(USAGE.into()),
                _ => path = Some(PathBuf::from(argument)),
            }
        }
        if is_sure && repair == Repair::Ask {
            repair = Repair::Do;
        }
        Ok(Request {
            path: path.ok_or(USAGE)?,
            subject: Subject::Anything,
            repair,
        })
    }
}

/// A time after the beginning of time, as the tools of Redis ask for.
fn timestamp(text: &str) -> Result<i64, String> {
    let time = text.parse().ok().filter(|time| *time > 0);
    time.ok_or_else(|| INVALID_TIMESTAMP.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: Option<Repair>) {
        let request = Request::parse(&words(text));
        assert_eq!(
            request.as_ref().ok().map(|request| request.repair),
            expected
        );
        if let Ok(request) = request {
            assert_eq!(request.path, Path::new("f"));
        }
    }

    #[test]
    fn arguments_come_in_any_order() {
        check("f", Some(Repair::Nothing));
        check("f --fix", Some(Repair::Ask));
        check("--fix f --yes", Some(Repair::Do));
        check("--yes f", Some(Repair::Nothing));
        let truncate = Repair::TruncateToTimestamp(5);
        check("f --truncate-to-timestamp 5", Some(truncate));
        for wrong in [
            "",
            "--fix",
            "f g",
            "f --other",
            "--help",
            "f --fix --fix",
            "f --truncate-to-timestamp",
            "f --truncate-to-timestamp x",
            "f --truncate-to-timestamp 0",
            "f --fix --truncate-to-timestamp 5",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn links_have_the_arguments_of_the_tools() {
        let named = |name: &str| Tool::named(OsStr::new(name));
        assert_eq!(named("/usr/bin/redis-check-rdb"), Some(Tool::CheckRdb));
        assert_eq!(named("valkey-check-aof"), Some(Tool::CheckAof));
        assert_eq!(named("ochre"), None);
        let repair = |tool: Tool, text: &str| {
            let request = tool.request(&words(text));
            request.map(|request| (request.path, request.repair)).ok()
        };
        let found = |repair| Some((PathBuf::from("f"), repair));
        assert_eq!(repair(Tool::CheckRdb, "f"), found(Repair::Nothing));
        assert_eq!(repair(Tool::CheckRdb, "f g"), None);
        assert_eq!(repair(Tool::CheckAof, "f"), found(Repair::Nothing));
        assert_eq!(repair(Tool::CheckAof, "--fix f"), found(Repair::Ask));
        assert_eq!(repair(Tool::CheckAof, "f --fix"), None);
        assert_eq!(
            repair(Tool::CheckAof, "--truncate-to-timestamp 7 f"),
            found(Repair::TruncateToTimestamp(7))
        );
        assert_eq!(repair(Tool::CheckAof, ""), None);
    }
}
