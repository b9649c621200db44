//! The machine and the versions that results belong to.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

/// Where and with what a comparison ran.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name, as `/proc/cpuinfo` has it.
    pub processor: String,
    /// Cores this process may run on.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: u64,
    /// Kernel name, release and architecture.
    pub kernel: String,
    /// What the baseline says of its version.
    pub baseline: String,
    /// What the subject says of its version.
    pub subject: String,
    /// UTC, `2026-01-31 23:59:59`.
    pub date: String,
}

impl Machine {
    /// Describes this machine and these two server programs.
    pub fn describe(baseline: &Path, subject: &Path) -> Self {
        let uname = rustix::system::uname();
        Self {
            processor: processor(),
            cores: crate::affinity::available().len(),
            memory: memory(),
            kernel: format!(
                "{} {} {}",
                uname.sysname().to_string_lossy(),
                uname.release().to_string_lossy(),
                uname.machine().to_string_lossy()
            ),
            baseline: version(baseline),
            subject: version(subject),
            date: now(),
        }
    }

    /// As it stands in a results file.
    pub fn to_json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "memory_bytes": self.memory,
            "kernel": self.kernel,
            "baseline": self.baseline,
            "subject": self.subject,
            "date": self.date,
        })
    }
}

/// What `PROGRAM --version` prints first, or why it prints nothing.
pub fn version(program: &Path) -> String {
    match Command::new(program).arg("--version").output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines()
                .next()
                .map_or_else(|| "(no version)".to_owned(), |line| line.trim().to_owned())
        }
        Err(error) => format!("(cannot be started: {error})"),
    }
}

fn now() -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    OffsetDateTime::now_utc().format(format).unwrap_or_default()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line
        .and_then(|line| line.split_once(':'))
        .map(|(_, name)| name.trim());
    name.unwrap_or("unknown").to_owned()
}

fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_described_not_fatal() {
        let machine = Machine::describe(Path::new("/nonexistent/a"), Path::new("/nonexistent/b"));
        assert!(machine.baseline.starts_with("(cannot be started"));
        assert_eq!(machine.date.len(), 19);
        assert!(machine.cores > 0);
    }
}
