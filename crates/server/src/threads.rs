//! What a thread of the server does first: it goes to the processors that are meant for
//! its duty, and prepares for its own crash.

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::config::{Config, cpu_list};
use crate::log::Log;

/// What a thread is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Serving clients, and loading before there are any.
    Serving,
    /// What nobody waits for: syncing, freeing, reclaiming.
    Background,
    /// A snapshot.
    Snapshot,
    /// A rewrite of the append-only file.
    Rewrite,
}

/// To be called by a thread when it begins. One that is given no processors stays where
/// whoever started it is.
pub fn begin(duty: Duty, config: &Config, log: &Log) {
    ochre_crash::prepare_thread();
    let process = &config.process;
    let list = match duty {
        Duty::Serving => &process.server_cpus,
        Duty::Background => &process.background_cpus,
        Duty::Snapshot => &process.bgsave_cpus,
        Duty::Rewrite => &process.aof_rewrite_cpus,
    };
    if list.is_empty() {
        return;
    }
    // The configuration has refused other lists.
    let processors = cpu_list::parse(list).unwrap_or_default();
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(processor);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        log.warning(&format!(
            "A thread can't be bound to the processors {list}: {error}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn a_thread_goes_where_its_list_says() {
        std::thread::spawn(|| {
            let before = sched_getaffinity(None).unwrap();
            let own = (0..CpuSet::MAX_CPU)
                .find(|&processor| before.is_set(processor))
                .unwrap();
            let mut config = Config::default();
            begin(Duty::Snapshot, &config, &Log::silent());
            assert_eq!(sched_getaffinity(None).unwrap().count(), before.count());
            config.process.bgsave_cpus = own.to_string();
            begin(Duty::Background, &config, &Log::silent());
            assert_eq!(sched_getaffinity(None).unwrap().count(), before.count());
            begin(Duty::Snapshot, &config, &Log::silent());
            let after = sched_getaffinity(None).unwrap();
            assert!(after.is_set(own) && after.count() == 1);
        })
        .join()
        .unwrap();
    }
}
