//! Resident memory per key and per element: the server's RSS before and after filling,
//! divided by what was filled in. Keys' and values' own bytes are included.

use crate::compare::Experiment;
use crate::report::{Budget, metric};

/// What a server is given before its memory is looked at first.
const TASTE: u64 = 1000;

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    const MILLION: u64 = 1_000_000;
    let string = "SET key:{seq:12} {v:32}";
    let expiring = "SET key:{seq:12} {v:32} PX 86400000";
    let small_hash = "HSET hash:{seq:11} a {v:8} b {v:8} c {v:8} d {v:8} e {v:8}";
    let small_zset = "ZADD zset:{seq:11} 1 {v:8} 2 b{v:7} 3 c{v:7} 4 d{v:7} 5 e{v:7}";
    vec![
        experiment(
            "rss-string-1m",
            "per string key of 16 + 32 B, 1M keys",
            string,
            MILLION,
            0.55,
        ),
        experiment(
            "rss-string-5m",
            "per string key of 16 + 32 B, 5M keys",
            string,
            5 * MILLION,
            0.55,
        ),
        experiment(
            "rss-ttl-1m",
            "per string key with TTL, 1M keys",
            expiring,
            MILLION,
            0.5,
        ),
        experiment(
            "rss-ttl-5m",
            "per string key with TTL, 5M keys",
            expiring,
            5 * MILLION,
            0.5,
        ),
        experiment(
            "rss-hash",
            "per field of a 1M-field hash, 48 B",
            "HSET hash f{seq:15} {v:32}",
            MILLION,
            0.6,
        ),
        experiment(
            "rss-zset",
            "per member of a 1M-member sorted set, 24 B",
            "ZADD zset {score:9} member:{seq:17}",
            MILLION,
            0.5,
        ),
        experiment(
            "rss-set",
            "per member of a 1M-member set, 16 B",
            "SADD set member:{seq:9}",
            MILLION,
            0.55,
        ),
        experiment(
            "rss-intset",
            "per member of a set of 1M integers",
            "SADD set {intseq:8}",
            MILLION,
            0.3,
        ),
        experiment(
            "rss-small-hash",
            "per small hash of five fields, 1M of them",
            small_hash,
            MILLION,
            0.75,
        ),
        experiment(
            "rss-small-zset",
            "per small sorted set of five, 100k of them",
            small_zset,
            100_000,
            0.95,
        ),
        experiment(
            "rss-list",
            "per element of a 1M-element list, 16 B",
            "RPUSH list {v:16}",
            MILLION,
            1.0,
        ),
    ]
}

fn experiment(
    name: &'static str,
    what: &str,
    line: &'static str,
    count: u64,
    budget: f64,
) -> Experiment {
    let metrics =
        vec![metric("bytes", format!("RSS {what}"), "B").within(Budget::RatioAtMost(budget))];
    Experiment::new(name, metrics, move |lab, server| {
        let count = lab.count(count);
        // The first commands make buffers and threads, and have code loaded, which are
        // not the data's.
        lab.fill(server, line, TASTE)?;
        lab.once(server, "FLUSHALL")?;
        let before = lab.resting_memory(server)?;
        lab.fill(server, line, count)?;
        let after = lab.resting_memory(server)?;
        Ok(vec![(
            "bytes",
            after.saturating_sub(before) as f64 / count as f64,
        )])
    })
    .fresh(1)
}
