//! Client-side caching: telling clients that keys they may have cached have changed
//! (CLIENT TRACKING).
//!
//! A client in the default mode is remembered with each key that it reads, in the key's
//! stripe, under its lock; whoever changes the key takes the list and sends the
//! invalidations before it releases the lock, so none is lost between a read and a
//! change. A client in broadcast mode is told of every change of keys with its prefixes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ochre_store::{Held, Store};
use parking_lot::RwLock;

use crate::clients::Client;
use crate::commands::table::Known;
use crate::execute::Call;
use crate::net::mail::Mail;
use crate::pubsub::Wakes;
use crate::server::Server;
use crate::session::{Caching, Session, Tracking};

/// How many keys are dropped at once when the table is full.
const EVICTED_PER_UNIT: usize = 4;

/// A client that wants invalidations.
#[derive(Debug)]
struct Tracker {
    client: Arc<Client>,
    wishes: Tracking,
}

/// All clients that want invalidations.
#[derive(Debug, Default)]
pub struct Trackers {
    by_id: RwLock<HashMap<u64, Arc<Tracker>>>,
    /// Broadcast mode: the clients of each prefix.
    by_prefix: RwLock<BTreeMap<Vec<u8>, BTreeSet<u64>>>,
    any: AtomicBool,
    /// Keys in the tables of all stripes.
    keys: AtomicUsize,
}

/// The keys of one invalidation; `None` says that all keys are gone.
pub type Invalidated = Option<Vec<Box<[u8]>>>;

impl Trackers {
    /// Whether anybody wants invalidations.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Keys remembered (`tracking_total_keys`).
    pub fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Pairs of key and client remembered (`tracking_total_items`).
    pub fn items(&self, store: &Store) -> usize {
        if self.keys() == 0 {
            return 0;
        }
        (0..store.stripes.count() as u32)
            .map(|index| {
                let held = store.stripes.lock_one(index);
                held.stripe(index)
                    .map_or(0, |stripe| stripe.tracked.items())
            })
            .sum()
    }

    /// Prefixes of broadcast mode (`tracking_total_prefixes`).
    pub fn prefixes(&self) -> usize {
        self.by_prefix.read().len()
    }

    /// Takes over what a client wants now; `None` where it wants nothing.
    pub fn set(&self, client: &Arc<Client>, wishes: Option<&Tracking>) {
        if wishes.is_none() && !self.is_active() {
            return;
        }
        let mut by_id = self.by_id.write();
        let mut by_prefix = self.by_prefix.write();
        if by_id.remove(&client.id).is_some() {
            by_prefix.retain(|_, clients| {
                clients.remove(&client.id);
                !clients.is_empty()
            });
        }
        if let Some(wishes) = wishes {
            for prefix in &wishes.prefixes {
                by_prefix
                    .entry(prefix.clone())
                    .or_default()
                    .insert(client.id);
            }
            by_id.insert(
                client.id,
                Arc::new(Tracker {
                    client: client.clone(),
                    wishes: wishes.clone(),
                }),
            );
        }
        self.any.store(!by_id.is_empty(), Ordering::Relaxed);
    }

    fn get(&self, id: u64) -> Option<Arc<Tracker>> {
        self.by_id.read().get(&id).cloned()
    }
}

/// Remembers that the session's client has read the keys of a command, whose stripes
/// are held.
pub fn remember(call: &mut Call<'_>, held: &mut Held<'_>, known: &Known, argv: &[&[u8]]) {
    let Some(tracking) = &call.session.tracking else {
        return;
    };
    let wanted = !tracking.broadcast
        && match tracking.caching {
            Caching::Unsaid => !tracking.opt_in,
            Caching::Yes => true,
            Caching::No => false,
        };
    if !wanted {
        return;
    }
    let server = call.server;
    for (at, _) in known.keys(argv).unwrap_or_default() {
        if let Some(stripe) = held.stripe_mut(server.store.stripe_of(argv[at]))
            && stripe.tracked.add(argv[at], call.session.id())
        {
            server.trackers.keys.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells the clients that may have cached `keys`. The keys' stripes are held. `by` is
/// the client that made the changes.
pub fn invalidate(
    server: &Server,
    held: &mut Held<'_>,
    keys: &[ochre_store::effects::Removed],
    by: u64,
    wakes: &mut Wakes,
) {
    let trackers = &server.trackers;
    for changed in keys {
        let taken = held
            .stripe_mut(server.store.stripe_of(&changed.key))
            .and_then(|stripe| stripe.tracked.take(&changed.key));
        if let Some(clients) = taken {
            trackers.keys.fetch_sub(1, Ordering::Relaxed);
            for id in clients {
                tell(server, id, by, &[&changed.key], wakes);
            }
        }
    }
    // Once for all that the unit changed, each key once.
    for (prefix, clients) in trackers.by_prefix.read().iter() {
        let mut seen = HashSet::new();
        let below: Vec<&[u8]> = keys
            .iter()
            .map(|changed| &*changed.key)
            .filter(|key| key.starts_with(prefix) && seen.insert(*key))
            .collect();
        if !below.is_empty() {
            for &id in clients {
                tell(server, id, by, &below, wakes);
            }
        }
    }
}

/// Forgets keys of the stripes held while more are remembered than
/// `tracking-table-max-keys` allows; their clients are told.
pub fn shrink(server: &Server, held: &mut Held<'_>, stripe: u32, limit: u64, wakes: &mut Wakes) {
    let trackers = &server.trackers;
    for _ in 0..EVICTED_PER_UNIT {
        if limit == 0 || trackers.keys() as u64 <= limit {
            return;
        }
        let Some((key, clients)) = held
            .stripe_mut(stripe)
            .and_then(|stripe| stripe.tracked.take_any())
        else {
            return;
        };
        trackers.keys.fetch_sub(1, Ordering::Relaxed);
        for id in clients {
            tell(server, id, 0, &[&key], wakes);
        }
    }
}

/// Tells every client that all keys are gone (FLUSHALL). All stripes are held.
pub fn invalidate_all(server: &Server, held: &mut Held<'_>, wakes: &mut Wakes) {
    if !server.trackers.is_active() {
        return;
    }
    for index in 0..server.store.stripes.count() as u32 {
        if let Some(stripe) = held.stripe_mut(index) {
            let keys = stripe.tracked.clear();
            server.trackers.keys.fetch_sub(keys, Ordering::Relaxed);
        }
    }
    let trackers: Vec<Arc<Tracker>> = server.trackers.by_id.read().values().cloned().collect();
    for tracker in trackers {
        send(server, &tracker, None, wakes);
    }
}

fn tell(server: &Server, id: u64, by: u64, keys: &[&[u8]], wakes: &mut Wakes) {
    // A client that has gone, or tracks no more, has forgotten its cache.
    if let Some(tracker) = server.trackers.get(id)
        && !(tracker.wishes.no_loop && id == by)
    {
        let keys = keys.iter().map(|&key| key.into()).collect();
        send(server, &tracker, Some(keys), wakes);
    }
}

/// Sends to the client itself or to the one it redirects to.
fn send(server: &Server, tracker: &Tracker, keys: Invalidated, wakes: &mut Wakes) {
    let redirect = tracker.wishes.redirect;
    let (target, mail) = if redirect == 0 {
        let to = tracker.client.token;
        (
            tracker.client.clone(),
            Mail::Invalidate {
                to,
                keys,
                is_redirected: false,
            },
        )
    } else if let Some(other) = server.clients.get(redirect) {
        let to = other.token;
        (
            other,
            Mail::Invalidate {
                to,
                keys,
                is_redirected: true,
            },
        )
    } else {
        tracker.client.state.lock().flags.tracking_broken = true;
        let to = tracker.client.token;
        (
            tracker.client.clone(),
            Mail::RedirectBroken { to, redirect },
        )
    };
    wakes.put(server, target.worker, mail);
}

/// After a command: CLIENT CACHING holds for one command (or transaction) only.
#[inline]
pub fn after_command(session: &mut Session, is_caching_command: bool) {
    if let Some(tracking) = &mut session.tracking
        && !is_caching_command
        && session.multi.is_none()
    {
        tracking.caching = Caching::Unsaid;
    }
}
