//! The gates a command passes before it runs, in Redis's order: authentication first,
//! then what the server's state forbids.

use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::Call;

/// Whether the command may run now.
///
/// # Errors
/// The reply that says why not.
#[inline]
pub fn admit(call: &mut Call<'_>, known: &Known, argv: &[&[u8]]) -> Result<(), Error> {
    if !call.session.authenticated && !known.flags.has(Flags::NO_AUTH) {
        return Err(Error::NoAuth);
    }
    if known.is_protected() {
        protected(call, known, argv)?;
    }
    if call.session.is_subscriber() {
        allowed_to_subscriber(known)?;
    }
    Ok(())
}

/// In RESP2 a subscriber's connection carries messages; few commands are allowed.
#[cold]
fn allowed_to_subscriber(known: &Known) -> Result<(), Error> {
    match known.command.name {
        "ping" | "subscribe" | "ssubscribe" | "psubscribe" | "unsubscribe" | "sunsubscribe"
        | "punsubscribe" | "quit" | "reset" => Ok(()),
        _ => Err(Error::owned(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context",
            known.full_name
        ))),
    }
}

/// The error of a command that met a script that takes too long.
#[cold]
pub fn busy() -> Error {
    Error::text(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    )
}

/// DEBUG and MODULE, which the configuration allows to nobody, local clients, or all.
#[cold]
fn protected(call: &Call<'_>, known: &Known, _argv: &[&[u8]]) -> Result<(), Error> {
    use crate::config::choices::ProtectedAction;
    let security = &call.live.config.security;
    let (action, directive, name) = if known.full_name.starts_with("debug") {
        (security.debug_command, "enable-debug-command", "DEBUG")
    } else {
        (security.module_command, "enable-module-command", "MODULE")
    };
    let client = &call.session.client;
    let local = client.is_unix
        || client.address.starts_with("127.0.0.1:")
        || client.address.starts_with("[::1]:");
    if action == ProtectedAction::Yes || action == ProtectedAction::Local && local {
        return Ok(());
    }
    Err(Error::owned(format!(
        "ERR {name} command not allowed. If the {directive} option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server."
    )))
}
