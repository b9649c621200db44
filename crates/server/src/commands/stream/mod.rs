//! The stream commands.

mod add;
mod claim;
mod entries;
mod group;
mod info;
mod pending;
mod propagate;
mod range;
mod read;
mod read_group;
mod trim;
mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &add::XADD,
    &claim::XAUTOCLAIM,
    &claim::XCLAIM,
    &entries::XDEL,
    &entries::XLEN,
    &entries::XSETID,
    &group::XGROUP,
    &info::XINFO,
    &pending::XACK,
    &pending::XPENDING,
    &range::XRANGE,
    &range::XREVRANGE,
    &read::XREAD,
    &read_group::XREADGROUP,
    &trim::XTRIM,
];
