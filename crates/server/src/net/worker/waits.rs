//! The ends of waits: of blocked clients, and of commands that a pause has held back.

use std::sync::atomic::Ordering;

use ochre_resp::Reply;

use super::Desk;
use crate::blocking;
use crate::commands::spec::TimeoutReply;
use crate::error::Error;
use crate::execute::{self, Call};
use crate::net::connection::Stall;
use crate::net::output;
use crate::net::reactor::{Chunk, Close, Reactor, Token};
use crate::pause::Paused;

/// Why a wait ends without being served.
#[derive(Debug, Clone, Copy)]
pub(super) enum WaitEnd {
    /// Its time is up.
    Overdue,
    /// CLIENT UNBLOCK, which names the wait that it ended.
    Request { wait: u64, error: bool },
}

impl Desk {
    /// Ends the wait of a blocked client, unless it is another one by now, with a reply
    /// and goes on with its input.
    pub(super) fn unblock(
        &mut self,
        reactor: &mut Reactor,
        token: Token,
        wait: u64,
        reply: Vec<u8>,
    ) {
        let Some(mut connection) = self.take(token) else {
            return;
        };
        let Some(blocked) = connection.blocked.take_if(|blocked| blocked.number == wait) else {
            return self.put_back(connection);
        };
        if let Some(deadline) = blocked.deadline_ms {
            self.deadlines.remove(&(deadline, token.slot()));
        }
        *connection.session.client.wait.lock() = None;
        connection
            .session
            .update_flags(|flags| flags.blocked = false);
        connection.stalled = None;
        connection.session.wrote_to = self.server.persistence.journal.end();
        if !std::mem::take(&mut connection.is_muted) {
            self.local.stats.writes += 1;
            self.local.stats.output_bytes += reply.len() as u64;
            output::put(reactor, token, Chunk::Bytes(reply), &mut connection.drawing);
        }
        if self.exceeds_output_limit(reactor, &mut connection) {
            return self.close(reactor, connection, Close::Now);
        }
        self.put_back(connection);
        self.unstall(reactor, token);
    }

    /// Answers a client whose wait `why` ends, and takes the wait out of its lines. Does
    /// nothing where the wait has ended otherwise: then its reply is on the way.
    pub(super) fn end_wait(&mut self, reactor: &mut Reactor, token: Token, why: WaitEnd) {
        let Some(mut connection) = self.take(token) else {
            return;
        };
        let Some(blocked) = connection.blocked.clone() else {
            return self.put_back(connection);
        };
        let call = Call {
            server: &self.server,
            live: &self.live,
            session: &mut connection.session,
            local: &mut self.local,
            named: None,
        };
        let is_ours = match why {
            WaitEnd::Overdue => blocking::cancel(&call, &blocked),
            WaitEnd::Request { wait, .. } if wait != blocked.number => false,
            WaitEnd::Request { .. } => {
                blocking::cancel(&call, &blocked);
                true
            }
        };
        let mut answer = Reply::new(connection.session.protocol);
        match (why, blocked.on_timeout) {
            (WaitEnd::Request { error: true, .. }, _) => {
                let error = Error::text("UNBLOCKED client unblocked via CLIENT UNBLOCK");
                if is_ours {
                    execute::write_error(&self.server, &error, &mut answer);
                }
            }
            (_, TimeoutReply::Null) => answer.null(),
            (_, TimeoutReply::NullArray | TimeoutReply::NullOrNullArray) => answer.null_array(),
            (_, TimeoutReply::Zero) => answer.integer(0),
            (_, TimeoutReply::Copies) => {
                let durable = self.server.persistence.aof.durable();
                answer.array(2);
                answer.integer(i64::from(connection.session.wrote_to <= durable));
                answer.integer(0);
            }
        }
        self.put_back(connection);
        if is_ours {
            self.unblock(reactor, token, blocked.number, answer.into_bytes());
        }
    }

    /// Ends the waits whose time is up.
    pub(super) fn end_overdue_waits(&mut self, reactor: &mut Reactor) {
        let now_ms = crate::clock::now_ms();
        while let Some(&(deadline, slot)) = self.deadlines.first() {
            if deadline > now_ms {
                break;
            }
            self.deadlines.pop_first();
            let generation = self.connections[slot as usize].generation;
            self.end_wait(reactor, Token(slot, generation), WaitEnd::Overdue);
        }
    }

    /// Runs the commands that waited for the end of a script, if that has come or takes
    /// too long.
    pub(super) fn resume_deferred(&mut self, reactor: &mut Reactor) {
        // Dropped at the end: whoever waits for that goes on.
        let _done = std::mem::take(&mut self.deferred_done);
        if self.deferred.is_empty() {
            return;
        }
        let server = self.server.clone();
        let has_deferred = &server.mailboxes[self.index].has_deferred;
        // Said before looking, so that the script's end is told or seen.
        has_deferred.store(true, Ordering::SeqCst);
        if server.script.is_long() && !server.is_busy() {
            return;
        }
        for token in std::mem::take(&mut self.deferred) {
            self.go_on_after(reactor, token, Stall::Deferred);
        }
        has_deferred.store(!self.deferred.is_empty(), Ordering::SeqCst);
    }

    /// Runs what the connection came to, if it is still stalled by `stall`.
    fn go_on_after(&mut self, reactor: &mut Reactor, token: Token, stall: Stall) {
        let slot = &mut self.connections[token.slot() as usize];
        let connection = slot.connection.as_mut().filter(|c| c.token == token);
        if let Some(connection) = connection
            && connection.stalled == Some(stall)
        {
            connection.stalled = None;
            if stall == Stall::Paused {
                connection
                    .session
                    .update_flags(|flags| flags.paused = false);
            }
            self.unstall(reactor, token);
        }
    }

    /// Runs the commands that waited for a pause, if that is over.
    pub(super) fn resume_paused(&mut self, reactor: &mut Reactor) {
        if self.paused.is_empty() {
            return;
        }
        if self.server.pause.state(crate::clock::now_ms()) != Paused::Nothing {
            return;
        }
        for token in std::mem::take(&mut self.paused) {
            self.go_on_after(reactor, token, Stall::Paused);
        }
    }
}
