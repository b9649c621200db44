//! Commands about the connection itself.

mod ping;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[&ping::ECHO, &ping::PING];
