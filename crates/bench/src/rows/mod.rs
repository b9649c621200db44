//! The experiments, one file per family. Each says how servers are started and filled,
//! what is measured, and which budget applies; none knows how rounds or reports work.

mod collections;
mod connections;
mod memory;
mod persistence;
mod programs;
mod pubsub;
mod stalls;
mod strings;
mod tool;

use std::time::Duration;

use crate::compare::Experiment;
use crate::lab::{Failure, Lab, Readings, undisturbed};
use crate::process::Server;
use crate::report::{Budget, Metric, metric};
use crate::steady::Suspect;

/// All experiments, in the order of the report.
pub fn all() -> Vec<Experiment> {
    let families = [
        strings::experiments(),
        tool::experiments(),
        connections::experiments(),
        memory::experiments(),
        collections::experiments(),
        stalls::experiments(),
        programs::experiments(),
        pubsub::experiments(),
        persistence::experiments(),
    ];
    families.into_iter().flatten().collect()
}

/// The metrics of a driven load: CPU per operation and throughput with these budgets,
/// latencies without.
fn driven(cpu: Option<Budget>, rate: Option<Budget>) -> Vec<Metric> {
    vec![
        Metric {
            budget: cpu,
            ..metric("cpu_us", "server CPU per operation", "µs")
        },
        Metric {
            budget: rate,
            ..metric("rate", "throughput", "op/s")
        },
        metric("p50_us", "p50", "µs"),
        metric("p99_us", "p99", "µs"),
        metric("p999_us", "p99.9", "µs"),
    ]
}

/// Probes `server`, confined to a core, with GETs of small keys while `disturbance` happens
/// and `linger` longer, so that what a command leaves behind for later is seen as well. The
/// readings are those of [`stalled`].
fn probed(
    lab: &Lab,
    server: &mut Server,
    linger: Duration,
    disturbance: impl FnOnce(&mut Server) -> Result<(), Failure>,
) -> Result<Readings, Failure> {
    let mut prober = lab.prober(server, "GET key:{k:12}")?;
    prober.suspect = Some(Suspect {
        process: server.process(),
        unix_socket: server.unix_socket(),
    });
    let running = prober.start()?;
    std::thread::sleep(Duration::from_millis(200));
    let outcome = disturbance(server);
    std::thread::sleep(linger);
    let observed = running.finish()?;
    outcome?;
    let observed = undisturbed(observed)?;
    Ok(vec![
        ("own_ms", observed.own.as_secs_f64() * 1e3),
        ("max_ms", observed.from_sent.max_us() / 1e3),
        ("denied_ms", observed.denied.as_secs_f64() * 1e3),
        ("p999_ms", observed.from_due.quantile_us(0.999) / 1e3),
        ("lateness_ms", observed.lateness.max_us() / 1e3),
    ])
}

/// The metrics of [`probed`]. Waits count from the sending: the generator's own lateness,
/// shown beside them, is not the server's doing. Requests are sent when due whatever the
/// server does, so a stall is still seen whole. Nor is it the server's doing when its core
/// runs something else, and that is what the budgeted wait leaves out.
fn stalled(budget: Budget) -> Vec<Metric> {
    vec![
        metric("own_ms", "longest wait of others, the server's part", "ms").within(budget),
        metric("max_ms", "longest wait of others, whatever the cause", "ms"),
        metric("denied_ms", "(its core ran others meanwhile)", "ms"),
        metric("p999_ms", "p99.9 of others, from when due", "ms"),
        metric("lateness_ms", "(latest sending by the generator)", "ms"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_every_experiment_reads_something() {
        let experiments = all();
        let names: HashSet<&str> = experiments
            .iter()
            .map(|experiment| experiment.name)
            .collect();
        assert_eq!(names.len(), experiments.len());
        for experiment in &experiments {
            assert!(
                !experiment.metrics.is_empty() && experiment.rounds > 0,
                "{}",
                experiment.name
            );
            let keys: HashSet<&str> = experiment.metrics.iter().map(|metric| metric.key).collect();
            assert_eq!(keys.len(), experiment.metrics.len(), "{}", experiment.name);
        }
    }
}
