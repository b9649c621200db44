//! Commands about the connection itself.

pub mod auth;
pub mod client;
mod ping;
mod state;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &auth::AUTH,
    &client::CLIENT,
    &ping::ECHO,
    &auth::HELLO,
    &ping::PING,
    &state::QUIT,
    &state::RESET,
    &state::SELECT,
];
