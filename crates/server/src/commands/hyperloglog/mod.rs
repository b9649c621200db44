//! HyperLogLogs: strings whose bytes estimate how many distinct elements were added.

mod add;
mod count;
mod debug;
mod merge;
mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &add::PFADD,
    &count::PFCOUNT,
    &debug::PFDEBUG,
    &merge::PFMERGE,
    &debug::PFSELFTEST,
];

#[cfg(test)]
mod tests;
