//! The text of `ochre.conf`: every directive with its default, commented out, so that the file
//! as it stands changes nothing.
//!
//! Invariant: uncommented, every line loads and gives the default (a test does just that).

use super::Config;
use super::directive::{Directive, Effect, Flags, Kind, Unit};
use super::numbers::with_largest_unit;
use super::section::sections;

/// Width of the comments.
const WIDTH: usize = 96;

const HEAD: &str = "\
# ochre.conf: every directive of Ochre, with its default.
#
# Start the server with it by `ochre /path/to/ochre.conf`. A redis.conf works as well: the
# vocabulary is that of Redis 7.2, under old names and new ones.
#
# Every directive is commented out and shows its default: remove the `#` before a directive to
# change it. Explanations begin with `##`.
#
#   name value ...           values with spaces go into \"double\" or 'single' quotes
#   include /path/to/file    reads another file here; wildcards are allowed
#   rename-command OLD NEW   gives a command another name; \"\" takes it away
#   user NAME RULES ...      defines an ACL user
#
# Sizes take units: 1k is 1000 bytes, 1kb 1024, 1m 1000000, 1mb 1048576, 1g and 1gb likewise.
# The command line overrules the file: `ochre ochre.conf --port 7777`.
";

/// The whole file.
pub fn text() -> String {
    let mut text = String::from(HEAD);
    for section in sections() {
        let rule = "#".repeat(WIDTH.saturating_sub(section.title.len() + 8));
        text.push_str(&format!("\n##### {} {rule}\n", section.title));
        for directive in section.directives {
            text.push('\n');
            for line in wrapped(&explanation(directive)) {
                text.push_str(&format!("## {line}\n"));
            }
            for line in default_lines(directive) {
                text.push_str(&format!("# {line}\n"));
            }
        }
    }
    text
}

/// What the directive is for, what it takes, and what is peculiar about it.
fn explanation(directive: &Directive) -> String {
    let mut text = String::from(directive.summary);
    if let Some(form) = form(&directive.kind) {
        text.push_str(&format!(" Takes {form}."));
    }
    let others: Vec<&str> = directive.names().skip(1).collect();
    if !others.is_empty() {
        text.push_str(&format!(" Also named {}.", others.join(", ")));
    }
    match directive.effect {
        Effect::Live => {}
        Effect::AtStart if directive.flags.has(Flags::IMMUTABLE) => {
            text.push_str(" Only at start.");
        }
        Effect::AtStart => text.push_str(" Has its effect at the next start."),
        Effect::Inert(reason) => text.push_str(&format!(" Has no effect: {reason}.")),
        Effect::Refused(reason) => {
            text.push_str(&format!(" Only the default is accepted: {reason}."))
        }
    }
    text
}

/// What values it takes, where that is not plain from the default.
fn form(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::YesNo(_) | Kind::Text { .. } | Kind::Secret(_) => return None,
        Kind::MemoryShare(_) => "bytes or a percentage".into(),
        Kind::Integer {
            min,
            max,
            unit: Unit::Octal,
            ..
        } => format!("{min:o} to {max:o}"),
        Kind::Integer { min, max, unit, .. } if *max >= i128::from(i32::MAX) => {
            let least = if *unit == Unit::Bytes {
                with_largest_unit(*min)
            } else {
                min.to_string()
            };
            match *min {
                0 if *unit == Unit::Bytes => "bytes".into(),
                0 => return None,
                min if min <= i128::from(i32::MIN) => "any number".into(),
                _ => format!("{least} and more"),
            }
        }
        Kind::Integer { min, max, .. } => format!("{min} to {max}"),
        Kind::Choice { names, .. } => format!("one of {}", names.join(", ")),
        Kind::Value { form, .. } => (*form).into(),
    })
}

/// The lines that spell the default. What depends on the machine is shown as an example.
fn default_lines(directive: &Directive) -> Vec<String> {
    match directive.name {
        "dir" => return vec!["dir ./".into()],
        "io-threads" => return vec!["io-threads 4".into()],
        _ => {}
    }
    let default = Config::default();
    let lines = directive.lines(&default, &default);
    if lines.is_empty() {
        return vec![match directive.name {
            "replicaof" => "replicaof no one".into(),
            "bind" => format!(
                "bind {}",
                String::from_utf8_lossy(&directive.read(&default))
            ),
            name => format!("{name} \"\""),
        }];
    }
    lines.into_iter().map(|line| line.text).collect()
}

/// Breaks a text into lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() + 3 <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::command_line::{Sources, Stdin};
    use super::super::load::load;
    use super::*;
    use std::path::Path;

    fn path() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ochre.conf")
    }

    /// `OCHRE_REGENERATE=1 cargo test -p ochre-server reference` writes the file anew.
    #[test]
    fn ochre_conf_is_what_the_table_says() {
        if std::env::var_os("OCHRE_REGENERATE").is_some() {
            std::fs::write(path(), text()).unwrap();
        }
        let file = std::fs::read_to_string(path()).unwrap_or_default();
        assert!(
            file == text(),
            "ochre.conf is not in step with the directive table: \
             OCHRE_REGENERATE=1 cargo test -p ochre-server reference"
        );
    }

    #[test]
    fn uncommented_it_gives_the_defaults() {
        let active: Vec<String> = text()
            .split_once("\n#####")
            .unwrap()
            .1
            .lines()
            .filter(|line| !line.starts_with("##"))
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| !line.starts_with("io-threads "))
            .map(String::from)
            .collect();
        let count = super::super::directives().count();
        assert!(
            active.len() >= count - 1,
            "{} lines, {count} directives",
            active.len()
        );
        let sources = Sources {
            file: None,
            stdin: Stdin::Unread,
            options: active.join("\n").into(),
        };
        let startup = load(&sources, std::io::empty()).unwrap_or_else(|error| panic!("{error}"));
        let default = Config::default();
        for directive in super::super::directives() {
            assert!(
                directive.same_in(&startup.config, &default),
                "{}",
                directive.name
            );
        }
    }
}
