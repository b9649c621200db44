//! Compares a server with a real `redis-server` from the command line.
//!
//! ```text
//! cargo run -p ochre-testkit --example differential -- \
//!     --subject target/debug/ochre --family zsets --seed 1 --steps 5000 --resp 3
//! ```
//! `--subject redis` compares the reference with itself; `--family all` runs every
//! family and every corpus; `--corpus NAME` runs hand-picked cases; `--rounds N` goes on
//! with the N-1 seeds that follow; `--known-only yes` leaves out commands that the subject
//! does not list. The exit status is 1 when the servers disagree.

use std::process::ExitCode;
use std::time::Instant;

use ochre_testkit::differential::{CORPORA, DifferentialError, Pair};
use ochre_testkit::generate::families::FAMILIES;
use ochre_testkit::resp::Protocol;
use ochre_testkit::servers::ServerSpec;

struct Options {
    subject: Option<String>,
    family: String,
    corpus: Option<String>,
    seed: u64,
    rounds: u64,
    known_only: bool,
    steps: usize,
    protocols: Vec<Protocol>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n");
            eprintln!(
                "--subject PATH|redis  --family NAME|all  --corpus NAME|all  --seed N  --rounds N"
            );
            eprintln!("--steps N  --resp 2|3|both  --known-only yes");
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            eprintln!("families: {}", names.join(" "));
            let names: Vec<&str> = CORPORA.iter().map(|corpus| corpus.name).collect();
            eprintln!("corpora: {}", names.join(" "));
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        subject: None,
        family: "all".into(),
        corpus: None,
        seed: 1,
        rounds: 1,
        known_only: false,
        steps: 1_000,
        protocols: vec![Protocol::Resp2, Protocol::Resp3],
    };
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} needs a number, not {value}"))
        };
        match name.as_str() {
            "--subject" => options.subject = Some(value),
            "--family" => options.family = value,
            "--corpus" => options.corpus = Some(value),
            "--seed" => options.seed = number()?,
            "--rounds" => options.rounds = number()?,
            "--known-only" => options.known_only = value == "yes",
            "--steps" => options.steps = number()? as usize,
            "--resp" => {
                options.protocols = match value.as_str() {
                    "2" => vec![Protocol::Resp2],
                    "3" => vec![Protocol::Resp3],
                    "both" => vec![Protocol::Resp2, Protocol::Resp3],
                    _ => return Err(format!("--resp is 2, 3 or both, not {value}")),
                }
            }
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if options.subject.is_none() {
        return Err("--subject is missing".into());
    }
    Ok(options)
}

fn compare(options: &Options) -> Result<(), DifferentialError> {
    let subject = match options.subject.as_deref() {
        None | Some("redis") => ServerSpec::redis()?,
        Some(path) => ServerSpec::ochre(std::path::absolute(path).unwrap_or_else(|_| path.into())),
    };
    let mut pair = Pair::start(&subject)?;
    if options.known_only {
        pair.only_known_commands()?;
    }
    let wanted_corpus = options
        .corpus
        .as_deref()
        .or((options.family == "all").then_some("all"));
    for corpus in CORPORA {
        if wanted_corpus.is_some_and(|wanted| wanted == "all" || wanted == corpus.name) {
            let started = Instant::now();
            let summary = pair.check_corpus(corpus.name)?;
            println!(
                "corpus {:<14} {:>6} steps, {:>5} cases skipped, in {:.1?}",
                corpus.name,
                summary.steps,
                summary.skipped,
                started.elapsed()
            );
        }
    }
    if options.corpus.is_some() {
        return Ok(());
    }
    let families: Vec<_> = FAMILIES
        .iter()
        .filter(|family| options.family == "all" || options.family == family.name)
        .collect();
    if families.is_empty() {
        return Err(DifferentialError::Unknown(options.family.clone()));
    }
    for seed in options.seed..options.seed + options.rounds {
        for family in &families {
            for &protocol in &options.protocols {
                let started = Instant::now();
                let summary = pair.check_family(family, seed, options.steps, protocol)?;
                let took = started.elapsed();
                println!(
                    "family {:<14} seed {seed} {protocol:?} {:>6} steps, {:>5} errors, in {took:.1?}",
                    family.name, summary.steps, summary.errors
                );
            }
        }
    }
    Ok(())
}
