//! CLIENT: the clients, seen and steered by one of them.

mod kill;
mod list;
mod pause;
mod settings;
mod tracking;

use crate::commands::help::help;
use crate::commands::spec::*;

pub use settings::valid_name;

pub const CLIENT: Command = Command {
    summary: "A container for client connection commands.",
    since: "2.4.0",
    complexity: "Depends on subcommand.",
    not_categories: Categories::CONNECTION,
    subcommands: SUBCOMMANDS,
    ..command("client", Group::Connection, -2, Run::Container)
};

const HELP: Command = help(Group::Connection);

const SUBCOMMANDS: &[&Command] = &[
    &tracking::CACHING,
    &settings::GETNAME,
    &tracking::GETREDIR,
    &HELP,
    &list::ID,
    &list::INFO,
    &kill::KILL,
    &list::LIST,
    &settings::NO_EVICT,
    &settings::NO_TOUCH,
    &pause::PAUSE,
    &settings::REPLY,
    &settings::SETINFO,
    &settings::SETNAME,
    &tracking::TRACKING,
    &tracking::TRACKINGINFO,
    &pause::UNBLOCK,
    &pause::UNPAUSE,
];
