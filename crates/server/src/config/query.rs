//! CONFIG GET.
//!
//! A name without glob characters is looked up and answered under the name that was asked for;
//! a pattern shows every directive that is not hidden, under each of Redis's names for it.

use super::directive::Flags;
use super::section::{directives, find};
use super::{Config, glob};

/// The names and values that the patterns match, without duplicates; exact names in the order
/// asked for, those of a pattern in the order of the table. O(patterns × directives).
pub fn get(config: &Config, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut add = |name: &[u8], value: &dyn Fn() -> Vec<u8>| {
        if !found
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            found.push((name.into(), value()));
        }
    };
    for pattern in patterns {
        if !pattern
            .iter()
            .any(|byte| matches!(byte, b'[' | b'*' | b'?'))
        {
            if let Some((_, directive)) = find(pattern) {
                add(pattern, &|| directive.read(config));
            }
            continue;
        }
        for directive in directives().filter(|directive| !directive.flags.has(Flags::HIDDEN)) {
            for name in [Some(directive.name), directive.alias]
                .into_iter()
                .flatten()
            {
                if glob::matches(pattern, name.as_bytes()) {
                    add(name.as_bytes(), &|| directive.read(config));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], expected: &[(&str, &str)]) {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = get(&Config::default(), &patterns);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(name, value)| {
                (
                    std::str::from_utf8(name).unwrap(),
                    std::str::from_utf8(value).unwrap(),
                )
            })
            .collect();
        assert_eq!(found, expected, "{patterns:?}");
    }

    #[test]
    fn exact_names_keep_their_spelling() {
        check(
            &["SAVE", "slaveof", "nothing"],
            &[("SAVE", "3600 1 300 100 60 10000"), ("slaveof", "")],
        );
        check(&["port", "PORT"], &[("port", "6379")]);
    }

    #[test]
    fn patterns_show_both_names_of_an_alias() {
        check(
            &["*REPLICA*read-only", "slave-r?ad-*"],
            &[("replica-read-only", "yes"), ("slave-read-only", "yes")],
        );
        check(&["[bs]ind"], &[("bind", "* -::*")]);
    }

    #[test]
    fn hidden_and_foreign_names_need_to_be_asked_for_exactly() {
        check(&["*watchdog*", "primaryaut?"], &[]);
        check(
            &["watchdog-period", "primaryauth"],
            &[("watchdog-period", "0"), ("primaryauth", "")],
        );
    }
}
