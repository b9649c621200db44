//! The gates a command passes before it runs, in Redis's order: authentication first,
//! then what the server's state forbids.

use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;

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
    admit_memory(call, known)?;
    if call.server.persistence.is_impaired() {
        admit_impaired(call, known)?;
    }
    Ok(())
}

const LOADING: Error = Error::text("LOADING Redis is loading the dataset in memory");

/// Whether the command may run although the dataset is being loaded, or cannot be saved.
///
/// # Errors
/// MISCONF, LOADING.
#[cold]
fn admit_impaired(call: &Call<'_>, known: &Known) -> Result<(), Error> {
    admit_write(call, known)?;
    if call.server.persistence.loading.is_active() && !known.flags.has(Flags::LOADING) {
        return Err(LOADING);
    }
    Ok(())
}

/// Whether the disk is in a state that allows writes; EXEC writes if what was queued does.
fn admit_write(call: &Call<'_>, known: &Known) -> Result<(), Error> {
    let queued = match &call.session.multi {
        Some(transaction) if known.command.name == "exec" => transaction.flags(),
        _ => Flags::NONE,
    };
    if known.flags.or(queued).has(Flags::WRITE) {
        misconfigured(call)
    } else {
        Ok(())
    }
}

/// Whether the disk is in a state that allows a script to write.
///
/// # Errors
/// MISCONF.
pub fn admit_scripted_write(call: &Call<'_>) -> Result<(), Error> {
    if call.server.persistence.is_impaired() {
        return misconfigured(call);
    }
    Ok(())
}

#[cold]
fn misconfigured(call: &Call<'_>) -> Result<(), Error> {
    let server = call.server;
    let config = &call.live.config.persistence;
    if server.persistence.aof.is_failing() {
        return Err(Error::owned(format!(
            "MISCONF Errors writing to the AOF file: {}",
            server.persistence.aof.failure()
        )));
    }
    if config.stop_writes_on_bgsave_error
        && !config.save.0.is_empty()
        && server.persistence.has_save_failed()
    {
        return Err(Error::text(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
             persist to disk. Commands that may modify the data set are disabled, because this \
             instance is configured to report errors during writes if RDB snapshotting fails \
             (stop-writes-on-bgsave-error option). Please check the Redis logs for details about \
             the RDB error.",
        ));
    }
    Ok(())
}

/// Whether there is memory for the command.
///
/// # Errors
/// OOM.
#[inline]
pub fn admit_memory(call: &Call<'_>, known: &Known) -> Result<(), Error> {
    if call.live.config.memory.maxmemory_bytes > 0 {
        memory(call, known)?;
    }
    Ok(())
}

/// Whether there is memory for the command.
///
/// Eviction, where the policy asks for it, has its place in front of the refusal: it
/// must run for any command while the limit is exceeded, and only those that may need
/// memory are refused when it frees too little.
fn memory(call: &Call<'_>, known: &Known) -> Result<(), Error> {
    let limit_bytes = call.live.config.memory.maxmemory_bytes;
    let used_bytes = call
        .server
        .memory
        .used_bytes(limit_bytes, call.local.now_ms);
    if used_bytes > limit_bytes && known.flags.has(Flags::DENYOOM) {
        return Err(Error::OutOfMemory);
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
pub fn busy(server: &Server) -> Error {
    Error::text(if server.script.is_function() {
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    } else {
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
    })
}

/// Whether more memory is in use than `maxmemory` allows.
pub fn is_out_of_memory(call: &Call<'_>) -> bool {
    let limit_bytes = call.live.config.memory.maxmemory_bytes;
    let meter = &call.server.memory;
    limit_bytes > 0 && meter.used_bytes(limit_bytes, call.local.now_ms) > limit_bytes
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
    if action == ProtectedAction::Yes
        || action == ProtectedAction::Local && call.session.client.is_local()
    {
        return Ok(());
    }
    Err(Error::owned(format!(
        "ERR {name} command not allowed. If the {directive} option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server."
    )))
}
