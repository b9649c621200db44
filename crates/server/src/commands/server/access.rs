//! ACL and MODULE as far as tools ask: one user, `default`, who may do everything, and
//! no modules.

use ochre_resp::Reply;
use sha2::{Digest, Sha256};

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const ACL: Command = Command {
    summary: "A container for Access List Control commands .",
    since: "6.0.0",
    complexity: "Depends on subcommand.",
    subcommands: &[&CAT, &GETUSER, &ACL_HELP, &ACL_LIST, &USERS, &WHOAMI],
    ..command("acl", Group::Server, -2, Run::Container)
};

const CAT: Command = Command {
    summary: "List the ACL categories or the commands inside a category.",
    since: "6.0.0",
    complexity: "O(1) since the categories and commands are a fixed set.",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    args: &[string("categoryname").opt()],
    ..command("cat", Group::Server, -2, Run::Session(cat))
};

const GETUSER: Command = Command {
    summary: "Get the rules for a specific ACL user.",
    since: "6.0.0",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[string("username")],
    history: &[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        (
            "7.0.0",
            "Added selectors and changed the format of key and channel patterns from a list to their rule representation.",
        ),
    ],
    ..command("getuser", Group::Server, 3, Run::Session(getuser))
};

const ACL_HELP: Command = help(Group::Server);

const ACL_LIST: Command = Command {
    summary: "List the current ACL rules in ACL config file format.",
    since: "6.0.0",
    complexity: "O(N). Where N is the number of configured users.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("list", Group::Server, 2, Run::Session(list))
};

const USERS: Command = Command {
    summary: "List the username of all the configured ACL rules.",
    since: "6.0.0",
    complexity: "O(N). Where N is the number of configured users.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("users", Group::Server, 2, Run::Session(users))
};

const WHOAMI: Command = Command {
    summary: "Return the name of the user associated to the current connection.",
    since: "6.0.0",
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    ..command("whoami", Group::Server, 2, Run::Session(whoami))
};

pub const MODULE: Command = Command {
    summary: "A container for module commands.",
    since: "4.0.0",
    complexity: "Depends on subcommand.",
    subcommands: &[&MODULE_HELP, &MODULE_LIST],
    ..command("module", Group::Server, -2, Run::Container)
};

const MODULE_HELP: Command = help(Group::Server);

const MODULE_LIST: Command = Command {
    summary: "List all modules loaded by the server.",
    since: "4.0.0",
    complexity: "O(N) where N is the number of loaded modules.",
    flags: Flags::ADMIN.or(Flags::NOSCRIPT),
    tips: &["nondeterministic_output_order"],
    ..command("list", Group::Server, 2, Run::Session(modules))
};

fn cat(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    match args.rest() {
        [] => {
            out.array(Categories::NAMED.len());
            for (_, name) in Categories::NAMED {
                out.bulk(name.as_bytes());
            }
        }
        [name] => {
            let category = Categories::NAMED
                .iter()
                .find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
            let Some((category, _)) = category else {
                let mut text = b"ERR Unknown category '".to_vec();
                text.extend_from_slice(name);
                text.push(b'\'');
                return Err(Error::Bytes(text));
            };
            let members: Vec<&str> = call
                .server
                .commands
                .iter()
                .filter(|known| known.command.all_categories().has(*category))
                .map(|known| known.full_name.as_str())
                .collect();
            out.array(members.len());
            for name in members {
                out.bulk(name.as_bytes());
            }
        }
        _ => return Err(Error::subcommand("ACL", args.all()[1])),
    }
    Ok(Flow::Done)
}

/// The password as ACL shows it: its SHA-256 in hexadecimal.
fn password_hash(password: &[u8]) -> String {
    Sha256::digest(password)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn getuser(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.next()? != b"default" {
        out.null();
        return Ok(Flow::Done);
    }
    let password = &call.live.config.security.password;
    let mut flags = vec!["on"];
    if password.is_empty() {
        flags.push("nopass");
    }
    flags.push("sanitize-payload");
    out.map(6);
    out.bulk(b"flags");
    out.set(flags.len());
    for flag in flags {
        out.bulk(flag.as_bytes());
    }
    out.bulk(b"passwords");
    out.array(usize::from(!password.is_empty()));
    if !password.is_empty() {
        out.bulk(password_hash(password).as_bytes());
    }
    for (name, value) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        out.bulk(name.as_bytes());
        out.bulk(value.as_bytes());
    }
    out.bulk(b"selectors");
    out.array(0);
    Ok(Flow::Done)
}

fn list(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let password = &call.live.config.security.password;
    let secret = if password.is_empty() {
        "nopass".to_owned()
    } else {
        format!("#{}", password_hash(password))
    };
    out.array(1);
    let line = if password.is_empty() {
        format!("user default on {secret} sanitize-payload ~* &* +@all")
    } else {
        format!("user default on sanitize-payload {secret} ~* &* +@all")
    };
    out.bulk(line.as_bytes());
    Ok(Flow::Done)
}

fn users(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.array(1);
    out.bulk(b"default");
    Ok(Flow::Done)
}

fn whoami(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let user = call.session.client.state.lock().user.clone();
    out.bulk(user.as_bytes());
    Ok(Flow::Done)
}

fn modules(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.array(0);
    Ok(Flow::Done)
}
