//! The command line: `ochre [CONF] [--directive value ...] [-]`.
//!
//! Options become lines of configuration that are read after the file and the standard input, so
//! the last word is theirs. What follows an option up to the next one is its value, however many
//! arguments it takes; an option's first argument is its value even when it begins with `--`.
//!
//! Not here: reading the file (`load`), and doing what `--version` and its like ask for.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::REDIS_VERSION;
use super::words::{quoted, split};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run the server.
    Serve(Sources),
    /// Print [`version_text`] and exit with 0.
    Version,
    /// Print [`usage_text`] to the standard error and exit with 1, as redis-server does.
    Help,
    /// Test so many megabytes of memory.
    TestMemory {
        /// How many.
        megabytes: usize,
    },
    /// Look for system settings that harm, and exit.
    CheckSystem,
    /// Check files: the arguments that follow `check`.
    CheckFiles(Vec<OsString>),
    /// Print the text to the standard error and exit with 1.
    Wrong(String),
}

/// Where the configuration comes from, in the order in which it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Whether the standard input is read.
    pub stdin: Stdin,
    /// The options, as lines.
    pub options: Vec<u8>,
}

/// Whether the standard input is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// It is left alone.
    #[default]
    Unread,
    /// It holds configuration lines.
    Read,
}

/// Reads the arguments that follow the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Invocation {
    let arguments: Vec<Vec<u8>> = arguments.into_iter().map(OsString::into_vec).collect();
    match arguments.first().map(Vec::as_slice) {
        Some(b"-v" | b"--version") => Invocation::Version,
        Some(b"-h" | b"--help") => Invocation::Help,
        Some(b"--check-system") => Invocation::CheckSystem,
        Some(b"--test-memory") => memory_test(&arguments),
        Some(b"check") => {
            let rest = arguments.into_iter().skip(1);
            Invocation::CheckFiles(rest.map(OsString::from_vec).collect())
        }
        _ => Invocation::Serve(sources(&arguments)),
    }
}

fn memory_test(arguments: &[Vec<u8>]) -> Invocation {
    let megabytes = match arguments {
        [_, megabytes] => std::str::from_utf8(megabytes)
            .ok()
            .and_then(|text| text.parse().ok()),
        _ => None,
    };
    match megabytes {
        Some(megabytes) if megabytes > 0 => Invocation::TestMemory { megabytes },
        _ => Invocation::Wrong(
            "Please specify the amount of memory to test in megabytes.\n\
             Example: ochre --test-memory 4096\n"
                .into(),
        ),
    }
}

/// Whether the next argument is the value of the option before it, whatever it looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Value,
    Anything,
}

fn sources(arguments: &[Vec<u8>]) -> Sources {
    let mut sources = Sources::default();
    let mut rest = arguments;
    if let [first, others @ ..] = arguments
        && !first.starts_with(b"-")
    {
        sources.file = Some(PathBuf::from(OsString::from_vec(first.clone())));
        rest = others;
    }
    let options = &mut sources.options;
    let mut awaits = Awaits::Anything;
    for (index, argument) in rest.iter().enumerate() {
        let next = rest.get(index + 1);
        let outermost = next.is_none() || (index == 0 && rest.len() == arguments.len());
        if argument == b"-" && outermost {
            sources.stdin = Stdin::Read;
            continue;
        }
        let Some(option) = argument
            .strip_prefix(b"--")
            .filter(|_| awaits == Awaits::Anything)
        else {
            options.extend_from_slice(quoted(argument).as_bytes());
            options.push(b' ');
            awaits = Awaits::Anything;
            continue;
        };
        if !options.is_empty() {
            options.push(b'\n');
        }
        options.extend_from_slice(option);
        options.push(b' ');
        // `--port 6380` may also come as one argument.
        let alone = split(argument).is_none_or(|words| words.len() == 1);
        let followed_by_option = next.is_none_or(|next| next.starts_with(b"--"));
        awaits = if !alone {
            Awaits::Anything
        } else if option.eq_ignore_ascii_case(b"save") && followed_by_option {
            // `--save` without a value turns snapshots off.
            options.extend_from_slice(b"\"\"");
            Awaits::Anything
        } else if option.eq_ignore_ascii_case(b"sentinel") && followed_by_option {
            Awaits::Anything
        } else {
            Awaits::Value
        };
    }
    sources
}

/// The line that `--version` prints. `v=` is the Redis version that clients may expect: tools
/// read it there.
pub fn version_text() -> String {
    format!(
        "Ochre server v={REDIS_VERSION} ochre={} malloc=jemalloc bits={}",
        env!("CARGO_PKG_VERSION"),
        usize::BITS
    )
}

/// What `--help` prints.
pub fn usage_text() -> &'static str {
    "\
Usage: ochre [CONFIGURATION FILE] [--directive value ...] [-]
       ochre check FILE|DIR [--fix] [--yes] [--truncate-to-timestamp SECONDS]

  CONFIGURATION FILE     a redis.conf or ochre.conf
  --directive value ...  a directive as in the file; it overrules the file
  -                      reads further directives from the standard input

  -v, --version          prints the version
  -h, --help             prints this text
  --test-memory <MB>     tests so many megabytes of memory
  --check-system         looks for system settings that harm

Examples:
  ochre                  runs with the defaults
  ochre /etc/ochre.conf --port 7777 --loglevel verbose
  ochre --port 7777 --replicaof 127.0.0.1 8888
  ochre --save '' --appendonly yes
  echo 'maxmemory 128mb' | ochre -
  ochre check appendonlydir
"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], file: Option<&str>, stdin: Stdin, options: &str) {
        let invocation = parse(arguments.iter().map(OsString::from));
        let expected = Sources {
            file: file.map(PathBuf::from),
            stdin,
            options: options.into(),
        };
        assert_eq!(invocation, Invocation::Serve(expected), "{arguments:?}");
    }

    #[test]
    fn options_become_lines() {
        check(&[], None, Stdin::Unread, "");
        check(&["a.conf"], Some("a.conf"), Stdin::Unread, "");
        check(
            &["--port", "1", "--bind", "::1", "*"],
            None,
            Stdin::Unread,
            "port \"1\" \nbind \"::1\" \"*\" ",
        );
        check(
            &["a.conf", "--hz 20", "--port", "1"],
            Some("a.conf"),
            Stdin::Unread,
            "hz 20 \nport \"1\" ",
        );
        check(
            &["--requirepass", "--secret", "--hz", "1"],
            None,
            Stdin::Unread,
            "requirepass \"--secret\" \nhz \"1\" ",
        );
        check(
            &["--port", "1", "stray"],
            None,
            Stdin::Unread,
            "port \"1\" \"stray\" ",
        );
    }

    #[test]
    fn check_is_no_configuration_file() {
        let arguments = ["check", "--fix", "a"].map(OsString::from);
        let expected = Invocation::CheckFiles(arguments[1..].to_vec());
        assert_eq!(parse(arguments), expected);
        check(&["./check"], Some("./check"), Stdin::Unread, "");
    }

    #[test]
    fn save_without_value_is_an_empty_one() {
        check(
            &["--save", "--port", "1"],
            None,
            Stdin::Unread,
            "save \"\"\nport \"1\" ",
        );
        check(&["--save"], None, Stdin::Unread, "save \"\"");
        check(&["--save", ""], None, Stdin::Unread, "save \"\" ");
        check(&["--save", "1 2"], None, Stdin::Unread, "save \"1 2\" ");
    }

    #[test]
    fn a_dash_reads_the_standard_input_first_or_last() {
        check(&["-"], None, Stdin::Read, "");
        check(&["-", "--port", "1"], None, Stdin::Read, "port \"1\" ");
        check(
            &["a.conf", "--port", "1", "-"],
            Some("a.conf"),
            Stdin::Read,
            "port \"1\" ",
        );
        check(
            &["--port", "-", "1"],
            None,
            Stdin::Unread,
            "port \"-\" \"1\" ",
        );
    }

    #[test]
    fn special_options_count_only_as_the_first() {
        let of = |arguments: &[&str]| parse(arguments.iter().map(OsString::from));
        assert_eq!(of(&["-v", "--port", "1"]), Invocation::Version);
        assert_eq!(of(&["--help"]), Invocation::Help);
        assert_eq!(of(&["--check-system"]), Invocation::CheckSystem);
        assert_eq!(
            of(&["--test-memory", "12"]),
            Invocation::TestMemory { megabytes: 12 }
        );
        assert!(matches!(of(&["--test-memory"]), Invocation::Wrong(_)));
        assert!(matches!(
            of(&["--port", "1", "--version"]),
            Invocation::Serve(_)
        ));
    }
}
