//! The steady-rate generator: an open loop. Requests are due at fixed moments and are sent
//! when due, whatever the server does meanwhile, and a latency counts from the moment the
//! request was due. So a stall of the server is seen by every request that it delays, not
//! by one per connection ("coordinated omission").
//!
//! A generator that itself wakes up late (a busy machine) would blame the server; so
//! latencies from the actual sending are kept as well, and the lateness itself. Nor is it
//! the server's doing when its core runs something else: of a server that is alone on one
//! core, [`Steady::suspect`] deducts that.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::affinity;
use crate::connection::{Connection, Received};
use crate::draw::{Draw, KeyPicker};
use crate::generator::{GeneratorError, Load};
use crate::histogram::Latencies;
use crate::measure::{self, Shares};

/// How long replies are awaited after the last request.
const DRAIN: Duration = Duration::from_secs(60);

/// A load at a steady rate. Of the load, `threads` and `pipeline` do not apply.
#[derive(Clone, Debug)]
pub struct Steady {
    /// What is sent, over how many connections (in turn).
    pub load: Load,
    /// Requests per second over all connections.
    pub rate: f64,
    /// The server, when [`Observed::own`] is wanted.
    pub suspect: Option<Suspect>,
}

/// A server that is confined to one core, and asked what of a wait is its own doing. The
/// generator's thread runs before all others of its cores, where that is allowed, and
/// connects to the Unix socket: what is sent is there at once, while the network between
/// two sockets is a thread of the kernel at times, which waits for a core like others.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Its number.
    pub process: u32,
    /// Where it listens.
    pub unix_socket: PathBuf,
}

/// What a steady load saw.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Requests answered.
    pub operations: u64,
    /// Error replies.
    pub errors: u64,
    /// The text of one of them.
    pub first_error: Option<String>,
    /// From the moment a request was due to its reply.
    pub from_due: Latencies,
    /// From the moment a request was sent to its reply.
    pub from_sent: Latencies,
    /// From the moment a request was due to its sending: the generator's own delay.
    pub lateness: Latencies,
    /// The longest time from a request's sending to its reply that was the server's own
    /// doing: less what the kernel denied it ([`Shares::denied_since`]).
    pub own: Duration,
    /// The most that was deducted from a wait longer than all before it.
    pub denied: Duration,
}

struct InFlight {
    due: Instant,
    sent: Instant,
    replies: u32,
    /// What the suspect had had of its core just before.
    before: Shares,
}

/// A steady load running on a thread of its own.
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Observed, GeneratorError>>,
}

impl Running {
    /// Ends the load, awaits the replies still owed, and returns what was seen.
    ///
    /// # Errors
    /// When a connection failed, or replies stayed out for a minute.
    pub fn finish(self) -> Result<Observed, GeneratorError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Steady {
    /// Opens the connections and starts sending on a thread of its own.
    ///
    /// # Errors
    /// When the server does not accept a connection.
    pub fn start(self) -> Result<Running, GeneratorError> {
        let connections = self.connect()?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked_to_stop = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            if let Some(cores) = &self.load.cores {
                affinity::pin_this_thread(cores)?;
            }
            if self.suspect.is_some() {
                // Where it is refused, the waits and the lateness are longer, and say so.
                affinity::make_this_thread_urgent();
            }
            self.send_until(connections, |_| asked_to_stop.load(Ordering::Relaxed))
        });
        Ok(Running { stop, thread })
    }

    /// Sends for `time` on the calling thread.
    ///
    /// # Errors
    /// When a connection fails, or replies stay out for a minute.
    pub fn run(&self, time: Duration) -> Result<Observed, GeneratorError> {
        let connections = self.connect()?;
        let end = Instant::now() + time;
        self.send_until(connections, |now| now >= end)
    }

    fn connect(&self) -> Result<Vec<Connection>, GeneratorError> {
        (0..self.load.connections.max(1))
            .map(|_| {
                Ok(match &self.suspect {
                    Some(suspect) => Connection::open_unix(&suspect.unix_socket)?,
                    None => Connection::open(self.load.address)?,
                })
            })
            .collect()
    }

    fn send_until(
        &self,
        mut connections: Vec<Connection>,
        over: impl Fn(Instant) -> bool,
    ) -> Result<Observed, GeneratorError> {
        let load = &self.load;
        let keys = KeyPicker::new(load.distribution, load.keyspace);
        let mut draw = Draw::new(load.seed, keys, load.members, 0);
        let interval = Duration::from_secs_f64(1.0 / self.rate.clamp(0.001, 1e7));
        let mut in_flight: Vec<VecDeque<InFlight>> =
            connections.iter().map(|_| VecDeque::new()).collect();
        let mut observed = Observed::default();
        let mut buffer = vec![0; 64 * 1024];
        let mut turn = 0;
        let mut due = Instant::now();
        let mut ended: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if ended.is_none() && over(now) {
                ended = Some(now);
            }
            while ended.is_none() && due <= now {
                let index = turn % connections.len();
                turn += 1;
                let replies = load.mix.write(connections[index].output(), &mut draw);
                let before = self.shares();
                let sent = Instant::now();
                in_flight[index].push_back(InFlight {
                    due,
                    sent,
                    replies,
                    before,
                });
                observed.lateness.record(sent - due);
                due += interval;
            }
            for connection in &mut connections {
                connection.waits_for_room = !connection.flush()?;
            }
            if let Some(ended) = ended {
                if in_flight.iter().all(VecDeque::is_empty) {
                    break;
                }
                if now > ended + DRAIN {
                    return Err(GeneratorError::Silent);
                }
            }
            let wait = match ended {
                Some(_) => Duration::from_millis(20),
                None => due
                    .saturating_duration_since(Instant::now())
                    .min(Duration::from_millis(20)),
            };
            for index in readable(&connections, wait)? {
                let connection = &mut connections[index];
                let replies = match connection.receive(&mut buffer)? {
                    Received::Replies(replies) => replies,
                    Received::Closed => {
                        let first_error = connection.skipper.first_error().map(str::to_owned);
                        return Err(GeneratorError::Closed { first_error });
                    }
                };
                self.settle(&mut in_flight[index], replies, &mut observed);
            }
        }
        for connection in &connections {
            observed.errors += connection.skipper.errors();
            if observed.first_error.is_none() {
                observed.first_error = connection.skipper.first_error().map(str::to_owned);
            }
        }
        Ok(observed)
    }

    /// Books `replies` on the oldest requests in flight.
    fn settle(&self, in_flight: &mut VecDeque<InFlight>, replies: u64, observed: &mut Observed) {
        let now = Instant::now();
        for _ in 0..replies {
            let Some(oldest) = in_flight.front_mut() else {
                return;
            };
            oldest.replies -= 1;
            if oldest.replies > 0 {
                continue;
            }
            let waited = now - oldest.sent;
            observed.operations += 1;
            observed.from_due.record(now - oldest.due);
            observed.from_sent.record(waited);
            // What was denied only shortens it.
            if self.suspect.is_some() && waited > observed.own {
                let denied = self.shares().denied_since(&oldest.before, waited);
                observed.own = observed.own.max(waited - denied);
                observed.denied = observed.denied.max(denied);
            }
            in_flight.pop_front();
        }
    }

    /// What the suspect has had of its core; nothing once it is gone, which the connection
    /// will tell.
    fn shares(&self) -> Shares {
        let suspect = self.suspect.as_ref();
        let shares = suspect.map(|suspect| measure::shares(suspect.process));
        shares.and_then(Result::ok).unwrap_or_default()
    }
}

/// Waits until a connection can be read, or one that waits for room can be written, and
/// returns the readable ones. `poll`, not `epoll_wait`: its timeout has nanoseconds.
fn readable(connections: &[Connection], wait: Duration) -> Result<Vec<usize>, GeneratorError> {
    let mut descriptors: Vec<PollFd<'_>> = connections
        .iter()
        .map(|connection| {
            let room = if connection.waits_for_room {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            PollFd::new(connection, PollFlags::IN | room)
        })
        .collect();
    let timeout = Timespec {
        tv_sec: wait.as_secs() as i64,
        tv_nsec: i64::from(wait.subsec_nanos()),
    };
    match poll(&mut descriptors, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let wanted = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
    let ready = descriptors
        .iter()
        .enumerate()
        .filter(|(_, d)| d.revents().intersects(wanted));
    Ok(ready.map(|(index, _)| index).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo;
    use crate::template::Mix;

    #[test]
    fn every_request_is_observed_once() {
        let mix = Mix::of("GET key:{k:12} ; PING").unwrap();
        let mut load = Load::new(echo::spawn().unwrap(), mix);
        load.connections = 3;
        let steady = Steady {
            load,
            rate: 20_000.0,
            suspect: None,
        };
        let observed = steady.run(Duration::from_millis(30)).unwrap();
        assert!(observed.operations > 0);
        assert_eq!(observed.from_due.count(), observed.operations);
        assert_eq!(observed.from_sent.count(), observed.operations);
        assert_eq!(observed.lateness.count(), observed.operations);
        assert_eq!(observed.own, Duration::ZERO);
    }

    #[test]
    fn a_suspect_waits_no_longer_than_was_waited() {
        let folder = tempfile::tempdir().unwrap();
        let unix_socket = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&unix_socket).unwrap();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let pings = buffer[..count].iter().filter(|&&byte| byte == b'*');
                let replies = b"+PONG\r\n".repeat(pings.count());
                stream.write_all(&replies).unwrap();
            }
        });
        let mix = Mix::of("PING").unwrap();
        let mut load = Load::new(([127, 0, 0, 1], 1).into(), mix);
        load.connections = 1;
        let process = std::process::id();
        let suspect = Suspect {
            process,
            unix_socket,
        };
        let steady = Steady {
            load,
            rate: 2000.0,
            suspect: Some(suspect),
        };
        let observed = steady.run(Duration::from_millis(30)).unwrap();
        assert!(observed.operations > 0 && observed.own > Duration::ZERO);
        // The histogram has three digits.
        assert!(observed.own.as_secs_f64() * 1e6 <= observed.from_sent.max_us() * 1.001);
    }

    #[test]
    fn finish_ends_it() {
        let load = Load::new(echo::spawn().unwrap(), Mix::of("PING").unwrap());
        let running = Steady {
            load,
            rate: 1000.0,
            suspect: None,
        }
        .start()
        .unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert!(running.finish().unwrap().operations > 0);
    }
}
