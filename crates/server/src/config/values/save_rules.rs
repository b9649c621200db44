//! `save`: after how many changes in how many seconds a snapshot is taken.

use super::{Absent, Line, Origin, Value, loose_decimal, without_lone_empty};

/// One rule: at least `changes` within `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveRule {
    /// Length of the period.
    pub seconds: u64,
    /// Changes in it that call for a snapshot.
    pub changes: u64,
}

/// The rules; none means no automatic snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveRules(pub Vec<SaveRule>);

impl Default for SaveRules {
    fn default() -> Self {
        SaveRules(vec![
            SaveRule {
                seconds: 3600,
                changes: 1,
            },
            SaveRule {
                seconds: 300,
                changes: 100,
            },
            SaveRule {
                seconds: 60,
                changes: 10_000,
            },
        ])
    }
}

impl Value for SaveRules {
    const FORM: &'static str = "<seconds> <changes> [<seconds> <changes> ...], or \"\" for never";

    fn text(&self) -> String {
        let rule = |rule: &SaveRule| format!("{} {}", rule.seconds, rule.changes);
        self.0.iter().map(rule).collect::<Vec<_>>().join(" ")
    }

    /// CONFIG SET replaces the rules; the first line of a file replaces the defaults, further
    /// lines add to it, and an empty one forgets those before it.
    fn assign(&mut self, words: &[&[u8]], origin: Origin) -> Result<(), String> {
        const INVALID: &str = "Invalid save parameters";
        // A line may also hold all its rules in one quoted word.
        let inner: Vec<&[u8]>;
        let words = match (origin, without_lone_empty(words)) {
            (Origin::FirstLine | Origin::LaterLine, &[word]) => {
                inner = word.split(|byte| *byte == b' ').collect();
                inner.as_slice()
            }
            (_, words) => words,
        };
        if !words.len().is_multiple_of(2) {
            return Err(INVALID.into());
        }
        let mut rules = Vec::with_capacity(words.len() / 2);
        for pair in words.chunks_exact(2) {
            let seconds = loose_decimal(pair[0])
                .filter(|seconds| *seconds >= 1)
                .ok_or(INVALID)?;
            let changes = loose_decimal(pair[1])
                .filter(|changes| *changes >= 0)
                .ok_or(INVALID)?;
            rules.push(SaveRule {
                seconds: seconds as u64,
                changes: changes as u64,
            });
        }
        if words.is_empty() || origin != Origin::LaterLine {
            self.0.clear();
        }
        self.0.append(&mut rules);
        Ok(())
    }

    /// Always written, as Redis does: a file with no `save` line would mean the defaults.
    fn lines(&self, _default: &Self) -> Vec<Line> {
        let line = |text| Line {
            text,
            absent: Absent::Append,
        };
        if self.0.is_empty() {
            return vec![line("\"\"".into())];
        }
        self.0
            .iter()
            .map(|rule| line(format!("{} {}", rule.seconds, rule.changes)))
            .collect()
    }
}
