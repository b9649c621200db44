//! Transactions and scripts: what they cost, and whether a long script makes others wait.

use std::time::Duration;

use crate::client::Reply;
use crate::compare::Experiment;
use crate::generator::Limit;
use crate::lab::{Failure, undisturbed};
use crate::report::{Budget, metric};
use crate::rows::driven;
use crate::template::{Mix, Template};

const FILL: &str = "SET key:{seq:12} {v:32}";

const THREE_CALLS: &str = "local n = redis.call('INCR', KEYS[1]) \
     redis.call('SET', KEYS[2], ARGV[1]) \
     return redis.call('GET', KEYS[2])";

const LONG: &str = "for i = 1, tonumber(ARGV[1]) do redis.call('INCR', KEYS[1]) end return 1";

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    vec![transaction(), evalsha(), long_script()]
}

fn transaction() -> Experiment {
    let set = "SET key:{k:12} {v:32}";
    let line = format!("MULTI ; {set} ; {set} ; {set} ; {set} ; {set} ; EXEC");
    let mut metrics = driven(Some(Budget::RatioAtMost(0.6)), None);
    metrics[0].what = "server CPU per MULTI, 5 SET, EXEC".to_owned();
    Experiment::new("multi-exec", metrics, move |lab, server| {
        let mut load = lab.load(server, &line)?;
        load.connections = 8;
        load.pipeline = 8;
        lab.drive(server, &load, Limit::Time(lab.window()))
    })
    .prepared(|lab, server| lab.fill(server, FILL, lab.count(1_000_000)))
}

fn evalsha() -> Experiment {
    let mut metrics = driven(Some(Budget::RatioAtMost(0.9)), None);
    metrics[0].what = "server CPU per EVALSHA of three calls".to_owned();
    Experiment::new("evalsha", metrics, |lab, server| {
        let digest = match lab
            .client(server)?
            .command(&["SCRIPT", "LOAD", THREE_CALLS])?
        {
            Reply::Bulk(Some(digest)) => String::from_utf8_lossy(&digest).into_owned(),
            other => return Err(Failure::Unusable(format!("SCRIPT LOAD replied {other:?}"))),
        };
        let line = [
            "EVALSHA",
            &digest,
            "2",
            "counter:{k:12}",
            "key:{k:12}",
            "{v:32}",
        ];
        let mut load = lab.load(server, "PING")?;
        load.mix = Mix::single(Template::from_arguments(&line)?);
        load.connections = 8;
        load.pipeline = 64;
        lab.drive(server, &load, Limit::Time(lab.window()))
    })
    .prepared(|lab, server| lab.fill(server, FILL, lab.count(1_000_000)))
}

/// GETs and SETs of other keys, first alone, then during a script of a few seconds.
fn long_script() -> Experiment {
    let metrics = vec![
        metric("ratio", "p99 of others during a long script / idle", "×")
            .within(Budget::AtMost(2.0)),
        metric("idle_ms", "p99 idle", "ms"),
        metric("during_ms", "p99 during the script", "ms"),
        metric("max_ms", "longest wait during the script", "ms"),
    ];
    let mut experiment = Experiment::new("long-script", metrics, |lab, server| {
        let mut steady = lab.steady(server, "PING", 1000.0, 4)?;
        let lines = ["GET key:{k:12}", "SET key:{k:12} {v:32}"].map(str::to_owned);
        steady.load.mix = Mix::parse(&lines)?;
        let idle = undisturbed(steady.run(lab.seconds(2.0))?)?;
        let mut client = lab.client(server)?;
        let running = steady.start()?;
        std::thread::sleep(Duration::from_millis(20));
        let rounds = lab.count(10_000_000).to_string();
        let script = client.command(&["EVAL", LONG, "1", "long-script", &rounds]);
        let during = running.finish()?;
        script?;
        let (idle_us, during_us) = (
            idle.from_sent.quantile_us(0.99),
            during.from_sent.quantile_us(0.99),
        );
        Ok(vec![
            ("ratio", during_us / idle_us),
            ("idle_ms", idle_us / 1e3),
            ("during_ms", during_us / 1e3),
            ("max_ms", during.from_sent.max_us() / 1e3),
        ])
    })
    .prepared(|lab, server| lab.fill(server, FILL, lab.count(1_000_000)))
    .on_all_cores();
    // A reply of BUSY would be quick, and no service.
    experiment.settings.directives = vec!["--busy-reply-threshold", "0"];
    experiment.rounds = 3;
    experiment
}
