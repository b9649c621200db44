//! AUTH and HELLO: who the client is, and which protocol it speaks.
//!
//! There is one user, `default`, whose password is `requirepass`.

use ochre_resp::{Protocol, Reply};
use ochre_structures::number;

use super::client::valid_name;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::config::REDIS_VERSION;
use crate::error::Error;
use crate::execute::Call;

/// The one user there is.
pub const DEFAULT_USER: &[u8] = b"default";

pub const AUTH: Command = Command {
    summary: "Authenticate to the server.",
    complexity: "O(N) where N is the number of passwords defined for the user",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::NO_AUTH)
        .or(Flags::ALLOW_BUSY),
    args: &[string("username").since("6.0.0").opt(), string("password")],
    history: &[("6.0.0", "Added ACL style (username and password).")],
    ..command("auth", Group::Connection, -2, Run::Session(auth))
};

pub const HELLO: Command = Command {
    summary: "Handshake with Redis.",
    since: "6.0.0",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::NO_AUTH)
        .or(Flags::ALLOW_BUSY),
    args: &[block(
        "arguments",
        &[
            integer("protover"),
            block(
                "username_password",
                &[string("username"), string("password")],
            )
            .after("AUTH")
            .opt(),
            string("clientname").after("SETNAME").opt(),
        ],
    )
    .opt()],
    history: &[(
        "6.2.0",
        "`protover` made optional; when called without arguments the command reports the current connection's context.",
    )],
    ..command("hello", Group::Connection, -1, Run::Session(hello))
};

fn auth(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (user, password) = match args.rest() {
        [password] => {
            if call.live.config.security.password.is_empty() {
                return Err(Error::text(
                    "ERR AUTH <password> called without any password configured for the default \
                     user. Are you sure your configuration is correct?",
                ));
            }
            (DEFAULT_USER, *password)
        }
        [user, password] => (*user, *password),
        _ => return Err(Error::Syntax),
    };
    authenticate(call, user, password)?;
    out.ok();
    Ok(Flow::Done)
}

/// Lets the client in, or counts and refuses the attempt.
fn authenticate(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let expected = &call.live.config.security.password;
    if user == DEFAULT_USER && (expected.is_empty() || password_matches(expected, password)) {
        call.session.authenticated = true;
        return Ok(());
    }
    crate::stats::add(&call.server.stats.counters.acl_denied_auth, 1);
    Err(Error::text(
        "WRONGPASS invalid username-password pair or user is disabled.",
    ))
}

/// Compares in a time that depends on the lengths alone.
pub fn password_matches(expected: &[u8], given: &[u8]) -> bool {
    let difference = expected.iter().enumerate().fold(0, |sum, (at, byte)| {
        sum | byte ^ given.get(at).unwrap_or(&0)
    });
    std::hint::black_box(difference) == 0 && expected.len() == given.len()
}

fn hello(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let mut protocol = call.session.protocol;
    let mut credentials = None;
    let mut name = None;
    if let Some(version) = args.peek() {
        protocol = match number::parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Error::text("NOPROTO unsupported protocol version")),
            None => {
                return Err(Error::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        };
        args.skip(1);
    }
    while let Some(option) = args.peek() {
        if args.len() >= 3 && args.keyword("AUTH") {
            credentials = Some((args.next()?, args.next()?));
        } else if args.len() >= 2 && args.keyword("SETNAME") {
            name = Some(valid_name(args.next()?)?);
        } else {
            let mut text = b"ERR Syntax error in HELLO option '".to_vec();
            text.extend_from_slice(option);
            text.push(b'\'');
            return Err(Error::Bytes(text));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(call, user, password)?;
    }
    if !call.session.authenticated {
        return Err(Error::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        call.session.set_name(name);
    }
    call.session.set_protocol(protocol);
    out.set_protocol(protocol);
    out.map(7);
    out.bulk(b"server");
    out.bulk(b"redis");
    out.bulk(b"version");
    out.bulk(REDIS_VERSION.as_bytes());
    out.bulk(b"proto");
    out.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    out.bulk(b"id");
    out.integer(call.session.id() as i64);
    out.bulk(b"mode");
    out.bulk(b"standalone");
    out.bulk(b"role");
    out.bulk(b"master");
    out.bulk(b"modules");
    out.array(0);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_match_only_whole() {
        assert!(password_matches(b"secret", b"secret"));
        for wrong in [&b""[..], b"secre", b"secret1", b"Secret", b"secret\0"] {
            assert!(!password_matches(b"secret", wrong), "{wrong:?}");
        }
    }
}
