//! MULTI, EXEC, DISCARD, WATCH, around commands of every other family.

use super::super::{Bundles, Generator};
use super::{Family, QUEUEABLE};
use crate::differential::{Command, Step, parse_words};

pub(super) const FAMILY: Family = Family {
    common_percent: 35,
    bundles: Some(Bundles {
        percent: 45,
        make: transaction,
    }),
    ..super::of(
        "transactions",
        &[
            "3 MULTI",
            "3 EXEC",
            "3 DISCARD",
            "4 WATCH anykey+",
            "3 UNWATCH",
            "1 MULTI text",
            "4 SET anykey value",
            "2 INCR anykey",
        ],
    )
};

/// A whole transaction on one connection, often watched, often raced by another.
fn transaction(generator: &mut Generator) -> Vec<Step> {
    let line = |text: &str| -> Command { parse_words(text).unwrap_or_default() };
    let connection = *generator.rng.pick(&[1, 2, 3]);
    let other = if connection == 1 { 2 } else { 1 };
    let mut steps = Vec::new();
    if generator.rng.chance(50) {
        let key = format!(
            "{}{}",
            generator.rng.pick(&["s", "l", "h", "e", "z"]),
            generator.rng.between(1, 4)
        );
        steps.push(Step::on(connection, line(&format!("WATCH {key}"))));
        if generator.rng.chance(50) {
            let touch = *generator.rng.pick(&[
                "SET K 1",
                "DEL K",
                "EXPIRE K 100",
                "GET K",
                "APPEND K x",
                "RENAME K K",
                "FLUSHDB",
                "SWAPDB 0 1",
                "SET K 1 XX",
                "PERSIST K",
            ]);
            steps.push(Step::on(
                other,
                line(&touch.replace(" K", &format!(" {key}"))),
            ));
        }
        if generator.rng.chance(10) {
            steps.push(Step::on(connection, line("UNWATCH")));
        }
    }
    steps.push(Step::on(connection, line("MULTI")));
    for _ in 0..generator.rng.between(0, 5) {
        let family = *generator.rng.pick(QUEUEABLE);
        let command = generator.plain_command(family);
        steps.push(Step::on(connection, command));
        if generator.rng.chance(10) {
            let family = *generator.rng.pick(QUEUEABLE);
            let command = generator.plain_command(family);
            steps.push(Step::on(other, command));
        }
    }
    if generator.rng.chance(8) {
        let odd = *generator.rng.pick(&[
            "MULTI",
            "WATCH s1",
            "NOSUCH a",
            "GET",
            "SELECT 1",
            "SELECT 99",
            "RESET",
            "HELLO 3",
            "BLPOP l1 0.01",
            "BLPOP nolist 0.01",
            "XREAD BLOCK 5 STREAMS x1 $",
            "SAVE x",
            "PING",
            "UNWATCH",
        ]);
        steps.push(Step::on(connection, line(odd)));
    }
    let end = if generator.rng.chance(88) {
        "EXEC"
    } else {
        "DISCARD"
    };
    steps.push(Step::on(connection, line(end)));
    steps
}
