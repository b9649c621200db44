//! Places on the globe, kept in sorted sets.
//!
//! - `place`: places in arguments and replies; `query`: what a search asks for;
//!   `slices`: a search that takes long;
//! - the others: one idea each, with its commands.

mod add;
mod look;
mod place;
mod query;
mod search;
mod slices;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &add::GEOADD,
    &look::GEODIST,
    &look::GEOHASH,
    &look::GEOPOS,
    &search::GEORADIUS,
    &search::GEORADIUSBYMEMBER,
    &search::GEORADIUSBYMEMBER_RO,
    &search::GEORADIUS_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];
