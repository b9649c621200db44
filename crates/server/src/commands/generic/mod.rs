//! The generic commands: on keys of any type, their deadlines and their names.

mod copy;
mod delete;
mod expire;
pub mod filter;
mod gather;
mod look;
mod object;
mod rename;
mod scan;
mod sort;
mod ttl;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &delete::DEL,
    &delete::UNLINK,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &look::EXISTS,
    &look::RANDOMKEY,
    &look::TOUCH,
    &look::TYPE,
    &object::OBJECT,
    &rename::RENAME,
    &rename::RENAMENX,
    &scan::KEYS,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
];
