//! Values with a syntax of their own: lists, flag strings, addresses, folders.
//!
//! Invariant: [`Value::assign`] of the words of [`Value::text`] gives back the same value.

mod addresses;
mod buffer_limits;
mod directory;
mod keyspace_events;
mod oom_scores;
mod percentiles;
mod save_rules;
mod shutdown_options;
mod stripe_count;

pub use addresses::{BindAddresses, PrimaryAddress};
pub use buffer_limits::{BufferLimit, ClientClass, OutputBufferLimits};
pub use directory::Directory;
pub(in crate::config) use directory::reason;
pub use keyspace_events::KeyspaceEvents;
pub use oom_scores::OomScores;
pub use percentiles::Percentiles;
pub use save_rules::{SaveRule, SaveRules};
pub use shutdown_options::ShutdownOptions;
pub use stripe_count::StripeCount;

/// Where a value comes from: lines of a file may accumulate where CONFIG SET replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// CONFIG SET.
    Set,
    /// The first line of the start-up configuration that names the directive.
    FirstLine,
    /// A further such line.
    LaterLine,
}

/// A line for CONFIG REWRITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, or, from [`Value::lines`], what follows the directive's name.
    pub text: String,
    /// What to do where the old file has no line for it.
    pub absent: Absent,
}

/// What CONFIG REWRITE does with a line that the old file has no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Append it.
    Append,
    /// Leave it out: it is the default.
    LeaveOut,
}

impl Line {
    /// A line that is appended unless it says what the default says.
    pub fn unless_default(text: String, is_default: bool) -> Line {
        let absent = if is_default {
            Absent::LeaveOut
        } else {
            Absent::Append
        };
        Line { text, absent }
    }
}

/// A directive's value that reads and writes itself.
pub trait Value: PartialEq + Sized {
    /// Its syntax, in the manner of a usage line.
    const FORM: &'static str;

    /// The normal form.
    fn text(&self) -> String;

    /// Takes the words of a line.
    ///
    /// # Errors
    /// Redis's text for what is wrong with them.
    fn assign(&mut self, words: &[&[u8]], origin: Origin) -> Result<(), String>;

    /// The lines for CONFIG REWRITE, without the directive's name.
    fn lines(&self, default: &Self) -> Vec<Line> {
        vec![Line::unless_default(self.text(), self == default)]
    }
}

/// A lone empty word is no words at all: how a list is emptied.
fn without_lone_empty<'a, 'b>(words: &'a [&'b [u8]]) -> &'a [&'b [u8]] {
    match words {
        [b""] => &[],
        words => words,
    }
}

/// Words as UTF-8.
fn texts(words: &[&[u8]]) -> Result<Vec<String>, String> {
    let text = |word: &&[u8]| String::from_utf8(word.to_vec());
    words
        .iter()
        .map(text)
        .collect::<Result<_, _>>()
        .map_err(|_| "argument must be valid UTF-8".into())
}

/// A decimal with any leading zeros or plus sign, as C's strtoll reads it when it reads all.
fn loose_decimal(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.trim_start().parse().ok()
}
