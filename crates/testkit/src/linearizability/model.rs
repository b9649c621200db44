//! The sequential model: a keyspace of strings and lists, and what each operation
//! answers in each state. Small on purpose: it must be right by inspection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::differential::Command;
use crate::resp::Reply;

/// An operation on named keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `SET key value`
    Set(String, String),
    /// `GET key`
    Get(String),
    /// `INCR key`
    Incr(String),
    /// `SET key value GET`: a read and a write at once
    SetGet(String, String),
    /// `GETSET key value`
    GetSet(String, String),
    /// `SET key value NX`: succeeds for one of many
    SetIfAbsent(String, String),
    /// `MSET key value …`
    SetMany(Vec<(String, String)>),
    /// `MGET key …`
    GetMany(Vec<String>),
    /// `DEL key …`
    Delete(Vec<String>),
    /// `RENAME from to`
    Rename(String, String),
    /// `LPUSH key element`
    Push(String, String),
    /// `RPOP key`
    Pop(String),
    /// A script that declares its keys: `INCR` of one, then of the other.
    ScriptedIncr(String, String),
    /// A script that declares no keys: reads two strings one after the other and, if both
    /// are there, exchanges them.
    ScriptedExchange(String, String),
}

const INCR_BOTH: &str = "redis.call('INCR', KEYS[1]) return redis.call('INCR', KEYS[2])";

const EXCHANGE: &str = "local function get(key) \
       local value = redis.pcall('GET', key) \
       if type(value) == 'table' then return false end \
       return value \
     end \
     local a, b = get(ARGV[1]), get(ARGV[2]) \
     if a and b then redis.call('SET', ARGV[1], b) redis.call('SET', ARGV[2], a) end \
     return {a, b}";

/// What an operation answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `+OK`
    Ok,
    /// A string, or none.
    Text(Option<String>),
    /// Several of them.
    Texts(Vec<Option<String>>),
    /// An integer.
    Number(i64),
    /// An error, by its first word.
    Error(String),
    /// No answer arrived: it may have happened at any time after its call, or never.
    Unknown,
}

/// A value of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list, head first.
    List(Vec<String>),
}

/// A state of the model.
pub type Keyspace = BTreeMap<String, Value>;

impl Operation {
    /// The keys it touches.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Operation::Set(key, _)
            | Operation::Get(key)
            | Operation::Incr(key)
            | Operation::SetGet(key, _)
            | Operation::GetSet(key, _)
            | Operation::SetIfAbsent(key, _)
            | Operation::Push(key, _)
            | Operation::Pop(key) => vec![key],
            Operation::SetMany(pairs) => pairs.iter().map(|(key, _)| key.as_str()).collect(),
            Operation::GetMany(keys) | Operation::Delete(keys) => {
                keys.iter().map(String::as_str).collect()
            }
            Operation::Rename(first, second)
            | Operation::ScriptedIncr(first, second)
            | Operation::ScriptedExchange(first, second) => vec![first, second],
        }
    }

    /// The command that performs it.
    ///
    /// Of the scripts every other has a text that the server has not seen yet: those it
    /// runs on a thread of their own.
    pub fn command(&self) -> Command {
        static SCRIPTS: AtomicUsize = AtomicUsize::new(0);
        let body = |body: &str| match SCRIPTS.fetch_add(1, Ordering::Relaxed) {
            number if number % 2 == 0 => format!("{body} -- {number}"),
            _ => body.to_owned(),
        };
        let script: String;
        let words: Vec<&str> = match self {
            Operation::Set(key, value) => vec!["SET", key, value],
            Operation::Get(key) => vec!["GET", key],
            Operation::Incr(key) => vec!["INCR", key],
            Operation::SetGet(key, value) => vec!["SET", key, value, "GET"],
            Operation::GetSet(key, value) => vec!["GETSET", key, value],
            Operation::SetIfAbsent(key, value) => vec!["SET", key, value, "NX"],
            Operation::SetMany(pairs) => std::iter::once("MSET")
                .chain(pairs.iter().flat_map(|(key, value)| [key.as_str(), value]))
                .collect(),
            Operation::GetMany(keys) => std::iter::once("MGET")
                .chain(keys.iter().map(String::as_str))
                .collect(),
            Operation::Delete(keys) => std::iter::once("DEL")
                .chain(keys.iter().map(String::as_str))
                .collect(),
            Operation::Rename(from, to) => vec!["RENAME", from, to],
            Operation::Push(key, element) => vec!["LPUSH", key, element],
            Operation::Pop(key) => vec!["RPOP", key],
            Operation::ScriptedIncr(first, second) => {
                script = body(INCR_BOTH);
                vec!["EVAL", &script, "2", first, second]
            }
            Operation::ScriptedExchange(first, second) => {
                script = body(EXCHANGE);
                vec!["EVAL", &script, "0", first, second]
            }
        };
        words
            .into_iter()
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    /// Performs it on the model.
    pub fn apply(&self, keys: &mut Keyspace) -> Outcome {
        let wrong_type = || Outcome::Error("WRONGTYPE".into());
        match self {
            Operation::Set(key, value) => {
                keys.insert(key.clone(), Value::Text(value.clone()));
                Outcome::Ok
            }
            Operation::Get(key) => match keys.get(key) {
                None => Outcome::Text(None),
                Some(Value::Text(text)) => Outcome::Text(Some(text.clone())),
                Some(Value::List(_)) => wrong_type(),
            },
            Operation::Incr(key) => {
                let old = match keys.get(key) {
                    None => 0,
                    Some(Value::List(_)) => return wrong_type(),
                    Some(Value::Text(text)) => match text.parse::<i64>() {
                        Ok(number) => number,
                        Err(_) => return Outcome::Error("ERR".into()),
                    },
                };
                let Some(new) = old.checked_add(1) else {
                    return Outcome::Error("ERR".into());
                };
                keys.insert(key.clone(), Value::Text(new.to_string()));
                Outcome::Number(new)
            }
            Operation::SetGet(key, value) | Operation::GetSet(key, value) => match keys.get(key) {
                Some(Value::List(_)) => wrong_type(),
                old => {
                    let old = match old {
                        Some(Value::Text(text)) => Some(text.clone()),
                        _ => None,
                    };
                    keys.insert(key.clone(), Value::Text(value.clone()));
                    Outcome::Text(old)
                }
            },
            Operation::SetIfAbsent(key, value) => {
                if keys.contains_key(key) {
                    return Outcome::Text(None);
                }
                keys.insert(key.clone(), Value::Text(value.clone()));
                Outcome::Ok
            }
            Operation::SetMany(pairs) => {
                for (key, value) in pairs {
                    keys.insert(key.clone(), Value::Text(value.clone()));
                }
                Outcome::Ok
            }
            Operation::GetMany(wanted) => Outcome::Texts(
                wanted
                    .iter()
                    .map(|key| match keys.get(key) {
                        Some(Value::Text(text)) => Some(text.clone()),
                        _ => None,
                    })
                    .collect(),
            ),
            Operation::Delete(doomed) => Outcome::Number(
                doomed
                    .iter()
                    .filter(|key| keys.remove(*key).is_some())
                    .count() as i64,
            ),
            Operation::Rename(from, to) => match keys.remove(from) {
                Some(value) => {
                    keys.insert(to.clone(), value);
                    Outcome::Ok
                }
                None => Outcome::Error("ERR".into()),
            },
            Operation::Push(key, element) => {
                match keys.entry(key.clone()).or_insert(Value::List(Vec::new())) {
                    Value::List(list) => {
                        list.insert(0, element.clone());
                        Outcome::Number(list.len() as i64)
                    }
                    Value::Text(_) => wrong_type(),
                }
            }
            Operation::Pop(key) => match keys.get_mut(key) {
                None => Outcome::Text(None),
                Some(Value::Text(_)) => wrong_type(),
                Some(Value::List(list)) => {
                    let element = list.pop();
                    if list.is_empty() {
                        keys.remove(key);
                    }
                    Outcome::Text(element)
                }
            },
            // An error ends a script; what it did before stays.
            Operation::ScriptedIncr(first, second) => {
                match Operation::Incr(first.clone()).apply(keys) {
                    Outcome::Number(_) => Operation::Incr(second.clone()).apply(keys),
                    error => error,
                }
            }
            Operation::ScriptedExchange(first, second) => {
                let text = |key: &String| match keys.get(key) {
                    Some(Value::Text(text)) => Some(text.clone()),
                    _ => None,
                };
                let (a, b) = (text(first), text(second));
                if let (Some(a), Some(b)) = (&a, &b) {
                    keys.insert(first.clone(), Value::Text(b.clone()));
                    keys.insert(second.clone(), Value::Text(a.clone()));
                }
                Outcome::Texts(vec![a, b])
            }
        }
    }
}

impl Outcome {
    /// Reads a server's reply.
    pub fn of(reply: &Reply) -> Outcome {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match reply {
            Reply::Simple(_) => Outcome::Ok,
            Reply::Integer(number) => Outcome::Number(*number),
            reply if reply.is_null() => Outcome::Text(None),
            reply => match (reply.error(), reply.elements()) {
                (Some(error), _) => Outcome::Error(
                    text(error)
                        .split(' ')
                        .next()
                        .unwrap_or_default()
                        .to_string(),
                ),
                (_, Some(elements)) => Outcome::Texts(
                    elements
                        .iter()
                        .map(|element| element.text().map(text))
                        .collect(),
                ),
                _ => Outcome::Text(reply.text().map(text)),
            },
        }
    }
}
