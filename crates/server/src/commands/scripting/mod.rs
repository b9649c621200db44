//! Scripts: EVAL and its relatives, SCRIPT; functions: FCALL, FUNCTION.

mod eval;
mod fcall;
mod function;
mod script;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &eval::EVAL,
    &eval::EVALSHA,
    &eval::EVALSHA_RO,
    &eval::EVAL_RO,
    &fcall::FCALL,
    &fcall::FCALL_RO,
    &function::FUNCTION,
    &script::SCRIPT,
];
