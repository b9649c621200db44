//! The subcommands about the process and its files: beginning again, the configuration
//! file, the append-only file.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ochre_resp::Reply;
use ochre_store::effects::Propagation;
use ochre_store::recorded;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::server::config::write_file;
use crate::commands::spec::*;
use crate::config::rewrite::Extent;
use crate::error::Error;
use crate::restart::Restart;
use crate::server::{AfterEnd, SaveAtEnd, Server, StopRequest};

const CANNOT_RESTART: Error = Error::text("ERR failed to restart the server. Check server logs.");

/// Milliseconds to wait before the new beginning; none below zero.
fn delay_ms(args: &mut Args<'_>) -> Result<u64, Error> {
    if args.is_empty() {
        return Ok(0);
    }
    Ok(args.integer()?.max(0) as u64)
}

/// How to begin again, if that can be.
fn restart(server: &Server) -> Result<&Restart, Error> {
    let refused = match server.restart.get() {
        Some(restart) => match restart.check() {
            Ok(()) => return Ok(restart),
            Err(reason) => reason,
        },
        None => "Can't restart: this process cannot be started again as it was".to_owned(),
    };
    server.log.warning(&refused);
    Err(CANNOT_RESTART)
}

/// Ends as SHUTDOWN does, with the configuration file up to date, and begins again.
pub fn restart_gracefully(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    let delay_ms = delay_ms(args)?;
    let server = whole.call.server;
    restart(server)?;
    if server.config_file.is_some()
        && let Err(error) = write_file(server, Extent::Changes)
    {
        server.log.warning(&format!(
            "Can't restart: configuration rewrite process failed: {error}"
        ));
        return Err(CANNOT_RESTART);
    }
    let save = if server.persistence.loading.is_active() {
        SaveAtEnd::No
    } else {
        SaveAtEnd::ByRules
    };
    let request = StopRequest {
        status: 0,
        save,
        force: false,
        then: AfterEnd::Restart { delay_ms },
    };
    // The server's end is the answer, unless it cannot end.
    Ok(Flow::Block(Wait::until(
        Until::Ended(request),
        None,
        TimeoutReply::Null,
    )))
}

/// Begins again at once, as if it had crashed.
pub fn crash_and_recover(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    let delay = Duration::from_millis(delay_ms(args)?);
    let server = whole.call.server;
    let error = restart(server)?.run(delay);
    server.log.warning(&format!("Can't restart: {error}"));
    Err(CANNOT_RESTART)
}

pub fn rewrite_everything(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    write_file(whole.call.server, Extent::Everything)
        .map_err(|error| Error::owned(format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {error}")))?;
    out.ok();
    Ok(Flow::Done)
}

pub fn aof_flush_sleep(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    // As in Redis, what is no number is none.
    let sleep_us = number::parse_i64(args.next()?).unwrap_or(0).max(0);
    whole
        .call
        .server
        .switches
        .aof_flush_sleep_us
        .store(sleep_us as u64, Ordering::Relaxed);
    out.ok();
    Ok(Flow::Done)
}

/// Has a command recorded that is not executed. There is one stream of changes, for
/// replicas and for the append-only file; hence the command must be one that the latter
/// can be loaded with.
pub fn replicate(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let mut words = args.rest();
    if let [target, command @ ..] = words
        && [&b"aof"[..], b"repl", b"all"]
            .iter()
            .any(|name| target.eq_ignore_ascii_case(name))
    {
        words = command;
    }
    if let [name, ..] = words {
        let known = whole.call.server.commands.find(name);
        if !known.is_some_and(|known| known.accepts(words.len())) {
            let name = String::from_utf8_lossy(crate::error::quoted(name, 128));
            return Err(Error::owned(format!(
                "ERR '{name}' with these arguments is no command that could be loaded again"
            )));
        }
        // Recording begins and ends under all locks.
        whole.view.make_exclusive();
        whole.view.effects.propagation = Propagation::As(vec![recorded(words)]);
    }
    out.ok();
    Ok(Flow::Done)
}
