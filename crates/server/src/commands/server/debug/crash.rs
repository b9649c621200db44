//! The subcommands that end the process the hard way, with a report where it is the
//! process of a server (`ochre_crash`).

use std::time::{SystemTime, UNIX_EPOCH};

use ochre_crash::Cause;
use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;

pub fn assertion(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    ochre_crash::end(Cause::Assertion("1 == 2"))
}

pub fn panic(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let message = format!("DEBUG PANIC called at Unix time {}", now.as_secs());
    ochre_crash::end(Cause::Panic(&message))
}

pub fn out_of_memory(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    // More than an address can reach: what Redis asks for, and never gets.
    ochre_crash::end(Cause::OutOfMemory {
        bytes: isize::MAX as usize,
    })
}

pub fn fault(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    ochre_crash::fault()
}
