//! One round: serve, load, kill, tear, restart, compare; several times on one folder.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::CrashError;
use super::dataset::{Dataset, Owner};
use super::load::{self, Client, History, Progress};
use super::plan::{Life, Moment, Plan, Policy};
use super::tail::{self, Tail};
use super::verdict::{self, Allowed};
use crate::resp::{Connection, Reply};
use crate::rng::Rng;
use crate::servers::{Server, ServerSpec};

/// What `appendfsync everysec` may lose.
const EVERY_SECOND_LOSS: Duration = Duration::from_secs(2);
/// A snapshot that takes longer is a failure.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(60);
/// How much of the server's log goes into a report.
const LOG_LINES: usize = 40;

/// How a round went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Times the server was killed.
    pub kills: u64,
    /// Steps that were acknowledged.
    pub acknowledged: u64,
    /// Of those, steps that were gone afterwards, as they may be: within the policy, or
    /// because the round cut them off the file.
    pub lost: u64,
    /// Steps that were found though nobody had been told.
    pub unacknowledged: u64,
    /// Snapshots and rewrites completed under load.
    pub snapshots: u64,
    /// Kills while a snapshot or rewrite was running.
    pub kills_in_snapshots: u64,
    /// Restarts that had to cut off a torn tail.
    pub mended: u64,
}

impl Report {
    /// Both together.
    pub fn add(&mut self, other: &Report) {
        self.kills += other.kills;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.unacknowledged += other.unacknowledged;
        self.snapshots += other.snapshots;
        self.kills_in_snapshots += other.kills_in_snapshots;
        self.mended += other.mended;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills ({} in snapshots), {} snapshots, {} tails mended, {} steps acknowledged, \
             {} of them gone as they may be, {} found unacknowledged",
            self.kills,
            self.kills_in_snapshots,
            self.snapshots,
            self.mended,
            self.acknowledged,
            self.lost,
            self.unacknowledged
        )
    }
}

/// Carries out a round with the server program `subject`.
///
/// # Errors
/// [`CrashError::Broken`] when it lost something; the others when it could not be tried.
pub fn run(subject: &ServerSpec, plan: &Plan) -> Result<Report, CrashError> {
    let mut server = subject.clone().with_only_args(plan.args.clone()).start()?;
    let mut round = Round {
        plan,
        owners: (0..plan.clients)
            .map(|number| Owner {
                number,
                seed: Rng::derived(plan.seed, number as u64 + 100).next(),
            })
            .collect(),
        states: vec![(0, Dataset::default()); plan.clients],
        rng: Rng::derived(plan.seed, 7),
        report: Report::default(),
    };
    let lived = round.lives(&mut server);
    lived.map_err(|error| match error {
        Failure::Other(error) => error,
        Failure::Broken(what) => {
            let log = server.log();
            let lines: Vec<&str> = log.lines().collect();
            CrashError::Broken {
                what: format!("{plan}\n{what}"),
                log: lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"),
                folder: server.keep_folder(),
            }
        }
    })?;
    Ok(round.report)
}

/// A broken promise, still without the server's folder and log.
enum Failure {
    Broken(String),
    Other(CrashError),
}

impl<E: Into<CrashError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Other(error.into())
    }
}

struct Round<'p> {
    plan: &'p Plan,
    owners: Vec<Owner>,
    /// By client: the last step on the server, and what it has made of the keys.
    states: Vec<(u64, Dataset)>,
    rng: Rng,
    report: Report,
}

impl Round<'_> {
    fn lives(&mut self, server: &mut Server) -> Result<(), Failure> {
        self.fill(server)?;
        for life in &self.plan.lives {
            let kept = tail::length(server.folder())?;
            let end = self.live(server, life)?;
            let tail = tail::tear(server.folder(), life.tear, &kept, &mut self.rng)
                .map_err(|error| Failure::Broken(error.to_string()))?;
            let mended_before = mendings(server);
            server
                .restart()
                .map_err(|error| Failure::Broken(format!("it does not start again: {error}")))?;
            let is_mended = mendings(server) > mended_before;
            self.report.kills += 1;
            self.report.mended += u64::from(is_mended);
            if tail.is_torn != is_mended {
                return Err(Failure::Broken(format!(
                    "the end of the append-only file was torn: {}; mended: {is_mended}",
                    tail.is_torn
                )));
            }
            self.compare(server, &end, &tail)?;
        }
        Ok(())
    }

    /// Makes the keys that snapshots take their time for, and has them on disk.
    fn fill(&self, server: &Server) -> Result<(), Failure> {
        let mut connection = server.connect()?;
        let value = "v".repeat(50);
        let commands: Vec<Vec<String>> = (0..self.plan.bulk_keys)
            .map(|number| vec!["SET".into(), format!("bulk:{number}"), value.clone()])
            .collect();
        connection.pipeline(&commands)?;
        match self.plan.policy {
            Policy::Always => {}
            Policy::EverySecond => {
                expect(connection.command(&["WAITAOF", "1", "0", "0"])?, "1")?;
            }
            Policy::Snapshots => expect(connection.command(&["SAVE"])?, "OK")?,
        }
        Ok(())
    }

    /// Lets the clients work and kills the server.
    fn live(&mut self, server: &mut Server, life: &Life) -> Result<End, Failure> {
        let progress: Vec<Progress> = self
            .states
            .iter()
            .map(|(step, _)| Progress {
                sent: (*step).into(),
                acknowledged: (*step).into(),
            })
            .collect();
        let killed = AtomicBool::new(false);
        let connections = load::connect(self.plan.clients, || server.connect())?;
        let mut control = Control {
            connection: server.connect()?,
            command: match self.plan.policy {
                Policy::Snapshots => "BGSAVE",
                Policy::Always | Policy::EverySecond => "BGREWRITEAOF",
            },
            progress: &progress,
            completed: Span::now(&progress),
            running: None,
            count: 0,
        };
        let (acted, results, killed_at) = std::thread::scope(|scope| {
            let clients: Vec<_> = connections
                .into_iter()
                .enumerate()
                .map(|(number, connection)| {
                    let (step, state) = self.states[number].clone();
                    let client = Client {
                        owner: self.owners[number],
                        state,
                        step,
                        rng: Rng::seeded(self.rng.next()),
                        policy: self.plan.policy,
                        progress: &progress[number],
                        killed: &killed,
                    };
                    scope.spawn(move || client.run(connection))
                })
                .collect();
            let acted = control.act(life, &mut self.rng);
            killed.store(true, Ordering::SeqCst);
            let killed_at = Instant::now();
            server.kill_hard();
            let results: Vec<Result<History, CrashError>> = clients
                .into_iter()
                .map(|client| {
                    client
                        .join()
                        .unwrap_or_else(|_| Err(CrashError::Reply("a client panicked".into())))
                })
                .collect();
            (acted, results, killed_at)
        });
        // A client's complaint explains more than what became of the control connection.
        let histories = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        acted?;
        self.report.snapshots += control.count;
        self.report.kills_in_snapshots += u64::from(control.running.is_some());
        Ok(End {
            histories,
            killed_at,
            completed: control.completed,
            running: control.running,
        })
    }

    /// Compares what was loaded with what may be.
    fn compare(&mut self, server: &Server, end: &End, tail: &Tail) -> Result<(), Failure> {
        let mut connection = server.connect()?;
        self.expect_bulk(&mut connection)?;
        let mut found = Vec::new();
        for (number, owner) in self.owners.iter().enumerate() {
            let history = &end.histories[number];
            let (before, state) = &self.states[number];
            let loaded = match Dataset::read(&mut connection, *owner) {
                Ok(loaded) => loaded,
                Err(super::dataset::ReadError::Wire(error)) => return Err(error.into()),
                Err(error) => return Err(Failure::Broken(format!("client {number}: {error}"))),
            };
            let step = loaded.found_after(*owner, state, *before, history.last_sent());
            let Some(step) = step else {
                return Err(Failure::Broken(format!(
                    "no number of steps of client {number}, from {before} to {}, {} of them \
                     acknowledged, leads to {loaded:?}",
                    history.last_sent(),
                    history.last_acknowledged(),
                )));
            };
            found.push((step, loaded));
        }
        let steps: Vec<u64> = found.iter().map(|(step, _)| *step).collect();
        let allowed = self.allowed(end, tail);
        verdict::check(&steps, &allowed, &end.histories).map_err(Failure::Broken)?;
        for (step, history) in steps.iter().zip(&end.histories) {
            let acknowledged = history.last_acknowledged();
            self.report.acknowledged += acknowledged - history.before;
            self.report.lost += acknowledged.saturating_sub(*step);
            self.report.unacknowledged += step.saturating_sub(acknowledged);
        }
        self.states = found;
        Ok(())
    }

    fn expect_bulk(&self, connection: &mut Connection) -> Result<(), Failure> {
        let mut command = vec!["EXISTS".to_owned()];
        command.extend((0..self.plan.bulk_keys).map(|number| format!("bulk:{number}")));
        let there = connection.command(&command)?;
        if there.integer() == Some(self.plan.bulk_keys as i64) {
            return Ok(());
        }
        Err(Failure::Broken(format!(
            "{there:?} of the {} first keys are there",
            self.plan.bulk_keys
        )))
    }

    /// What the policy promises.
    fn allowed(&self, end: &End, tail: &Tail) -> Vec<Allowed> {
        let from_file = |least: &dyn Fn(&History) -> u64| {
            let range = |history: &History| {
                let least = least(history).saturating_sub(tail.units_lost);
                (least, history.last_sent())
            };
            Allowed {
                why: format!("the append-only file, less {} units", tail.units_lost),
                ranges: end.histories.iter().map(range).collect(),
            }
        };
        match self.plan.policy {
            Policy::Always => vec![from_file(&History::last_acknowledged)],
            Policy::EverySecond => {
                let time = end.killed_at.checked_sub(EVERY_SECOND_LOSS);
                vec![from_file(&|history| {
                    let old = time.map_or(history.before, |time| history.acknowledged_at(time));
                    old.max(history.synced)
                })]
            }
            Policy::Snapshots => {
                let completed = Allowed {
                    why: "the snapshot completed last".into(),
                    ranges: end.completed.ranges(None),
                };
                let running = end.running.as_ref().map(|span| Allowed {
                    why: "the snapshot that was running".into(),
                    ranges: span.ranges(Some(&end.histories)),
                });
                std::iter::once(completed).chain(running).collect()
            }
        }
    }
}

/// How a life ended.
struct End {
    histories: Vec<History>,
    killed_at: Instant,
    completed: Span,
    running: Option<Span>,
}

/// Between which steps of each client a snapshot was taken.
#[derive(Debug, Clone)]
struct Span {
    /// Acknowledged before it was asked for.
    from: Vec<u64>,
    /// Sent before it was seen to have ended.
    to: Option<Vec<u64>>,
}

impl Span {
    /// One that begins now.
    fn begin(progress: &[Progress]) -> Self {
        let acknowledged = |client: &Progress| client.acknowledged.load(Ordering::SeqCst);
        Span {
            from: progress.iter().map(acknowledged).collect(),
            to: None,
        }
    }

    /// One of this moment, before anybody does anything.
    fn now(progress: &[Progress]) -> Self {
        let mut span = Span::begin(progress);
        span.end(progress);
        span
    }

    fn end(&mut self, progress: &[Progress]) {
        let sent = |client: &Progress| client.sent.load(Ordering::SeqCst);
        self.to = Some(progress.iter().map(sent).collect());
    }

    fn ranges(&self, histories: Option<&[History]>) -> Vec<(u64, u64)> {
        let to = match (&self.to, histories) {
            (Some(to), _) => to.clone(),
            (None, Some(histories)) => histories.iter().map(History::last_sent).collect(),
            (None, None) => self.from.clone(),
        };
        self.from.iter().copied().zip(to).collect()
    }
}

/// Asks for snapshots, and finds the moment for the kill.
struct Control<'r> {
    connection: Connection,
    command: &'static str,
    progress: &'r [Progress],
    completed: Span,
    running: Option<Span>,
    count: u64,
}

impl Control<'_> {
    /// Returns when the server is to be killed.
    fn act(&mut self, life: &Life, rng: &mut Rng) -> Result<(), CrashError> {
        let mut left_ms = life.load_ms;
        for _ in 0..life.snapshots {
            let pause_ms = rng.next() % (left_ms + 1);
            left_ms -= pause_ms;
            sleep_ms(pause_ms);
            self.ask()?;
        }
        sleep_ms(left_ms);
        match life.moment {
            Moment::Any => self.look(),
            Moment::During { after_ms } => {
                self.ask()?;
                sleep_ms(after_ms);
                self.look()
            }
            Moment::RightAfter => {
                self.ask()?;
                self.await_end()
            }
        }
    }

    /// Asks for a snapshot, after the one before has ended.
    fn ask(&mut self) -> Result<(), CrashError> {
        self.await_end()?;
        let span = Span::begin(self.progress);
        let reply = self.connection.command(&[self.command])?;
        match reply.error() {
            // The server rewrites on its own where it is told to.
            Some(text) if text.starts_with(b"ERR Background") => return Ok(()),
            Some(text) => {
                return Err(CrashError::Reply(
                    String::from_utf8_lossy(text).into_owned(),
                ));
            }
            None => self.running = Some(span),
        }
        Ok(())
    }

    fn await_end(&mut self) -> Result<(), CrashError> {
        let deadline = Instant::now() + SNAPSHOT_PATIENCE;
        while self.running.is_some() {
            self.look()?;
            if Instant::now() > deadline {
                return Err(CrashError::Reply(format!("{} does not end", self.command)));
            }
        }
        Ok(())
    }

    /// Notes whether the snapshot has ended.
    fn look(&mut self) -> Result<(), CrashError> {
        let info = self.connection.command(&["INFO", "persistence"])?;
        let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        let has = |line: &str| info.lines().any(|other| other.trim_end() == line);
        let is_idle = has("rdb_bgsave_in_progress:0")
            && has("aof_rewrite_in_progress:0")
            && has("aof_rewrite_scheduled:0");
        if is_idle && let Some(mut span) = self.running.take() {
            if !has("rdb_last_bgsave_status:ok") || !has("aof_last_bgrewrite_status:ok") {
                return Err(CrashError::Reply(format!("a snapshot has failed: {info}")));
            }
            span.end(self.progress);
            self.completed = span;
            self.count += 1;
        }
        Ok(())
    }
}

fn expect(reply: Reply, text: &str) -> Result<(), CrashError> {
    let first = reply.elements().and_then(|elements| elements.first());
    let is_it = match (first, reply.text()) {
        (Some(first), _) => first.integer().is_some_and(|n| n.to_string() == text),
        (None, Some(found)) => found == text.as_bytes(),
        (None, None) => false,
    };
    if is_it {
        Ok(())
    } else {
        Err(CrashError::Reply(format!("{reply:?} instead of {text}")))
    }
}

/// How often the server has cut off a torn tail.
fn mendings(server: &Server) -> usize {
    server.log().matches("Truncating the AOF at offset").count()
}

fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}
