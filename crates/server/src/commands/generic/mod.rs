//! The generic commands: on keys of any type, their deadlines and their names.

mod copy;
mod delete;
mod dump;
mod expire;
pub mod filter;
mod gather;
mod look;
mod migrate;
mod object;
mod rename;
mod restore;
mod scan;
mod sort;
mod ttl;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &delete::DEL,
    &delete::UNLINK,
    &dump::DUMP,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &look::EXISTS,
    &look::RANDOMKEY,
    &look::TOUCH,
    &look::TYPE,
    &migrate::MIGRATE,
    &object::OBJECT,
    &rename::RENAME,
    &rename::RENAMENX,
    &restore::RESTORE,
    &restore::RESTORE_ASKING,
    &scan::KEYS,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
];
