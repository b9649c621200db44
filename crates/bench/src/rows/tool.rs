//! The same question put by the ecosystem's own tool: `redis-benchmark`, as its users call
//! it. It guards against a generator of ours that flatters.

use std::process::Command;

use crate::compare::Experiment;
use crate::lab::{Failure, Lab, Readings};
use crate::measure;
use crate::process::Server;
use crate::report::metric;

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    vec![
        experiment("redis-benchmark-p64", 64, 3_000_000),
        experiment("redis-benchmark-p1", 1, 200_000),
    ]
}

fn experiment(name: &'static str, pipeline: u32, requests: u64) -> Experiment {
    let metrics = vec![
        metric("set_cpu_us", "SET, server CPU per operation", "µs"),
        metric("set_rate", "SET", "op/s"),
        metric("get_cpu_us", "GET, server CPU per operation", "µs"),
        metric("get_rate", "GET", "op/s"),
    ];
    let mut experiment = Experiment::new(name, metrics, move |lab, server| {
        let (set_cpu, set_rate) = run(lab, server, "set", pipeline, lab.count(requests))?;
        let (get_cpu, get_rate) = run(lab, server, "get", pipeline, lab.count(requests))?;
        let readings: Readings = vec![
            ("set_cpu_us", set_cpu),
            ("set_rate", set_rate),
            ("get_cpu_us", get_cpu),
            ("get_rate", get_rate),
        ];
        Ok(readings)
    });
    experiment.rounds = 3;
    experiment
}

/// Runs one test of the tool; returns server CPU per operation in µs and operations per
/// second.
fn run(
    lab: &Lab,
    server: &Server,
    test: &str,
    pipeline: u32,
    requests: u64,
) -> Result<(f64, f64), Failure> {
    let numbers = [
        server.port().to_string(),
        requests.to_string(),
        pipeline.to_string(),
    ];
    let mut command = Command::new(&lab.redis_benchmark);
    command.args(["-p", &numbers[0], "-n", &numbers[1], "-P", &numbers[2]]);
    command.args(["-t", test, "-c", "50", "-r", "1000000", "-d", "64", "--csv"]);
    let before = measure::cpu(server.process())?;
    let output = crate::affinity::inherited(lab.generator_cores.as_ref(), || command.output())?
        .map_err(|error| Failure::Unusable(format!("{}: {error}", lab.redis_benchmark)))?;
    let used = measure::cpu(server.process())?.since(&before);
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = rate_of(&text, test).ok_or_else(|| {
        Failure::Unusable(format!(
            "redis-benchmark: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    })?;
    Ok((used.as_secs_f64() * 1e6 / requests as f64, rate))
}

/// The operations per second in a line like `"SET","123456.78","0.1",…`.
fn rate_of(csv: &str, test: &str) -> Option<f64> {
    let line = csv.lines().find(|line| {
        let name = line.split(',').next().unwrap_or_default().trim_matches('"');
        name.eq_ignore_ascii_case(test)
    })?;
    line.split(',').nth(1)?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_lines() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"1250.50\",\"0.1\"\n";
        assert_eq!(rate_of(csv, "set"), Some(1250.5));
        assert_eq!(rate_of(csv, "get"), None);
        assert_eq!(rate_of("", "set"), None);
    }
}
