//! The server killed with `kill -9` under load and started again: a few rounds of what the
//! soak command (`just crash`) does at length.

use ochre_testkit::crash::{self, Plan, Policy};
use ochre_testkit::servers::ServerSpec;

fn survive(plans: impl Iterator<Item = Plan>) {
    let subject = ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"));
    for plan in plans {
        let report = crash::run(&subject, &plan).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.kills, plan.lives.len() as u64);
        assert!(report.acknowledged > 0, "{plan}: nothing was tried");
    }
}

#[test]
fn always_keeps_all_that_was_acknowledged() {
    survive((1..5).map(|seed| Plan::new(Policy::Always, seed)));
}

#[test]
fn every_second_keeps_what_is_two_seconds_old() {
    survive((1..3).map(|seed| {
        let mut plan = Plan::new(Policy::EverySecond, seed);
        plan.lives.truncate(1);
        plan
    }));
}

#[test]
fn the_last_completed_snapshot_is_loaded() {
    survive((1..5).map(|seed| Plan::new(Policy::Snapshots, seed)));
}
