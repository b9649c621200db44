//! The generic commands.

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[];
