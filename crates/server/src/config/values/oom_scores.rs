//! `oom-score-adj-values`: what the kernel's OOM killer is told, by the process's role.

use super::{Line, Origin, Value, loose_decimal};

/// Scores for a primary, a replica and a background process. A background process is never
/// forked here; its score is kept for the files that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OomScores {
    /// As a primary.
    pub primary: i16,
    /// As a replica.
    pub replica: i16,
    /// As a background child.
    pub background: i16,
}

impl Default for OomScores {
    fn default() -> Self {
        OomScores {
            primary: 0,
            replica: 200,
            background: 800,
        }
    }
}

impl Value for OomScores {
    const FORM: &'static str = "<primary> <replica> <background>, each from -2000 to 2000";

    fn text(&self) -> String {
        format!("{} {} {}", self.primary, self.replica, self.background)
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let &[primary, replica, background] = words else {
            return Err("wrong number of arguments".into());
        };
        let score = |word| {
            loose_decimal(word)
                .filter(|score| (-2000..=2000).contains(score))
                .map(|score| score as i16)
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        };
        *self = OomScores {
            primary: score(primary)?,
            replica: score(replica)?,
            background: score(background)?,
        };
        Ok(())
    }

    fn lines(&self, default: &Self) -> Vec<Line> {
        vec![Line::unless_default(self.text(), self == default)]
    }
}
