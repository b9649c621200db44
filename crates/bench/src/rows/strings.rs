//! GET and SET over a million keys: pipelined and not, on each reactor, on one core and on
//! two, and an echo server as the floor.

use crate::compare::{Contender, Experiment};
use crate::generator::Limit;
use crate::lab::{Failure, Lab, Readings};
use crate::process::Server;
use crate::report::{Budget, metric};
use crate::rows::driven;

const GET: &str = "GET key:{k:12}";
const SET_32: &str = "SET key:{k:12} {v:32}";
const SET_64: &str = "SET key:{k:12} {v:64}";
const FILL_32: &str = "SET key:{seq:12} {v:32}";
const FILL_64: &str = "SET key:{seq:12} {v:64}";

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    let pipelined = [
        ("get-p64", GET, FILL_64),
        ("set-p64", SET_64, FILL_64),
        ("get-p64-32", GET, FILL_32),
        ("set-p64-32", SET_32, FILL_32),
    ];
    let mut experiments: Vec<Experiment> = pipelined
        .into_iter()
        .map(|(name, line, fill)| {
            let metrics = driven(Some(Budget::RatioAtMost(0.45)), None);
            Experiment::new(name, metrics, move |lab, server| {
                drive(lab, server, line, 8, 64)
            })
            .prepared(move |lab, server| lab.fill(server, fill, lab.count(1_000_000)))
        })
        .collect();
    experiments.push(zipf());
    let unpipelined = [
        ("get-p1-uring", GET, "io_uring", 0.75),
        ("set-p1-uring", SET_64, "io_uring", 0.75),
        ("get-p1-epoll", GET, "epoll", 0.9),
        ("set-p1-epoll", SET_64, "epoll", 0.9),
    ];
    for (name, line, reactor, budget) in unpipelined {
        let metrics = driven(Some(Budget::RatioAtMost(budget)), None);
        let mut experiment = Experiment::new(name, metrics, move |lab, server| {
            drive(lab, server, line, 50, 1)
        })
        .prepared(|lab, server| lab.fill(server, FILL_64, lab.count(1_000_000)));
        experiment.settings.reactor = Some(reactor);
        experiments.push(experiment);
    }
    experiments.push(echo("echo-p1", 50, 1));
    experiments.push(echo("echo-p64", 8, 64));
    let two_workers = [("get-p64-2-workers", GET), ("set-p64-2-workers", SET_64)];
    for (name, line) in two_workers {
        let mut metrics = driven(None, Some(Budget::RatioAtLeast(2.0)));
        metrics[1].what = "throughput, all cores shared with the generator".to_owned();
        let mut experiment = Experiment::new(name, metrics, move |lab, server| {
            drive(lab, server, line, 16, 64)
        })
        .prepared(|lab, server| lab.fill(server, FILL_64, lab.count(1_000_000)))
        .on_all_cores();
        experiment.settings.workers = Some(2);
        experiments.push(experiment);
    }
    experiments
}

fn zipf() -> Experiment {
    Experiment::new("mixed-p64-zipf", driven(None, None), |lab, server| {
        let mut load = lab.load(server, GET)?;
        load.mix = crate::template::Mix::parse(&[format!("9:{GET}"), format!("1:{SET_64}")])?;
        load.distribution = crate::draw::Distribution::Zipf(0.99);
        load.connections = 8;
        load.pipeline = 64;
        lab.drive(server, &load, Limit::Time(lab.window()))
    })
    .prepared(|lab, server| lab.fill(server, FILL_64, lab.count(1_000_000)))
}

fn echo(name: &'static str, connections: usize, pipeline: usize) -> Experiment {
    let metrics = vec![
        metric(
            "cpu_us",
            "CPU per operation of an echo server (floor)",
            "µs",
        ),
        metric("rate", "throughput of an echo server", "op/s"),
    ];
    let mut experiment = Experiment::new(name, metrics, move |lab, server| {
        drive(lab, server, GET, connections, pipeline)
    })
    .prepared(|lab, server| lab.fill(server, FILL_64, lab.count(1_000_000)));
    experiment.contender = Contender::Echo;
    experiment
}

fn drive(
    lab: &Lab,
    server: &Server,
    line: &str,
    connections: usize,
    pipeline: usize,
) -> Result<Readings, Failure> {
    let mut load = lab.load(server, line)?;
    load.connections = connections;
    load.pipeline = pipeline;
    lab.drive(server, &load, Limit::Time(lab.window()))
}
