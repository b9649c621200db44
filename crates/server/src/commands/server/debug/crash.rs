//! The subcommands that end the process the hard way.

use ochre_resp::Reply;
use rustix::process::{Signal, getpid, kill_process};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

/// Logs why, and ends the process with SIGABRT. The log comes first: nothing after the
/// signal can be relied on.
fn abort(whole: &KeyspaceCall<'_, '_, '_, '_>, lines: &[&str]) -> ! {
    for line in lines {
        whole.call.server.log.warning(line);
    }
    std::process::abort()
}

pub fn assertion(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    abort(
        whole,
        &["=== ASSERTION FAILED ===", "==> DEBUG ASSERT was called"],
    )
}

pub fn panic(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    abort(
        whole,
        &[
            "!!! Software Failure. Press left mouse button to continue",
            "Guru Meditation: called by DEBUG PANIC",
        ],
    )
}

pub fn out_of_memory(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    abort(
        whole,
        &["Out Of Memory allocating what DEBUG OOM asked for"],
    )
}

pub fn fault(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    whole.call.server.log.warning("DEBUG SEGFAULT was called");
    let sent = kill_process(getpid(), Signal::SEGV);
    Err(Error::owned(format!("ERR still alive: {sent:?}")))
}
