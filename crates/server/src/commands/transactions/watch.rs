//! WATCH and UNWATCH.

use std::sync::Arc;

use ochre_resp::Reply;
use ochre_store::watch::Watcher;
use ochre_store::{Held, Stripe};
use ochre_structures::hash::hash_bytes;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;
use crate::session::Session;
use crate::unit::{self, StripeList, Unit};

/// The keys that a client watches.
#[derive(Debug, Default)]
pub struct Watching {
    watcher: Arc<Watcher>,
    keys: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    db: u16,
    key: Vec<u8>,
    /// The key was past its deadline when it was watched: its removal is no change.
    was_expired: bool,
}

impl Watching {
    /// The watched keys, of whatever database.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|watched| watched.key.as_slice())
    }

    /// The stripes of the watched keys, in no order.
    pub fn stripes(&self, server: &Server) -> StripeList {
        self.keys
            .iter()
            .map(|watched| server.store.stripe_of(&watched.key))
            .collect()
    }

    /// Whether any key has changed, or has expired, since it was watched. Their stripes
    /// are held.
    pub fn is_changed(&self, server: &Server, held: &Held<'_>, now_ms: i64) -> bool {
        self.watcher.is_marked()
            || self.keys.iter().any(|watched| {
                !watched.was_expired
                    && held
                        .stripe(server.store.stripe_of(&watched.key))
                        .is_some_and(|stripe| is_past(stripe, watched.db, &watched.key, now_ms))
            })
    }

    /// Stops watching. The stripes of the keys are held.
    pub fn remove(&self, server: &Server, held: &mut Held<'_>) {
        for watched in &self.keys {
            if let Some(stripe) = held.stripe_mut(server.store.stripe_of(&watched.key)) {
                stripe
                    .watches
                    .remove(watched.db, &watched.key, &self.watcher);
            }
        }
    }
}

fn is_past(stripe: &Stripe, db: u16, key: &[u8], now_ms: i64) -> bool {
    stripe
        .database(db)
        .and_then(|database| {
            database
                .table()
                .find(hash_bytes(key), |entry| entry.key() == key)
        })
        .and_then(|entry| entry.expiry_ms())
        .is_some_and(|deadline| deadline <= now_ms)
}

/// Stops watching whatever the session watches. Takes the stripes it needs.
pub fn forget(server: &Server, session: &mut Session) {
    let Some(watching) = session.watching.take() else {
        return;
    };
    let mut stripes = watching.stripes(server);
    stripes.sort_unstable();
    stripes.dedup();
    watching.remove(server, &mut server.store.stripes.lock_many(&stripes));
    session.update(|state| state.watched = 0);
}

pub const WATCH: Command = Command {
    summary: "Monitors changes to keys to determine the execution of a transaction.",
    since: "2.2.0",
    complexity: "O(1) for every key.",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    keys: &[KeySpec::rest(1, RO)],
    args: &[key("key").many()],
    ..command("watch", Group::Transactions, -2, Run::Unit(watch))
};

fn watch<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    if call.session.multi.is_some() {
        return Err(Error::text("ERR WATCH inside MULTI is not allowed"));
    }
    let server = call.server;
    let mut stripes: StripeList = args
        .rest()
        .iter()
        .map(|key| server.store.stripe_of(key))
        .collect();
    stripes.sort_unstable();
    stripes.dedup();
    unit.held = server.store.stripes.lock_many(&stripes);
    unit::refuse_reserved(server, &unit.held, args.rest().iter().copied())?;
    let (db, now_ms) = (call.session.db, unit.now_ms());
    let watching = call.session.watching.get_or_insert_default();
    for &key in args.rest() {
        if watching
            .keys
            .iter()
            .any(|watched| watched.db == db && watched.key == key)
        {
            continue;
        }
        let Some(stripe) = unit.held.stripe_mut(server.store.stripe_of(key)) else {
            continue;
        };
        stripe.watches.add(db, key, &watching.watcher);
        watching.keys.push(Watched {
            db,
            key: key.to_vec(),
            was_expired: is_past(stripe, db, key, now_ms),
        });
    }
    let watched = watching.keys.len();
    call.session.update(|state| state.watched = watched);
    out.ok();
    Ok(Flow::Done)
}

pub const UNWATCH: Command = Command {
    summary: "Forgets about watched keys of a transaction.",
    since: "2.2.0",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    ..command("unwatch", Group::Transactions, 1, Run::Session(unwatch))
};

fn unwatch(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    forget(call.server, call.session);
    out.ok();
    Ok(Flow::Done)
}
