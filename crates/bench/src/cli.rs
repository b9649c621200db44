//! The command lines of `cargo xtask bench`, `compare` and `echo`.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::affinity::Cores;
use crate::compare::{self, Plan};
use crate::draw::Distribution;
use crate::generator::{Fleet, Limit, Load};
use crate::histogram::Latencies;
use crate::lab::Scale;
use crate::steady::Steady;
use crate::template::Mix;
use crate::{echo, measure, process, rows};

/// What `bench --help` prints.
pub const BENCH_HELP: &str = "\
Usage: cargo xtask bench --port N [OPTIONS] [TEMPLATE]...

Loads a server and prints throughput and latencies. A TEMPLATE is a command; with several,
each may have a weight in front: \"9:GET key:{k:12}\" \"1:SET key:{k:12} {v:32}\".
Without one: GET key:{k:12}.

Placeholders (N is a width):
  {k:N} a key's number         {seq:N} the request's number   {member:N} {field:N} a random member
  {int:N} {intseq:N} without leading zeros   {score:N} a random number   {v:N} N bytes of text
An argument ; separates commands of one request: MULTI ; INCR key:{k:12} ; EXEC

Options:
  --host NAME             default 127.0.0.1
  --port N                required
  --threads N             of the generator; default 1
  --connections N, -c N   over all threads; default 50
  --pipeline N, -P N      requests in flight per connection; default 1
  --requests N, -n N      end after so many requests
  --seconds S             end after so much time; default 5
  --rate N                open loop: N requests a second, when due, whatever the server does;
                          latencies count from when a request was due
  --keys N                key space; default 1000000
  --members N             members and fields; default 1000000
  --distribution D        uniform (default), zipf, zipf:EXPONENT, sequential
  --cores LIST            bind the generator to these cores, as 1,3
  --pid N                 also report this server process's CPU time and memory
  --seed N                the same seed makes the same requests; default 1
  --json                  print one JSON object
";

/// What `compare --help` prints.
pub const COMPARE_HELP: &str = "\
Usage: cargo xtask compare [OPTIONS]

Runs redis-server and Ochre side by side, interleaved, over several rounds, and prints the
ratios of the medians against the project's budgets. Builds the release `ochre` first.

Options:
  --quick                 a tenth of the data, short windows: shows that everything runs
  --only NAME,...         only experiments with these names, or beginnings of names
  --rounds N              at most N rounds
  --subject PATH          another server in Ochre's place (a redis-server should give 1.0)
  --baseline PATH         default redis-server
  --redis-benchmark PATH  default redis-benchmark
  --data DIR              where the servers' folders are made; default target/compare
  --no-results            write nothing to bench/
  --list                  print the experiments' names
";

/// Runs `bench`, `compare` or `echo` with its arguments; `root` is the workspace's folder.
/// `None` when `name` is none of them.
pub fn run(name: &str, arguments: &[String], root: &Path) -> Option<ExitCode> {
    let outcome = match name {
        "bench" => bench(arguments),
        "compare" => compare(arguments, root),
        "echo" => serve_echo(arguments),
        _ => return None,
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Walks over `--flag value` pairs.
struct Flags<'a> {
    rest: std::slice::Iter<'a, String>,
}

impl<'a> Flags<'a> {
    fn value(&mut self, flag: &str) -> Result<&'a str, String> {
        self.rest
            .next()
            .map(String::as_str)
            .ok_or_else(|| format!("{flag} needs a value"))
    }

    fn number<T: std::str::FromStr>(&mut self, flag: &str) -> Result<T, String> {
        let value = self.value(flag)?;
        value
            .parse()
            .map_err(|_| format!("{flag}: not a usable number: {value}"))
    }

    fn count(&mut self, flag: &str) -> Result<u64, String> {
        match self.number(flag)? {
            0 => Err(format!("{flag} must be at least 1")),
            count => Ok(count),
        }
    }
}

/// What `bench` was asked for.
#[derive(Debug)]
struct BenchOptions {
    load: Load,
    limit: Limit,
    rate: Option<f64>,
    process: Option<u32>,
    json: bool,
}

fn bench_options(arguments: &[String]) -> Result<BenchOptions, String> {
    let mut host = "127.0.0.1".to_owned();
    let mut port: Option<u16> = None;
    let mut templates: Vec<String> = Vec::new();
    let placeholder: SocketAddr = ([127, 0, 0, 1], 0).into();
    let get = Mix::of("GET key:{k:12}").map_err(|error| error.to_string())?;
    let mut load = Load {
        connections: 50,
        ..Load::new(placeholder, get)
    };
    let mut limit = Limit::Time(Duration::from_secs(5));
    let (mut rate, mut process, mut json) = (None, None, false);
    let mut flags = Flags {
        rest: arguments.iter(),
    };
    while let Some(flag) = flags.rest.next() {
        match flag.as_str() {
            "--host" => host = flags.value(flag)?.to_owned(),
            "--port" => port = Some(flags.number(flag)?),
            "--threads" => load.threads = flags.count(flag)? as usize,
            "--connections" | "-c" => load.connections = flags.count(flag)? as usize,
            "--pipeline" | "-P" => load.pipeline = flags.count(flag)? as usize,
            "--requests" | "-n" => limit = Limit::Operations(flags.count(flag)?),
            "--seconds" => limit = Limit::Time(duration(flags.number(flag)?)?),
            "--rate" => rate = Some(flags.number::<f64>(flag)?).filter(|rate| *rate > 0.0),
            "--keys" => load.keyspace = flags.count(flag)?,
            "--members" => load.members = flags.count(flag)?,
            "--distribution" => load.distribution = distribution(flags.value(flag)?)?,
            "--cores" => load.cores = Some(cores(flags.value(flag)?)?),
            "--pid" => process = Some(flags.number(flag)?),
            "--seed" => load.seed = flags.number(flag)?,
            "--json" => json = true,
            other if other.starts_with('-') => {
                return Err(format!("unknown option {other}; see --help"));
            }
            template => templates.push(template.to_owned()),
        }
    }
    let port = port.ok_or("--port is needed; see --help")?;
    let mut addresses = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| format!("{host}: {error}"))?;
    load.address = addresses
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    if !templates.is_empty() {
        load.mix = Mix::parse(&templates).map_err(|error| error.to_string())?;
    }
    Ok(BenchOptions {
        load,
        limit,
        rate,
        process,
        json,
    })
}

fn duration(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("--seconds: {error}"))
}

fn distribution(name: &str) -> Result<Distribution, String> {
    match name.split_once(':') {
        None if name == "uniform" => Ok(Distribution::Uniform),
        None if name == "sequential" => Ok(Distribution::Sequential),
        None if name == "zipf" => Ok(Distribution::Zipf(0.99)),
        Some(("zipf", exponent)) => match exponent.parse::<f64>() {
            Ok(exponent) if exponent > 0.0 && exponent < 1.0 => Ok(Distribution::Zipf(exponent)),
            _ => Err("a zipf exponent lies between 0 and 1".to_owned()),
        },
        _ => Err(format!("unknown distribution {name}")),
    }
}

fn cores(list: &str) -> Result<Cores, String> {
    list.split(',')
        .map(|core| {
            core.trim()
                .parse()
                .map_err(|_| format!("--cores: not a core: {core}"))
        })
        .collect()
}

fn bench(arguments: &[String]) -> Result<(), String> {
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        print!("{BENCH_HELP}");
        return Ok(());
    }
    let options = bench_options(arguments)?;
    process::raise_open_files();
    let text = |error: &dyn std::error::Error| error.to_string();
    let cpu = |process: Option<u32>| {
        process
            .map(measure::cpu)
            .transpose()
            .map_err(|error| error.to_string())
    };
    let before = cpu(options.process)?;
    let summary = match options.rate {
        Some(rate) => {
            let time = match options.limit {
                Limit::Time(time) => time,
                Limit::Operations(count) => Duration::from_secs_f64(count as f64 / rate),
            };
            let steady = Steady {
                load: options.load,
                rate,
                suspect: None,
            };
            let observed = steady.run(time).map_err(|error| text(&error))?;
            Summary {
                operations: observed.operations,
                errors: observed.errors,
                first_error: observed.first_error,
                elapsed: time,
                latencies: observed.from_due,
                lateness: Some(observed.lateness),
            }
        }
        None => {
            let mut fleet = Fleet::connect(&options.load).map_err(|error| text(&error))?;
            let outcome = fleet.run(options.limit).map_err(|error| text(&error))?;
            Summary {
                operations: outcome.operations,
                errors: outcome.errors,
                first_error: outcome.first_error,
                elapsed: outcome.elapsed,
                latencies: outcome.latencies,
                lateness: None,
            }
        }
    };
    let used = cpu(options.process)?
        .zip(before)
        .map(|(after, before)| after.since(&before));
    let resident = match options.process {
        Some(process) => Some(
            measure::memory(process)
                .map_err(|error| text(&error))?
                .resident,
        ),
        None => None,
    };
    if options.json {
        println!("{}", summary.json(used, resident));
    } else {
        print!("{}", summary.text(used, resident));
    }
    Ok(())
}

/// What `bench` prints.
struct Summary {
    operations: u64,
    errors: u64,
    first_error: Option<String>,
    elapsed: Duration,
    latencies: Latencies,
    lateness: Option<Latencies>,
}

impl Summary {
    fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    fn per_operation_us(&self, used: Duration) -> f64 {
        used.as_secs_f64() * 1e6 / self.operations.max(1) as f64
    }

    fn text(&self, used: Option<Duration>, resident: Option<u64>) -> String {
        let l = &self.latencies;
        let mut text = format!(
            "{} requests in {:.3} s: {:.0} per second, {} errors\n\
             latency in µs: mean {:.1}, p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}\n",
            self.operations,
            self.elapsed.as_secs_f64(),
            self.rate(),
            self.errors,
            l.mean_us(),
            l.quantile_us(0.5),
            l.quantile_us(0.9),
            l.quantile_us(0.99),
            l.quantile_us(0.999),
            l.max_us(),
        );
        if let Some(lateness) = &self.lateness {
            let (late, latest) = (lateness.quantile_us(0.999), lateness.max_us());
            text.push_str(&format!(
                "sent late by in µs: p99.9 {late:.1}, max {latest:.1}\n"
            ));
        }
        if let Some(error) = &self.first_error {
            text.push_str(&format!("first error: {error}\n"));
        }
        if let (Some(used), Some(resident)) = (used, resident) {
            let each = self.per_operation_us(used);
            text.push_str(&format!(
                "server: {each:.3} µs CPU per request, {} KB resident\n",
                resident / 1024
            ));
        }
        text
    }

    fn json(&self, used: Option<Duration>, resident: Option<u64>) -> serde_json::Value {
        let l = &self.latencies;
        serde_json::json!({
            "requests": self.operations,
            "errors": self.errors,
            "first_error": self.first_error,
            "seconds": self.elapsed.as_secs_f64(),
            "rate": self.rate(),
            "latency_us": {
                "mean": l.mean_us(), "p50": l.quantile_us(0.5), "p90": l.quantile_us(0.9),
                "p99": l.quantile_us(0.99), "p999": l.quantile_us(0.999), "max": l.max_us(),
            },
            "lateness_max_us": self.lateness.as_ref().map(Latencies::max_us),
            "server_cpu_us_per_request": used.map(|used| self.per_operation_us(used)),
            "server_resident_bytes": resident,
        })
    }
}

fn compare(arguments: &[String], root: &Path) -> Result<(), String> {
    let mut subject = None;
    let mut plan = Plan {
        baseline: PathBuf::from("redis-server"),
        subject: PathBuf::new(),
        redis_benchmark: "redis-benchmark".to_owned(),
        echo: std::env::current_exe().map_err(|error| error.to_string())?,
        scale: Scale::Full,
        rounds: None,
        only: Vec::new(),
        data: root.join("target/compare"),
        results: Some(root.join("bench")),
    };
    let mut flags = Flags {
        rest: arguments.iter(),
    };
    while let Some(flag) = flags.rest.next() {
        match flag.as_str() {
            "--help" | "-h" => {
                print!("{COMPARE_HELP}");
                return Ok(());
            }
            "--list" => {
                for experiment in rows::all() {
                    println!("{}", experiment.name);
                }
                return Ok(());
            }
            "--quick" => plan.scale = Scale::Quick,
            "--only" => plan
                .only
                .extend(flags.value(flag)?.split(',').map(str::to_owned)),
            "--rounds" => plan.rounds = Some(flags.count(flag)? as usize),
            "--subject" => subject = Some(PathBuf::from(flags.value(flag)?)),
            "--baseline" => plan.baseline = PathBuf::from(flags.value(flag)?),
            "--redis-benchmark" => plan.redis_benchmark = flags.value(flag)?.to_owned(),
            "--data" => plan.data = PathBuf::from(flags.value(flag)?),
            "--no-results" => plan.results = None,
            other => return Err(format!("unknown option {other}; see --help")),
        }
    }
    let names: Vec<&str> = rows::all()
        .iter()
        .map(|experiment| experiment.name)
        .collect();
    if let Some(unknown) = plan
        .only
        .iter()
        .find(|only| !names.iter().any(|name| name.starts_with(only.as_str())))
    {
        return Err(format!("no experiment is called {unknown}; see --list"));
    }
    plan.subject = match subject {
        Some(path) => path,
        None => build(root)?,
    };
    compare::run(&plan)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Builds the release binary and returns its path.
fn build(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--release", "-p", "ochre-server", "--bin", "ochre"]);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("cargo build: {status}")),
        Err(error) => return Err(format!("cargo build: {error}")),
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/ochre"))
}

fn serve_echo(arguments: &[String]) -> Result<(), String> {
    let [flag, port] = arguments else {
        return Err("usage: echo --port N".to_owned());
    };
    let port: u16 = match (flag.as_str(), port.parse()) {
        ("--port", Ok(port)) => port,
        _ => return Err("usage: echo --port N".to_owned()),
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    echo::serve(&listener).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<BenchOptions, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        bench_options(&words)
    }

    #[test]
    fn flags_reach_the_load() {
        let options =
            options("--port 7 -c 3 -P 9 -n 100 --distribution zipf:0.5 --cores 0,1 --rate 5")
                .unwrap();
        let load = &options.load;
        assert_eq!(
            (load.address.port(), load.connections, load.pipeline),
            (7, 3, 9)
        );
        assert_eq!(load.distribution, Distribution::Zipf(0.5));
        assert_eq!(load.cores, Some(vec![0, 1]));
        assert_eq!(options.rate, Some(5.0));
        assert!(matches!(options.limit, Limit::Operations(100)));
    }

    #[test]
    fn wrong_flags_are_refused() {
        for bad in [
            "-c 3",
            "--port x",
            "--port",
            "--port 7 -c 0",
            "--port 7 --what",
            "--port 7 --cores a",
            "--port 7 --distribution normal",
            "--port 7 --distribution zipf:2",
            "--port 7 --seconds -1",
            "--port 7 {bad:1}",
        ] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn help_names_every_experiment_flag() {
        for flag in [
            "--quick",
            "--only",
            "--rounds",
            "--subject",
            "--baseline",
            "--data",
            "--no-results",
            "--list",
        ] {
            assert!(COMPARE_HELP.contains(flag), "{flag}");
        }
    }
}
