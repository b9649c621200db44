//! What redis-server 7.0.15 answered to these commands, and the bytes of its nodes.
//!
//! ```text
//! # scenario
//! > command <tab> answer
//! < a line of the stream's state: figures, nodes, groups, pending, consumers
//! ```
//!
//! Nodes above 100 bytes are given as their size and their FNV-1a hash.

use std::fmt::Write;

use super::*;

const VECTORS: &str = include_str!("redis-7.0.txt");

/// The clock stands still, so that nothing is ever idle.
const NOW_MS: i64 = 1000;

#[derive(Default)]
struct Replay {
    stream: Stream,
    limits: NodeLimits,
}

fn id(text: &str) -> StreamId {
    StreamId::parse(text.as_bytes(), 0).expect("an ID")
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn show_entry(entry: &Entry<'_>) -> String {
    let fields: Vec<String> = (entry.fields.clone())
        .flat_map(|(name, value)| [name, value])
        .map(|element| String::from_utf8_lossy(&element.to_vec()).into_owned())
        .collect();
    format!("{}({})", entry.id, fields.join(","))
}

fn show_option<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn show_pending(pending: &Pending<'_>) -> String {
    let consumer = String::from_utf8_lossy(pending.consumer);
    format!("{}:{consumer}:{}", pending.id, pending.delivery_count)
}

impl Replay {
    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (command, words) = words.split_first().expect("a command");
        match *command {
            "limits" => {
                self.limits.max_bytes = number(words[0]);
                self.limits.max_entries = number(words[1]);
                "OK".to_owned()
            }
            "xadd" => self.add(words),
            "xdel" => {
                let deleted = words.iter().filter(|word| self.stream.delete(id(word)));
                deleted.count().to_string()
            }
            "xtrim" => self.trim(words),
            "xsetid" => {
                let option = |name| words.iter().position(|word| *word == name);
                let added = option("entriesadded").map(|at| number(words[at + 1]));
                let deleted = option("maxdeletedid").map(|at| id(words[at + 1]));
                match self.stream.set_last_id(id(words[0]), added, deleted) {
                    Ok(()) => "OK".to_owned(),
                    Err(error) => format!("!{error:?}"),
                }
            }
            "xrange" | "xrevrange" => {
                let (from, to) = match *command {
                    "xrange" => (words[0], words[1]),
                    _ => (words[1], words[0]),
                };
                let from = StreamId::parse_interval_start(from.as_bytes()).expect("a start");
                let to = StreamId::parse_interval_end(to.as_bytes()).expect("an end");
                let entries: Vec<String> = if *command == "xrange" {
                    self.stream
                        .range(from, to)
                        .map(|e| show_entry(&e))
                        .collect()
                } else {
                    self.stream
                        .range_back(from, to)
                        .map(|e| show_entry(&e))
                        .collect()
                };
                entries.join(" ")
            }
            "xgroup" => self.manage(words),
            command => self.consume(command, words),
        }
    }

    fn add(&mut self, words: &[&str]) -> String {
        let new_id = NewId::parse(words[0].as_bytes()).expect("an ID");
        let bytes = |word: &str| match word {
            "''" => Vec::new(),
            word => word.as_bytes().to_vec(),
        };
        let fields: Vec<(Vec<u8>, Vec<u8>)> = words[1..]
            .chunks_exact(2)
            .map(|pair| (bytes(pair[0]), bytes(pair[1])))
            .collect();
        let pairs = fields.iter().map(|(name, value)| (&name[..], &value[..]));
        match self
            .stream
            .append(new_id, NOW_MS as u64, pairs, self.limits)
        {
            Ok(id) => id.to_string(),
            Err(error) => format!("!{error:?}"),
        }
    }

    fn trim(&mut self, words: &[&str]) -> String {
        let precision = if words.contains(&"~") {
            Precision::Approximate
        } else {
            Precision::Exact
        };
        let bound = words.iter().skip(1).find(|word| !["=", "~"].contains(word));
        let bound = bound.expect("a bound");
        let keep = match words[0] {
            "maxlen" => Keep::MaxLen(number(bound)),
            _ => Keep::MinId(id(bound)),
        };
        let limit = match words.iter().position(|word| *word == "limit") {
            Some(at) => number(words[at + 1]),
            None if precision == Precision::Exact => 0,
            None => self.limits.default_trim_limit(),
        };
        let trim = Trim {
            keep,
            precision,
            limit,
        };
        self.stream.trim(&trim).to_string()
    }

    fn manage(&mut self, words: &[&str]) -> String {
        let name = words[1].as_bytes();
        let position = |stream: &Stream| match words[2] {
            "$" => stream.last_id(),
            text => id(text),
        };
        let read = match words {
            [.., "entriesread", count] => Some(number(count)),
            _ => None,
        };
        match words[0] {
            "create" => {
                let last_id = position(&self.stream);
                match self.stream.create_group(name, last_id, read) {
                    Ok(()) => "OK".to_owned(),
                    Err(error) => format!("!{error:?}"),
                }
            }
            "setid" => {
                let last_id = position(&self.stream);
                let Some(group) = self.stream.group_mut(name) else {
                    return "!nogroup".to_owned();
                };
                group.set_position(last_id, read);
                "OK".to_owned()
            }
            "destroy" => u8::from(self.stream.destroy_group(name).is_some()).to_string(),
            action => {
                let Some(group) = self.stream.group_mut(name) else {
                    return "!nogroup".to_owned();
                };
                let consumer = words[2].as_bytes();
                match action {
                    "createconsumer" => {
                        let (_, presence) = group.ensure_consumer(consumer, NOW_MS);
                        u8::from(presence == Presence::Created).to_string()
                    }
                    _ => group.delete_consumer(consumer).unwrap_or(0).to_string(),
                }
            }
        }
    }

    fn consume(&mut self, command: &str, words: &[&str]) -> String {
        let Some((log, group)) = self.stream.log_and_group_mut(words[0].as_bytes()) else {
            return if command == "xack" { "0" } else { "!nogroup" }.to_owned();
        };
        let mut consumer = || group.see_consumer(words[1].as_bytes(), NOW_MS).0;
        let mut shown = Vec::new();
        match command {
            "read" => {
                let consumer = consumer();
                let count = number(words[2]);
                let acknowledgement = match words[3] {
                    "ack" => Acknowledgement::Expected,
                    _ => Acknowledgement::None,
                };
                if words[4] == ">" {
                    group.deliver_new(log, consumer, count, acknowledgement, NOW_MS, |group, e| {
                        assert!(group.last_id() >= e.id);
                        shown.push(show_entry(&e));
                    });
                } else {
                    let from = id(words[4]).next().expect("not the last ID");
                    group.deliver_again(log, consumer, from, count, NOW_MS, |id, entry| {
                        shown.push(match entry {
                            Some(entry) => show_entry(&entry),
                            None => format!("{id}(gone)"),
                        });
                    });
                }
                shown.join(" ")
            }
            "xack" => {
                let gone = words[1..].iter().filter(|word| group.acknowledge(id(word)));
                gone.count().to_string()
            }
            "xclaim" => {
                let consumer = consumer();
                let option = |name| words.iter().position(|word| *word == name);
                if let Some(at) = option("lastid") {
                    group.advance_to(id(words[at + 1]));
                }
                let just_ids = option("justid").is_some();
                let options = Claim {
                    min_idle_ms: number(words[2]),
                    delivery_time_ms: NOW_MS,
                    delivery_count: match option("retrycount") {
                        Some(at) => DeliveryCount::Set(number(words[at + 1])),
                        None if just_ids => DeliveryCount::Keep,
                        None => DeliveryCount::Increment,
                    },
                    not_pending: match option("force") {
                        Some(_) => NotPending::Create,
                        None => NotPending::Skip,
                    },
                };
                let is_id = |word: &&&str| word.starts_with(|c: char| c.is_ascii_digit());
                for word in words[3..].iter().take_while(is_id) {
                    match group.claim(log, consumer, id(word), &options, NOW_MS) {
                        Claimed::Moved { pending, .. } if just_ids => {
                            shown.push(pending.id.to_string());
                        }
                        Claimed::Moved { entry, .. } => shown.push(show_entry(&entry)),
                        Claimed::Deleted { .. } | Claimed::Untouched => {}
                    }
                }
                shown.join(" ")
            }
            "xautoclaim" => {
                let consumer = consumer();
                let mut deleted = Vec::new();
                let delivery_count = match words.last() {
                    Some(&"justid") => DeliveryCount::Keep,
                    _ => DeliveryCount::Increment,
                };
                let next = group.claim_idle(
                    log,
                    consumer,
                    id(words[3]),
                    number(words[2]),
                    number(words[5]),
                    delivery_count,
                    NOW_MS,
                    |claimed| match claimed {
                        Claimed::Moved { entry, .. } if delivery_count == DeliveryCount::Keep => {
                            shown.push(entry.id.to_string());
                        }
                        Claimed::Moved { entry, .. } => shown.push(show_entry(&entry)),
                        Claimed::Deleted { pending } => deleted.push(pending.id.to_string()),
                        Claimed::Untouched => panic!("shown without cause"),
                    },
                );
                format!("{next} {} | {}", shown.join(" "), deleted.join(" "))
            }
            "xpending" if words.len() == 1 => {
                let end = |pending: Option<Pending<'_>>| show_option(pending.map(|p| p.id));
                let mut pending = group.pending();
                let (first, last) = (end(pending.next()), end(group.pending().next_back()));
                let consumers: Vec<String> = (group.consumers())
                    .filter(|consumer| consumer.pending_len() > 0)
                    .map(|c| format!("{}={}", String::from_utf8_lossy(c.name()), c.pending_len()))
                    .collect();
                let len = group.pending_len();
                format!("{len} {first} {last} {}", consumers.join(" "))
            }
            "xpending" => {
                let (from, to) = (id(words[1]), id(words[2]));
                let pending = match words.get(4) {
                    None => Some(group.pending_range(from, to)),
                    Some(name) => (group.consumer(name.as_bytes()))
                        .map(|consumer| group.pending_range_of(consumer, from, to)),
                };
                let pending = pending.into_iter().flatten().take(number(words[3]));
                pending
                    .map(|p| show_pending(&p))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            command => panic!("unknown command {command}"),
        }
    }

    /// The lines that the vectors have for this state.
    fn state(&self) -> Vec<String> {
        let stream = &self.stream;
        let mut lines = vec![format!(
            "len={} first={} last={} deleted={} added={} keys={} tree={}",
            stream.len(),
            stream.first_id(),
            stream.last_id(),
            stream.max_deleted_id(),
            stream.entries_added(),
            stream.node_count(),
            stream.radix_node_count(),
        )];
        for (master, bytes) in stream.nodes() {
            let mut content = String::new();
            if bytes.len() <= 100 {
                for byte in bytes {
                    write!(content, "{byte:02x}").expect("a string");
                }
            } else {
                let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                content = format!("{}:{hash:016x}", bytes.len());
            }
            lines.push(format!("node {master} {content}"));
        }
        for (name, group) in stream.groups() {
            lines.push(format!(
                "group {} last={} read={} lag={}",
                String::from_utf8_lossy(name),
                group.last_id(),
                show_option(group.entries_read()),
                show_option(group.lag(stream)),
            ));
            let pending: Vec<String> = group.pending().map(|p| show_pending(&p)).collect();
            lines.push(format!("pel {}", pending.join(" ")));
            for consumer in group.consumers() {
                let ids: Vec<String> = consumer.pending_ids().map(|id| id.to_string()).collect();
                let name = String::from_utf8_lossy(consumer.name());
                lines.push(format!("consumer {name} {}", ids.join(" ")));
            }
        }
        lines
    }
}

#[test]
fn answers_and_bytes_are_those_of_redis() {
    let mut replay = Replay::default();
    let mut scenario = "";
    let mut state = Vec::new().into_iter();
    let mut commands = 0;
    for (number, line) in (1..).zip(VECTORS.lines()) {
        let place = || format!("line {number}, scenario {scenario}");
        if let Some(expected) = line.strip_prefix("< ") {
            if expected.starts_with("len=") {
                state = replay.state().into_iter();
                let again = rebuild(&replay.stream).expect("a whole stream");
                assert_eq!(describe(&again), describe(&replay.stream), "{}", place());
            }
            assert_eq!(state.next().as_deref(), Some(expected), "{}", place());
            continue;
        }
        assert_eq!(state.next(), None, "{}", place());
        if let Some(name) = line.strip_prefix("# ") {
            replay = Replay::default();
            scenario = name;
        } else if let Some(step) = line.strip_prefix("> ") {
            let (command, answer) = step.split_once('\t').expect("an answer");
            assert_eq!(replay.run(command), answer, "{}: {command}", place());
            commands += 1;
        }
    }
    assert!(commands > 1000, "only {commands} commands");
}
