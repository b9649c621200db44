//! Glob patterns over directive names (without regard to case) and over files to include.
//!
//! The one place in this module that knows how patterns match.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Whether the case of letters counts.
#[derive(Clone, Copy)]
enum Case {
    Counts,
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Case::Counts => byte,
            Case::Ignored => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether `text` matches `pattern`, in any case: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a
/// literal. At most O(pattern × text): a `*` is retried from the last one only.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    wildcard(pattern, text, Case::Ignored)
}

/// The existing paths that an absolute pattern matches, part by part, sorted. Hidden names match
/// only patterns that begin with a dot.
pub(super) fn files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.components() {
        let part = match component {
            Component::Normal(part) => part,
            Component::ParentDir => OsStr::new(".."),
            _ => continue,
        };
        let is_pattern = part
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let mut next = Vec::new();
        for folder in found {
            if is_pattern {
                next.extend(
                    names(&folder, part.as_bytes())
                        .into_iter()
                        .map(|name| folder.join(name)),
                );
            } else if folder.join(part).exists() {
                next.push(folder.join(part));
            }
        }
        found = next;
    }
    found.sort();
    found
}

/// The names in a folder that match; none when it cannot be read.
fn names(folder: &Path, pattern: &[u8]) -> Vec<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter(|name| {
            let name = name.as_bytes();
            (name[0] != b'.' || pattern[0] == b'.') && wildcard(pattern, name, Case::Counts)
        })
        .collect()
}

fn wildcard(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on after a mismatch: behind the last `*`, which then takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, seen));
            continue;
        }
        let step = match text.get(seen) {
            None if at == pattern.len() => return true,
            None => return false,
            Some(byte) => one(&pattern[at..], case.fold(*byte), case),
        };
        if let Some(length) = step {
            at += length;
            seen += 1;
        } else if let Some((star, start)) = retry {
            retry = Some((star, start + 1));
            (at, seen) = (star, start + 1);
        } else {
            return false;
        }
    }
}

/// How much of the pattern matches one (folded) byte.
fn one(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => in_class(class, byte, case).map(|length| length + 1),
        [b'\\', literal, ..] => (case.fold(*literal) == byte).then_some(2),
        [literal, ..] => (case.fold(*literal) == byte).then_some(1),
    }
}

/// Matches what follows a `[`; a class that is never closed reaches to the end of the pattern.
fn in_class(class: &[u8], byte: u8, case: Case) -> Option<usize> {
    let inverted = class.first() == Some(&b'^');
    let mut at = usize::from(inverted);
    let mut inside = false;
    loop {
        match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                inside |= case.fold(*literal) == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                let (from, to) = (case.fold(*from), case.fold(*to));
                inside |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                inside |= case.fold(*literal) == byte;
                at += 1;
            }
        }
    }
    (inside != inverted).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxxbc", false),
            ("h?llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[a-e]llo", "HELLO", true),
            ("h[e-a]llo", "hello", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("a[b", "ab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern: Vec<u8>, text: Vec<u8>) {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn stars_bridge_anything(head in "[a-z-]{0,9}", middle in "[a-z-]{0,9}", tail in "[a-z-]{0,9}") {
            let text = format!("{head}{middle}{tail}");
            let pattern = format!("{head}*{tail}");
            prop_assert!(matches(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
