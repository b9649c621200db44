//! Running one sequence: step by step on both servers, comparing as it goes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Mismatch;
use super::compare::{compare_frames, compare_replies};
use super::random::{check_choice, members_query};
use super::rules::{Rule, name_of, rule_for};
use super::side::Side;
use super::step::{Action, Command, Step, words};
use crate::resp::{Frame, Protocol, Reply, WireError};

/// How long the first answer to raw bytes may take, and when the last one was the last.
const RAW_PATIENCE: Duration = Duration::from_millis(30);
const RAW_QUIET: Duration = Duration::from_millis(12);
const SHORT_WAIT: Duration = Duration::from_millis(2);
/// The pause that makes two pieces arrive apart.
const BETWEEN_PIECES: Duration = Duration::from_millis(2);
/// How long an awaited frame may take.
const AWAIT_TIMEOUT: Duration = Duration::from_millis(5_000);
/// An iteration that has not ended after this many calls does not end.
const SCAN_CALLS: usize = 20_000;

/// What the runner knows about a connection, from the reference's replies.
#[derive(Default)]
struct Session {
    database: u32,
    /// The commands queued since MULTI.
    queued: Option<Vec<Command>>,
    /// Commands sent whose replies have not been awaited.
    started: Vec<Command>,
}

/// Runs one sequence on two servers that have been reset.
pub(super) struct Run<'a> {
    pub(super) oracle: &'a mut Side,
    pub(super) subject: &'a mut Side,
    pub(super) protocol: Protocol,
    pub(super) reference: (u32, u32),
    sessions: BTreeMap<u8, Session>,
    /// How many replies of the reference were errors.
    pub(super) errors: usize,
}

type Outcome = Result<Frame, WireError>;

impl<'a> Run<'a> {
    pub(super) fn new(
        oracle: &'a mut Side,
        subject: &'a mut Side,
        protocol: Protocol,
        reference: (u32, u32),
    ) -> Self {
        Run {
            oracle,
            subject,
            protocol,
            reference,
            sessions: BTreeMap::new(),
            errors: 0,
        }
    }

    /// Runs the steps up to the first disagreement.
    pub(super) fn steps(&mut self, steps: &[Step]) -> Result<Option<Mismatch>, WireError> {
        for (index, step) in steps.iter().enumerate() {
            if let Some(mut mismatch) = self.step(step)? {
                mismatch.step = Some(index);
                mismatch.what = step.to_string();
                return Ok(Some(mismatch));
            }
        }
        Ok(None)
    }

    fn step(&mut self, step: &Step) -> Result<Option<Mismatch>, WireError> {
        let number = step.connection;
        match &step.action {
            Action::Do(command) => self.command(number, command),
            Action::Start(command) => {
                let before = (
                    self.oracle.blocked_clients(),
                    self.subject.blocked_clients(),
                );
                let sent = self.send(number, command);
                self.sessions
                    .entry(number)
                    .or_default()
                    .started
                    .push(command.clone());
                if let Some(mismatch) = self.sent(number, sent) {
                    return Ok(Some(mismatch));
                }
                self.oracle.wait_until_blocked(number, before.0);
                self.subject.wait_until_blocked(number, before.1);
                Ok(None)
            }
            Action::Await { frames } => {
                for _ in 0..*frames {
                    let oracle = read_any(self.oracle, number, self.protocol);
                    let subject = read_any(self.subject, number, self.protocol);
                    let is_push = matches!(
                        &oracle,
                        Ok(Frame {
                            reply: Reply::Push(_),
                            ..
                        })
                    );
                    let started = &mut self.sessions.entry(number).or_default().started;
                    let command = if is_push || started.is_empty() {
                        Vec::new()
                    } else {
                        started.remove(0)
                    };
                    if let Some(mismatch) = self.compare(number, &command, oracle, subject)? {
                        return Ok(Some(mismatch));
                    }
                }
                Ok(None)
            }
            Action::Raw(pieces) => self.raw(number, pieces),
            Action::Reconnect => {
                self.oracle.close(number);
                self.subject.close(number);
                self.sessions.remove(&number);
                Ok(None)
            }
            Action::Sleep { duration_ms } => {
                std::thread::sleep(Duration::from_millis(*duration_ms));
                Ok(None)
            }
        }
    }

    fn send(&mut self, number: u8, command: &Command) -> [Result<(), WireError>; 2] {
        let protocol = self.protocol;
        [&mut *self.oracle, &mut *self.subject].map(|side| {
            side.connection(number, protocol)
                .and_then(|connection| connection.send(command))
        })
    }

    /// When a send failed on both sides, both have closed: that agrees.
    fn sent(
        &mut self,
        number: u8,
        [oracle, subject]: [Result<(), WireError>; 2],
    ) -> Option<Mismatch> {
        match (oracle, subject) {
            (Ok(()), Ok(())) => None,
            (Err(_), Err(_)) => {
                self.forget(number);
                None
            }
            (oracle, subject) => {
                let show = |outcome: Result<(), WireError>| {
                    outcome.map_or_else(|e| e.to_string(), |()| "(open)".into())
                };
                Some(mismatch(
                    show(oracle),
                    show(subject),
                    "one connection is gone",
                ))
            }
        }
    }

    fn forget(&mut self, number: u8) {
        self.oracle.close(number);
        self.subject.close(number);
        self.sessions.remove(&number);
    }

    fn command(&mut self, number: u8, command: &Command) -> Result<Option<Mismatch>, WireError> {
        let session = self.sessions.entry(number).or_default();
        let (database, in_transaction) = (session.database, session.queued.is_some());
        let rule = rule_for(command);
        let members = match rule {
            Rule::Members | Rule::Pop if !in_transaction => match members_query(command) {
                Some(query) => Some(self.oracle.ask(database, &query)?),
                None => None,
            },
            _ => None,
        };
        let sent = self.send(number, command);
        if let Some(mismatch) = self.sent(number, sent) {
            return Ok(Some(mismatch));
        }
        if !in_transaction && answers_in_many_frames(command) {
            return self.many_frames(number, command);
        }
        let read = |side: &mut Side| side.connection(number, self.protocol)?.read_reply();
        let (oracle, subject) = (read(self.oracle), read(self.subject));
        let replies = match (&oracle, &subject) {
            (Ok(oracle), Ok(subject)) => Some((oracle.reply.clone(), subject.reply.clone())),
            _ => None,
        };
        if let Some(mismatch) = self.compare(number, command, oracle, subject)? {
            return Ok(Some(mismatch));
        }
        let Some((oracle, subject)) = replies else {
            return Ok(None);
        };
        self.errors += usize::from(oracle.error().is_some());
        self.follow(number, command, &oracle);
        if in_transaction || oracle.error().is_some() {
            return Ok(None);
        }
        let verdict = match rule {
            Rule::Members | Rule::Pop => {
                self.check_random(database, command, &oracle, &subject, members)?
            }
            Rule::Scan => self.check_scan(number, command, &oracle, &subject)?,
            _ => Ok(()),
        };
        Ok(verdict
            .err()
            .map(|why| mismatch(format!("{oracle:?}"), format!("{subject:?}"), &why)))
    }

    fn compare(
        &mut self,
        number: u8,
        command: &Command,
        oracle: Outcome,
        subject: Outcome,
    ) -> Result<Option<Mismatch>, WireError> {
        let show = |outcome: &Outcome| match outcome {
            Ok(frame) => format!("{:?}", frame.reply),
            Err(error) => format!("({error})"),
        };
        match (&oracle, &subject) {
            (Ok(left), Ok(right)) => {
                let queued = self
                    .sessions
                    .get(&number)
                    .and_then(|session| session.queued.as_ref());
                let verdict = match (name_of(command).as_str(), queued) {
                    ("EXEC", Some(queued)) => compare_exec(queued, left, right, self.reference),
                    _ => compare_frames(command, left, right, self.reference),
                };
                Ok(verdict
                    .err()
                    .map(|why| mismatch(show(&oracle), show(&subject), &why)))
            }
            (Err(WireError::Closed { .. }), Err(WireError::Closed { .. }))
            | (Err(WireError::Timeout { .. }), Err(WireError::Timeout { .. })) => {
                self.forget(number);
                Ok(None)
            }
            _ => Ok(Some(mismatch(
                show(&oracle),
                show(&subject),
                "one has no reply",
            ))),
        }
    }

    /// Keeps track of the connection's database and transaction.
    fn follow(&mut self, number: u8, command: &Command, reply: &Reply) {
        let session = self.sessions.entry(number).or_default();
        let name = name_of(command);
        let is_ok = *reply == Reply::Simple(b"OK".to_vec());
        match (name.as_str(), &mut session.queued) {
            (_, Some(queued)) if *reply == Reply::Simple(b"QUEUED".to_vec()) => {
                queued.push(command.clone())
            }
            ("MULTI", None) if is_ok => session.queued = Some(Vec::new()),
            ("EXEC", Some(_)) => {
                let queued = session.queued.take().unwrap_or_default();
                for (command, reply) in queued.iter().zip(reply.elements().unwrap_or_default()) {
                    self.follow(number, command, reply);
                }
            }
            ("DISCARD", Some(_)) if is_ok => session.queued = None,
            ("RESET", _) => *session = Session::default(),
            ("SELECT", None) if is_ok => {
                let index = command
                    .get(1)
                    .and_then(|index| std::str::from_utf8(index).ok());
                session.database = index
                    .and_then(|index| index.parse().ok())
                    .unwrap_or(session.database);
            }
            _ => {}
        }
    }

    fn many_frames(
        &mut self,
        number: u8,
        command: &Command,
    ) -> Result<Option<Mismatch>, WireError> {
        let oracle = self.oracle.frames_up_to_ping(number, self.protocol);
        let subject = self.subject.frames_up_to_ping(number, self.protocol);
        let (oracle, subject) = match (oracle, subject) {
            (Ok(oracle), Ok(subject)) => (oracle, subject),
            (Err(_), Err(_)) => {
                self.forget(number);
                return Ok(None);
            }
            (oracle, subject) => {
                return Ok(Some(mismatch(
                    format!("{oracle:?}"),
                    format!("{subject:?}"),
                    "one has no reply",
                )));
            }
        };
        let raw = |frames: &[Frame]| {
            let mut raw: Vec<Vec<u8>> = frames.iter().map(|frame| frame.raw.clone()).collect();
            // Leaving everything leaves it in no order.
            if command.len() == 1 {
                raw.sort();
            }
            raw
        };
        if raw(&oracle) == raw(&subject) || unsubscribed_alike(command, &oracle, &subject) {
            return Ok(None);
        }
        let show = |frames: &[Frame]| {
            format!(
                "{:?}",
                frames.iter().map(|frame| &frame.reply).collect::<Vec<_>>()
            )
        };
        Ok(Some(mismatch(
            show(&oracle),
            show(&subject),
            "values differ",
        )))
    }

    fn check_random(
        &mut self,
        database: u32,
        command: &Command,
        oracle: &Reply,
        subject: &Reply,
        members: Option<Reply>,
    ) -> Result<Result<(), String>, WireError> {
        let Some(members) = members else {
            // RANDOMKEY: whatever it names must be there.
            let Some(key) = subject.text() else {
                return Ok(Ok(()));
            };
            let found = self
                .subject
                .ask(database, &vec![b"EXISTS".to_vec(), key.to_vec()])?;
            return Ok(if found == Reply::Integer(1) {
                Ok(())
            } else {
                Err("no such key".into())
            });
        };
        for (who, chosen) in [("the reference: ", oracle), ("", subject)] {
            if let Err(why) = check_choice(command, chosen, &members) {
                return Ok(Err(format!("{who}{why}")));
            }
        }
        if rule_for(command) == Rule::Pop {
            let texts = |reply: &Reply| -> Vec<Vec<u8>> {
                match reply.elements() {
                    Some(elements) => elements
                        .iter()
                        .filter_map(Reply::text)
                        .map(Vec::from)
                        .collect(),
                    None => reply.text().map(Vec::from).into_iter().collect(),
                }
            };
            let (ours, theirs) = (texts(oracle), texts(subject));
            let with = |name: &[u8], members: Vec<Vec<u8>>| {
                [vec![name.to_vec(), command[1].clone()], members].concat()
            };
            if !ours.is_empty() && ours.len() < members.elements().unwrap_or_default().len() {
                self.subject.ask(database, &with(b"SADD", theirs))?;
                self.subject.ask(database, &with(b"SREM", ours))?;
            }
        }
        Ok(Ok(()))
    }

    /// When an iteration begins, goes through with it on both sides and compares the sets.
    fn check_scan(
        &mut self,
        number: u8,
        command: &Command,
        oracle: &Reply,
        subject: &Reply,
    ) -> Result<Result<(), String>, WireError> {
        let keyed = name_of(command) != "SCAN";
        let cursor_at = if keyed { 2 } else { 1 };
        if command.get(cursor_at).map(Vec::as_slice) != Some(b"0") {
            return Ok(Ok(()));
        }
        let paired = matches!(name_of(command).as_str(), "HSCAN" | "ZSCAN");
        let left = iterate(
            self.oracle,
            number,
            self.protocol,
            command,
            cursor_at,
            oracle,
            paired,
        )?;
        let right = iterate(
            self.subject,
            number,
            self.protocol,
            command,
            cursor_at,
            subject,
            paired,
        )?;
        let scores_as_numbers = |found: Option<Vec<Vec<Reply>>>| match found {
            Some(pairs) if name_of(command) == "ZSCAN" => Some(with_numbers(pairs)),
            found => found,
        };
        let (left, right) = (scores_as_numbers(left), scores_as_numbers(right));
        Ok(match (left, right) {
            (Some(left), Some(right)) if left == right => Ok(()),
            (Some(left), Some(right)) => {
                let lost = left.iter().find(|element| !right.contains(element));
                let added = right.iter().find(|element| !left.contains(element));
                Err(format!(
                    "full iterations differ: missing {lost:?}, too many {added:?}"
                ))
            }
            _ => Err("an iteration does not end".into()),
        })
    }

    fn raw(&mut self, number: u8, pieces: &[Vec<u8>]) -> Result<Option<Mismatch>, WireError> {
        let protocol = self.protocol;
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                std::thread::sleep(BETWEEN_PIECES);
            }
            for side in [&mut *self.oracle, &mut *self.subject] {
                // A server may close in the middle; what it said before counts.
                side.connection(number, protocol)?.send_bytes(piece).ok();
            }
        }
        let mut answers: Vec<(Vec<u8>, bool)> = Vec::new();
        let oracle = self.oracle.connection(number, protocol)?;
        answers.push(oracle.read_until_quiet(RAW_PATIENCE, RAW_QUIET)?);
        // The subject has had as much time by now; when it has said less, it gets more.
        let subject = self.subject.connection(number, protocol)?;
        let (mut bytes, mut closed) = subject.read_until_quiet(SHORT_WAIT, SHORT_WAIT)?;
        let wanted = &answers[0];
        let mut waits = 0;
        while !closed && waits < 20 && (bytes.len() < wanted.0.len() || wanted.1) {
            let (more, now_closed) = subject.read_until_quiet(RAW_QUIET * 5, SHORT_WAIT)?;
            waits += 1;
            closed = now_closed;
            bytes.extend(more);
        }
        answers.push((bytes, closed));
        if answers[0].1 && answers[1].1 {
            self.forget(number);
        }
        let show = |(bytes, closed): &(Vec<u8>, bool)| {
            format!(
                "\"{}\"{}",
                bytes.escape_ascii(),
                if *closed { " and closed" } else { "" }
            )
        };
        if answers[0] == answers[1] {
            return Ok(None);
        }
        Ok(Some(mismatch(
            show(&answers[0]),
            show(&answers[1]),
            "the bytes differ",
        )))
    }
}

fn mismatch(oracle: String, subject: String, why: &str) -> Mismatch {
    Mismatch {
        step: None,
        what: String::new(),
        oracle,
        subject,
        why: why.to_string(),
    }
}

fn read_any(side: &mut Side, number: u8, protocol: Protocol) -> Outcome {
    side.connection(number, protocol)?.read_any(AWAIT_TIMEOUT)
}

fn answers_in_many_frames(command: &Command) -> bool {
    matches!(
        name_of(command).as_str(),
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE"
    )
}

/// Leaving all channels names them in any order while the remaining count goes down.
fn unsubscribed_alike(command: &Command, oracle: &[Frame], subject: &[Frame]) -> bool {
    let part = |frames: &[Frame], index: usize| -> Vec<Option<Reply>> {
        let mut parts: Vec<Option<Reply>> = frames
            .iter()
            .map(|frame| {
                frame
                    .reply
                    .elements()
                    .and_then(|parts| parts.get(index).cloned())
            })
            .collect();
        if index == 1 {
            parts.sort();
        }
        parts
    };
    command.len() == 1 && (0..3).all(|index| part(oracle, index) == part(subject, index))
}

fn compare_exec(
    queued: &[Command],
    oracle: &Frame,
    subject: &Frame,
    reference: (u32, u32),
) -> Result<(), String> {
    let (Some(left), Some(right)) = (oracle.reply.elements(), subject.reply.elements()) else {
        return compare_frames(&[b"EXEC".to_vec()], oracle, subject, reference);
    };
    if left.len() != right.len() {
        return Err(format!("{} replies against {}", left.len(), right.len()));
    }
    for (command, (left, right)) in queued.iter().zip(left.iter().zip(right)) {
        compare_replies(command, left, right, reference)
            .map_err(|why| format!("{}: {why}", words(command)))?;
    }
    Ok(())
}

/// Members with their scores in one form of text: which form a server prints depends on
/// its version.
fn with_numbers(mut pairs: Vec<Vec<Reply>>) -> Vec<Vec<Reply>> {
    for pair in &mut pairs {
        if let [_, Reply::Bulk(score)] = pair.as_mut_slice()
            && let Some(number) = std::str::from_utf8(score)
                .ok()
                .and_then(|text| text.parse::<f64>().ok())
        {
            *score = format!("{number:?}").into_bytes();
        }
    }
    pairs.sort();
    pairs
}

/// Goes on with an iteration that `first` began; the sorted set of what it returned.
fn iterate(
    side: &mut Side,
    number: u8,
    protocol: Protocol,
    command: &Command,
    cursor_at: usize,
    first: &Reply,
    paired: bool,
) -> Result<Option<Vec<Vec<Reply>>>, WireError> {
    let mut found = Vec::new();
    let mut reply = first.clone();
    for _ in 0..SCAN_CALLS {
        let Some([cursor, elements]) = reply.elements() else {
            return Ok(None);
        };
        let elements = elements.elements().unwrap_or_default();
        found.extend(
            elements
                .chunks(if paired { 2 } else { 1 })
                .map(<[Reply]>::to_vec),
        );
        let Some(cursor) = cursor.text() else {
            return Ok(None);
        };
        if cursor == b"0" {
            found.sort();
            found.dedup();
            return Ok(Some(found));
        }
        let mut next = command.clone();
        next[cursor_at] = cursor.to_vec();
        reply = side.connection(number, protocol)?.command(&next)?;
    }
    Ok(None)
}
