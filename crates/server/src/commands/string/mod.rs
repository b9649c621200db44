//! Commands on strings.

mod get;
mod set;
pub mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[&get::GET, &set::SET];
