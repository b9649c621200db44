//! The hash commands.

mod counters;
mod dated;
mod deadlines;
mod edit;
mod field_options;
mod random;
mod read;
mod scan;
mod slices;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &counters::HINCRBY,
    &counters::HINCRBYFLOAT,
    &dated::HGETDEL,
    &dated::HGETEX,
    &dated::HSETEX,
    &deadlines::HEXPIRE,
    &deadlines::HEXPIREAT,
    &deadlines::HEXPIRETIME,
    &deadlines::HPERSIST,
    &deadlines::HPEXPIRE,
    &deadlines::HPEXPIREAT,
    &deadlines::HPEXPIRETIME,
    &deadlines::HPTTL,
    &deadlines::HTTL,
    &edit::HDEL,
    &edit::HMSET,
    &edit::HSET,
    &edit::HSETNX,
    &random::HRANDFIELD,
    &read::HEXISTS,
    &read::HGET,
    &read::HGETALL,
    &read::HKEYS,
    &read::HLEN,
    &read::HMGET,
    &read::HSTRLEN,
    &read::HVALS,
    &scan::HSCAN,
];
