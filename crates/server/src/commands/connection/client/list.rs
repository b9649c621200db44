//! CLIENT ID, INFO and LIST.

use std::sync::Arc;

use ochre_resp::Reply;
use ochre_structures::number;

use crate::clients::Client;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const ID: Command = Command {
    summary: "Returns the client ID for the current connection.",
    since: "5.0.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    ..command("id", Group::Connection, 2, Run::Session(id))
};

pub const INFO: Command = Command {
    summary: "Returns information about the current client connection.",
    since: "6.2.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    tips: &["nondeterministic_output"],
    ..command("info", Group::Connection, 2, Run::Session(info))
};

pub const LIST: Command = Command {
    summary: "Get the list of client connections.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    tips: &["nondeterministic_output"],
    args: &[
        one_of(
            "normal_master_replica_pubsub",
            &[
                token("normal", "NORMAL"),
                token("master", "MASTER"),
                token("replica", "REPLICA"),
                token("pubsub", "PUBSUB"),
            ],
        )
        .after("TYPE")
        .since("5.0.0")
        .opt(),
        block("id", &[integer("client-id").many()])
            .after("ID")
            .since("6.2.0")
            .opt(),
    ],
    history: &[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        (
            "6.2.0",
            "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
        ),
        (
            "7.0.0",
            "Added `resp`, `multi-mem`, `rbs` and `rbp` fields.",
        ),
        ("7.0.3", "Added `ssub` field."),
    ],
    ..command("list", Group::Connection, -2, Run::Session(list))
};

fn id(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.integer(call.session.id() as i64);
    Ok(Flow::Done)
}

fn info(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let client = call.session.client.clone();
    describe(call, &[client], out);
    Ok(Flow::Done)
}

fn list(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let clients = match args.len() {
        0 => call.server.clients.all(),
        2 if args.keyword("TYPE") => {
            let kind = client_type(args.next()?)?;
            let mut clients = call.server.clients.all();
            clients.retain(|client| client.type_name() == kind);
            clients
        }
        2.. if args.keyword("ID") => {
            let mut clients = Vec::new();
            for argument in args.rest() {
                let id = number::parse_i64(argument).ok_or(Error::text("ERR Invalid client ID"))?;
                let found = u64::try_from(id)
                    .ok()
                    .and_then(|id| call.server.clients.get(id));
                clients.extend(found);
            }
            clients
        }
        _ => return Err(Error::Syntax),
    };
    describe(call, &clients, out);
    Ok(Flow::Done)
}

fn describe(call: &Call<'_>, clients: &[Arc<Client>], out: &mut Reply) {
    let mut text = String::new();
    for client in clients {
        text.push_str(&client.describe(call.local.now_ms, &call.server.commands));
        text.push('\n');
    }
    out.verbatim("txt", text.as_bytes());
}

/// The type of clients of this name, in the word that [`Client::type_name`] uses.
pub fn client_type(name: &[u8]) -> Result<&'static str, Error> {
    const NAMES: [(&str, &str); 5] = [
        ("normal", "normal"),
        ("slave", "replica"),
        ("replica", "replica"),
        ("pubsub", "pubsub"),
        ("master", "master"),
    ];
    NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, kind)| *kind)
        .ok_or_else(|| {
            let mut text = b"ERR Unknown client type '".to_vec();
            text.extend_from_slice(name);
            text.push(b'\'');
            Error::Bytes(text)
        })
}
