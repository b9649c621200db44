//! EXEC: everything queued, at once.
//!
//! The stripes of all keys that the queued commands name, and of the watched keys, are
//! locked before anything is looked at; so the check of WATCH is exact, and nobody sees
//! a state between two of the commands.

use ochre_resp::Reply;

use super::multi::Transaction;
use super::watch;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;
use crate::unit::{Reach, StripeList, Unit, has_reserved, refuse_reserved, stripes_of};

pub const EXEC: Command = Command {
    summary: "Executes all commands in a transaction.",
    since: "1.2.0",
    complexity: "Depends on commands in the transaction",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SKIP_SLOWLOG),
    ..command("exec", Group::Transactions, 1, Run::Unit(exec))
};

fn exec<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let Some(transaction) = call.session.multi.take() else {
        return Err(Error::text("ERR EXEC without MULTI"));
    };
    let outcome = lock(call, unit, &transaction);
    if matches!(outcome, Err(Error::Reserved)) {
        // Nothing has happened: it comes again.
        call.session.multi = Some(transaction);
        return outcome.map(|()| Flow::Deferred);
    }
    call.session.update(|state| state.multi = -1);
    if outcome.is_err() {
        watch::forget(call.server, call.session);
    }
    outcome?;
    if let Some(watching) = call.session.watching.take() {
        call.session.update(|state| state.watched = 0);
        let changed = watching.is_changed(call.server, &unit.held, unit.now_ms());
        watching.remove(call.server, &mut unit.held);
        if changed {
            out.null_array();
            return Ok(Flow::Done);
        }
    }
    out.array(transaction.queue.len());
    for queued in &transaction.queue {
        let known = call.server.commands.get(queued.command);
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        // The protocol may change on the way (HELLO).
        out.set_protocol(call.session.protocol);
        unit.run_nested(call, known, &argv, out);
    }
    Ok(Flow::Done)
}

/// Locks what the transaction needs.
///
/// # Errors
/// EXECABORT, and as [`Unit::lock_transaction`].
fn lock<'c>(call: &Call<'c>, unit: &mut Unit<'c>, transaction: &Transaction) -> Result<(), Error> {
    if transaction.aborted {
        return Err(Error::text(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    let (mut stripes, reach) = plan(call.server, transaction);
    if let Some(watching) = &call.session.watching {
        stripes.extend(watching.stripes(call.server));
    }
    stripes.sort_unstable();
    stripes.dedup();
    unit.lock_transaction(call, &stripes, reach)?;
    if has_reserved(&unit.held, &stripes) {
        let watched = call.session.watching.iter().flat_map(|w| w.names());
        let queued = transaction.queue.iter().flat_map(|queued| {
            let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
            let keys = call.server.commands.get(queued.command).keys(&argv);
            let keys = keys.unwrap_or_default();
            keys.into_iter().map(move |(at, _)| argv[at])
        });
        refuse_reserved(call.server, &unit.held, watched.chain(queued))?;
    }
    Ok(())
}

/// The stripes that the queued commands name, and whether they may reach beyond.
fn plan(server: &Server, transaction: &Transaction) -> (StripeList, Reach) {
    let mut stripes = StripeList::new();
    let mut reach = Reach::Keys;
    for queued in &transaction.queue {
        let known = server.commands.get(queued.command);
        reach = reach.max(match known.command.run {
            Run::Keyspace(_) => Reach::Everything,
            Run::Unit(_) => Reach::Script,
            _ if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) => Reach::Everything,
            _ => Reach::Keys,
        });
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        stripes.extend(stripes_of(&server.store, known, &argv));
    }
    (stripes, reach)
}
