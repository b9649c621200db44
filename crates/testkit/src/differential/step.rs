//! Steps, sequences, and the text in which both are written down.
//!
//! The text is what a failure prints and what the files under `corpus/` hold, so a
//! shrunk failure becomes a regression test by pasting it:
//!
//! ```text
//! case lpush-wakes-first-waiter       a name; then its steps
//! resp 3                              optional: only in this protocol (else in both)
//! 1> SET key "a\x00b"                 connection 1: send, await and compare the reply
//! 1& BLPOP list 0                     send; do not await, but wait until it is blocked
//! 1<                                  await one frame (a reply or a push); `1< 3` three
//! 2= "PING\r" | "\n"                  send these bytes, in these pieces; compare all that comes
//! 2!                                  close the connection; the next use opens a new one
//! ~ 50                                sleep 50 ms
//! # a comment
//! ```
//! Arguments follow redis-cli: bare when plain, else in double quotes with `\xHH`,
//! `\r`, `\n`, `\t`, `\\` and `\"`. A number and `*` before a quoted or bare word
//! repeats it: `@600*x` is six hundred `x`.

use std::fmt;

use crate::resp::Protocol;

/// A command: its name and arguments.
pub type Command = Vec<Vec<u8>>;

/// What is done on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a command and compare its reply.
    Do(Command),
    /// Send a command whose reply comes later.
    Start(Command),
    /// Compare the next frames, replies or pushes.
    Await {
        /// How many.
        frames: usize,
    },
    /// Send bytes in pieces and compare everything that comes back.
    Raw(Vec<Vec<u8>>),
    /// Close the connection, so that its next use opens a new one.
    Reconnect,
    /// Wait, on both servers at once.
    Sleep {
        /// For how long.
        duration_ms: u64,
    },
}

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which connection; opened at its first use.
    pub connection: u8,
    /// What is done.
    pub action: Action,
}

impl Step {
    /// Sends a command on connection 1 and compares its reply.
    pub fn command(args: Command) -> Self {
        Step {
            connection: 1,
            action: Action::Do(args),
        }
    }

    /// Sends a command on some connection and compares its reply.
    pub fn on(connection: u8, args: Command) -> Self {
        Step {
            connection,
            action: Action::Do(args),
        }
    }

    /// Waits.
    pub fn sleep(duration_ms: u64) -> Self {
        Step {
            connection: 0,
            action: Action::Sleep { duration_ms },
        }
    }
}

/// A named sequence, for one protocol or for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name, unique within its corpus.
    pub name: String,
    /// The only protocol it makes sense in, if it is so.
    pub protocol: Option<Protocol>,
    /// What is done.
    pub steps: Vec<Step>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.connection;
        match &self.action {
            Action::Do(args) => write!(f, "{connection}> {}", words(args)),
            Action::Start(args) => write!(f, "{connection}& {}", words(args)),
            Action::Await { frames: 1 } => write!(f, "{connection}<"),
            Action::Await { frames } => write!(f, "{connection}< {frames}"),
            Action::Raw(pieces) => {
                let pieces: Vec<String> = pieces.iter().map(|piece| quoted(piece)).collect();
                write!(f, "{connection}= {}", pieces.join(" | "))
            }
            Action::Reconnect => write!(f, "{connection}!"),
            Action::Sleep { duration_ms } => write!(f, "~ {duration_ms}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}", self.name)?;
        match self.protocol {
            Some(Protocol::Resp2) => writeln!(f, "resp 2")?,
            Some(Protocol::Resp3) => writeln!(f, "resp 3")?,
            None => {}
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// A command as the text form writes it.
pub fn words(args: &[Vec<u8>]) -> String {
    args.iter()
        .map(|arg| word(arg))
        .collect::<Vec<_>>()
        .join(" ")
}

fn word(arg: &[u8]) -> String {
    if let Some((&first, rest)) = arg.split_first()
        && rest.len() >= 40
        && rest.iter().all(|&byte| byte == first)
    {
        return format!("@{}*{}", arg.len(), word(&arg[..1]));
    }
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\'".contains(byte);
    if !arg.is_empty() && arg.iter().all(plain) && !b"#@".contains(&arg[0]) && arg != b"|" {
        String::from_utf8_lossy(arg).into_owned()
    } else {
        quoted(arg)
    }
}

fn quoted(arg: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in arg {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// A line of a corpus that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CaseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Reads the cases of a corpus.
///
/// # Errors
/// [`CaseError`] at the first line that makes no sense.
pub fn parse_cases(text: &str) -> Result<Vec<Case>, CaseError> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fail = |what: String| CaseError {
            line: index + 1,
            what,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("case ") {
            let name = name.trim().to_string();
            if cases.iter().any(|case| case.name == name) {
                return Err(fail(format!("a second case named {name}")));
            }
            cases.push(Case {
                name,
                protocol: None,
                steps: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            return Err(fail("a step before the first case".into()));
        };
        match line {
            "resp 2" => case.protocol = Some(Protocol::Resp2),
            "resp 3" => case.protocol = Some(Protocol::Resp3),
            _ => case.steps.push(parse_step(line).map_err(fail)?),
        }
    }
    Ok(cases)
}

fn parse_step(line: &str) -> Result<Step, String> {
    if let Some(duration) = line.strip_prefix('~') {
        let duration_ms = duration
            .trim()
            .parse()
            .map_err(|_| "~ needs milliseconds".to_string())?;
        return Ok(Step::sleep(duration_ms));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let connection = line[..digits]
        .parse()
        .map_err(|_| "a step begins with its connection".to_string())?;
    let mut rest = line[digits..].chars();
    let mark = rest.next();
    let rest = rest.as_str().trim();
    let command = || match parse_words(rest)? {
        args if args.is_empty() => Err("a command is missing".to_string()),
        args => Ok(args),
    };
    let action = match mark {
        Some('>') => Action::Do(command()?),
        Some('&') => Action::Start(command()?),
        Some('<') if rest.is_empty() => Action::Await { frames: 1 },
        Some('<') => Action::Await {
            frames: rest.parse().map_err(|_| "< takes a number".to_string())?,
        },
        Some('=') => Action::Raw(
            parse_words(rest)?
                .into_iter()
                .filter(|piece| piece != b"|")
                .collect(),
        ),
        Some('!') => Action::Reconnect,
        _ => return Err("after the connection comes one of > & < = !".into()),
    };
    Ok(Step { connection, action })
}

/// Splits a line into arguments.
///
/// # Errors
/// A sentence about what is wrong.
pub fn parse_words(line: &str) -> Result<Command, String> {
    let mut args = Vec::new();
    let mut rest = line.as_bytes();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(args);
        }
        let mut times = 1;
        if let Some(repeated) = rest.strip_prefix(b"@") {
            let digits = repeated
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let count = std::str::from_utf8(&repeated[..digits])
                .ok()
                .and_then(|text| text.parse().ok());
            match (count, repeated.get(digits)) {
                (Some(count), Some(b'*')) => times = count,
                _ => return Err("@ is followed by COUNT*WORD".into()),
            }
            rest = &repeated[digits + 1..];
        }
        let (arg, length) = if rest.first() == Some(&b'"') {
            unquote(rest)?
        } else {
            let length = rest
                .iter()
                .position(u8::is_ascii_whitespace)
                .unwrap_or(rest.len());
            (rest[..length].to_vec(), length)
        };
        args.push(arg.repeat(times));
        rest = &rest[length..];
    }
}

/// The bytes of the quoted string at the start of `text`, and its length there.
fn unquote(text: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        match text.get(at) {
            None => return Err("a quote is not closed".into()),
            Some(b'"') => return Ok((bytes, at + 1)),
            Some(b'\\') => {
                at += 1;
                match text.get(at) {
                    Some(b'x') => {
                        let hex = text
                            .get(at + 1..at + 3)
                            .and_then(|hex| std::str::from_utf8(hex).ok());
                        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                            Some(byte) => bytes.push(byte),
                            None => return Err("\\x is followed by two hexadecimal digits".into()),
                        }
                        at += 2;
                    }
                    Some(b'r') => bytes.push(b'\r'),
                    Some(b'n') => bytes.push(b'\n'),
                    Some(b't') => bytes.push(b'\t'),
                    Some(&other) => bytes.push(other),
                    None => return Err("a quote is not closed".into()),
                }
            }
            Some(&byte) => bytes.push(byte),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_case_is_read_as_drawn() {
        let text = "case a\nresp 3\n1> SET k \"a\\x00 \\\"b\"\n2& BLPOP l 0\n2< 2\n# c\n1= \"PI\" | \"NG\\r\\n\"\n3!\n~ 5\n1> GET @3*ab\n";
        let cases = parse_cases(text).expect("valid");
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].protocol, Some(Protocol::Resp3));
        assert_eq!(
            cases[0].steps[0].action,
            Action::Do(vec![b"SET".to_vec(), b"k".to_vec(), b"a\0 \"b".to_vec()])
        );
        assert_eq!(
            cases[0].steps[3].action,
            Action::Raw(vec![b"PI".to_vec(), b"NG\r\n".to_vec()])
        );
        assert_eq!(
            cases[0].steps[6].action,
            Action::Do(vec![b"GET".to_vec(), b"ababab".to_vec()])
        );
        assert_eq!(parse_cases(&cases[0].to_string()), Ok(cases));
    }

    #[test]
    fn bad_lines_are_named() {
        for (text, line) in [
            ("1> GET k", 1),
            ("case a\nGET k", 2),
            ("case a\n\n1> \"x", 3),
            ("case a\n1< x", 2),
            ("case a\n1>", 2),
        ] {
            assert_eq!(parse_cases(text).expect_err(text).line, line);
        }
    }

    proptest! {
        #[test]
        fn every_command_survives_the_text(args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 1..6)) {
            prop_assert_eq!(parse_words(&words(&args)), Ok(args));
        }
    }
}
