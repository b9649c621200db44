//! CLIENT KILL: by address as of old, or by any combination of filters.

use ochre_resp::Reply;
use ochre_structures::number;

use super::list::client_type;
use crate::clients::Client;
use crate::commands::args::Args;
use crate::commands::connection::auth::DEFAULT_USER;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const KILL: Command = Command {
    summary: "Kill the connection of a client.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[one_of(
        "filter",
        &[
            string("ip:port").deprecated("2.8.12"),
            one_of(
                "new-format",
                &[
                    integer("client-id").after("ID").since("2.8.12").opt(),
                    one_of(
                        "normal_master_slave_pubsub",
                        &[
                            token("normal", "NORMAL"),
                            token("master", "MASTER").since("3.2.0"),
                            token("slave", "SLAVE"),
                            token("replica", "REPLICA").since("5.0.0"),
                            token("pubsub", "PUBSUB"),
                        ],
                    )
                    .after("TYPE")
                    .since("2.8.12")
                    .opt(),
                    string("username").after("USER").opt(),
                    string("ip:port").after("ADDR").opt(),
                    string("ip:port").after("LADDR").since("6.2.0").opt(),
                    string("yes/no").after("SKIPME").opt(),
                ],
            )
            .many(),
        ],
    )],
    history: &[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        (
            "5.0.0",
            "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
        ),
        ("6.2.0", "`LADDR` option."),
    ],
    ..command("kill", Group::Connection, -3, Run::Session(kill))
};

/// What a client must be like to be killed; all that is given must hold.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<&'static str>,
    user: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    /// Connected for at least so long.
    min_age_s: Option<i64>,
    spare_self: bool,
}

impl<'a> Filter<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let mut filter = Filter {
            spare_self: true,
            ..Self::default()
        };
        while !args.is_empty() {
            if args.len() < 2 {
                return Err(Error::Syntax);
            }
            if args.keyword("ID") {
                let id = number::parse_i64(args.next()?).filter(|id| *id > 0);
                let error = Error::text("ERR client-id should be greater than 0");
                filter.id = Some(id.ok_or(error)? as u64);
            } else if args.keyword("TYPE") {
                filter.kind = Some(client_type(args.next()?)?);
            } else if args.keyword("ADDR") {
                filter.address = Some(args.next()?);
            } else if args.keyword("LADDR") {
                filter.local_address = Some(args.next()?);
            } else if args.keyword("USER") {
                let user = args.next()?;
                if user != DEFAULT_USER {
                    let mut text = b"ERR No such user '".to_vec();
                    text.extend_from_slice(user);
                    text.push(b'\'');
                    return Err(Error::Bytes(text));
                }
                filter.user = Some(user);
            } else if args.keyword("SKIPME") {
                filter.spare_self = if args.keyword("YES") {
                    true
                } else if args.keyword("NO") {
                    false
                } else {
                    return Err(Error::Syntax);
                };
            } else if args.keyword("MAXAGE") {
                let age = number::parse_i64(args.next()?)
                    .ok_or(Error::text("ERR maxage is not an integer or out of range"))?;
                if age <= 0 {
                    return Err(Error::text("ERR maxage should be greater than 0"));
                }
                filter.min_age_s = Some(age);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client, now_ms: i64) -> bool {
        let is = |wanted: Option<&[u8]>, value: &str| wanted.is_none_or(|w| w == value.as_bytes());
        self.id.is_none_or(|id| id == client.id)
            && is(self.address, &client.address)
            && is(self.local_address, &client.local_address)
            && is(self.user, &client.state.lock().user)
            && self.kind.is_none_or(|kind| kind == client.type_name())
            && self
                .min_age_s
                .is_none_or(|age| (now_ms - client.connected_at_ms) / 1000 >= age)
    }
}

fn kill(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let old_form = args.len() == 1;
    let filter = if old_form {
        Filter {
            address: Some(args.next()?),
            ..Filter::default()
        }
    } else {
        Filter::parse(args)?
    };
    let mut killed = 0;
    for client in call.server.clients.all() {
        let is_self = client.id == call.session.id();
        if is_self && filter.spare_self || !filter.matches(&client, call.local.now_ms) {
            continue;
        }
        killed += 1;
        if is_self {
            // The reply still leaves.
            call.session.close = true;
        } else {
            client.kill();
        }
    }
    match (old_form, killed) {
        (true, 0) => return Err(Error::text("ERR No such client")),
        (true, _) => out.ok(),
        (false, killed) => out.integer(killed),
    }
    Ok(Flow::Done)
}
