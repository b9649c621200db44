//! The comparison: starts both servers, measures them in turns over several rounds, and
//! makes rows out of the medians. It knows no particular experiment; those are in
//! [`crate::rows`].
//!
//! Interleaved, because machines drift (clock rates, neighbours): round by round the two
//! servers change places, so that a drift touches both alike.

use std::io;
use std::path::{Path, PathBuf};

use crate::affinity;
use crate::lab::{Failure, Lab, Readings, Scale};
use crate::machine::Machine;
use crate::process::{self, Dialect, Program, Server, Settings};
use crate::report::{self, Metric, Row, Side};
use crate::rows;

/// Who is compared with the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The subject: Ochre.
    Subject,
    /// The echo server: the floor.
    Echo,
}

/// Where server and generator run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The server alone on the first core, the generator on the others.
    Apart,
    /// Wherever the kernel puts them: they compete when cores are few.
    Free,
}

/// How long a server lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Both servers live through all rounds and are prepared once.
    Experiment,
    /// Each round has a fresh server, alone on the machine.
    Round,
}

/// Brings a server into the state that is measured.
pub type Prepare = Box<dyn Fn(&Lab, &mut Server) -> Result<(), Failure>>;
/// Takes one round's readings of a server.
pub type Measure = Box<dyn Fn(&Lab, &mut Server) -> Result<Readings, Failure>>;

/// One experiment: how servers are started, prepared and measured, and what is read.
pub struct Experiment {
    /// Unique; `--only` takes it, or the beginning of it.
    pub name: &'static str,
    /// What it reads.
    pub metrics: Vec<Metric>,
    /// Who is compared.
    pub contender: Contender,
    /// How the servers are started. Redis leaves out what is Ochre's own.
    pub settings: Settings,
    /// On which cores.
    pub placement: Placement,
    /// How long a server lives.
    pub lifetime: Lifetime,
    /// At most this many rounds.
    pub rounds: usize,
    /// Before the first measurement.
    pub prepare: Prepare,
    /// One round.
    pub measure: Measure,
}

impl Experiment {
    /// An experiment with one worker on its own core, both servers side by side, five
    /// rounds at most, and no preparation.
    pub fn new(
        name: &'static str,
        metrics: Vec<Metric>,
        measure: impl Fn(&Lab, &mut Server) -> Result<Readings, Failure> + 'static,
    ) -> Self {
        Self {
            name,
            metrics,
            contender: Contender::Subject,
            settings: Settings {
                workers: Some(1),
                ..Settings::default()
            },
            placement: Placement::Apart,
            lifetime: Lifetime::Experiment,
            rounds: 5,
            prepare: Box::new(|_, _| Ok(())),
            measure: Box::new(measure),
        }
    }

    /// The same with a preparation.
    pub fn prepared(
        mut self,
        prepare: impl Fn(&Lab, &mut Server) -> Result<(), Failure> + 'static,
    ) -> Self {
        self.prepare = Box::new(prepare);
        self
    }

    /// The same with fresh servers in each of `rounds` rounds.
    pub fn fresh(mut self, rounds: usize) -> Self {
        self.lifetime = Lifetime::Round;
        self.rounds = rounds;
        self
    }

    /// The same with all cores for both servers and the generator, and Ochre's default
    /// number of workers.
    pub fn on_all_cores(mut self) -> Self {
        self.placement = Placement::Free;
        self.settings.workers = None;
        self
    }
}

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Usually `redis-server`.
    pub baseline: PathBuf,
    /// Usually Ochre.
    pub subject: PathBuf,
    /// The executable of redis-benchmark.
    pub redis_benchmark: String,
    /// The executable that serves an echo when called with `echo --port N`.
    pub echo: PathBuf,
    /// How much.
    pub scale: Scale,
    /// Rounds at most; each experiment's own number when `None`.
    pub rounds: Option<usize>,
    /// Names, or beginnings of names; all when empty.
    pub only: Vec<String>,
    /// Where the servers' folders are made.
    pub data: PathBuf,
    /// The folder of `RESULTS.md` and `results/`; nothing is written when `None`.
    pub results: Option<PathBuf>,
}

/// Runs the comparison, printing each experiment's rows when it ends; returns all rows.
///
/// # Errors
/// When results cannot be written. A server that fails makes rows that say so.
pub fn run(plan: &Plan) -> io::Result<Vec<Row>> {
    process::raise_open_files();
    let machine = Machine::describe(&plan.baseline, &plan.subject);
    println!(
        "redis: {}\nochre: {}\n{}, {} cores\n",
        machine.baseline, machine.subject, machine.processor, machine.cores
    );
    let bench = Bench {
        baseline: Program::of(plan.baseline.clone()),
        subject: Program::of(plan.subject.clone()),
        echo: Program {
            path: plan.echo.clone(),
            dialect: Dialect::Echo,
        },
        plan,
        date: machine.date.clone(),
    };
    let experiments = rows::all();
    let names: Vec<&str> = experiments
        .iter()
        .map(|experiment| experiment.name)
        .collect();
    let wanted = |name: &str| {
        plan.only.is_empty() || plan.only.iter().any(|only| selects(only, name, &names))
    };
    let mut rows = Vec::new();
    for experiment in experiments
        .iter()
        .filter(|experiment| wanted(experiment.name))
    {
        let measured = bench.experiment(experiment);
        print!("{}", report::table(&measured));
        rows.extend(measured);
    }
    println!("\n{}\n{}", report::table(&rows), report::summary(&rows));
    if let Some(folder) = &plan.results {
        write(folder, &machine, &rows, plan.scale == Scale::Quick, &names)?;
    }
    Ok(rows)
}

/// Whether `only` means the experiment `name`: a whole name means that one alone, else it
/// is the beginning of one or several.
pub fn selects(only: &str, name: &str, names: &[&str]) -> bool {
    if names.contains(&only) {
        name == only
    } else {
        name.starts_with(only)
    }
}

fn write(
    folder: &Path,
    machine: &Machine,
    rows: &[Row],
    quick: bool,
    names: &[&str],
) -> io::Result<()> {
    let results = folder.join("results");
    let path = report::keep(&results, &machine.to_json(), rows, quick)?;
    let (newest, all) = report::newest(&results, names)?;
    std::fs::write(folder.join("RESULTS.md"), report::page(&newest, &all))?;
    println!("written: {}", path.display());
    Ok(())
}

struct Bench<'a> {
    baseline: Program,
    subject: Program,
    echo: Program,
    plan: &'a Plan,
    date: String,
}

/// One server's part in an experiment.
struct Party<'a> {
    program: &'a Program,
    settings: Settings,
    server: Option<Server>,
    rounds: Vec<Readings>,
    failure: Option<String>,
}

impl Bench<'_> {
    fn experiment(&self, experiment: &Experiment) -> Vec<Row> {
        let quick = self.plan.scale == Scale::Quick;
        let rounds = experiment.rounds.min(if quick { 2 } else { usize::MAX });
        let rounds = self
            .plan
            .rounds
            .map_or(rounds, |limit| rounds.min(limit))
            .max(1);
        let mut lab = self.lab(experiment.placement);
        let subject = match experiment.contender {
            Contender::Subject => &self.subject,
            Contender::Echo => &self.echo,
        };
        let mut settings = experiment.settings.clone();
        if experiment.placement == Placement::Apart {
            settings.cores = affinity::available().first().map(|core| vec![*core]);
        }
        // The subject comes first: when it cannot do what is measured, the baseline's turn
        // would be wasted.
        let mut parties = [subject, &self.baseline].map(|program| Party {
            program,
            settings: settings.clone(),
            server: None,
            rounds: Vec::new(),
            failure: None,
        });
        'rounds: for round in 0..rounds {
            lab.seed = round as u64 + 1;
            for turn in 0..2 {
                let party = &mut parties[(turn + round) % 2];
                if let Err(failure) = self.turn(experiment, &lab, party) {
                    party.failure = Some(failure.to_string());
                    break 'rounds;
                }
            }
        }
        let [subject, baseline] = parties;
        let run = if quick {
            format!("{} quick", self.date)
        } else {
            self.date.clone()
        };
        let row = |metric: &Metric| Row {
            experiment: experiment.name.to_owned(),
            key: metric.key.to_owned(),
            what: metric.what.clone(),
            unit: metric.unit.to_owned(),
            baseline: baseline.side(metric.key),
            subject: subject.side(metric.key),
            budget: metric.budget,
            run: run.clone(),
        };
        experiment.metrics.iter().map(row).collect()
    }

    fn turn(
        &self,
        experiment: &Experiment,
        lab: &Lab,
        party: &mut Party<'_>,
    ) -> Result<(), Failure> {
        let mut server = match party.server.take() {
            Some(server) => server,
            None => {
                let mut server = Server::start(party.program, &party.settings, &self.plan.data)?;
                (experiment.prepare)(lab, &mut server)?;
                server
            }
        };
        party.rounds.push((experiment.measure)(lab, &mut server)?);
        if experiment.lifetime == Lifetime::Experiment {
            party.server = Some(server);
        }
        Ok(())
    }

    fn lab(&self, placement: Placement) -> Lab {
        let cores = affinity::available();
        let generator_cores = match placement {
            Placement::Apart if cores.len() > 1 => Some(cores[1..].to_vec()),
            _ => None,
        };
        Lab {
            scale: self.plan.scale,
            seed: 1,
            generator_cores,
            redis_benchmark: self.plan.redis_benchmark.clone(),
        }
    }
}

impl Party<'_> {
    fn side(&self, key: &str) -> Side {
        if let Some(failure) = &self.failure {
            return Side::Failed(failure.clone());
        }
        let values: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|readings| {
                readings
                    .iter()
                    .find(|(name, _)| *name == key)
                    .map(|(_, value)| *value)
            })
            .collect();
        if values.is_empty() {
            Side::Failed("not measured".to_owned())
        } else {
            Side::Rounds(values)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_selects_one_and_a_beginning_several() {
        let names = ["get", "get-32", "set"];
        let selected = |only| {
            names
                .iter()
                .filter(|name| selects(only, name, &names))
                .count()
        };
        assert_eq!(
            (
                selected("get"),
                selected("get-"),
                selected("ge"),
                selected("x")
            ),
            (1, 1, 2, 0)
        );
    }
}
