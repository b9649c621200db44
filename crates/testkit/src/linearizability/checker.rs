//! The search: Wing and Gong's algorithm with Lowe's memoization.
//!
//! A linked list holds the calls and returns in the order of their times. A call may be
//! linearized when no return stands before it; a return that is met before its call was
//! linearized means that the last choice was wrong. A choice that leads to a set of
//! linearized operations and a state seen before is not tried again.
//!
//! Histories are split into groups of keys connected by operations on several keys:
//! linearizability is local to these, and the search is exponential at worst in what is
//! concurrent within one group.

use std::collections::{BTreeMap, HashSet};

use super::history::Event;
use super::model::{Keyspace, Outcome};

/// How many choices a search may try per group before it gives up.
const STEP_LIMIT: usize = 20_000_000;

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some order explains everything.
    Linearizable,
    /// No order explains the operations of one group of keys.
    Impossible {
        /// Its operations in the order of their calls.
        events: Vec<Event>,
        /// How many of them could be explained at most.
        explained: usize,
    },
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckerError {
    /// Too much was concurrent.
    #[error(
        "no verdict about {operations} operations after {steps} choices: record shorter histories"
    )]
    TooHard {
        /// In the group.
        operations: usize,
        /// Choices tried.
        steps: usize,
    },
}

/// Checks a history that began with no keys.
///
/// # Errors
/// [`CheckerError::TooHard`] when the search is given up.
pub fn check(history: &[Event]) -> Result<Verdict, CheckerError> {
    for group in groups(history) {
        let verdict = check_group(&group)?;
        if verdict != Verdict::Linearizable {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Linearizable)
}

/// Splits a history by connected keys.
fn groups(history: &[Event]) -> Vec<Vec<Event>> {
    let mut parent: BTreeMap<&str, &str> = BTreeMap::new();
    fn root<'a>(parent: &BTreeMap<&'a str, &'a str>, mut key: &'a str) -> &'a str {
        while let Some(&above) = parent.get(key)
            && above != key
        {
            key = above;
        }
        key
    }
    for event in history {
        let keys = event.operation.keys();
        for key in &keys {
            parent.entry(key).or_insert(key);
        }
        for pair in keys.windows(2) {
            let (left, right) = (root(&parent, pair[0]), root(&parent, pair[1]));
            parent.insert(left, right);
        }
    }
    let mut groups: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
    for event in history {
        if let Some(key) = event.operation.keys().first() {
            groups
                .entry(root(&parent, key))
                .or_default()
                .push(event.clone());
        }
    }
    groups.into_values().collect()
}

/// The list of calls and returns. Entry 0 is its head; links are indices.
struct Timeline {
    next: Vec<usize>,
    previous: Vec<usize>,
    /// The operation of an entry.
    operation: Vec<usize>,
    /// The entry of an operation's return; the entry itself for returns.
    return_of: Vec<usize>,
}

const END: usize = usize::MAX;

impl Timeline {
    fn new(events: &[Event]) -> Self {
        // A return at the same nanosecond as a call counts as later: more is concurrent
        // then, so nothing right is called wrong.
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (index, event) in events.iter().enumerate() {
            moments.push((event.called_ns, false, index));
            moments.push((event.returned_ns, true, index));
        }
        moments.sort_unstable();
        let count = moments.len() + 1;
        let mut timeline = Timeline {
            next: (1..=count)
                .map(|next| if next == count { END } else { next })
                .collect(),
            previous: (0..count).map(|entry| entry.wrapping_sub(1)).collect(),
            operation: vec![usize::MAX; count],
            return_of: vec![0; count],
        };
        let mut call_of = vec![0; events.len()];
        for (position, (_, is_return, index)) in moments.into_iter().enumerate() {
            let entry = position + 1;
            timeline.operation[entry] = index;
            timeline.return_of[entry] = entry;
            if is_return {
                timeline.return_of[call_of[index]] = entry;
            } else {
                call_of[index] = entry;
            }
        }
        timeline
    }

    fn unlink(&mut self, entry: usize) {
        let (before, after) = (self.previous[entry], self.next[entry]);
        self.next[before] = after;
        if after != END {
            self.previous[after] = before;
        }
    }

    fn relink(&mut self, entry: usize) {
        let (before, after) = (self.previous[entry], self.next[entry]);
        self.next[before] = entry;
        if after != END {
            self.previous[after] = entry;
        }
    }

    fn is_call(&self, entry: usize) -> bool {
        self.return_of[entry] != entry
    }

    /// Takes a call and its return out; [`Timeline::restore`] undoes it, last out first in.
    fn lift(&mut self, call: usize) {
        self.unlink(call);
        self.unlink(self.return_of[call]);
    }

    fn restore(&mut self, call: usize) {
        self.relink(self.return_of[call]);
        self.relink(call);
    }
}

fn check_group(events: &[Event]) -> Result<Verdict, CheckerError> {
    let mut timeline = Timeline::new(events);
    let mut state = Keyspace::new();
    let mut done = vec![0u64; events.len().div_ceil(64)];
    let mut seen: HashSet<(Vec<u64>, Keyspace)> = HashSet::new();
    let mut stack: Vec<(usize, Keyspace)> = Vec::new();
    let mut explained = 0;
    let mut steps = 0;
    // What has no answer need not have happened: only the answered must be explained.
    let mut answered_left = events
        .iter()
        .filter(|event| event.outcome != Outcome::Unknown)
        .count();
    let mut entry = timeline.next[0];
    while answered_left > 0 {
        steps += 1;
        if steps > STEP_LIMIT {
            return Err(CheckerError::TooHard {
                operations: events.len(),
                steps,
            });
        }
        if entry != END && timeline.is_call(entry) {
            let index = timeline.operation[entry];
            let event = &events[index];
            let mut after = state.clone();
            let outcome = event.operation.apply(&mut after);
            if event.outcome == Outcome::Unknown || event.outcome == outcome {
                done[index / 64] |= 1 << (index % 64);
                if seen.insert((done.clone(), after.clone())) {
                    stack.push((entry, std::mem::replace(&mut state, after)));
                    timeline.lift(entry);
                    answered_left -= usize::from(event.outcome != Outcome::Unknown);
                    explained = explained.max(stack.len());
                    entry = timeline.next[0];
                    continue;
                }
                done[index / 64] &= !(1 << (index % 64));
            }
            entry = timeline.next[entry];
            continue;
        }
        // A return (or the end): one of the choices before it was wrong.
        let Some((call, before)) = stack.pop() else {
            let mut events = events.to_vec();
            events.sort_by_key(|event| event.called_ns);
            return Ok(Verdict::Impossible { events, explained });
        };
        state = before;
        let index = timeline.operation[call];
        done[index / 64] &= !(1 << (index % 64));
        answered_left += usize::from(events[index].outcome != Outcome::Unknown);
        timeline.restore(call);
        entry = timeline.next[call];
    }
    Ok(Verdict::Linearizable)
}

#[cfg(test)]
mod tests {
    use super::super::model::Operation;
    use super::*;

    fn event(client: usize, times: (u64, u64), operation: Operation, outcome: Outcome) -> Event {
        Event {
            client,
            operation,
            outcome,
            called_ns: times.0,
            returned_ns: times.1,
        }
    }

    fn set(value: &str) -> Operation {
        Operation::Set("k".into(), value.into())
    }

    fn get() -> Operation {
        Operation::Get("k".into())
    }

    fn text(value: &str) -> Outcome {
        Outcome::Text(Some(value.into()))
    }

    fn is_linearizable(history: &[Event]) -> bool {
        check(history).expect("a verdict") == Verdict::Linearizable
    }

    #[test]
    fn a_read_may_see_a_concurrent_write_or_not() {
        for seen in [Outcome::Text(None), text("1")] {
            assert!(is_linearizable(&[
                event(0, (0, 10), set("1"), Outcome::Ok),
                event(1, (5, 6), get(), seen)
            ]));
        }
    }

    #[test]
    fn a_stale_read_is_refused() {
        assert!(!is_linearizable(&[
            event(0, (0, 1), set("1"), Outcome::Ok),
            event(0, (2, 3), set("2"), Outcome::Ok),
            event(1, (4, 5), get(), text("1")),
        ]));
    }

    #[test]
    fn reads_may_not_go_back_in_time() {
        let write = event(0, (0, 100), set("1"), Outcome::Ok);
        let new = event(1, (10, 20), get(), text("1"));
        let old = event(2, (30, 40), get(), Outcome::Text(None));
        assert!(!is_linearizable(&[write.clone(), new.clone(), old]));
        let early = event(2, (15, 40), get(), Outcome::Text(None));
        assert!(is_linearizable(&[write, new, early]), "these two overlap");
    }

    #[test]
    fn a_lost_update_is_refused() {
        let incr = || Operation::Incr("n".into());
        assert!(!is_linearizable(&[
            event(0, (0, 10), incr(), Outcome::Number(1)),
            event(1, (0, 10), incr(), Outcome::Number(1)),
        ]));
        assert!(is_linearizable(&[
            event(0, (0, 10), incr(), Outcome::Number(2)),
            event(1, (0, 10), incr(), Outcome::Number(1)),
        ]));
    }

    #[test]
    fn a_torn_multi_key_write_is_refused() {
        let write = |value: &str| {
            Operation::SetMany(vec![("a".into(), value.into()), ("b".into(), value.into())])
        };
        let read = Operation::GetMany(vec!["a".into(), "b".into()]);
        let seen = |a: &str, b: &str| Outcome::Texts(vec![Some(a.into()), Some(b.into())]);
        let writes = [
            event(0, (0, 50), write("1"), Outcome::Ok),
            event(1, (0, 50), write("2"), Outcome::Ok),
        ];
        let with = |outcome| {
            [
                writes[0].clone(),
                writes[1].clone(),
                event(2, (60, 70), read.clone(), outcome),
            ]
        };
        assert!(is_linearizable(&with(seen("1", "1"))));
        assert!(is_linearizable(&with(seen("2", "2"))));
        assert!(!is_linearizable(&with(seen("1", "2"))));
    }

    #[test]
    fn an_element_is_popped_once() {
        let push = event(
            0,
            (0, 1),
            Operation::Push("l".into(), "x".into()),
            Outcome::Number(1),
        );
        let pop = |client, outcome| event(client, (2, 9), Operation::Pop("l".into()), outcome);
        assert!(is_linearizable(&[
            push.clone(),
            pop(1, text("x")),
            pop(2, Outcome::Text(None))
        ]));
        assert!(!is_linearizable(&[
            push,
            pop(1, text("x")),
            pop(2, text("x"))
        ]));
    }

    #[test]
    fn a_rename_is_one_step() {
        let history = |seen: Vec<Option<String>>| {
            [
                event(
                    0,
                    (0, 1),
                    Operation::Set("a".into(), "v".into()),
                    Outcome::Ok,
                ),
                event(
                    0,
                    (2, 9),
                    Operation::Rename("a".into(), "b".into()),
                    Outcome::Ok,
                ),
                event(
                    1,
                    (2, 9),
                    Operation::GetMany(vec!["a".into(), "b".into()]),
                    Outcome::Texts(seen),
                ),
            ]
        };
        assert!(is_linearizable(&history(vec![Some("v".into()), None])));
        assert!(is_linearizable(&history(vec![None, Some("v".into())])));
        assert!(!is_linearizable(&history(vec![None, None])));
        assert!(!is_linearizable(&history(vec![
            Some("v".into()),
            Some("v".into())
        ])));
    }

    #[test]
    fn an_unanswered_write_may_have_happened_or_not() {
        let lost = event(0, (0, u64::MAX), set("1"), Outcome::Unknown);
        for seen in [Outcome::Text(None), text("1")] {
            assert!(is_linearizable(&[
                lost.clone(),
                event(1, (50, 60), get(), seen)
            ]));
        }
        let back = [
            event(1, (50, 60), get(), text("1")),
            event(1, (70, 80), get(), Outcome::Text(None)),
        ];
        assert!(!is_linearizable(&[vec![lost], back.to_vec()].concat()));
    }

    #[test]
    fn keys_that_share_no_operation_are_searched_apart() {
        let history: Vec<Event> = (0..40)
            .flat_map(|key| {
                (0..5).map(move |client| {
                    let operation = Operation::Incr(format!("n{key}"));
                    event(
                        client,
                        (0, 100),
                        operation,
                        Outcome::Number(5 - client as i64),
                    )
                })
            })
            .collect();
        assert!(is_linearizable(&history));
        assert_eq!(groups(&history).len(), 40);
    }
}
