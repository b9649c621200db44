//! Scripts: EVAL and its relatives, SCRIPT.

mod eval;
mod script;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &eval::EVAL,
    &eval::EVALSHA,
    &eval::EVALSHA_RO,
    &eval::EVAL_RO,
    &script::SCRIPT,
];
