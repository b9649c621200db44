//! CONFIG: what is set, and setting it.

mod apply;

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::config::change::{self, Phase, ProtectedConfigs, Rights};
use crate::config::choices::ProtectedAction;
use crate::config::query;
use crate::config::rewrite::{self, Extent};
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;

pub const CONFIG: Command = Command {
    summary: "A container for server configuration commands.",
    since: "2.0.0",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..command("config", Group::Server, -2, Run::Container)
};

const GET: Command = Command {
    summary: "Get the values of configuration parameters.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[block("parameter", &[string("parameter")]).many()],
    history: &[(
        "7.0.0",
        "Added the ability to pass multiple pattern parameters in one call",
    )],
    ..command("get", Group::Server, -3, Run::Session(get))
};

const HELP: Command = help(Group::Server);

const RESETSTAT: Command = Command {
    summary: "Reset the stats returned by INFO.",
    since: "2.0.0",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("resetstat", Group::Server, 2, Run::Session(resetstat))
};

const REWRITE: Command = Command {
    summary: "Rewrite the configuration file with the in memory configuration.",
    since: "2.8.0",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("rewrite", Group::Server, 2, Run::Session(rewrite_file))
};

const SET: Command = Command {
    summary: "Set configuration parameters to the given values.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: &[block("parameter_value", &[string("parameter"), string("value")]).many()],
    history: &[(
        "7.0.0",
        "Added the ability to set multiple parameters in one call.",
    )],
    ..command("set", Group::Server, -4, Run::Session(set))
};

const SUBCOMMANDS: &[&Command] = &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET];

fn get(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let live = call.server.live();
    let found = query::get(&live.config, args.rest());
    out.map(found.len());
    for (name, value) in found {
        out.bulk(&name);
        out.bulk(&value);
    }
    Ok(Flow::Done)
}

fn set(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let server = call.server;
    let _one_at_a_time = server.config_lock.lock();
    let current = server.live();
    let protected = match current.config.security.protected_configs {
        ProtectedAction::Yes => ProtectedConfigs::Allowed,
        ProtectedAction::Local if call.session.client.is_local() => ProtectedConfigs::Allowed,
        _ => ProtectedConfigs::Refused,
    };
    let rights = Rights {
        protected,
        phase: if server.persistence.loading.is_active() {
            Phase::Loading
        } else {
            Phase::Serving
        },
    };
    let refused = |error: change::ChangeError| Error::owned(error.to_string());
    let change = change::set(&current.config, args.rest(), rights).map_err(refused)?;
    let config = change
        .commit(&current.config, |directive, config| {
            apply::apply(server, directive, config)
        })
        .map_err(refused)?;
    server.set_config(config);
    out.ok();
    Ok(Flow::Done)
}

fn rewrite_file(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    write_file(call.server, Extent::Changes)?;
    out.ok();
    Ok(Flow::Done)
}

/// Brings the configuration file up to date.
///
/// # Errors
/// Why that cannot be.
pub fn write_file(server: &Server, extent: Extent) -> Result<(), Error> {
    let _one_at_a_time = server.config_lock.lock();
    let live = server.live();
    let file = server.config_file.as_deref();
    match rewrite::rewrite(file, &live.config, &server.configured_users, extent) {
        Ok(()) => {
            server.log.notice("CONFIG REWRITE executed with success.");
            Ok(())
        }
        Err(error) => {
            server
                .log
                .warning(&format!("CONFIG REWRITE failed: {error}"));
            Err(Error::owned(error.to_string()))
        }
    }
}

fn resetstat(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    call.local.stats.merge_into(call.server, call.local.now_ms);
    call.server.stats.reset();
    call.server.store.freer.reset_freed();
    out.ok();
    Ok(Flow::Done)
}
