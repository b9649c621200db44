//! The process as the system sees it: descriptors, scores, memory, processor time.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::config::choices::OomScoreAdj;

/// Descriptors kept for listening, files and the reactors.
pub const RESERVED_DESCRIPTORS: u64 = 32;

/// Raises the limit of open files so that `clients` fit, as far as it goes. Returns how
/// many do fit.
pub fn raise_descriptor_limit(clients: u32) -> u32 {
    let wanted = u64::from(clients) + RESERVED_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else {
        return clients;
    };
    if current >= wanted {
        return clients;
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    for (current_limit, maximum) in [
        // A privileged process may raise its own maximum.
        (wanted, limit.maximum.map(|maximum| maximum.max(wanted))),
        (reachable, limit.maximum),
    ] {
        let new = Rlimit {
            current: Some(current_limit),
            maximum,
        };
        if current_limit > current && setrlimit(Resource::Nofile, new).is_ok() {
            return fitting(current_limit, clients);
        }
    }
    fitting(current, clients)
}

/// How many of `clients` fit into so many descriptors.
fn fitting(descriptors: u64, clients: u32) -> u32 {
    u32::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS))
        .unwrap_or(u32::MAX)
        .min(clients)
}

/// Descriptors that may be open.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Tells the kernel how readily to kill this process when memory runs out.
///
/// # Errors
/// When the kernel does not let it.
pub fn adjust_oom_score(config: &Config) -> io::Result<()> {
    const FILE: &str = "/proc/self/oom_score_adj";
    static AT_START: std::sync::OnceLock<i32> = std::sync::OnceLock::new();
    let read = || fs::read_to_string(FILE).ok()?.trim().parse().ok();
    let base = *AT_START.get_or_init(|| read().unwrap_or(0));
    let wanted = i32::from(config.process.oom_score_adj_values.primary);
    let score = match config.process.oom_score_adj {
        OomScoreAdj::No => base,
        OomScoreAdj::Relative => base + wanted,
        OomScoreAdj::Absolute => wanted,
    };
    if read() == Some(score) {
        return Ok(());
    }
    fs::write(FILE, score.clamp(-1000, 1000).to_string())
}

/// Has the calling thread take a small share of a processor that those who serve clients
/// want, too. For one that holds stripes at times: with long turns on top of that, as
/// [`scheduling`](crate::scheduling) asks for them, it would wait longer for its next turn
/// with a stripe in hand (others waited 2.6 to 4.1 ms at most during a BGSAVE, and 0.9 to
/// 2.2 ms as it is).
pub fn yield_to_others() {
    const NICENESS: i32 = 10;
    let thread = rustix::thread::gettid();
    // Without it the thread takes its share, no more.
    let _ = rustix::process::setpriority_process(Some(thread), NICENESS);
}

/// Offers the processor to others, and says whether somebody took it.
pub fn offer_processor() -> bool {
    /// It is back so soon only if nobody else wanted it.
    const UNCLAIMED: Duration = Duration::from_micros(5);
    let offered = Instant::now();
    std::thread::yield_now();
    offered.elapsed() >= UNCLAIMED
}

/// Bytes of physical memory that the process occupies; 0 where the system does not say.
pub fn resident_bytes() -> u64 {
    status_kilobytes("/proc/self/status", "VmRSS:") * 1024
}

/// A figure in kB of a file of `name: value` lines.
fn status_kilobytes(file: &str, name: &str) -> u64 {
    fs::read_to_string(file)
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse().ok()
        })
        .unwrap_or(0)
}

/// Bytes of physical memory that the machine has.
pub fn total_memory_bytes() -> u64 {
    status_kilobytes("/proc/meminfo", "MemTotal:") * 1024
}

/// The unit of `/proc/PID/stat`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time in seconds: in the kernel, and in the program.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuTime {
    pub system_s: f64,
    pub user_s: f64,
}

/// The processor time of all threads.
pub fn cpu_time() -> CpuTime {
    read_cpu_time("/proc/self/stat")
}

/// The processor time of the first thread.
pub fn main_thread_cpu_time() -> CpuTime {
    read_cpu_time(&format!("/proc/self/task/{0}/stat", std::process::id()))
}

fn read_cpu_time(file: &str) -> CpuTime {
    fs::read_to_string(file)
        .ok()
        .and_then(|text| parse_cpu_time(&text))
        .unwrap_or_default()
}

/// The times in a line of `/proc/PID/stat`, whose second field, the name, may hold
/// anything but ends with the last `)`.
fn parse_cpu_time(line: &str) -> Option<CpuTime> {
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(CpuTime {
        system_s: system as f64 / TICKS_PER_SECOND,
        user_s: user as f64 / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_survive_odd_names() {
        let line = "42 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 250 125 0 0 20";
        let time = parse_cpu_time(line).unwrap();
        assert_eq!(time.user_s, 2.5);
        assert_eq!(time.system_s, 1.25);
        assert_eq!(parse_cpu_time("42 (a"), None);
    }

    #[test]
    fn the_process_occupies_memory() {
        assert!(resident_bytes() > 0);
    }

    #[test]
    fn clients_that_fit_need_no_higher_limit() {
        assert_eq!(raise_descriptor_limit(1), 1);
        assert_eq!(fitting(100, 1000), 68);
        assert_eq!(fitting(10, 1000), 0);
    }
}
