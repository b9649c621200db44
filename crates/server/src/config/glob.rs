//! Glob patterns over directive names (without regard to case) and over files to include.
//!
//! How a pattern matches a name is `ochre_structures::glob`'s to say.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use ochre_structures::glob::{self, Case};

/// Whether `text` matches `pattern`, in any case: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a
/// literal.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // The shared rules are Redis's, where a star does not match the empty text.
    pattern == b"*" || glob::matches(pattern, text, Case::Insensitive)
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
            (name[0] != b'.' || pattern[0] == b'.') && glob::matches(pattern, name, Case::Sensitive)
        })
        .collect()
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
