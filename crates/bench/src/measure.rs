//! What `/proc` says of a server: CPU time, cores denied to it, memory. It asks the kernel,
//! never the server, so that both servers are measured with the same ruler.

use std::fs;
use std::io;
use std::time::Duration;

/// The kernel's unit of utime and stime in `/proc/PID/stat` (`USER_HZ`), fixed on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time that a process had used at one moment.
#[derive(Clone, Debug)]
pub struct CpuReading {
    /// utime + stime, in ticks of 10 ms, ended threads included.
    ticks: u64,
    threads: Shares,
}

/// What each living thread of a process had had of the cores at one moment, by number.
#[derive(Clone, Debug, Default)]
pub struct Shares(Vec<ThreadReading>);

/// One thread's line of `schedstat`.
#[derive(Clone, Copy, Debug)]
struct ThreadReading {
    thread: u32,
    /// Nanoseconds on a core.
    ran: u64,
    /// Nanoseconds ready to run, but without a core.
    waited: u64,
}

/// Reads a process's CPU time.
///
/// # Errors
/// When the process is gone.
pub fn cpu(process: u32) -> io::Result<CpuReading> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks_of(&stat).ok_or_else(|| unreadable("stat"))?;
    let threads = shares(process)?;
    Ok(CpuReading { ticks, threads })
}

/// Reads what a process's threads had of the cores: some 5 µs per thread.
///
/// # Errors
/// When the process is gone.
pub fn shares(process: u32) -> io::Result<Shares> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let Some(thread) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // A thread may have ended since the folder was listed; a kernel may lack schedstat.
        if let Ok(text) = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat"))
            && let Some(reading) = thread_reading(thread, &text)
        {
            threads.push(reading);
        }
    }
    threads.sort_unstable_by_key(|reading| reading.thread);
    Ok(Shares(threads))
}

fn thread_reading(thread: u32, schedstat: &str) -> Option<ThreadReading> {
    let mut fields = schedstat.split_whitespace().map(str::parse);
    let ran = fields.next()?.ok()?;
    let waited = fields.next()?.ok()?;
    Some(ThreadReading {
        thread,
        ran,
        waited,
    })
}

impl CpuReading {
    /// CPU time between `earlier` and this reading of the same process: to the nanosecond
    /// when the kernel tells and no thread ended in between, else to 10 ms.
    pub fn since(&self, earlier: &Self) -> Duration {
        let all_alive = earlier
            .threads
            .0
            .iter()
            .all(|old| self.threads.find(old.thread).is_some());
        let exact = self.threads.ran_since(&earlier.threads);
        if all_alive && exact > 0 {
            return Duration::from_nanos(exact);
        }
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }
}

impl Shares {
    /// Of the time `wall` between `earlier` and this reading of a process that is confined
    /// to one core: how long, at least, some thread of it was ready to run while the core
    /// ran what does not belong to the process.
    ///
    /// A thread that waited for the core longer than all others of the process ran waited
    /// for strangers; and strangers had no more than the time in which none of the process
    /// ran. The lesser of the two is what nobody can lay at the process's door. What its
    /// own threads take from each other is never counted.
    pub fn denied_since(&self, earlier: &Self, wall: Duration) -> Duration {
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let ran = self.ran_since(earlier);
        let by_strangers = self.0.iter().map(|now| {
            let before = earlier.find(now.thread).copied().unwrap_or(ThreadReading {
                thread: now.thread,
                ran: 0,
                waited: 0,
            });
            let others = ran - now.ran.saturating_sub(before.ran);
            let waited = now.waited.saturating_sub(before.waited);
            waited.saturating_sub(others)
        });
        let denied = by_strangers.max().unwrap_or(0);
        Duration::from_nanos(denied.min(wall.saturating_sub(ran)))
    }

    /// Nanoseconds on a core, over all threads.
    fn ran_since(&self, earlier: &Self) -> u64 {
        let before = |thread| earlier.find(thread).map_or(0, |reading| reading.ran);
        let threads = self.0.iter();
        threads
            .map(|now| now.ran.saturating_sub(before(now.thread)))
            .sum()
    }

    fn find(&self, thread: u32) -> Option<&ThreadReading> {
        let index = self
            .0
            .binary_search_by_key(&thread, |reading| reading.thread);
        index.ok().map(|index| &self.0[index])
    }
}

/// utime + stime. The second field, the name, may hold spaces and parentheses.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// A process's memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident pages.
    pub resident: u64,
    /// Resident pages, each divided by the number of processes that share it: the sum over
    /// a process and its forked child counts every page once.
    pub proportional: u64,
}

/// Reads a process's memory from `smaps_rollup`.
///
/// # Errors
/// When the process is gone.
pub fn memory(process: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    memory_of(&text).ok_or_else(|| unreadable("smaps_rollup"))
}

fn memory_of(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    Some(Memory {
        resident: field("Rss:")?,
        proportional: field("Pss:")?,
    })
}

/// Memory of a process and all its children, a snapshot's forked child among them.
///
/// # Errors
/// When the process itself is gone; children that end meanwhile are left out.
pub fn memory_with_children(process: u32) -> io::Result<Memory> {
    let mut total = memory(process)?;
    for child in children(process) {
        if let Ok(memory) = memory(child) {
            total.resident += memory.resident;
            total.proportional += memory.proportional;
        }
    }
    Ok(total)
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("/proc: {what} is not as expected"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 100 0 0 0 37 5 0 0 20 0 1 0 100 1 1";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(ticks_of("12 (a) S"), None);
    }

    #[test]
    fn rollups() {
        let text = "00-ff ---p 0 00:00 0 [rollup]\nRss:  12 kB\nPss:  3 kB\nPss_Dirty: 1 kB\n";
        let expected = Memory {
            resident: 12 * 1024,
            proportional: 3 * 1024,
        };
        assert_eq!(memory_of(text), Some(expected));
        assert_eq!(memory_of("Rss: x kB\nPss: 1 kB\n"), None);
    }

    #[test]
    fn our_own_process_can_be_read() {
        let own = std::process::id();
        let before = cpu(own).unwrap();
        let sum: u64 =
            (0..2_000_000u64).fold(1, |a, b| std::hint::black_box(a ^ b.wrapping_mul(a)));
        std::hint::black_box(sum);
        let after = cpu(own).unwrap();
        assert!(after.ticks >= before.ticks);
        assert!(memory(own).unwrap().resident > 0);
        assert!(memory_with_children(own).unwrap().proportional > 0);
        assert!(cpu(u32::MAX).is_err());
    }

    fn reading(ticks: u64, threads: &[(u32, u64, u64)]) -> CpuReading {
        let threads = threads.iter();
        let threads = threads.map(|&(thread, ran, waited)| ThreadReading {
            thread,
            ran,
            waited,
        });
        CpuReading {
            ticks,
            threads: Shares(threads.collect()),
        }
    }

    #[test]
    fn differences_prefer_schedstat_and_fall_back_to_ticks() {
        let earlier = reading(10, &[(1, 500, 5), (2, 700, 0)]);
        let later = reading(12, &[(1, 900, 9), (2, 800, 1), (3, 50, 2)]);
        assert_eq!(later.since(&earlier), Duration::from_nanos(550));
        let ended = reading(12, &[(1, 900, 5)]);
        assert_eq!(ended.since(&earlier), Duration::from_millis(20));
    }

    #[test]
    fn a_process_is_denied_its_core_by_strangers_only() {
        let denied = |later: &[(u32, u64, u64)], wall| {
            let earlier = reading(0, &[(1, 1000, 70), (2, 2000, 0)]).threads;
            let later = reading(0, later).threads;
            let denied = later.denied_since(&earlier, Duration::from_nanos(wall));
            denied.as_nanos()
        };
        // Thread 1 waited while thread 2 ran: the process's own doing.
        assert_eq!(denied(&[(1, 1100, 470), (2, 2400, 0)], 500), 0);
        // It waited for 400, of which thread 2 had the core for 150.
        assert_eq!(denied(&[(1, 1100, 470), (2, 2150, 0)], 500), 250);
        // A waiting that began before the time in question counts only within it.
        assert_eq!(denied(&[(1, 1100, 5070), (2, 2000, 0)], 300), 200);
        // Everybody slept.
        assert_eq!(denied(&[(1, 1001, 70), (2, 2000, 0)], 5000), 0);
        // A thread that is new.
        assert_eq!(
            denied(&[(1, 1000, 70), (2, 2000, 0), (3, 100, 50)], 150),
            50
        );
    }

    #[test]
    fn schedstat_lines() {
        let read = thread_reading(7, "12 34 5\n").unwrap();
        assert_eq!((read.thread, read.ran, read.waited), (7, 12, 34));
        assert!(thread_reading(7, "12\n").is_none());
    }
}
