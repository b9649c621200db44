//! MULTI and DISCARD, and the queue between them and EXEC.

use ochre_resp::Reply;

use super::watch;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::Call;
use crate::session::Session;

/// The commands queued since MULTI.
#[derive(Debug, Default)]
pub struct Transaction {
    pub(super) queue: Vec<Queued>,
    pub(super) aborted: bool,
    /// All flags of the commands queued.
    flags: Flags,
}

/// A command that waits for EXEC.
#[derive(Debug)]
pub(super) struct Queued {
    pub command: u16,
    pub argv: Vec<Vec<u8>>,
}

impl Transaction {
    /// A command was refused: EXEC will refuse them all.
    pub fn abort(&mut self) {
        self.aborted = true;
    }

    /// The flags that any of the commands queued has.
    pub fn flags(&self) -> Flags {
        self.flags
    }
}

/// Whether the command runs at once between MULTI and EXEC, instead of being queued.
pub fn runs_within_multi(known: &Known) -> bool {
    matches!(
        known.command.name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    )
}

/// Queues a command until EXEC.
pub fn queue(session: &mut Session, known: &Known, argv: &[&[u8]]) {
    let Some(transaction) = &mut session.multi else {
        return;
    };
    // A transaction that will be refused need not be kept.
    if !transaction.aborted {
        transaction.flags = transaction.flags.or(known.flags);
        transaction.queue.push(Queued {
            command: known.id,
            argv: argv.iter().map(|argument| argument.to_vec()).collect(),
        });
    }
    let queued = transaction.queue.len() as i64;
    session.update(|state| state.multi = queued);
}

pub const MULTI: Command = Command {
    summary: "Starts a transaction.",
    since: "1.2.0",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    ..command("multi", Group::Transactions, 1, Run::Session(multi))
};

fn multi(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if call.session.multi.is_some() {
        return Err(Error::text("ERR MULTI calls can not be nested"));
    }
    call.session.multi = Some(Box::default());
    call.session.update(|state| state.multi = 0);
    out.ok();
    Ok(Flow::Done)
}

pub const DISCARD: Command = Command {
    summary: "Discards a transaction.",
    since: "2.0.0",
    complexity: "O(N), when N is the number of queued commands",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    ..command("discard", Group::Transactions, 1, Run::Session(discard))
};

fn discard(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if call.session.multi.is_none() {
        return Err(Error::text("ERR DISCARD without MULTI"));
    }
    forget_transaction(call);
    out.ok();
    Ok(Flow::Done)
}

/// Forgets what was queued and what is watched.
pub fn forget_transaction(call: &mut Call<'_>) {
    call.session.multi = None;
    call.session.update(|state| state.multi = -1);
    watch::forget(call.server, call.session);
}
