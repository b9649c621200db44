//! Seeded generators of adversarial commands, one family per file.
//!
//! ```text
//! families/   what is generated: templates, and special bundles where templates do not do
//! template    the language of the templates       kinds   what their words stand for
//! choices     the lists they are drawn from
//! mutate      deliberate mistakes                 guard   what no generated command may do
//! ```
//! A sequence mixes its family's commands with common ones that put values of every type
//! under a few key names, so that types collide; several connections take part.

mod choices;
pub mod families;
mod guard;
mod kinds;
mod mutate;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex};

use crate::differential::{Action, Command, Step, exclusion};
use crate::resp::Protocol;
use crate::rng::Rng;
use guard::{guarded, is_random_write};
use mutate::mutated;
use template::Template;

/// How often a command is drawn again when what was drawn may not be sent.
const ATTEMPTS: usize = 60;

/// A family of commands.
#[derive(Debug)]
pub struct Family {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// Its commands, in the template language.
    pub templates: &'static [&'static str],
    /// Steps that templates cannot express.
    pub bundles: Option<Bundles>,
    /// Of a hundred steps, how many are common ones on keys of any type.
    pub common_percent: usize,
}

/// Groups of steps that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Bundles {
    /// Of a hundred turns, how many make a bundle.
    pub percent: usize,
    /// Makes one.
    pub make: fn(&mut Generator) -> Vec<Step>,
}

/// Makes the steps of one seed.
#[derive(Debug)]
pub struct Generator {
    /// The source of all decisions.
    pub rng: Rng,
    /// The protocol that the sequence will be run in.
    pub protocol: Protocol,
    /// The version of the reference that will judge.
    pub reference: (u32, u32),
    /// The only commands to generate, in lower case; all when there is no such list. For a
    /// server that is not complete yet.
    pub known: Option<Arc<HashSet<String>>>,
    /// How many keys the last `numkeys` announced.
    last_count: usize,
    /// The last milliseconds of a stream's id; they grow as a clock would.
    stream_clock: usize,
    /// Whether this command's words are written in mixed case.
    mixed_case: bool,
}

impl Generator {
    /// The generator of a seed.
    pub fn new(seed: u64, protocol: Protocol, reference: (u32, u32)) -> Self {
        Generator {
            rng: Rng::seeded(seed),
            protocol,
            reference,
            known: None,
            last_count: 0,
            stream_clock: 1,
            mixed_case: false,
        }
    }

    #[cfg(test)]
    fn plain(seed: u64) -> Self {
        Generator::new(seed, Protocol::Resp2, (7, 0))
    }

    /// A sequence of about `length` steps.
    pub fn sequence(&mut self, family: &Family, length: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        while steps.len() < length {
            if let Some(bundles) = family.bundles
                && self.rng.chance(bundles.percent)
            {
                let mut bundle = (bundles.make)(self);
                bundle.retain(|step| match &step.action {
                    Action::Do(command) | Action::Start(command) => self.is_known(command),
                    _ => true,
                });
                // An empty bundle counts as a step, or nothing known would mean no end.
                let pause = bundle.is_empty().then(|| Step::sleep(0));
                steps.extend(bundle.into_iter().chain(pause));
                continue;
            }
            let source = if self.rng.chance(family.common_percent) {
                &families::COMMON
            } else {
                family
            };
            let connection = *self.rng.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 3]);
            steps.push(Step::on(connection, self.command(source)));
        }
        steps
    }

    /// One command of a family, guarded, possibly with a mistake in it.
    pub fn command(&mut self, family: &Family) -> Command {
        let templates = templates(family);
        for _ in 0..ATTEMPTS {
            let total: usize = templates.iter().map(|template| template.weight).sum();
            let mut at = self.rng.below(total);
            let Some(template) = templates.iter().find(|template| {
                let found = at < template.weight;
                at = at.saturating_sub(template.weight);
                found
            }) else {
                continue;
            };
            self.mixed_case = self.rng.chance(12);
            let mut command = template.fill(self);
            if template.mutable && self.rng.chance(12) {
                command = mutated(self, command);
            }
            if exclusion(&command, self.reference).is_none()
                && self.is_known(&command)
                && let Some(command) = guarded(command)
            {
                return command;
            }
        }
        vec![b"PING".to_vec()]
    }

    fn is_known(&self, command: &[Vec<u8>]) -> bool {
        let word = |index: usize| {
            let word = command.get(index).map_or(&b""[..], Vec::as_slice);
            String::from_utf8_lossy(word).to_ascii_lowercase()
        };
        let (name, full_name) = (word(0), format!("{}|{}", word(0), word(1)));
        // Of a command with subcommands, ACL alone is there in part.
        self.known.as_ref().is_none_or(|known| {
            known.contains(&name) && (name != "acl" || known.contains(&full_name))
        })
    }

    /// One command that may be queued in a transaction or called by a script.
    pub fn plain_command(&mut self, family: &Family) -> Command {
        loop {
            let command = self.command(family);
            if !is_random_write(&command) {
                return command;
            }
        }
    }

    fn cased(&mut self, word: &[u8]) -> Vec<u8> {
        if !self.mixed_case {
            return word.to_vec();
        }
        word.iter()
            .map(|byte| {
                if self.rng.chance(50) {
                    byte.to_ascii_lowercase()
                } else {
                    *byte
                }
            })
            .collect()
    }
}

/// The parsed templates of a family; parsed once per process.
fn templates(family: &Family) -> &'static [Template] {
    static PARSED: LazyLock<Mutex<HashMap<&'static str, &'static [Template]>>> =
        LazyLock::new(Mutex::default);
    let mut parsed = PARSED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    parsed.entry(family.name).or_insert_with(|| {
        let templates: Vec<Template> = family
            .templates
            .iter()
            .map(|text| {
                Template::parse(text)
                    .unwrap_or_else(|error| panic!("family {}: {error}", family.name))
            })
            .collect();
        Box::leak(templates.into_boxed_slice())
    })
}

#[cfg(test)]
mod tests {
    use super::families::FAMILIES;
    use super::*;

    #[test]
    fn every_family_makes_what_its_seed_names() {
        for family in FAMILIES {
            let steps = |seed| Generator::plain(seed).sequence(family, 60);
            assert!(steps(1).len() >= 60, "{}", family.name);
            assert_eq!(steps(1), steps(1), "{}", family.name);
            assert_ne!(steps(1), steps(2), "{}", family.name);
        }
    }

    #[test]
    fn every_template_of_every_family_is_valid() {
        for family in FAMILIES.iter().copied().chain([&families::COMMON]) {
            assert_eq!(templates(family).len(), family.templates.len());
            for (index, text) in family.templates.iter().enumerate() {
                assert!(
                    !family.templates[..index].contains(text),
                    "{}: {text} twice",
                    family.name
                );
            }
        }
    }
}
