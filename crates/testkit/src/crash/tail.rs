//! The end of an append-only file: which units it holds whole, and how it is torn.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest     file NAME seq N type b|i|h, one per line
//!               appendonly.aof.N.incr.aof   units: a command, or MULTI … EXEC;
//!                                           lines that begin with # between them
//! ```

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plan::Tear;
use crate::resp::{encode_command, parse};
use crate::rng::Rng;

/// What is left of the last increment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Its last unit is not whole: the server must cut it off.
    pub is_torn: bool,
    /// Whole units that were taken away.
    pub units_lost: u64,
}

/// How much of which file was there at some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Length {
    path: PathBuf,
    bytes: usize,
}

/// What there is of the last increment below the server's folder.
///
/// # Errors
/// Those of the file system.
pub fn length(folder: &Path) -> io::Result<Length> {
    match last_increment(folder)? {
        Some(path) => Ok(Length {
            bytes: std::fs::metadata(&path)?.len() as usize,
            path,
        }),
        None => Ok(Length::default()),
    }
}

/// Tears the last increment below the server's folder, in what came after `kept`.
///
/// # Errors
/// There is none, or it holds what nobody writes.
pub fn tear(folder: &Path, how: Tear, kept: &Length, rng: &mut Rng) -> io::Result<Tail> {
    let Some(path) = last_increment(folder)? else {
        return Ok(Tail {
            is_torn: false,
            units_lost: 0,
        });
    };
    let bytes = std::fs::read(&path)?;
    let before = Units::scan(&bytes)?;
    match how {
        Tear::Begun if before.whole == bytes.len() => {
            let unit = begun(rng);
            OpenOptions::new()
                .append(true)
                .open(&path)?
                .write_all(&unit)?;
            Ok(Tail {
                is_torn: true,
                units_lost: 0,
            })
        }
        Tear::None | Tear::Begun => Ok(Tail {
            is_torn: before.whole < bytes.len(),
            units_lost: 0,
        }),
        Tear::Cut { bytes: at_most } => {
            let floor = if path == kept.path { kept.bytes } else { 0 };
            let length = bytes.len().saturating_sub(at_most as usize).max(floor);
            OpenOptions::new()
                .write(true)
                .open(&path)?
                .set_len(length as u64)?;
            let after = Units::scan(&bytes[..length])?;
            Ok(Tail {
                is_torn: after.whole < length,
                units_lost: before.count - after.count,
            })
        }
    }
}

/// The increment that the manifest lists last.
fn last_increment(folder: &Path) -> io::Result<Option<PathBuf>> {
    let folder = folder.join("appendonlydir");
    let manifest = match std::fs::read_to_string(folder.join("appendonly.aof.manifest")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        manifest => manifest?,
    };
    let mut names = manifest.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["file", name, "seq", _, "type", "i"] => Some(folder.join(name)),
            _ => None,
        }
    });
    Ok(names.next_back())
}

/// The beginning of a unit that never got whole.
fn begun(rng: &mut Rng) -> Vec<u8> {
    let set = |value: &str| encode_command(&["SET", "never-written", value]);
    let unit = if rng.chance(50) {
        set("whole")
    } else {
        [
            encode_command(&["MULTI"]),
            set("one"),
            set("two"),
            encode_command(&["EXEC"]),
        ]
        .concat()
    };
    let length = 1 + rng.below(unit.len() - 1);
    unit[..length].to_vec()
}

/// Where units end.
#[derive(Debug, PartialEq, Eq)]
struct Units {
    count: u64,
    /// Bytes up to the end of the last whole one.
    whole: usize,
}

impl Units {
    fn scan(bytes: &[u8]) -> io::Result<Self> {
        let mut units = Units { count: 0, whole: 0 };
        let mut at = 0;
        let mut is_open = false;
        while at < bytes.len() {
            if bytes[at] == b'#' {
                let Some(length) = bytes[at..].iter().position(|&byte| byte == b'\n') else {
                    break;
                };
                at += length + 1;
                if !is_open {
                    units.whole = at;
                }
                continue;
            }
            let parsed = parse(&bytes[at..]).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the last increment at byte {at}: {error}"),
                )
            })?;
            let Some((command, length)) = parsed else {
                break;
            };
            at += length;
            let name = command.elements().and_then(|words| words.first()?.text());
            match name {
                Some(b"MULTI") => is_open = true,
                Some(b"EXEC") => is_open = false,
                _ => {}
            }
            if !is_open {
                units.count += 1;
                units.whole = at;
            }
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_units_count() {
        let single = encode_command(&["SET", "k", "v"]);
        let multi = [
            encode_command(&["MULTI"]),
            single.clone(),
            single.clone(),
            encode_command(&["EXEC"]),
        ]
        .concat();
        let file = [&single[..], b"#TS:1700000000\r\n", &multi, &single].concat();
        let inner_ends = [single.len(), single.len() + 16, file.len() - single.len()];
        for length in 0..=file.len() {
            let units = Units::scan(&file[..length]).unwrap();
            let ends: Vec<usize> = [&inner_ends[..], &[file.len()]].concat();
            let whole = ends.iter().filter(|&&end| end <= length).max();
            assert_eq!(
                units.whole,
                whole.copied().unwrap_or(0),
                "of {length} bytes"
            );
        }
        assert_eq!(Units::scan(&file).unwrap().count, 3);
        assert!(Units::scan(b"*x\r\n").is_err());
    }

    #[test]
    fn what_is_begun_is_never_whole() {
        let mut rng = Rng::seeded(4);
        for _ in 0..200 {
            let unit = begun(&mut rng);
            assert!(!unit.is_empty());
            assert_eq!(Units::scan(&unit).unwrap(), Units { count: 0, whole: 0 });
        }
    }
}
