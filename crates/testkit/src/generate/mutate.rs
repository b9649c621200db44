//! Deliberate mistakes: what a wrong client would send.

use super::Generator;
use super::choices::{FLAGS, NUMBERS};
use super::kinds::value;
use crate::differential::Command;

/// The command with one thing wrong. Its name stays.
pub fn mutated(generator: &mut Generator, mut command: Command) -> Command {
    let arguments = command.len() - 1;
    let nasty = |generator: &mut Generator| match generator.rng.below(3) {
        0 => generator.rng.pick(NUMBERS).as_bytes().to_vec(),
        1 => generator.rng.pick(FLAGS).as_bytes().to_vec(),
        _ => value(generator),
    };
    if arguments == 0 {
        let extra = nasty(generator);
        command.push(extra);
        return command;
    }
    let at = 1 + generator.rng.below(arguments);
    match generator.rng.below(8) {
        0 => drop(command.remove(at)),
        1 => command.insert(at, command[at].clone()),
        2 => {
            let other = 1 + generator.rng.below(arguments);
            command.swap(at, other);
        }
        3 => {
            let extra = nasty(generator);
            command.push(extra);
        }
        4 => command.truncate(at),
        5 => {
            let extra = nasty(generator);
            command.insert(at, extra);
        }
        _ => command[at] = nasty(generator),
    }
    command
}
