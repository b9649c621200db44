//! DEBUG MALLCTL and MALLCTL-STR: the allocator's figures and settings by name.
//!
//! Everything may be read. Written is only what takes a plain number or a word: the
//! allocator believes whoever writes an address or the number of a cache.

use ochre_resp::Reply;
use tikv_jemalloc_ctl::{Access, AsName, Error as Refusal, Name};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

const INVALID: Error = Error::text("ERR Invalid argument");
const NOT_PERMITTED: Error = Error::text("ERR Operation not permitted");
const UNKNOWN: Error = Error::text("ERR No such file or directory");

/// Numbers that may be written; `*` stands for an arena's number.
const WRITABLE: [&str; 11] = [
    "arena.*.dirty_decay_ms",
    "arena.*.muzzy_decay_ms",
    "arena.*.retain_grow_limit",
    "arenas.dirty_decay_ms",
    "arenas.muzzy_decay_ms",
    "background_thread",
    "epoch",
    "max_background_threads",
    "thread.arena",
    "thread.tcache.enabled",
    "stats.mutexes.reset",
];

/// The choices of `arena.*.dss`, each with the end that the allocator wants.
const DSS_CHOICES: [&[u8]; 3] = [b"primary\0", b"secondary\0", b"disabled\0"];

/// A name as the allocator takes it.
fn name(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    if bytes.is_empty() || bytes.contains(&0) || !bytes.is_ascii() {
        return Err(UNKNOWN);
    }
    Ok([bytes, b"\0"].concat())
}

/// The text of an error number, told by the binding's own text, which is all that it
/// gives away.
fn refusal(error: Refusal) -> Error {
    let text = error.to_string();
    for (start, refusal) in [
        ("`newp`", INVALID),
        ("`name`", UNKNOWN),
        ("Attempt", NOT_PERMITTED),
    ] {
        if text.starts_with(start) {
            return refusal;
        }
    }
    Error::owned(format!("ERR {text}"))
}

/// What the first of the attempts gives that has the size which the allocator wants.
fn first_fitting<R>(attempts: [&dyn Fn() -> Result<R, Refusal>; 3]) -> Result<R, Error> {
    for attempt in attempts {
        match attempt().map_err(refusal) {
            Err(error) if error == INVALID => {}
            ended => return ended,
        }
    }
    Err(INVALID)
}

/// A number of any of the sizes that there are.
fn read_number(name: &Name) -> Result<i64, Error> {
    first_fitting([
        &|| Access::<u64>::read(name).map(|value| value as i64),
        &|| Access::<u32>::read(name).map(i64::from),
        &|| Access::<bool>::read(name).map(i64::from),
    ])
}

/// Writes a number, cut to the size that the allocator wants.
fn write_number(name: &Name, value: i64) -> Result<(), Error> {
    first_fitting([
        &|| Access::<u64>::write(name, value as u64),
        &|| Access::<u32>::write(name, value as u32),
        &|| Access::<bool>::write(name, value != 0),
    ])
}

/// Whether a name is one that may be written.
fn is_writable(name: &[u8]) -> bool {
    let matches = |pattern: &str| match pattern.split_once('*') {
        None => name == pattern.as_bytes(),
        Some((start, end)) => name
            .strip_prefix(start.as_bytes())
            .and_then(|rest| rest.strip_suffix(end.as_bytes()))
            .is_some_and(|arena| {
                !arena.is_empty() && arena.len() < 10 && arena.iter().all(u8::is_ascii_digit)
            }),
    };
    WRITABLE.iter().any(|pattern| matches(pattern))
}

pub fn number(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let plain = args.next()?;
    let value = if args.is_empty() {
        None
    } else {
        Some(args.integer()?)
    };
    let terminated = name(plain)?;
    let name = terminated.as_slice().name();
    let old = read_number(name);
    if let Some(value) = value {
        if !is_writable(plain) {
            old?;
            return Err(NOT_PERMITTED);
        }
        write_number(name, value)?;
    }
    match old {
        Ok(old) => out.integer(old),
        // It can only be written.
        Err(error) if value.is_some() && error == NOT_PERMITTED => out.ok(),
        Err(error) => return Err(error),
    }
    Ok(Flow::Done)
}

pub fn text(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let plain = args.next()?;
    let terminated = name(plain)?;
    let name = terminated.as_slice().name();
    if !name.value_type_str() {
        // No text, or nothing: the allocator knows.
        read_number(name)?;
        return Err(INVALID);
    }
    let old: &[u8] = name.read().map_err(refusal)?;
    if plain.ends_with(b".dss")
        && let Ok(value) = args.next()
        && let Some(choice) = DSS_CHOICES
            .iter()
            .find(|choice| choice.strip_suffix(b"\0") == Some(value))
    {
        name.write(*choice).map_err(refusal)?;
    }
    out.bulk(old.strip_suffix(b"\0").unwrap_or(old));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<i64, Error> {
        read_number(name(text.as_bytes())?.as_slice().name())
    }

    #[test]
    fn numbers_of_every_size_are_read() {
        assert!(read("opt.lg_tcache_max").is_ok() || read("opt.tcache_max").is_ok());
        assert!(read("arenas.narenas").unwrap() > 0);
        assert!(matches!(read("opt.tcache"), Ok(0 | 1)));
        assert_eq!(read("nosuch"), Err(UNKNOWN));
        assert_eq!(read("with\0nul"), Err(UNKNOWN));
        assert_eq!(read(""), Err(UNKNOWN));
    }

    #[test]
    fn only_plain_settings_are_written() {
        for name in ["epoch", "arena.0.dirty_decay_ms", "background_thread"] {
            assert!(is_writable(name.as_bytes()), "{name}");
        }
        for name in [
            "arena.0.extent_hooks",
            "arena.x.dirty_decay_ms",
            "arena..dirty_decay_ms",
            "tcache.destroy",
            "experimental.utilization.query",
            "",
        ] {
            assert!(!is_writable(name.as_bytes()), "{name}");
        }
    }
}
