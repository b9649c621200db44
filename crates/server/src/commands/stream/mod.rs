//! The stream commands.

mod add;
mod entries;
mod range;
mod read;
mod trim;
mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &add::XADD,
    &entries::XDEL,
    &entries::XLEN,
    &entries::XSETID,
    &range::XRANGE,
    &range::XREVRANGE,
    &read::XREAD,
    &trim::XTRIM,
];
