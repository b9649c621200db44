//! The keys of one client: what each of its steps does to them, as commands and as a
//! model.
//!
//! ```text
//! cN:number    SET                 cN:a cN:b    MULTI: both always equal
//! cN:count     INCR                cN:x cN:y    a script: set and pushed together
//! cN:text      APPEND "step,"      cN:until     SET with a deadline far away
//! cN:list      RPUSH, LPOP         cN:ranked    ZADD of several members
//! cN:fields    HINCRBY
//! ```
//!
//! Invariants: what step *k* does depends on the client's seed, on *k* and on the state
//! before alone; every step changes the state, so that no two states are equal.

use std::collections::VecDeque;
use std::fmt;

use crate::resp::{Connection, Reply, WireError};
use crate::rng::Rng;

/// Members that one step adds to the sorted set.
const MEMBERS_PER_STEP: u64 = 4;
/// Deadlines lie behind this one: some day in 2096, in milliseconds.
const DEADLINE_BASE_MS: u64 = 4_000_000_000_000;
/// What the script does.
const SCRIPT: &str =
    "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('RPUSH', KEYS[2], ARGV[1])";
/// Fields of the hash.
const FIELDS: usize = 8;

/// Who a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its number, in the names of its keys.
    pub number: usize,
    /// Decides what its steps do.
    pub seed: u64,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Number,
    Count,
    Text,
    Push,
    Pop,
    Pair,
    Script,
    Until,
    Rank,
    Field(usize),
}

/// The contents of a client's keys. Small parts first: comparing ends early.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    number: Option<u64>,
    count: u64,
    pair: [Option<u64>; 2],
    scripted: Option<u64>,
    until: Option<(u64, u64)>,
    fields: [u64; FIELDS],
    pushed_by_script: Vec<u64>,
    text: Vec<u64>,
    list: VecDeque<u64>,
    ranked: Vec<u64>,
}

impl Dataset {
    fn change(&self, owner: Owner, step: u64) -> Change {
        let mut rng = Rng::derived(owner.seed, step);
        match rng.below(11) {
            0 => Change::Number,
            1 | 2 => Change::Count,
            3 => Change::Text,
            4 => Change::Push,
            // One element stays, so that the list never is what it was.
            5 if self.list.len() < 2 => Change::Push,
            5 => Change::Pop,
            6 => Change::Pair,
            7 => Change::Script,
            8 => Change::Until,
            9 => Change::Rank,
            _ => Change::Field(rng.below(FIELDS)),
        }
    }

    /// Takes a step; returns the commands that do the same on the server, of which the
    /// last one's reply says that it was taken.
    pub fn step(&mut self, owner: Owner, step: u64) -> Vec<Vec<String>> {
        let key = |name: &str| format!("c{}:{name}", owner.number);
        let value = step.to_string();
        let one = |words: &[&str]| vec![words.iter().map(|word| (*word).to_owned()).collect()];
        match self.change(owner, step) {
            Change::Number => {
                self.number = Some(step);
                one(&["SET", &key("number"), &value])
            }
            Change::Count => {
                self.count += 1;
                one(&["INCR", &key("count")])
            }
            Change::Text => {
                self.text.push(step);
                one(&["APPEND", &key("text"), &format!("{value},")])
            }
            Change::Push => {
                self.list.push_back(step);
                one(&["RPUSH", &key("list"), &value])
            }
            Change::Pop => {
                self.list.pop_front();
                one(&["LPOP", &key("list")])
            }
            Change::Pair => {
                self.pair = [Some(step); 2];
                [
                    one(&["MULTI"]),
                    one(&["SET", &key("a"), &value]),
                    one(&["SET", &key("b"), &value]),
                    one(&["EXEC"]),
                ]
                .concat()
            }
            Change::Script => {
                self.scripted = Some(step);
                self.pushed_by_script.push(step);
                one(&["EVAL", SCRIPT, "2", &key("x"), &key("y"), &value])
            }
            Change::Until => {
                let deadline_ms = DEADLINE_BASE_MS + step;
                self.until = Some((step, deadline_ms));
                one(&[
                    "SET",
                    &key("until"),
                    &value,
                    "PXAT",
                    &deadline_ms.to_string(),
                ])
            }
            Change::Rank => {
                self.ranked.push(step);
                let mut command = vec!["ZADD".to_owned(), key("ranked")];
                for index in 0..MEMBERS_PER_STEP {
                    command.extend([value.clone(), member(step, index)]);
                }
                vec![command]
            }
            Change::Field(index) => {
                self.fields[index] += 1;
                one(&["HINCRBY", &key("fields"), &index.to_string(), "1"])
            }
        }
    }

    /// The first `step` after `from`, and no later than `last`, whose state this is, when
    /// `before` was the state after `from`.
    pub fn found_after(&self, owner: Owner, before: &Dataset, from: u64, last: u64) -> Option<u64> {
        let mut state = before.clone();
        let mut step = from;
        loop {
            if state == *self {
                return Some(step);
            }
            if step >= last {
                return None;
            }
            step += 1;
            state.step(owner, step);
        }
    }

    /// What a server holds.
    ///
    /// # Errors
    /// [`WireError`] when it does not answer; a text when what it holds was never written.
    pub fn read(connection: &mut Connection, owner: Owner) -> Result<Self, ReadError> {
        let key = |name: &str| format!("c{}:{name}", owner.number);
        let commands: Vec<Vec<String>> = [
            &["GET", "number"][..],
            &["GET", "count"],
            &["GET", "a"],
            &["GET", "b"],
            &["GET", "x"],
            &["GET", "until"],
            &["PEXPIRETIME", "until"],
            &["HGETALL", "fields"],
            &["LRANGE", "y", "0", "-1"],
            &["GET", "text"],
            &["LRANGE", "list", "0", "-1"],
            &["ZRANGE", "ranked", "0", "-1", "WITHSCORES"],
        ]
        .iter()
        .map(|words| {
            let words = words.iter().enumerate();
            words
                .map(|(at, word)| {
                    if at == 1 {
                        key(word)
                    } else {
                        (*word).to_owned()
                    }
                })
                .collect()
        })
        .collect();
        let replies = connection.pipeline(&commands)?;
        let [
            number,
            count,
            a,
            b,
            x,
            until,
            deadline,
            fields,
            y,
            text,
            list,
            ranked,
        ] = &replies[..]
        else {
            return Err(ReadError::Nonsense("a reply is missing".into()));
        };
        let text = match text.text() {
            None => Vec::new(),
            Some(text) => text
                .split_inclusive(|&byte| byte == b',')
                .map(|piece| {
                    let digits = piece.strip_suffix(b",");
                    digits.and_then(parse).ok_or_else(|| nonsense("text", text))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Dataset {
            number: number_of(number)?,
            count: number_of(count)?.unwrap_or(0),
            pair: [number_of(a)?, number_of(b)?],
            scripted: number_of(x)?,
            until: number_of(until)?.map(|value| (value, deadline.integer().unwrap_or(-1) as u64)),
            fields: fields_of(fields)?,
            pushed_by_script: numbers_of(y)?,
            text,
            list: numbers_of(list)?.into(),
            ranked: ranked_of(ranked)?,
        })
    }
}

/// Why the keys cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no reply.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A key holds what nobody wrote.
    #[error("{0}")]
    Nonsense(String),
}

fn member(step: u64, index: u64) -> String {
    format!("member-{step}-{index}-of-a-set-that-grows")
}

fn nonsense(what: &str, bytes: &[u8]) -> ReadError {
    let end = &bytes[bytes.len().saturating_sub(200)..];
    ReadError::Nonsense(format!("{what} holds …{}", end.escape_ascii()))
}

fn parse(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn number_of(reply: &Reply) -> Result<Option<u64>, ReadError> {
    match reply.text() {
        None if reply.is_null() => Ok(None),
        None => Err(ReadError::Nonsense(format!(
            "{reply:?} instead of a number"
        ))),
        Some(text) => match parse(text) {
            Some(number) => Ok(Some(number)),
            None => Err(nonsense("a number", text)),
        },
    }
}

fn elements_of(reply: &Reply) -> Result<&[Reply], ReadError> {
    reply
        .elements()
        .ok_or_else(|| ReadError::Nonsense(format!("{reply:?} instead of elements")))
}

fn numbers_of(reply: &Reply) -> Result<Vec<u64>, ReadError> {
    let numbers = elements_of(reply)?.iter().map(number_of);
    Ok(numbers
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn fields_of(reply: &Reply) -> Result<[u64; FIELDS], ReadError> {
    let mut fields = [0; FIELDS];
    for pair in numbers_of(reply)?.chunks_exact(2) {
        match fields.get_mut(pair[0] as usize) {
            Some(field) => *field = pair[1],
            None => return Err(ReadError::Nonsense(format!("there is a field {}", pair[0]))),
        }
    }
    Ok(fields)
}

/// The steps whose members are there, all of each.
fn ranked_of(reply: &Reply) -> Result<Vec<u64>, ReadError> {
    let mut steps = Vec::new();
    let elements = elements_of(reply)?;
    for group in elements.chunks(2 * MEMBERS_PER_STEP as usize) {
        let Some(Some(step)) = group.get(1).map(number_of).transpose()? else {
            return Err(ReadError::Nonsense("a member without a score".into()));
        };
        let expected = (0..MEMBERS_PER_STEP)
            .flat_map(|index| [member(step, index), step.to_string()])
            .map(|text| Reply::Bulk(text.into_bytes()));
        if !expected.eq(group.iter().cloned()) {
            return Err(ReadError::Nonsense(format!(
                "the sorted set holds only a part of what step {step} added: {group:?}"
            )));
        }
        steps.push(step);
    }
    Ok(steps)
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "number {:?} count {} pair {:?} script {:?} until {:?} fields {:?}, \
             pushed by script {} (last {:?}), text {} (last {:?}), list {} ({:?} to {:?}), \
             ranked {} (last {:?})",
            self.number,
            self.count,
            self.pair,
            self.scripted,
            self.until,
            self.fields,
            self.pushed_by_script.len(),
            self.pushed_by_script.last(),
            self.text.len(),
            self.text.last(),
            self.list.len(),
            self.list.front(),
            self.list.back(),
            self.ranked.len(),
            self.ranked.last(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { number: 3, seed: 9 };

    fn after(steps: u64) -> Dataset {
        let mut state = Dataset::default();
        for step in 1..=steps {
            state.step(OWNER, step);
        }
        state
    }

    #[test]
    fn every_state_is_found_by_its_step() {
        for steps in 0..200 {
            let found = after(steps).found_after(OWNER, &Dataset::default(), 0, 200);
            assert_eq!(found, Some(steps));
        }
        assert_eq!(after(9).found_after(OWNER, &after(3), 3, 8), None);
    }

    #[test]
    fn no_state_comes_twice() {
        for number in 0..20 {
            let owner = Owner {
                number,
                seed: number as u64,
            };
            let mut state = Dataset::default();
            let mut states = vec![state.clone()];
            for step in 1..=60 {
                state.step(owner, step);
                assert!(!states.contains(&state), "step {step} of {owner:?}");
                states.push(state.clone());
            }
        }
    }

    #[test]
    fn half_a_step_is_no_state() {
        let mut state = after(150);
        state.pair[1] = Some(1);
        assert_eq!(state.found_after(OWNER, &Dataset::default(), 0, 150), None);
    }

    #[test]
    fn a_part_of_the_members_is_refused() {
        let members = |count: u64| {
            let all = (0..count).flat_map(|index| [member(7, index), "7".to_owned()]);
            Reply::Array(all.map(|text| Reply::Bulk(text.into_bytes())).collect())
        };
        assert_eq!(ranked_of(&members(MEMBERS_PER_STEP)).unwrap(), [7]);
        assert!(ranked_of(&members(MEMBERS_PER_STEP - 1)).is_err());
    }
}
