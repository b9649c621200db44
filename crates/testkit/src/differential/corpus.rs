//! The hand-picked cases: the files under `corpus/`, embedded, each run through one
//! check. To add a case, paste it into the file of its subject; to add a file, name it
//! here.

use super::DifferentialError;
use super::exclusions::exclusion;
use super::step::{Action, Case, parse_cases};

/// A file of cases.
#[derive(Debug)]
pub struct Corpus {
    /// Its name without `.cases`.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! corpora {
    ($($name:literal),* $(,)?) => {
        /// Every corpus.
        pub const CORPORA: &[Corpus] =
            &[$(Corpus { name: $name, text: include_str!(concat!("../../corpus/", $name, ".cases")) }),*];
    };
}

corpora![
    "basics",
    "strings",
    "keys",
    "collections",
    "streams",
    "blocking",
    "pubsub",
    "scripts",
    "server"
];

/// The corpus with this name.
pub fn corpus(name: &str) -> Option<&'static Corpus> {
    CORPORA.iter().find(|corpus| corpus.name == name)
}

impl Corpus {
    /// Its cases, checked against what a reference of version `reference` can judge.
    ///
    /// # Errors
    /// [`DifferentialError::Corpus`] for a line that makes no sense and for a command that
    /// the reference is too old for.
    pub fn cases(&self, reference: (u32, u32)) -> Result<Vec<Case>, DifferentialError> {
        let fail = |what: String| DifferentialError::Corpus {
            corpus: self.name.to_string(),
            what,
        };
        let cases = parse_cases(self.text).map_err(|error| fail(error.to_string()))?;
        for case in &cases {
            for step in &case.steps {
                if let Action::Do(args) | Action::Start(args) = &step.action
                    && let Some(excluded) = exclusion(args, reference)
                {
                    return Err(fail(format!("{}: {step}: {}", case.name, excluded.reason)));
                }
            }
        }
        Ok(cases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_corpus_is_readable_and_judgeable() {
        for corpus in CORPORA {
            let cases = corpus
                .cases((7, 0))
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(!cases.is_empty(), "{}", corpus.name);
            for case in cases {
                assert!(!case.steps.is_empty(), "{}: {}", corpus.name, case.name);
            }
        }
    }
}
