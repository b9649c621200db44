//! The closed-loop generator: every connection keeps one batch of requests in flight, so
//! the server is always asked for as much as it can give.
//!
//! It measures throughput and the cost per operation. Its latencies are those of a
//! saturated server, per batch of `pipeline` requests; for latencies at a given rate see
//! [`crate::steady`].
//!
//! Cost: per batch one read and one write call and a share of an `epoll_wait`; per request
//! one copy of its template, its patched digits, and a pass over its reply.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags};

use crate::affinity::{self, Cores};
use crate::connection::{Connection, Received};
use crate::draw::{Distribution, Draw, KeyPicker};
use crate::histogram::Latencies;
use crate::reply::Malformed;
use crate::template::Mix;

/// How long the server may be silent before a load is given up.
const SILENCE: Duration = Duration::from_secs(60);

const READ_BUFFER: usize = 256 * 1024;

/// Why a load could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// A socket failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The server sent what is not RESP.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The server closed a connection.
    #[error("the server closed the connection{}", first_error.as_ref().map(|e| format!(" after: {e}")).unwrap_or_default())]
    Closed {
        /// The first error it had replied, if any.
        first_error: Option<String>,
    },
    /// No reply came within a minute.
    #[error("no reply within {} s", SILENCE.as_secs())]
    Silent,
}

impl From<rustix::io::Errno> for GeneratorError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// A load: what is sent to whom, over how many connections.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Threads of the generator; each has its own connections and its own epoll.
    pub threads: usize,
    /// Connections in all, at least one per thread.
    pub connections: usize,
    /// Requests in flight per connection.
    pub pipeline: usize,
    /// The requests.
    pub mix: Mix,
    /// How keys are chosen.
    pub distribution: Distribution,
    /// How many keys there are.
    pub keyspace: u64,
    /// How many members or fields there are.
    pub members: u64,
    /// The cores the generator's threads may run on; all when `None`.
    pub cores: Option<Cores>,
    /// The same seed makes the same requests.
    pub seed: u64,
}

impl Load {
    /// A load of one thread and one connection without pipelining over a million keys.
    pub fn new(address: SocketAddr, mix: Mix) -> Self {
        Self {
            address,
            threads: 1,
            connections: 1,
            pipeline: 1,
            mix,
            distribution: Distribution::Uniform,
            keyspace: 1_000_000,
            members: 1_000_000,
            cores: None,
            seed: 1,
        }
    }
}

/// When a closed loop ends.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After this many operations in all (rounded up to whole batches).
    Operations(u64),
    /// After this time; batches in flight are awaited.
    Time(Duration),
}

/// What a load did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests answered (a request of several commands counts once).
    pub operations: u64,
    /// Error replies.
    pub errors: u64,
    /// The text of one of them.
    pub first_error: Option<String>,
    /// From the first batch to the last reply.
    pub elapsed: Duration,
    /// Per batch: from the write call to its last reply.
    pub latencies: Latencies,
}

impl Outcome {
    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    fn absorb(&mut self, other: Self) {
        self.operations += other.operations;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latencies.add(&other.latencies);
    }
}

/// A load with its connections open: connecting is not part of what is measured.
pub struct Fleet {
    load: Load,
    crews: Vec<Vec<Connection>>,
}

impl Fleet {
    /// Opens the connections.
    ///
    /// # Errors
    /// When the server does not accept one.
    pub fn connect(load: &Load) -> Result<Self, GeneratorError> {
        let threads = load.threads.max(1);
        let mut crews: Vec<Vec<Connection>> = (0..threads).map(|_| Vec::new()).collect();
        for index in 0..load.connections.max(threads) {
            crews[index % threads].push(Connection::open(load.address)?);
        }
        Ok(Self {
            load: load.clone(),
            crews,
        })
    }

    /// Runs the load until the limit. May be called again: the connections are kept.
    ///
    /// # Errors
    /// When a connection fails or the server stays silent.
    pub fn run(&mut self, limit: Limit) -> Result<Outcome, GeneratorError> {
        let threads = self.crews.len() as u64;
        let load = &self.load;
        let keys = KeyPicker::new(load.distribution, load.keyspace);
        let outcomes = std::thread::scope(|scope| {
            let workers: Vec<_> = (0u64..)
                .zip(&mut self.crews)
                .map(|(index, crew)| {
                    let (limit, first) = share(limit, index, threads);
                    let keys = keys.clone().starting_at(load.keyspace / threads * index);
                    let seed = load.seed.wrapping_mul(1_000_003).wrapping_add(index);
                    let draw = Draw::new(seed, keys, load.members, first);
                    scope.spawn(move || {
                        if let Some(cores) = &load.cores {
                            affinity::pin_this_thread(cores)?;
                        }
                        Crew::new(load, crew, draw)?.run(limit)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect::<Vec<_>>()
        });
        let mut total = Outcome::default();
        for outcome in outcomes {
            total.absorb(outcome?);
        }
        Ok(total)
    }
}

/// The part of a limit that is one thread's, and the number of its first request.
fn share(limit: Limit, index: u64, threads: u64) -> (Limit, u64) {
    match limit {
        Limit::Time(_) => (limit, index << 40),
        Limit::Operations(all) => {
            let first = all * index / threads;
            let end = all * (index + 1) / threads;
            (Limit::Operations(end - first), first)
        }
    }
}

/// One thread's connections at work.
struct Crew<'a> {
    load: &'a Load,
    connections: &'a mut [Connection],
    sent_at: Vec<Instant>,
    epoll: rustix::fd::OwnedFd,
    draw: Draw,
    /// Requests not sent yet, or `None` when time is the limit.
    left: Option<u64>,
    sent: u64,
}

impl<'a> Crew<'a> {
    fn new(
        load: &'a Load,
        connections: &'a mut [Connection],
        draw: Draw,
    ) -> Result<Self, GeneratorError> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (index, connection) in connections.iter().enumerate() {
            epoll::add(
                &epoll,
                connection,
                EventData::new_u64(index as u64),
                EventFlags::IN,
            )?;
        }
        let sent_at = vec![Instant::now(); connections.len()];
        Ok(Self {
            load,
            connections,
            sent_at,
            epoll,
            draw,
            left: None,
            sent: 0,
        })
    }

    fn run(mut self, limit: Limit) -> Result<Outcome, GeneratorError> {
        let start = Instant::now();
        let deadline = match limit {
            Limit::Time(time) => Some(start + time),
            Limit::Operations(count) => {
                self.left = Some(count);
                None
            }
        };
        let errors_before = self.errors();
        let mut latencies = Latencies::new();
        let mut buffer = vec![0; READ_BUFFER];
        let mut events = Vec::with_capacity(1024);
        let mut busy = 0;
        for index in 0..self.connections.len() {
            busy += usize::from(self.send_batch(index)?);
        }
        let silence = rustix::event::Timespec {
            tv_sec: SILENCE.as_secs() as i64,
            tv_nsec: 0,
        };
        while busy > 0 {
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&silence),
            ) {
                Ok(0) => return Err(GeneratorError::Silent),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            for event in &events {
                let index = event.data.u64() as usize;
                if self.connections[index].waits_for_room {
                    self.flush(index)?;
                }
                let flags = event.flags;
                if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                    continue;
                }
                let connection = &mut self.connections[index];
                if let Received::Closed = connection.receive(&mut buffer)? {
                    let first_error = connection.skipper.first_error().map(str::to_owned);
                    return Err(GeneratorError::Closed { first_error });
                }
                if connection.owed > 0 || connection.waits_for_room {
                    continue;
                }
                let now = Instant::now();
                latencies.record(now - self.sent_at[index]);
                let over = deadline.is_some_and(|deadline| now >= deadline);
                if over || !self.send_batch(index)? {
                    busy -= 1;
                }
            }
        }
        let first_error = self
            .connections
            .iter()
            .find_map(|c| c.skipper.first_error());
        Ok(Outcome {
            operations: self.sent,
            errors: self.errors() - errors_before,
            first_error: first_error.map(str::to_owned),
            elapsed: start.elapsed(),
            latencies,
        })
    }

    /// Sends the next batch; `false` when no request is left.
    #[inline]
    fn send_batch(&mut self, index: usize) -> Result<bool, GeneratorError> {
        let pipeline = self.load.pipeline.max(1) as u64;
        let count = self.left.map_or(pipeline, |left| left.min(pipeline));
        if count == 0 {
            return Ok(false);
        }
        if let Some(left) = &mut self.left {
            *left -= count;
        }
        self.sent += count;
        let connection = &mut self.connections[index];
        let mut owed = 0;
        for _ in 0..count {
            owed += u64::from(self.load.mix.write(connection.output(), &mut self.draw));
        }
        connection.owed = owed;
        self.sent_at[index] = Instant::now();
        self.flush(index)?;
        Ok(true)
    }

    /// Writes what the socket takes, and watches for room exactly while something is left.
    #[inline]
    fn flush(&mut self, index: usize) -> Result<(), GeneratorError> {
        let connection = &mut self.connections[index];
        let full = !connection.flush()?;
        if full != connection.waits_for_room {
            connection.waits_for_room = full;
            let flags = if full {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(
                &self.epoll,
                &*connection,
                EventData::new_u64(index as u64),
                flags,
            )?;
        }
        Ok(())
    }

    fn errors(&self) -> u64 {
        self.connections
            .iter()
            .map(|connection| connection.skipper.errors())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo;

    /// An echo server is the simplest peer: every request is an array, and comes back.
    fn load(line: &str) -> Load {
        let address = echo::spawn().unwrap();
        Load::new(address, Mix::of(line).unwrap())
    }

    #[test]
    fn every_operation_is_sent_and_counted_once() {
        let mut load = load("SET key:{k:12} {v:32}");
        load.threads = 2;
        load.connections = 5;
        load.pipeline = 16;
        let mut fleet = Fleet::connect(&load).unwrap();
        let outcome = fleet.run(Limit::Operations(10_007)).unwrap();
        assert_eq!((outcome.operations, outcome.errors), (10_007, 0));
        let again = fleet.run(Limit::Operations(3)).unwrap();
        assert_eq!(again.operations, 3);
        assert_eq!(
            again.latencies.count(),
            2,
            "one request for the first thread, two for the second"
        );
    }

    #[test]
    fn batches_larger_than_the_socket_buffers_get_through() {
        let mut load = load("SET k {v:1000000}");
        load.pipeline = 8;
        let outcome = Fleet::connect(&load)
            .unwrap()
            .run(Limit::Operations(16))
            .unwrap();
        assert_eq!(outcome.operations, 16);
    }

    #[test]
    fn time_ends_a_run() {
        let mut fleet = Fleet::connect(&load("PING ; PING")).unwrap();
        let outcome = fleet.run(Limit::Time(Duration::from_millis(20))).unwrap();
        assert!(outcome.operations > 0);
        assert_eq!(outcome.latencies.count(), outcome.operations);
    }

    #[test]
    fn shares_cover_everything_once() {
        let mut next = 0;
        for index in 0..7 {
            let (Limit::Operations(count), first) = share(Limit::Operations(100), index, 7) else {
                panic!("a share of operations is counted in operations");
            };
            assert_eq!(first, next);
            next += count;
        }
        assert_eq!(next, 100);
    }
}
