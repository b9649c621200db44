//! The families. To add one: a file here with a `FAMILY`, and its name in the list.

mod bitmaps;
mod blocking;
mod common;
mod dump;
mod expiry;
mod generic;
mod geo;
mod hashes;
mod hyperloglog;
mod lists;
mod protocol;
mod scan;
mod scripting;
mod server;
mod sets;
mod sort;
mod streams;
mod strings;
mod transactions;
mod zsets;

use super::Family;

pub use common::COMMON;

/// Every family.
pub const FAMILIES: &[&Family] = &[
    &strings::FAMILY,
    &bitmaps::FAMILY,
    &generic::FAMILY,
    &expiry::FAMILY,
    &lists::FAMILY,
    &hashes::FAMILY,
    &sets::FAMILY,
    &zsets::FAMILY,
    &streams::FAMILY,
    &geo::FAMILY,
    &hyperloglog::FAMILY,
    &sort::FAMILY,
    &scan::FAMILY,
    &blocking::FAMILY,
    &dump::FAMILY,
    &transactions::FAMILY,
    &scripting::FAMILY,
    &server::FAMILY,
    &protocol::FAMILY,
];

/// Families whose commands may be queued, or called by a script.
const QUEUEABLE: &[&Family] = &[
    &strings::FAMILY,
    &bitmaps::FAMILY,
    &generic::FAMILY,
    &expiry::FAMILY,
    &lists::FAMILY,
    &hashes::FAMILY,
    &sets::FAMILY,
    &zsets::FAMILY,
    &streams::FAMILY,
    &geo::FAMILY,
    &hyperloglog::FAMILY,
    &COMMON,
];

/// The family with this name.
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().copied().find(|family| family.name == name)
}

const fn of(name: &'static str, templates: &'static [&'static str]) -> Family {
    Family {
        name,
        templates,
        bundles: None,
        common_percent: 15,
    }
}
