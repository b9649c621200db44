//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::execute::Call;

/// Most arguments kept of one command, and most bytes of each.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Debug, Clone)]
pub struct SlowEntry {
    pub id: u64,
    /// Unix time in seconds.
    pub at_s: i64,
    pub microseconds: u64,
    pub arguments: Vec<Vec<u8>>,
    pub address: String,
    pub client_name: Vec<u8>,
}

/// The slow log, the newest entry first.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: Mutex<VecDeque<SlowEntry>>,
    next_id: AtomicU64,
}

impl SlowLog {
    /// Keeps the command if it took long.
    #[inline]
    pub fn note(&self, call: &Call<'_>, known: &Known, argv: &[&[u8]], elapsed_ns: u64) {
        let threshold_us = call.live.config.latency.slowlog_threshold_us;
        if threshold_us >= 0 && elapsed_ns / 1000 >= threshold_us as u64 {
            self.keep(call, known, argv, elapsed_ns / 1000);
        }
    }

    #[cold]
    fn keep(&self, call: &Call<'_>, known: &Known, argv: &[&[u8]], microseconds: u64) {
        let max = call.live.config.latency.slowlog_max_entries as usize;
        if max == 0 || known.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let entry = SlowEntry {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            at_s: call.local.now_ms / 1000,
            microseconds,
            arguments: shorten(&redacted(known, argv)),
            address: call.session.client.address.clone(),
            client_name: call.session.client.state.lock().name.clone(),
        };
        let mut entries = self.entries.lock();
        entries.push_front(entry);
        entries.truncate(max);
    }

    /// The newest `count` entries.
    pub fn newest(&self, count: usize) -> Vec<SlowEntry> {
        self.entries.lock().iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&self) {
        self.entries.lock().clear();
    }
}

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"(redacted)";

/// The arguments with passwords taken out, for the eyes of others.
pub fn redacted<'a>(known: &Known, argv: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = argv.to_vec();
    let secrets: Vec<usize> = match known.full_name.as_str() {
        "auth" => (1..argv.len()).collect(),
        "config|set" => crate::config::change::secret_positions(&argv[2..])
            .map(|at| at + 2)
            .collect(),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => (2..argv.len()).collect(),
        "hello" => behind(argv, b"AUTH", 2),
        "migrate" => {
            let mut secrets = behind(argv, b"AUTH", 1);
            secrets.extend(behind(argv, b"AUTH2", 2));
            secrets
        }
        _ => return shown,
    };
    for at in secrets {
        shown[at] = REDACTED;
    }
    shown
}

/// The positions of the `count` arguments behind the word.
fn behind(argv: &[&[u8]], word: &[u8], count: usize) -> Vec<usize> {
    let found = argv
        .iter()
        .position(|argument| argument.eq_ignore_ascii_case(word));
    found.map_or(Vec::new(), |at| {
        (at + 1..argv.len().min(at + 1 + count)).collect()
    })
}

fn shorten(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if argv.len() > ARGUMENTS_MAX {
        ARGUMENTS_MAX - 1
    } else {
        argv.len()
    };
    let mut arguments: Vec<Vec<u8>> = argv[..kept]
        .iter()
        .map(|argument| {
            if argument.len() <= ARGUMENT_BYTES_MAX {
                return argument.to_vec();
            }
            let mut short = argument[..ARGUMENT_BYTES_MAX].to_vec();
            let more = argument.len() - ARGUMENT_BYTES_MAX;
            short.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
            short
        })
        .collect();
    if kept < argv.len() {
        let more = argv.len() - kept;
        arguments.push(format!("... ({more} more arguments)").into_bytes());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::FAMILIES;
    use crate::commands::table::CommandTable;

    fn check(argv: &[&str], expected: &[&str]) {
        let table = CommandTable::new(FAMILIES);
        let argv: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
        let known = table.find(argv[0]).unwrap();
        let known = match argv.get(1) {
            Some(sub) if known.is_container() => table.find_subcommand(known, sub).unwrap(),
            _ => known,
        };
        let shown = redacted(known, &argv);
        let shown: Vec<&str> = shown
            .iter()
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn passwords_are_not_kept() {
        check(
            &["AUTH", "default", "p"],
            &["AUTH", "(redacted)", "(redacted)"],
        );
        check(
            &["config", "set", "port", "1", "requirepass", "p"],
            &["config", "set", "port", "1", "requirepass", "(redacted)"],
        );
        check(
            &["hello", "3", "auth", "u", "p", "setname", "n"],
            &[
                "hello",
                "3",
                "auth",
                "(redacted)",
                "(redacted)",
                "setname",
                "n",
            ],
        );
        check(&["get", "auth"], &["get", "auth"]);
    }
}
