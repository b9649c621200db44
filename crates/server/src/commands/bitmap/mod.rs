//! The bitmap commands.

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[];
