//! Two servers side by side, and what can be run on them.

use std::collections::HashSet;
use std::sync::Arc;

use super::run::Run;
use super::shrink::shrink;
use super::side::{Endpoint, Side};
use super::state::compare_states;
use super::step::{Action, Case, Step};
use super::{DifferentialError, Failure, Mismatch, corpus};
use crate::generate::{Family, Generator};
use crate::resp::{Protocol, Reply};
use crate::rng::Rng;
use crate::servers::ServerSpec;

/// Steps of one generated sequence: long enough for state to build up, short enough
/// for a failure to shrink in seconds.
const SEQUENCE_STEPS: usize = 120;

/// Settings that sequences change, and what they are reset to between sequences.
const RESTORED_SETTINGS: &[(&str, &str)] = &[
    ("hash-max-listpack-entries", "128"),
    ("hash-max-listpack-value", "64"),
    ("set-max-intset-entries", "512"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
    ("list-max-listpack-size", "-2"),
    ("hll-sparse-max-bytes", "3000"),
    ("stream-node-max-entries", "100"),
    ("maxmemory-policy", "noeviction"),
    ("notify-keyspace-events", ""),
    ("slowlog-log-slower-than", "10000"),
    ("lua-time-limit", "5000"),
    ("timeout", "0"),
    ("requirepass", ""),
];

/// What was done without a disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Sequences run.
    pub sequences: usize,
    /// Steps in them.
    pub steps: usize,
    /// Replies of the reference that were errors: too many, and a generator is blunt.
    pub errors: usize,
    /// Cases left out by [`Pair::only_known_commands`].
    pub skipped: usize,
}

/// A reference and a subject.
pub struct Pair {
    oracle: Side,
    subject: Side,
    reference: (u32, u32),
    settings_changed: bool,
    errors: usize,
    known: Option<Arc<HashSet<String>>>,
    /// Commands of the reference that are left out.
    missing: HashSet<String>,
}

impl Pair {
    /// Starts a real `redis-server` and the subject.
    ///
    /// # Errors
    /// [`DifferentialError::Server`].
    pub fn start(subject: &ServerSpec) -> Result<Self, DifferentialError> {
        Self::of(
            Endpoint::Process(Box::new(ServerSpec::redis()?.start()?)),
            Endpoint::Process(Box::new(subject.start()?)),
        )
    }

    /// Takes two servers that run. Their data will be deleted.
    ///
    /// # Errors
    /// [`DifferentialError::Wire`] when the reference does not answer.
    pub fn of(oracle: Endpoint, subject: Endpoint) -> Result<Self, DifferentialError> {
        let mut oracle = Side::new(oracle);
        let reference = match oracle.admin()?.command(&["INFO", "server"])? {
            Reply::Bulk(info) => version(&String::from_utf8_lossy(&info)),
            _ => None,
        };
        let reference = reference
            .ok_or_else(|| DifferentialError::Reset("the reference has no version".into()))?;
        let mut subject = Side::new(subject);
        // So that dumps can be compared: one version of the format, and no compression,
        // of which there are many right forms. Redis knows no `rdb-version`.
        for side in [&mut oracle, &mut subject] {
            let admin = side.admin()?;
            admin.command(&["CONFIG", "SET", "rdbcompression", "no"])?;
            admin.command(&["CONFIG", "SET", "rdb-version", "10"])?;
        }
        Ok(Pair {
            oracle,
            subject,
            reference,
            settings_changed: true,
            errors: 0,
            known: None,
            missing: HashSet::new(),
        })
    }

    /// From now on leaves out commands that the subject does not list in `COMMAND LIST`: for
    /// a server that is being built. Cases that use one are counted as skipped.
    ///
    /// # Errors
    /// [`DifferentialError::Wire`] when it does not answer.
    pub fn only_known_commands(&mut self) -> Result<(), DifferentialError> {
        let list = |side: &mut Side| -> Result<HashSet<String>, DifferentialError> {
            let reply = side.admin()?.command(&["COMMAND", "LIST"])?;
            let names = reply
                .elements()
                .unwrap_or_default()
                .iter()
                .filter_map(Reply::text);
            Ok(names
                .map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
                .collect())
        };
        let (reference, subject) = (list(&mut self.oracle)?, list(&mut self.subject)?);
        self.missing = reference.difference(&subject).cloned().collect();
        self.known = Some(Arc::new(subject));
        Ok(())
    }

    /// The commands of the reference that the subject has not got, as
    /// [`Pair::only_known_commands`] found them.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// The reference's version.
    pub fn reference(&self) -> (u32, u32) {
        self.reference
    }

    /// Runs a sequence from empty and compares replies and, at the end, all data.
    /// `None` when nothing differs.
    ///
    /// # Errors
    /// [`DifferentialError`] when a server does not take part.
    pub fn run(
        &mut self,
        protocol: Protocol,
        steps: &[Step],
    ) -> Result<Option<Mismatch>, DifferentialError> {
        let settings = if self.settings_changed {
            RESTORED_SETTINGS
        } else {
            &[]
        };
        self.oracle.reset(settings)?;
        self.subject.reset(settings)?;
        self.settings_changed = steps.iter().any(changes_settings);
        let mut run = Run::new(
            &mut self.oracle,
            &mut self.subject,
            protocol,
            self.reference,
        );
        let outcome = run.steps(steps)?;
        self.errors += run.errors;
        if outcome.is_some() {
            return Ok(outcome);
        }
        match compare_states(&mut self.oracle, &mut self.subject, self.reference) {
            Ok(outcome) => Ok(outcome),
            Err(error) => Ok(Some(Mismatch {
                step: None,
                what: "state of database 0: all".into(),
                oracle: "(answers)".into(),
                subject: format!("({error})"),
                why: "the subject does not answer questions about its data".into(),
            })),
        }
    }

    /// Runs a sequence and, when the servers disagree, shrinks it.
    ///
    /// # Errors
    /// [`DifferentialError::Disagreement`], and the others.
    pub fn check(
        &mut self,
        origin: &str,
        protocol: Protocol,
        steps: &[Step],
    ) -> Result<(), DifferentialError> {
        let deaths = self.subject.deaths;
        let Some(mismatch) = self.run(protocol, steps)? else {
            return Ok(());
        };
        let (shrunk, shrunk_mismatch) =
            shrink(steps, &mismatch, |candidate| self.run(protocol, candidate))?;
        // Whether it dies shows at the next reset.
        self.subject.reset(&[]).ok();
        let subject_log = match &self.subject.endpoint {
            Endpoint::Process(server) if self.subject.deaths > deaths => {
                Some(last_lines(&server.log(), 40))
            }
            _ => None,
        };
        let name: String = origin
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        Err(DifferentialError::Disagreement(Box::new(Failure {
            origin: origin.to_string(),
            protocol,
            mismatch,
            steps: steps.len(),
            shrunk: Case {
                name: format!("found-{name}"),
                protocol: Some(protocol),
                steps: shrunk,
            },
            shrunk_mismatch,
            subject_log,
        })))
    }

    /// Runs all cases of a corpus, in each protocol that they are for.
    ///
    /// # Errors
    /// As [`Pair::check`], at the first case that fails.
    pub fn check_corpus(&mut self, name: &str) -> Result<Summary, DifferentialError> {
        let corpus = corpus(name).ok_or_else(|| DifferentialError::Unknown(name.to_string()))?;
        let mut summary = Summary::default();
        for case in corpus.cases(self.reference)? {
            if case.steps.iter().any(|step| self.is_missing(step)) {
                summary.skipped += 1;
                continue;
            }
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                if case.protocol.is_none_or(|only| only == protocol) {
                    self.check(&format!("{name}/{}", case.name), protocol, &case.steps)?;
                    summary.sequences += 1;
                    summary.steps += case.steps.len();
                }
            }
        }
        Ok(summary)
    }

    fn is_missing(&self, step: &Step) -> bool {
        match &step.action {
            Action::Do(args) | Action::Start(args) => {
                let name = super::rules::name_of(args).to_ascii_lowercase();
                let word = args.get(1).map_or(&b""[..], Vec::as_slice);
                let word = String::from_utf8_lossy(word).to_ascii_lowercase();
                self.missing.contains(&format!("{name}|{word}")) || self.missing.contains(&name)
            }
            _ => false,
        }
    }

    /// Runs about `steps` generated steps of a family, as sequences that each start from
    /// empty servers. The same family, seed and protocol give the same steps.
    ///
    /// # Errors
    /// As [`Pair::check`], at the first sequence that fails.
    pub fn check_family(
        &mut self,
        family: &Family,
        seed: u64,
        steps: usize,
        protocol: Protocol,
    ) -> Result<Summary, DifferentialError> {
        let mut summary = Summary::default();
        let errors = self.errors;
        while summary.steps < steps {
            let index = summary.sequences as u64;
            let mut generator =
                Generator::new(Rng::derived(seed, index).next(), protocol, self.reference);
            generator.known = self.known.clone();
            let sequence = generator.sequence(family, SEQUENCE_STEPS.min(steps - summary.steps));
            let origin = format!("family {} seed {seed} sequence {index}", family.name);
            self.check(&origin, protocol, &sequence)?;
            summary.sequences += 1;
            summary.steps += sequence.len();
        }
        summary.errors = self.errors - errors;
        Ok(summary)
    }
}

/// Starts a reference and a subject and runs a family on them, see [`Pair::check_family`].
///
/// # Errors
/// [`DifferentialError::Disagreement`] with the shrunk sequence, and the others.
pub fn run_family(
    family: &str,
    seed: u64,
    steps: usize,
    protocol: Protocol,
    subject: &ServerSpec,
) -> Result<Summary, DifferentialError> {
    let family = crate::generate::families::family(family)
        .ok_or_else(|| DifferentialError::Unknown(family.to_string()))?;
    Pair::start(subject)?.check_family(family, seed, steps, protocol)
}

fn changes_settings(step: &Step) -> bool {
    match &step.action {
        Action::Do(args) | Action::Start(args) => args.iter().any(|arg| {
            arg.to_ascii_uppercase()
                .windows(6)
                .any(|window| window == b"CONFIG")
        }),
        Action::Raw(_) => true,
        _ => false,
    }
}

fn version(info: &str) -> Option<(u32, u32)> {
    let text = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))?;
    let mut parts = text.trim().split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
