//! CPU per operation at pipeline 64 of the commonest commands on lists, hashes, sets,
//! sorted sets and streams: a thousand collections of some hundred elements, beyond the
//! listpack thresholds.

use crate::compare::Experiment;
use crate::generator::{Fleet, Limit, Load};
use crate::lab::{Failure, Lab, accepted};
use crate::process::Server;
use crate::report::Budget;
use crate::rows::driven;

const COLLECTIONS: u64 = 1000;
const ELEMENTS: u64 = 1000;

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    let hset = "HSET hash:{k:12} field:{field:12} {v:32}";
    let sadd = "SADD set:{k:12} member:{member:12}";
    let zadd = "ZADD zset:{k:12} {score:9} member:{member:12}";
    vec![
        experiment("lpush", "LPUSH list:{k:12} {v:32}", None),
        rpop(),
        experiment("hset", hset, Some(hset)),
        experiment("hget", "HGET hash:{k:12} field:{field:12}", Some(hset)),
        experiment("sadd", sadd, Some(sadd)),
        experiment("zadd", zadd, Some(zadd)),
        experiment("zrange-10", "ZRANGE zset:{k:12} 100 109", Some(zadd)),
        experiment("xadd", "XADD stream:{k:12} * field {v:32}", None),
    ]
}

/// `line` driven, after a million random `fill`s.
fn experiment(name: &'static str, line: &'static str, fill: Option<&'static str>) -> Experiment {
    let metrics = driven(Some(Budget::RatioAtMost(0.6)), None);
    Experiment::new(name, metrics, move |lab, server| {
        lab.drive(server, &load(lab, server, line)?, Limit::Time(lab.window()))
    })
    .prepared(move |lab, server| match fill {
        Some(fill) => push(lab, server, fill),
        None => Ok(()),
    })
}

/// Pops what was pushed just before, neither more nor less.
fn rpop() -> Experiment {
    let metrics = driven(Some(Budget::RatioAtMost(0.6)), None);
    Experiment::new("rpop", metrics, |lab, server| {
        push(lab, server, "LPUSH list:{k:12} {v:32}")?;
        let pops = Limit::Operations(lab.count(1_000_000));
        lab.drive(server, &load(lab, server, "RPOP list:{k:12}")?, pops)
    })
}

fn push(lab: &Lab, server: &Server, line: &str) -> Result<(), Failure> {
    let load = load(lab, server, line)?;
    accepted(Fleet::connect(&load)?.run(Limit::Operations(lab.count(1_000_000)))?)?;
    Ok(())
}

fn load(lab: &Lab, server: &Server, line: &str) -> Result<Load, Failure> {
    let mut load = lab.load(server, line)?;
    // Fewer of them on the quick scale, so that each stays as large.
    load.keyspace = lab.count(COLLECTIONS);
    load.members = ELEMENTS;
    load.connections = 8;
    load.pipeline = 64;
    Ok(load)
}
