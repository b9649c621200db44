//! The set commands.

mod algebra;
mod combine;
mod edit;
mod pop;
mod random;
mod read;
mod scan;
mod slices;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &edit::SADD,
    &edit::SMOVE,
    &edit::SREM,
    &pop::SPOP,
    &random::SRANDMEMBER,
    &read::SCARD,
    &read::SISMEMBER,
    &read::SMEMBERS,
    &read::SMISMEMBER,
    &scan::SSCAN,
    &combine::SDIFF,
    &combine::SDIFFSTORE,
    &combine::SINTER,
    &combine::SINTERCARD,
    &combine::SINTERSTORE,
    &combine::SUNION,
    &combine::SUNIONSTORE,
];
