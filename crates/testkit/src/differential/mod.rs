//! The differential tester: one sequence of steps on a reference server and on the
//! server under test, every reply compared, and all data at the end.
//!
//! ```text
//! step        steps, cases, and their text
//! pair        two servers; runs sequences, cases, families
//! side        one of the two
//! compare     do two replies agree?        rules       the tables that say what may differ
//! random      are random choices members?  exclusions  what the reference is too old for
//! state       is all data the same?
//! shrink      a failing sequence made small
//! corpus      the hand-picked cases under corpus/
//! ```

mod compare;
mod corpus;
mod exclusions;
mod pair;
mod random;
mod rules;
mod run;
mod shrink;
mod side;
mod state;
mod step;

use std::fmt;

pub use compare::{compare_frames, compare_replies};
pub use corpus::{CORPORA, Corpus, corpus};
pub use exclusions::{EXCLUSIONS, Exclusion, exclusion};
pub use pair::{Pair, Summary, run_family};
pub use rules::{ENCODING_CHANGES, ERROR_CHANGES, RULES, Rule, rule_for};
pub use side::Endpoint;
pub use step::{Action, Case, CaseError, Command, Step, parse_cases, parse_words, words};

use crate::resp::{Protocol, WireError};
use crate::servers::ServerError;

/// Where two servers disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The step, counted from 0; `None` when it shows in the data at the end.
    pub step: Option<usize>,
    /// The step or the question, in the text form.
    pub what: String,
    /// What the reference answered.
    pub oracle: String,
    /// What the subject answered.
    pub subject: String,
    /// Why these do not agree.
    pub why: String,
}

impl Mismatch {
    /// What kind of failure it is, so that shrinking keeps to one: the command, or the
    /// question about the state.
    pub(crate) fn signature(&self) -> String {
        let words: Vec<&str> = self.what.split_whitespace().collect();
        match self.step {
            Some(_) => words
                .get(1)
                .copied()
                .unwrap_or_default()
                .to_ascii_uppercase(),
            None => format!("state {}", words.get(4).copied().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => writeln!(f, "step {step}: {}", self.what)?,
            None => writeln!(f, "{}", self.what)?,
        }
        writeln!(f, "  {}", self.why)?;
        writeln!(f, "  reference: {}", self.oracle)?;
        write!(f, "  subject:   {}", self.subject)
    }
}

/// A sequence on which two servers disagree, made small.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where the sequence comes from: a corpus and case, or a family and seed.
    pub origin: String,
    /// The protocol it was run in.
    pub protocol: Protocol,
    /// How the whole sequence failed.
    pub mismatch: Mismatch,
    /// How many steps it had.
    pub steps: usize,
    /// The sequence, shrunk.
    pub shrunk: Case,
    /// How the shrunk sequence fails.
    pub shrunk_mismatch: Mismatch,
    /// The end of the subject's log, when it died.
    pub subject_log: Option<String>,
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n=== the servers disagree: {}, {:?} ===",
            self.origin, self.protocol
        )?;
        writeln!(f, "{}", self.mismatch)?;
        writeln!(
            f,
            "\nshrunk from {} steps to {}:",
            self.steps,
            self.shrunk.steps.len()
        )?;
        writeln!(f, "{}", self.shrunk_mismatch)?;
        writeln!(
            f,
            "\n--- paste into crates/testkit/corpus/ ---\n{}---",
            self.shrunk
        )?;
        if let Some(log) = &self.subject_log {
            writeln!(f, "\nthe subject died; its log ends:\n{log}")?;
        }
        Ok(())
    }
}

/// Why a comparison did not take place, or failed.
#[derive(Debug, thiserror::Error)]
pub enum DifferentialError {
    /// The servers disagree.
    #[error("{0}")]
    Disagreement(Box<Failure>),
    /// A server could not be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A server does not answer the tester's own questions.
    #[error("a server does not answer the tester: {0}")]
    Wire(#[from] WireError),
    /// A server does not let itself be emptied.
    #[error("FLUSHALL failed: {0}")]
    Reset(String),
    /// A corpus cannot be read.
    #[error("corpus {corpus}: {what}")]
    Corpus {
        /// Its name.
        corpus: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no such family or corpus.
    #[error("no family or corpus named {0}")]
    Unknown(String),
}
