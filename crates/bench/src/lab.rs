//! Where experiments are done: how large and how long, on which cores, and the few moves
//! that most of them share (fill, drive, probe). It knows no particular experiment.

use std::time::Duration;

use crate::affinity::Cores;
use crate::client::{Client, ClientError};
use crate::generator::{Fleet, GeneratorError, Limit, Load, Outcome};
use crate::measure;
use crate::process::{Server, StartError};
use crate::steady::{Observed, Steady};
use crate::template::{Mix, TemplateError};

/// Why an experiment gave no readings.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A load could not be run.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// A control command failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// `/proc` or a tool failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A template of ours is wrong.
    #[error("template: {0}")]
    Template(#[from] TemplateError),
    /// The server answered a load with errors.
    #[error("{0}")]
    Refused(String),
    /// What is needed is not there, or gave no sense.
    #[error("{0}")]
    Unusable(String),
}

/// How much work a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The sizes that the budgets are stated for.
    Full,
    /// A tenth of the data and short windows: shows that everything runs, not how fast.
    Quick,
}

/// Named values that one measurement gave, by the keys of its experiment's metrics.
pub type Readings = Vec<(&'static str, f64)>;

/// The circumstances of one measurement.
#[derive(Clone, Debug)]
pub struct Lab {
    /// How much.
    pub scale: Scale,
    /// The same for both servers in a round, another one in each round.
    pub seed: u64,
    /// The cores the generator is bound to, when it has its own.
    pub generator_cores: Option<Cores>,
    /// The executable of `redis-benchmark`.
    pub redis_benchmark: String,
}

impl Lab {
    /// `full` items, or a tenth of them on the quick scale.
    pub fn count(&self, full: u64) -> u64 {
        match self.scale {
            Scale::Full => full,
            Scale::Quick => (full / 10).max(1),
        }
    }

    /// How long a throughput is measured.
    pub fn window(&self) -> Duration {
        self.seconds(2.0)
    }

    /// `full` seconds, or a fifth of them on the quick scale.
    pub fn seconds(&self, full: f64) -> Duration {
        Duration::from_secs_f64(match self.scale {
            Scale::Full => full,
            Scale::Quick => full / 5.0,
        })
    }

    /// A load of `line` on `server` over a million keys (scaled).
    ///
    /// # Errors
    /// When the template is wrong.
    pub fn load(&self, server: &Server, line: &str) -> Result<Load, Failure> {
        let mut load = Load::new(server.address(), Mix::of(line)?);
        load.keyspace = self.count(1_000_000);
        load.members = load.keyspace;
        load.cores.clone_from(&self.generator_cores);
        load.seed = self.seed;
        Ok(load)
    }

    /// Sends `line` exactly `count` times, pipelined over four connections, with the
    /// sequence running from 0.
    ///
    /// # Errors
    /// When the load fails or the server replies any error.
    pub fn fill(&self, server: &Server, line: &str, count: u64) -> Result<(), Failure> {
        let mut load = self.load(server, line)?;
        load.connections = 4;
        load.pipeline = 128;
        accepted(Fleet::connect(&load)?.run(Limit::Operations(count))?)?;
        Ok(())
    }

    /// Runs one command over a connection of its own, its reply read and thrown away.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn once(&self, server: &Server, line: &str) -> Result<Outcome, Failure> {
        let load = self.load(server, line)?;
        accepted(Fleet::connect(&load)?.run(Limit::Operations(1))?)
    }

    /// Drives `load` until `limit`: throughput, latencies, server CPU per operation, under
    /// the keys `cpu_us`, `rate`, `p50_us`, `p99_us`, `p999_us`.
    ///
    /// # Errors
    /// When the load fails or the server replies any error.
    pub fn drive(&self, server: &Server, load: &Load, limit: Limit) -> Result<Readings, Failure> {
        let mut fleet = Fleet::connect(load)?;
        // A taste first: connections, buffers and branch predictors come to their state.
        let taste = load.pipeline as u64 * load.connections as u64;
        if let Limit::Time(_) = limit {
            accepted(fleet.run(Limit::Operations(taste * 4))?)?;
        }
        let before = measure::cpu(server.process())?;
        let outcome = accepted(fleet.run(limit)?)?;
        let used = measure::cpu(server.process())?.since(&before);
        Ok(vec![
            (
                "cpu_us",
                used.as_secs_f64() * 1e6 / outcome.operations.max(1) as f64,
            ),
            ("rate", outcome.rate()),
            ("p50_us", outcome.latencies.quantile_us(0.5)),
            ("p99_us", outcome.latencies.quantile_us(0.99)),
            ("p999_us", outcome.latencies.quantile_us(0.999)),
        ])
    }

    /// A prober: `line` at 1 kHz over four connections, in turn.
    ///
    /// # Errors
    /// When the template is wrong.
    pub fn prober(&self, server: &Server, line: &str) -> Result<Steady, Failure> {
        self.steady(server, line, 1000.0, 4)
    }

    /// A steady load of `rate` requests per second.
    ///
    /// # Errors
    /// When the template is wrong.
    pub fn steady(
        &self,
        server: &Server,
        line: &str,
        rate: f64,
        connections: usize,
    ) -> Result<Steady, Failure> {
        let mut load = self.load(server, line)?;
        load.connections = connections;
        Ok(Steady {
            load,
            rate,
            suspect: None,
        })
    }

    /// Resident bytes of the server after it has come to rest.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resting_memory(&self, server: &Server) -> Result<u64, Failure> {
        std::thread::sleep(Duration::from_millis(500));
        Ok(measure::memory(server.process())?.resident)
    }

    /// A control connection.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn client(&self, server: &Server) -> Result<Client, Failure> {
        Ok(Client::connect(server.address())?)
    }
}

/// The outcome, unless it holds error replies.
///
/// # Errors
/// The first error reply's text.
pub fn accepted(outcome: Outcome) -> Result<Outcome, Failure> {
    refuse_errors(outcome.errors, outcome.first_error.as_deref())?;
    Ok(outcome)
}

/// What a steady load saw, unless it holds error replies.
///
/// # Errors
/// The first error reply's text.
pub fn undisturbed(observed: Observed) -> Result<Observed, Failure> {
    refuse_errors(observed.errors, observed.first_error.as_deref())?;
    Ok(observed)
}

fn refuse_errors(errors: u64, first: Option<&str>) -> Result<(), Failure> {
    if errors == 0 {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "{} ({errors} error replies)",
        first.unwrap_or("error")
    )))
}
