//! A history: operations, each with the times between which it took effect.

use std::time::Instant;

use super::model::{Operation, Outcome};
use crate::resp::Connection;

/// One operation as one client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which client; a client has one operation at a time.
    pub client: usize,
    /// What was asked.
    pub operation: Operation,
    /// What came back.
    pub outcome: Outcome,
    /// Just before the request was sent, in nanoseconds since the history began.
    pub called_ns: u64,
    /// Just after the reply was read; `u64::MAX` when none was.
    pub returned_ns: u64,
}

/// Operations of several clients, in any order.
pub type History = Vec<Event>;

/// One client's part in recording a history.
#[derive(Debug)]
pub struct Recorder {
    client: usize,
    start: Instant,
    events: History,
}

impl Recorder {
    /// A recorder of one client; all clients of a history share `start`.
    pub fn new(client: usize, start: Instant) -> Self {
        Recorder {
            client,
            start,
            events: Vec::new(),
        }
    }

    /// Performs an operation on a connection and records it. False when the connection
    /// failed: then the outcome is unknown, and the client must not go on under its number.
    pub fn perform(&mut self, connection: &mut Connection, operation: Operation) -> bool {
        let command = operation.command();
        let called_ns = self.now_ns();
        let reply = connection.command(&command);
        let returned_ns = self.now_ns();
        let (outcome, returned_ns) = match &reply {
            Ok(reply) => (Outcome::of(reply), returned_ns),
            Err(_) => (Outcome::Unknown, u64::MAX),
        };
        self.events.push(Event {
            client: self.client,
            operation,
            outcome,
            called_ns,
            returned_ns,
        });
        reply.is_ok()
    }

    /// What was recorded.
    pub fn finish(self) -> History {
        self.events
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}
