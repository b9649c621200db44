//! Commands on strings as arrays of bits.

mod bit;
mod combine;
mod count;
mod field;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &count::BITCOUNT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &combine::BITOP,
    &count::BITPOS,
    &bit::GETBIT,
    &bit::SETBIT,
];

#[cfg(test)]
mod tests;
