//! Commands about the server: what it can do, how it is set up, how it fares.

mod command;
mod config;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[&command::COMMAND, &config::CONFIG];
