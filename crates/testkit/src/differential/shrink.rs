//! Makes a failing sequence small: delta debugging over steps, then over arguments.
//!
//! Every candidate is run on both servers from empty, with fresh connections. It counts
//! only when it fails in the same way (see `Mismatch::signature`), so that shrinking does
//! not slide from one bug to another.

use std::time::{Duration, Instant};

use super::Mismatch;
use super::step::{Action, Step};

/// Limits of one shrinking: runs, and time.
const RUNS: usize = 1_500;
const TIME: Duration = Duration::from_secs(30);

/// The smallest failing sequence found, and how it fails. `fails` runs a candidate.
pub(super) fn shrink<E>(
    steps: &[Step],
    mismatch: &Mismatch,
    mut fails: impl FnMut(&[Step]) -> Result<Option<Mismatch>, E>,
) -> Result<(Vec<Step>, Mismatch), E> {
    let mut search = Search {
        best: steps.to_vec(),
        mismatch: mismatch.clone(),
        signature: mismatch.signature(),
        runs: 0,
        deadline: Instant::now() + TIME,
    };
    if let Some(last) = mismatch.step {
        search.attempt(&steps[..=last], &mut fails)?;
    }
    loop {
        let before = search.best.clone();
        search.remove_steps(&mut fails)?;
        search.simplify_arguments(&mut fails)?;
        if search.best == before || search.is_over() {
            return Ok((search.best, search.mismatch));
        }
    }
}

struct Search {
    best: Vec<Step>,
    mismatch: Mismatch,
    signature: String,
    runs: usize,
    deadline: Instant,
}

impl Search {
    fn is_over(&self) -> bool {
        self.runs >= RUNS || Instant::now() >= self.deadline
    }

    /// Takes the candidate when it fails alike.
    fn attempt<E>(
        &mut self,
        candidate: &[Step],
        fails: &mut impl FnMut(&[Step]) -> Result<Option<Mismatch>, E>,
    ) -> Result<bool, E> {
        if self.is_over() {
            return Ok(false);
        }
        self.runs += 1;
        match fails(candidate)? {
            Some(mismatch) if mismatch.signature() == self.signature => {
                let end = mismatch.step.map_or(candidate.len(), |step| step + 1);
                self.best = candidate[..end].to_vec();
                self.mismatch = mismatch;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn remove_steps<E>(
        &mut self,
        fails: &mut impl FnMut(&[Step]) -> Result<Option<Mismatch>, E>,
    ) -> Result<(), E> {
        let mut chunk = (self.best.len() / 2).max(1);
        loop {
            let mut start = 0;
            while start < self.best.len() {
                let end = (start + chunk).min(self.best.len());
                let candidate = [&self.best[..start], &self.best[end..]].concat();
                // What was removed is followed by what now stands in its place.
                if !self.attempt(&candidate, fails)? {
                    start = end;
                }
            }
            if chunk == 1 || self.is_over() {
                return Ok(());
            }
            chunk /= 2;
        }
    }

    fn simplify_arguments<E>(
        &mut self,
        fails: &mut impl FnMut(&[Step]) -> Result<Option<Mismatch>, E>,
    ) -> Result<(), E> {
        let mut index = 0;
        while index < self.best.len() {
            // The first connection tells a story better than the third.
            if self.best[index].connection > 1 {
                let mut candidate = self.best.clone();
                candidate[index].connection = 1;
                self.attempt(&candidate, fails)?;
            }
            let mut position = argument_count(&self.best, index);
            while position > 0 {
                position -= 1;
                for replacement in self.candidates(index, position) {
                    let mut candidate = self.best.clone();
                    let (Action::Do(args) | Action::Start(args) | Action::Raw(args)) =
                        &mut candidate[index].action
                    else {
                        break;
                    };
                    match replacement {
                        Some(replacement) => args[position] = replacement,
                        None => drop(args.remove(position)),
                    }
                    if self.attempt(&candidate, fails)? {
                        break;
                    }
                }
                if index >= self.best.len() {
                    return Ok(());
                }
                position = position.min(argument_count(&self.best, index));
            }
            index += 1;
        }
        Ok(())
    }

    /// Simpler things to put in place of an argument; `None` removes it. Every one of them
    /// is strictly simpler, so that simplification ends.
    fn candidates(&self, index: usize, position: usize) -> Vec<Option<Vec<u8>>> {
        let (Action::Do(args) | Action::Start(args) | Action::Raw(args)) = &self.best[index].action
        else {
            return Vec::new();
        };
        let Some(arg) = args.get(position) else {
            return Vec::new();
        };
        let mut candidates = Vec::new();
        if position > 0 || matches!(self.best[index].action, Action::Raw(_)) {
            candidates.push(None);
        }
        if position > 0 {
            for simple in [&b""[..], b"0", b"1", b"a", b"b"] {
                let is_simpler = simple.len() < arg.len()
                    || (simple.len() == arg.len() && simple < arg.as_slice());
                if is_simpler {
                    candidates.push(Some(simple.to_vec()));
                }
            }
            if arg.len() > 3 {
                candidates.push(Some(arg[..arg.len() / 2].to_vec()));
                candidates.push(Some(arg[..arg.len() - 1].to_vec()));
            }
        }
        candidates
    }
}

fn argument_count(steps: &[Step], index: usize) -> usize {
    match steps.get(index).map(|step| &step.action) {
        Some(Action::Do(args) | Action::Start(args) | Action::Raw(args)) => args.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::step::parse_words;

    fn steps(lines: &[&str]) -> Vec<Step> {
        lines
            .iter()
            .map(|line| Step::command(parse_words(line).expect("words")))
            .collect()
    }

    /// A "server" that goes wrong at `BAD` once `k` was set to something longer than 3.
    fn fails(steps: &[Step]) -> Result<Option<Mismatch>, ()> {
        let mut armed = false;
        for (index, step) in steps.iter().enumerate() {
            let Action::Do(args) = &step.action else {
                continue;
            };
            match args[0].as_slice() {
                b"SET" => armed |= args.len() > 2 && args[1] == b"k" && args[2].len() > 3,
                b"BAD" if armed => {
                    return Ok(Some(Mismatch {
                        step: Some(index),
                        what: step.to_string(),
                        oracle: String::new(),
                        subject: String::new(),
                        why: String::new(),
                    }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    #[test]
    fn only_what_matters_stays() {
        let mut lines = vec!["GET a"; 50];
        lines.insert(20, "SET k longvalue EX 100");
        lines.push("BAD x y");
        lines.push("GET b");
        let all = steps(&lines);
        let mismatch = fails(&all).expect("runs").expect("fails");
        let (small, how) = shrink(&all, &mismatch, fails).expect("runs");
        assert_eq!(small, steps(&["SET k long", "BAD"]));
        assert_eq!(how.step, Some(1));
    }
}
