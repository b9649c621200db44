//! The transactions commands.

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[];
