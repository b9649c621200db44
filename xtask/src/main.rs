//! The project's front door for developers: `cargo xtask TASK`. Tasks live in the crates
//! that they are about; here is only the list of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask TASK [OPTIONS]

Tasks (each has --help):
  compare   redis-server and Ochre side by side: a table of ratios against the budgets
  bench     load any server: throughput, latencies, its CPU and memory
  echo      an echo server, the floor of the comparison
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, options)) = arguments.split_first() else {
        print!("{HELP}");
        return ExitCode::FAILURE;
    };
    if matches!(task.as_str(), "--help" | "-h" | "help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    ochre_bench::cli::run(task, options, &workspace()).unwrap_or_else(|| {
        eprintln!("unknown task {task}\n\n{HELP}");
        ExitCode::FAILURE
    })
}

/// The workspace's folder: the one above this crate's.
fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
