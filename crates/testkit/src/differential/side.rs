//! One of the two servers of a comparison: its process or address, the connections of
//! the sequence under way, and an admin connection that the sequence does not see.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::DifferentialError;
use super::step::Command;
use crate::resp::{Connection, Frame, Protocol, Reply, WireError};
use crate::servers::{Address, Server};

/// How long a reply may take before it is called missing.
const REPLY_TIMEOUT: Duration = Duration::from_millis(8_000);
/// How long a command that blocks may take to show up as blocked.
const BLOCKING_TIMEOUT: Duration = Duration::from_millis(400);

/// A server to compare: a process of ours, which is restarted when it dies, or an address.
pub enum Endpoint {
    /// A process.
    Process(Box<Server>),
    /// Somebody else's server, or a proxy.
    Remote(Address),
}

impl Endpoint {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        match self {
            Endpoint::Process(server) => server.address(),
            Endpoint::Remote(address) => address,
        }
    }
}

pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    admin: Option<Connection>,
    connections: BTreeMap<u8, Connection>,
    /// How often the process had to be started again because it had died.
    pub(super) deaths: usize,
}

impl Side {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Side {
            endpoint,
            admin: None,
            connections: BTreeMap::new(),
            deaths: 0,
        }
    }

    /// Closes every connection of the last sequence, empties the server, and restores
    /// `settings`. Restarts a process that has died.
    pub(super) fn reset(&mut self, settings: &[(&str, &str)]) -> Result<(), DifferentialError> {
        for (_, connection) in std::mem::take(&mut self.connections) {
            connection.close_and_wait();
        }
        if let Endpoint::Process(server) = &mut self.endpoint
            && !server.is_running()
        {
            self.admin = None;
            self.deaths += 1;
            server.restart()?;
        }
        let mut commands: Vec<Vec<&str>> = vec![
            vec!["FLUSHALL"],
            vec!["SCRIPT", "FLUSH"],
            vec!["FUNCTION", "FLUSH"],
            vec!["CLIENT", "UNPAUSE"],
        ];
        commands.extend(
            settings
                .iter()
                .map(|&(name, value)| vec!["CONFIG", "SET", name, value]),
        );
        let replies = match self.admin()?.pipeline(&commands) {
            Ok(replies) => replies,
            Err(_) => {
                // The admin connection itself may have been a victim of the last sequence.
                self.admin = None;
                self.admin()?.pipeline(&commands)?
            }
        };
        match replies[0].error() {
            Some(error) => Err(DifferentialError::Reset(error.escape_ascii().to_string())),
            None => Ok(()),
        }
    }

    pub(super) fn admin(&mut self) -> Result<&mut Connection, WireError> {
        let connection = match self.admin.take() {
            Some(connection) => connection,
            None => Connection::open(self.endpoint.address())?,
        };
        Ok(self.admin.insert(connection))
    }

    /// Runs a command on the admin connection in some database.
    pub(super) fn ask(&mut self, database: u32, command: &Command) -> Result<Reply, WireError> {
        let select = vec![b"SELECT".to_vec(), database.to_string().into_bytes()];
        let mut replies = self.admin()?.pipeline(&[select, command.clone()])?;
        Ok(replies.remove(1))
    }

    /// The connection with this number, opened if it is not there.
    pub(super) fn connection(
        &mut self,
        number: u8,
        protocol: Protocol,
    ) -> Result<&mut Connection, WireError> {
        let connection = match self.connections.remove(&number) {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open_with(self.endpoint.address(), protocol)?;
                connection.set_reply_timeout(REPLY_TIMEOUT);
                connection
            }
        };
        Ok(self.connections.entry(number).or_insert(connection))
    }

    pub(super) fn close(&mut self, number: u8) {
        if let Some(connection) = self.connections.remove(&number) {
            connection.close_and_wait();
        }
    }

    /// How many clients the server says are blocked, when it says so.
    pub(super) fn blocked_clients(&mut self) -> Option<u64> {
        match self.admin().ok()?.command(&["INFO", "clients"]).ok()? {
            Reply::Bulk(info) => String::from_utf8_lossy(&info)
                .lines()
                .find_map(|line| line.strip_prefix("blocked_clients:")?.trim().parse().ok()),
            _ => None,
        }
    }

    /// Waits until one client more than `before` is blocked, or the connection has its
    /// answer already.
    pub(super) fn wait_until_blocked(&mut self, number: u8, before: Option<u64>) {
        let Some(before) = before else {
            std::thread::sleep(Duration::from_millis(30));
            return;
        };
        let deadline = Instant::now() + BLOCKING_TIMEOUT;
        while Instant::now() < deadline {
            if self.blocked_clients().is_none_or(|now| now > before) {
                return;
            }
            if let Some(connection) = self.connections.get_mut(&number)
                && connection.readable(Duration::from_millis(1))
            {
                return;
            }
        }
    }

    /// All frames up to the answer to a PING that is sent after the command: for commands
    /// that answer with any number of frames.
    pub(super) fn frames_up_to_ping(
        &mut self,
        number: u8,
        protocol: Protocol,
    ) -> Result<Vec<Frame>, WireError> {
        let connection = self.connection(number, protocol)?;
        let marker = b"up-to-here".to_vec();
        connection.send(&[b"PING".to_vec(), marker.clone()])?;
        let mut frames = Vec::new();
        loop {
            let frame = connection.read_any(REPLY_TIMEOUT)?;
            let is_marker = match &frame.reply {
                Reply::Bulk(text) => *text == marker,
                Reply::Array(parts) => parts.len() == 2 && parts[1].text() == Some(&marker),
                // A subscriber may not PING in states that are errors themselves.
                Reply::Error(_) => true,
                _ => false,
            };
            if is_marker {
                return Ok(frames);
            }
            frames.push(frame);
        }
    }
}
