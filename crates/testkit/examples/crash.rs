//! Kills a server under load again and again, and looks whether it keeps its promises.
//!
//! ```text
//! cargo run --release -p ochre-testkit --example crash -- \
//!     --subject target/release/ochre --rounds 200 --seed 1 --policy always
//! ```
//! Prints a line a round. `--policy always|everysec|rdb` tries one policy instead of all in
//! turn. The exit status is 1, and the seed is named, at the first loss.

use std::process::ExitCode;
use std::time::Instant;

use ochre_testkit::crash::{self, Plan, Policy, Report};
use ochre_testkit::servers::ServerSpec;

struct Options {
    subject: String,
    rounds: u64,
    seed: u64,
    policies: Vec<Policy>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n");
            eprintln!("--subject PATH  --rounds N  --seed N  --policy always|everysec|rdb|all");
            return ExitCode::from(2);
        }
    };
    let subject = std::path::absolute(&options.subject).unwrap_or(options.subject.into());
    let spec = ServerSpec::ochre(subject);
    let started = Instant::now();
    let mut total = Report::default();
    for round in 0..options.rounds {
        let policy = options.policies[(round % options.policies.len() as u64) as usize];
        let seed = options.seed + round;
        let round_started = Instant::now();
        match crash::run(&spec, &Plan::new(policy, seed)) {
            Ok(report) => {
                let took = round_started.elapsed();
                println!(
                    "{:<8} seed {seed:<6} {report}, in {took:.1?}",
                    policy.name()
                );
                total.add(&report);
            }
            Err(error) => {
                println!("total before: {total}");
                eprintln!(
                    "\nround {round}, --policy {} --seed {seed}: {error}",
                    policy.name()
                );
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "total    {} rounds: {total}, in {:.1?}",
        options.rounds,
        started.elapsed()
    );
    ExitCode::SUCCESS
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut subject = None;
    let mut rounds = 20;
    let mut seed = 1;
    let mut policies = Policy::ALL.to_vec();
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} needs a number, not {value}"))
        };
        match name.as_str() {
            "--subject" => subject = Some(value),
            "--rounds" => rounds = number()?,
            "--seed" => seed = number()?,
            "--policy" if value == "all" => policies = Policy::ALL.to_vec(),
            "--policy" => {
                let policy = Policy::ALL.iter().find(|policy| policy.name() == value);
                policies = vec![*policy.ok_or(format!("there is no policy {value}"))?];
            }
            _ => return Err(format!("there is no option {name}")),
        }
    }
    Ok(Options {
        subject: subject.ok_or("--subject is missing")?,
        rounds,
        seed,
        policies,
    })
}
