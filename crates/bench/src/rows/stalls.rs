//! How long other clients wait while one does something big: drops, reads or lists a
//! million elements.

use std::time::Duration;

use crate::compare::Experiment;
use crate::lab::{Failure, Lab};
use crate::process::Server;
use crate::report::Budget;
use crate::rows::{probed, stalled};

const ZSET: &str = "ZADD big {seq:9} member:{seq:9}";
const HASH: &str = "HSET big field:{seq:9} {v:32}";
const LIST: &str = "RPUSH big {v:32}";
const KEYS: &str = "SET key:{seq:12} {v:32}";

/// What `big` is filled with, before the prober starts.
#[derive(Clone, Copy)]
enum Victim {
    /// Once: the command only reads it.
    Kept(&'static str),
    /// In each round: the command destroys it.
    Refilled(&'static str),
}

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    vec![
        experiment("stall-del", Victim::Refilled(ZSET), "DEL big"),
        experiment("stall-unlink", Victim::Refilled(ZSET), "UNLINK big"),
        experiment("stall-expire", Victim::Refilled(ZSET), "PEXPIRE big 100"),
        experiment("stall-overwrite", Victim::Refilled(ZSET), "SET big x"),
        experiment("stall-hgetall", Victim::Kept(HASH), "HGETALL big"),
        experiment("stall-zrange", Victim::Kept(ZSET), "ZRANGE big 0 -1"),
        experiment("stall-lrange", Victim::Kept(LIST), "LRANGE big 0 -1"),
        experiment("stall-keys", Victim::Kept(KEYS), "KEYS *"),
        experiment("stall-flushall", Victim::Refilled(KEYS), "FLUSHALL"),
    ]
}

fn experiment(name: &'static str, victim: Victim, command: &'static str) -> Experiment {
    let measure = move |lab: &Lab, server: &mut Server| {
        if let Victim::Refilled(line) = victim {
            lab.once(server, "DEL big")?;
            lab.fill(server, line, lab.count(1_000_000))?;
        }
        // What a server frees or expires later must be seen, too.
        let linger = Duration::from_secs(1);
        probed(lab, server, linger, |server| {
            lab.once(server, command).map(drop)
        })
    };
    let prepare = move |lab: &Lab, server: &mut Server| -> Result<(), Failure> {
        lab.fill(server, KEYS, lab.count(100_000))?;
        match victim {
            Victim::Kept(line) => lab.fill(server, line, lab.count(1_000_000)),
            Victim::Refilled(_) => Ok(()),
        }
    };
    Experiment::new(name, stalled(Budget::AtMost(2.0)), measure).prepared(prepare)
}
