//! Lints over the directive table.

use super::directive::{Effect, Flags, Kind, Unit};
use super::values::Origin;
use super::{Config, all_sections, directives, find};

#[test]
fn names_and_aliases_are_unique_lower_case_and_found() {
    let mut names: Vec<&str> = directives()
        .flat_map(|directive| directive.names())
        .collect();
    for name in &names {
        assert_eq!(*name, name.to_ascii_lowercase());
        let upper = name.to_ascii_uppercase();
        let (found, directive) = find(upper.as_bytes()).expect(name);
        assert_eq!(found, *name);
        assert!(directive.names().any(|other| other == *name));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is declared twice");
}

#[test]
fn sections_are_sorted() {
    for section in all_sections() {
        let names: Vec<&str> = section
            .directives
            .iter()
            .map(|directive| directive.name)
            .collect();
        assert!(names.is_sorted(), "{}: {names:?}", section.title);
    }
}

#[test]
fn summaries_are_sentences() {
    for directive in directives() {
        assert!(
            directive.summary.ends_with('.'),
            "{}: {}",
            directive.name,
            directive.summary
        );
        if let Effect::Inert(reason) | Effect::Refused(reason) = directive.effect {
            assert!(
                !reason.is_empty() && !reason.ends_with('.'),
                "{}",
                directive.name
            );
        }
    }
}

#[test]
fn only_values_with_a_syntax_take_several_words() {
    for directive in directives().filter(|directive| directive.flags.has(Flags::MULTI)) {
        assert!(
            matches!(directive.kind, Kind::Value { .. }),
            "{}",
            directive.name
        );
    }
}

#[test]
fn defaults_read_back_as_themselves() {
    let default = Config::default();
    for directive in directives() {
        let value = directive.read(&default);
        let words: Vec<&[u8]> = match value.as_slice() {
            [] if directive.flags.has(Flags::MULTI) => vec![],
            value if directive.flags.has(Flags::MULTI) => {
                value.split(|byte| *byte == b' ').collect()
            }
            value => vec![value],
        };
        for origin in [Origin::Set, Origin::FirstLine] {
            let mut config = default.clone();
            directive
                .write(&mut config, &words, origin)
                .expect(directive.name);
            assert_eq!(config, default, "{}", directive.name);
        }
    }
}

/// The limits of an integer must fit the type of its field: a value at either end reads back.
#[test]
fn integers_hold_their_limits() {
    for directive in directives() {
        let Kind::Integer { min, max, unit, .. } = directive.kind else {
            continue;
        };
        if matches!(directive.effect, Effect::Refused(_)) {
            continue;
        }
        for value in [min, max] {
            let text = match unit {
                Unit::Octal => format!("{value:o}"),
                _ => value.to_string(),
            };
            let mut config = Config::default();
            directive
                .write(&mut config, &[text.as_bytes()], Origin::Set)
                .expect(directive.name);
            assert_eq!(
                directive.read(&config),
                text.as_bytes(),
                "{}",
                directive.name
            );
        }
        for value in [min - 1, max + 1] {
            let word = match unit {
                Unit::Octal => format!("{value:o}"),
                _ => value.to_string(),
            };
            let error = directive.write(&mut Config::default(), &[word.as_bytes()], Origin::Set);
            assert!(error.is_err(), "{} takes {word}", directive.name);
        }
    }
}

#[test]
fn every_choice_can_be_made_in_any_case() {
    for directive in directives() {
        let Kind::Choice { names, .. } = directive.kind else {
            continue;
        };
        for name in names {
            let mut config = Config::default();
            let word = name.to_ascii_uppercase();
            directive
                .write(&mut config, &[word.as_bytes()], Origin::Set)
                .expect(directive.name);
            let shown = directive.read(&config);
            let synonym = directive.name == "oom-score-adj" && *name == "relative";
            assert_eq!(
                shown,
                if synonym { b"yes" } else { name.as_bytes() },
                "{}",
                directive.name
            );
        }
    }
}

#[test]
fn what_is_refused_names_its_reason() {
    let (_, directive) = find(b"tls-port").unwrap();
    let Effect::Refused(reason) = directive.effect else {
        panic!("tls-port is served?")
    };
    let refused = directive.write(&mut Config::default(), &[b"6380"], Origin::FirstLine);
    assert_eq!(refused, Err(reason.into()));
    assert_eq!(
        directive.write(&mut Config::default(), &[b"0"], Origin::FirstLine),
        Ok(())
    );
}
