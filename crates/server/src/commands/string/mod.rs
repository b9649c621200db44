//! Commands on strings.

mod append;
mod counters;
pub mod edit;
pub mod expiry;
mod get;
mod get_and_change;
mod lcs;
mod range;
mod set;
mod set_many;
pub mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &append::APPEND,
    &counters::DECR,
    &counters::DECRBY,
    &get::GET,
    &get_and_change::GETDEL,
    &get_and_change::GETEX,
    &range::GETRANGE,
    &get_and_change::GETSET,
    &counters::INCR,
    &counters::INCRBY,
    &counters::INCRBYFLOAT,
    &lcs::LCS,
    &get::MGET,
    &set_many::MSET,
    &set_many::MSETNX,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
    &range::SETRANGE,
    &get::STRLEN,
    &range::SUBSTR,
];

#[cfg(test)]
mod tests;
