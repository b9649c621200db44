//! What a round is made of. All of it is drawn from a seed; only the machine's timing is
//! not.

use std::fmt;

use crate::rng::Rng;

/// What the server has promised to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `appendfsync always`: all that was acknowledged.
    Always,
    /// `appendfsync everysec`: all that was acknowledged two seconds before.
    EverySecond,
    /// Snapshots only: the last one that was completed.
    Snapshots,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 3] = [Policy::Always, Policy::EverySecond, Policy::Snapshots];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Always => "always",
            Policy::EverySecond => "everysec",
            Policy::Snapshots => "rdb",
        }
    }
}

/// When the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At any time.
    Any,
    /// So long after a snapshot or rewrite was asked for, in milliseconds.
    During {
        /// The time since the command was answered.
        after_ms: u64,
    },
    /// As soon as a snapshot or rewrite has ended.
    RightAfter,
}

/// What is done to the last increment of the append-only file before the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// Nothing.
    None,
    /// The beginning of another command or transaction is appended.
    Begun,
    /// Up to this many bytes are cut off.
    Cut {
        /// At most so many.
        bytes: u64,
    },
}

/// One time that the server is started, loaded and killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// How long the clients work before the last snapshot is asked for, or before the end.
    pub load_ms: u64,
    /// How many snapshots or rewrites are asked for meanwhile.
    pub snapshots: u64,
    /// When it is killed.
    pub moment: Moment,
    /// What is done to the file.
    pub tear: Tear,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Names the round.
    pub seed: u64,
    /// What is promised.
    pub policy: Policy,
    /// Connections that send steps.
    pub clients: usize,
    /// Keys that are there from the start, so that a snapshot takes a while.
    pub bulk_keys: usize,
    /// The server's arguments.
    pub args: Vec<String>,
    /// From start to kill, one after the other on the same folder.
    pub lives: Vec<Life>,
}

impl Plan {
    /// The round that `seed` names.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let mut rng = Rng::derived(seed, policy as u64);
        let lives = 1 + usize::from(rng.chance(40)) + usize::from(rng.chance(20));
        Plan {
            seed,
            policy,
            clients: rng.between(2, 5) as usize,
            bulk_keys: rng.between(200, 1_500) as usize,
            args: arguments(policy, &mut rng),
            lives: (0..lives).map(|_| Life::draw(policy, &mut rng)).collect(),
        }
    }
}

impl Life {
    fn draw(policy: Policy, rng: &mut Rng) -> Self {
        let load_ms = match policy {
            // What was acknowledged longer than two seconds ago must be a lot.
            Policy::EverySecond => rng.between(2_200, 3_000),
            Policy::Always | Policy::Snapshots => rng.between(20, 600),
        };
        Life {
            load_ms: load_ms as u64,
            snapshots: rng.below(3) as u64,
            moment: match rng.below(4) {
                0 | 1 => Moment::Any,
                2 => Moment::During {
                    after_ms: rng.between(0, 120) as u64,
                },
                _ => Moment::RightAfter,
            },
            tear: match (policy, rng.below(5)) {
                (Policy::Snapshots, _) | (_, 0..=2) => Tear::None,
                (_, 3) => Tear::Begun,
                _ => Tear::Cut {
                    bytes: rng.between(1, 600) as u64,
                },
            },
        }
    }
}

fn choose(rng: &mut Rng, values: &[&'static str]) -> &'static str {
    values[rng.below(values.len())]
}

fn arguments(policy: Policy, rng: &mut Rng) -> Vec<String> {
    let mut args: Vec<String> = Vec::new();
    let mut add = |name: &str, value: &str| {
        args.extend([format!("--{name}"), value.to_owned()]);
    };
    add("io-threads", choose(rng, &["1", "2", "4"]));
    add("reactor", choose(rng, &["auto", "epoll"]));
    // A snapshot of a few hundred keys is to take some tens of milliseconds.
    add("rdb-key-save-delay", choose(rng, &["0", "50", "200"]));
    match policy {
        Policy::Always | Policy::EverySecond => {
            add("save", "");
            add("appendonly", "yes");
            add("appendfsync", policy.name());
            add("aof-timestamp-enabled", choose(rng, &["no", "no", "yes"]));
            add("aof-use-rdb-preamble", choose(rng, &["yes", "yes", "no"]));
            if rng.chance(30) {
                add("auto-aof-rewrite-min-size", "32kb");
                add("auto-aof-rewrite-percentage", "30");
            }
        }
        // A rule, so that the server does save, which the load never fulfils.
        Policy::Snapshots => {
            add("appendonly", "no");
            add("save", "3600 100000000");
        }
    }
    args
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seed {} {} clients, {}",
            self.policy.name(),
            self.seed,
            self.clients,
            self.args.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_plan_and_seeds_differ() {
        for policy in Policy::ALL {
            assert_eq!(Plan::new(policy, 5), Plan::new(policy, 5));
            assert_ne!(Plan::new(policy, 5), Plan::new(policy, 6));
        }
    }

    #[test]
    fn snapshots_have_no_file_to_tear() {
        for seed in 0..50 {
            let plan = Plan::new(Policy::Snapshots, seed);
            assert!(plan.lives.iter().all(|life| life.tear == Tear::None));
        }
    }
}
