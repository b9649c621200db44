//! The stream commands.

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[];
