//! Snapshots, rewrites, fsync and loading, with five million keys and one large sorted set:
//! what they cost the clients, the memory and the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::compare::Experiment;
use crate::generator::{Fleet, Limit};
use crate::lab::{Failure, Lab, accepted, undisturbed};
use crate::measure;
use crate::process::Server;
use crate::report::{Budget, Metric, metric};

const KEYS: u64 = 5_000_000;
/// Steady writes per second: well under what either server can take.
const STEADY_RATE: f64 = 10_000.0;
/// No snapshot takes longer.
const LONGEST_SNAPSHOT: Duration = Duration::from_secs(300);

const APPEND_ONLY: [&str; 4] = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"];

/// A job in the background, as a client sees it.
#[derive(Clone, Copy)]
struct Job {
    command: &'static str,
    running: &'static str,
    status: &'static str,
}

const BGSAVE: Job = Job {
    command: "BGSAVE",
    running: "rdb_bgsave_in_progress",
    status: "rdb_last_bgsave_status",
};
const REWRITE: Job = Job {
    command: "BGREWRITEAOF",
    running: "aof_rewrite_in_progress",
    status: "aof_last_bgrewrite_status",
};

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    let mut rewrite = background("bgrewriteaof", REWRITE);
    rewrite.settings.directives = APPEND_ONLY.to_vec();
    vec![
        background("bgsave", BGSAVE),
        rewrite,
        fsync(),
        load_rdb(),
        load_aof(),
    ]
}

fn fill(lab: &Lab, server: &mut Server) -> Result<(), Failure> {
    lab.fill(server, "SET key:{seq:12} {v:32}", lab.count(KEYS))?;
    lab.fill(
        server,
        "ZADD big {score:9} member:{seq:17}",
        lab.count(1_000_000),
    )
}

fn background_metrics() -> Vec<Metric> {
    vec![
        metric("slower", "p99.9 during / without, steady writes", "×").within(Budget::AtMost(1.5)),
        metric("max_ms", "longest wait during", "ms").within(Budget::AtMost(5.0)),
        metric(
            "extra",
            "extra memory at its peak, children included",
            "share",
        )
        .within(Budget::AtMost(0.05)),
        metric("wall_s", "time it takes under load", "s").within(Budget::RatioAtMost(1.0)),
        metric("without_ms", "p99.9 without, from when due", "ms"),
        metric("during_ms", "p99.9 during, from when due", "ms"),
        metric(
            "lateness_ms",
            "(latest sending by the generator, during)",
            "ms",
        ),
    ]
}

/// Steady writes without and with the job; then the job once more, for its memory: reading
/// a process's memory maps disturbs it, so that is kept apart from the latencies.
fn background(name: &'static str, job: Job) -> Experiment {
    Experiment::new(name, background_metrics(), move |lab, server| {
        let mut steady = lab.steady(server, "SET key:{k:12} {v:32}", STEADY_RATE, 10)?;
        steady.load.keyspace = lab.count(KEYS);
        let mut client = lab.client(server)?;
        let without = undisturbed(steady.run(lab.seconds(5.0))?)?;
        let running = steady.clone().start()?;
        std::thread::sleep(Duration::from_millis(50));
        let wall = complete(&mut client, job);
        let during = undisturbed(running.finish()?)?;
        let wall = wall?;

        let before = measure::memory_with_children(server.process())?.proportional;
        let running = steady.start()?;
        let peak = PeakMemory::watch(server.process());
        let again = complete(&mut client, job);
        let peak = peak.finish();
        undisturbed(running.finish()?)?;
        again?;

        let (without_us, during_us) = (
            without.from_due.quantile_us(0.999),
            during.from_due.quantile_us(0.999),
        );
        Ok(vec![
            ("slower", during_us / without_us),
            ("max_ms", during.from_sent.max_us() / 1e3),
            ("extra", peak.saturating_sub(before) as f64 / before as f64),
            ("wall_s", wall.as_secs_f64()),
            ("without_ms", without_us / 1e3),
            ("during_ms", during_us / 1e3),
            ("lateness_ms", during.lateness.max_us() / 1e3),
        ])
    })
    .prepared(fill)
    .on_all_cores()
    .fresh(2)
}

/// Starts the job and waits for its end.
fn complete(client: &mut Client, job: Job) -> Result<Duration, Failure> {
    let start = Instant::now();
    client.command(&[job.command])?;
    loop {
        match client.info("persistence", job.running)?.as_deref() {
            Some("0") => break,
            Some(_) if start.elapsed() < LONGEST_SNAPSHOT => {}
            Some(_) => return Err(Failure::Unusable(format!("{} does not end", job.command))),
            None => return Err(Failure::Unusable(format!("INFO has no {}", job.running))),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let wall = start.elapsed();
    match client.info("persistence", job.status)?.as_deref() {
        Some("ok") | None => Ok(wall),
        Some(status) => Err(Failure::Unusable(format!(
            "{}: {}: {status}",
            job.command, job.status
        ))),
    }
}

/// Watches a process and its children from a thread; every page counts once.
struct PeakMemory {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl PeakMemory {
    fn watch(process: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked_to_stop = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while !asked_to_stop.load(Ordering::Relaxed) {
                if let Ok(memory) = measure::memory_with_children(process) {
                    peak = peak.max(memory.proportional);
                }
                std::thread::sleep(Duration::from_millis(30));
            }
            peak
        });
        Self { stop, thread }
    }

    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn fsync() -> Experiment {
    let metrics = vec![
        metric("always", "appendfsync always, 200 connections", "op/s")
            .within(Budget::RatioAtLeast(1.2)),
        metric("everysec", "appendfsync everysec, 200 connections", "op/s"),
        metric("kept", "always / everysec", "share").within(Budget::AtLeast(0.7)),
    ];
    let mut experiment = Experiment::new("appendfsync", metrics, |lab, server| {
        // Twice in turns, so that neither policy has the warmer files.
        let (mut everysec, mut always) = (0.0, 0.0);
        for _ in 0..2 {
            everysec += rate_under(lab, server, "everysec")? / 2.0;
            always += rate_under(lab, server, "always")? / 2.0;
        }
        Ok(vec![
            ("always", always),
            ("everysec", everysec),
            ("kept", always / everysec),
        ])
    })
    .prepared(|lab, server| lab.fill(server, "SET key:{seq:12} {v:32}", lab.count(1_000_000)))
    .on_all_cores();
    experiment.settings.directives = APPEND_ONLY.to_vec();
    experiment
}

/// SETs per second over 200 connections under an `appendfsync` policy.
fn rate_under(lab: &Lab, server: &Server, policy: &str) -> Result<f64, Failure> {
    lab.client(server)?
        .command(&["CONFIG", "SET", "appendfsync", policy])?;
    let mut load = lab.load(server, "SET key:{k:12} {v:32}")?;
    load.connections = 200;
    // One thread is busy nine tenths of its time at these rates, and would be measured.
    load.threads = 2;
    let outcome = Fleet::connect(&load)?.run(Limit::Time(lab.window()))?;
    Ok(accepted(outcome)?.rate())
}

fn load_rdb() -> Experiment {
    let metrics = vec![
        metric("seconds", "start-up from RDB", "s").within(Budget::RatioAtMost(0.333)),
        metric("save_s", "SAVE", "s"),
    ];
    Experiment::new("load-rdb", metrics, |lab, server| {
        let start = Instant::now();
        lab.client(server)?.command(&["SAVE"])?;
        let save = start.elapsed();
        reload(lab, server, Vec::new())
            .map(|load| vec![("seconds", load), ("save_s", save.as_secs_f64())])
    })
    .prepared(fill)
    .on_all_cores()
    .fresh(2)
}

/// The increment holds every write as a command, so this is the slow kind of AOF.
fn load_aof() -> Experiment {
    let metrics = vec![
        metric("seconds", "start-up from AOF commands", "s").within(Budget::RatioAtMost(0.333)),
    ];
    let mut experiment = Experiment::new("load-aof", metrics, |lab, server| {
        // everysec: what was written is in the file after two seconds at the latest.
        std::thread::sleep(Duration::from_secs(3));
        reload(lab, server, APPEND_ONLY.to_vec()).map(|load| vec![("seconds", load)])
    })
    .prepared(fill)
    .on_all_cores()
    .fresh(2);
    experiment.settings.directives = APPEND_ONLY.to_vec();
    experiment
}

/// Kills the server, starts it on its files, and checks that nothing is missing; returns
/// the seconds from start to service.
fn reload(lab: &Lab, server: &mut Server, directives: Vec<&'static str>) -> Result<f64, Failure> {
    let before = lab.client(server)?.command(&["DBSIZE"])?;
    let load = server.restart(directives)?;
    let after = lab.client(server)?.command(&["DBSIZE"])?;
    if before != after {
        return Err(Failure::Unusable(format!(
            "loaded {after:?} keys of {before:?}"
        )));
    }
    Ok(load.as_secs_f64())
}
