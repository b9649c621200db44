//! How units come by their stripes, and who is kept from which.
//!
//! A single command and a transaction take what their keys need, a script the global lock
//! and then stripes as it goes. A script on its own thread holds no stripe between its
//! commands: it reserves the keys. Whoever needs one of those, or the global lock,
//! meanwhile is told so before anything has happened, and comes again later
//! (`script::aside`).

use ochre_store::locks::GaveUp;
use ochre_store::{Hashed, Held, Store};
use ochre_structures::hash::hash_bytes;

use super::{Kind, StripeList, Unit};
use crate::commands::spec::Flags;
use crate::commands::table::{KeyPlan, Known};
use crate::error::Error;
use crate::execute::{Call, Role};
use crate::gates;
use crate::server::Server;

/// How far a transaction's commands may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The keys they name.
    Keys,
    /// Those, and what their scripts touch.
    Script,
    /// Anything.
    Everything,
}

impl<'s> Unit<'s> {
    /// Locks what a transaction needs: these stripes, or all.
    ///
    /// # Errors
    /// As [`lock_keys`].
    pub fn lock_transaction(
        &mut self,
        call: &Call<'s>,
        stripes: &StripeList,
        reach: Reach,
    ) -> Result<(), Error> {
        self.kind = Kind::Transaction;
        match reach {
            Reach::Keys => {
                let mut give_up = || gives_up_stripe(call);
                let locked = self.store.stripes.lock_many_or(stripes, &mut give_up);
                self.held = locked.map_err(|GaveUp| unavailable(call.server))?;
            }
            Reach::Script => {
                self.held = lock_globally(call)?;
                self.held.extend(stripes);
            }
            Reach::Everything => {
                self.held = lock_globally(call)?;
                self.held.extend_to_all();
            }
        }
        Ok(())
    }

    /// Takes the global lock, so that stripes can be taken one by one. Nothing to do
    /// within a transaction that has it.
    ///
    /// # Errors
    /// As [`lock_keys`].
    pub fn lock_script(&mut self, call: &Call<'s>) -> Result<(), Error> {
        if !self.held.is_global() {
            debug_assert!(
                self.held.is_nothing(),
                "a transaction with scripts is global"
            );
            self.held = lock_globally(call)?;
            self.reserved = (call.local.role == Role::Aside).then(StripeList::new);
        }
        Ok(())
    }

    /// Takes the keys that a script declares, which holds the global lock.
    pub fn take_declared(&mut self, keys: &[&[u8]]) {
        let mut stripes: StripeList = keys.iter().map(|key| self.store.stripe_of(key)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        self.held.extend(&stripes);
        self.reserve(keys.iter().copied());
    }

    /// Reserves keys whose stripes are held, and releases those: what a script aside does
    /// after each command. Where it has taken everything, it keeps that.
    pub(super) fn reserve<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) {
        let Some(reserved) = &mut self.reserved else {
            return;
        };
        if self.held.is_everything() {
            return;
        }
        for key in keys {
            let hash = hash_bytes(key);
            let index = self.store.stripe_of_hash(hash);
            if let Some(stripe) = self.held.stripe_mut(index) {
                stripe.reserved.add(hash);
            }
            if let Err(place) = reserved.binary_search(&index) {
                reserved.insert(place, index);
            }
        }
        self.held.release_stripes();
    }

    /// Takes back the stripes of the keys that were reserved.
    pub(super) fn take_back(&mut self) {
        for index in self.reserved.take().unwrap_or_default() {
            self.held.extend(&[index]);
            if let Some(stripe) = self.held.stripe_mut(index) {
                stripe.reserved.clear();
            }
        }
    }

    /// Locks every stripe; the global lock is held.
    pub(super) fn extend_to_all(&mut self, server: &Server) {
        self.held.extend_to_all();
        if self.reserved.is_some() {
            server.script.note_everything();
        }
    }

    /// Takes the global lock for a command that may change the whole keyspace. Others
    /// lock stripe by stripe, and are kept from waiting long for that.
    pub(super) fn lock_for_walk(&mut self, call: &Call<'s>, known: &Known) -> Result<(), Error> {
        if known.flags.has(Flags::WRITE) {
            self.held = lock_globally(call)?;
        } else if gives_up_stripe(call) {
            return Err(unavailable(call.server));
        }
        Ok(())
    }

    /// Sees to it that the command's keys are locked.
    #[inline]
    pub(super) fn lock_for(
        &mut self,
        call: &Call<'s>,
        known: &Known,
        argv: &[&[u8]],
    ) -> Result<(), Error> {
        if self.kind == Kind::Single && self.held.is_nothing() && !self.held.is_global() {
            self.held = lock_keys(call, known, argv)?;
        } else if self.held.is_global() && !self.held.is_everything() {
            if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) {
                self.extend_to_all(call.server);
            } else {
                match known.plan {
                    KeyPlan::None => {}
                    KeyPlan::One(index) => {
                        self.held.extend(&[self.store.stripe_of(argv[index])]);
                    }
                    KeyPlan::Many => self.held.extend(&stripes_of(self.store, known, argv)),
                }
            }
        }
        Ok(())
    }
}

/// The stripes of the command's keys.
pub fn stripes_of(store: &Store, known: &Known, argv: &[&[u8]]) -> StripeList {
    // Where the keys cannot be told, the handler says what is wrong before it looks at
    // any.
    let keys = known.keys(argv).unwrap_or_default();
    let mut stripes: StripeList = keys
        .iter()
        .map(|&(at, _)| store.stripe_of(argv[at]))
        .collect();
    stripes.sort_unstable();
    stripes.dedup();
    stripes
}

/// Locks the stripes of the command's keys.
///
/// # Errors
/// BUSY, when a script that takes too long has one of the keys; `Reserved` when one that
/// runs aside has, so that the command is to be run again later.
#[inline(always)]
pub fn lock_keys<'s>(call: &Call<'s>, known: &Known, argv: &[&[u8]]) -> Result<Held<'s>, Error> {
    if let KeyPlan::One(index) = known.plan
        && !known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS)
    {
        let store = &call.server.store;
        let hash = Hashed::hash_of(call.named.as_ref(), argv[index]);
        let index = store.stripe_of_hash(hash);
        // Nearly always nobody is in the way.
        if let Some(stripe) = store.stripes.try_lock_one(index)
            && stripe.reserved.is_empty()
        {
            return Ok(store.stripes.held_one(index, stripe));
        }
    }
    wait_for_keys(call, known, argv)
}

/// As [`lock_keys`], where somebody may be in the way.
#[inline(never)]
fn wait_for_keys<'s>(call: &Call<'s>, known: &Known, argv: &[&[u8]]) -> Result<Held<'s>, Error> {
    let store = &call.server.store;
    let mut give_up = || gives_up_stripe(call);
    if known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) {
        let mut held = lock_globally(call)?;
        held.extend_to_all();
        return Ok(held);
    }
    let locked = match known.plan {
        KeyPlan::None => Ok(store.stripes.none()),
        KeyPlan::One(index) => store.stripes.lock_one_or(
            store.stripe_of_hash(Hashed::hash_of(call.named.as_ref(), argv[index])),
            &mut give_up,
        ),
        KeyPlan::Many => store
            .stripes
            .lock_many_or(&stripes_of(store, known, argv), &mut give_up),
    };
    let held = locked.map_err(|GaveUp| unavailable(call.server))?;
    if held.any(|stripe| !stripe.reserved.is_empty()) {
        let keys = known.keys(argv).unwrap_or_default();
        refuse_reserved(call.server, &held, keys.iter().map(|&(at, _)| argv[at]))?;
    }
    Ok(held)
}

/// Takes the global lock, and no stripe.
///
/// # Errors
/// As [`lock_keys`].
fn lock_globally<'s>(call: &Call<'s>) -> Result<Held<'s>, Error> {
    let server = call.server;
    let mut give_up =
        || server.is_busy() || call.local.role == Role::Worker && server.script.is_long();
    let locked = server.store.stripes.lazily_or(&mut give_up);
    locked.map_err(|GaveUp| unavailable(server))
}

/// Whether to stop waiting for a stripe.
fn gives_up_stripe(call: &Call<'_>) -> bool {
    let script = &call.server.script;
    script.is_busy() || call.local.role == Role::Worker && script.is_long_with_everything()
}

/// What a command that a script keeps from running ends with.
#[cold]
fn unavailable(server: &Server) -> Error {
    if server.is_busy() {
        gates::busy(server)
    } else {
        Error::Reserved
    }
}

/// Refuses keys that a script which runs aside keeps to itself.
///
/// # Errors
/// As [`lock_keys`].
#[cold]
pub fn refuse_reserved<'k>(
    server: &Server,
    held: &Held<'_>,
    mut keys: impl Iterator<Item = &'k [u8]>,
) -> Result<(), Error> {
    let is_reserved = |key: &[u8]| {
        let hash = hash_bytes(key);
        let stripe = held.stripe(server.store.stripe_of_hash(hash));
        stripe.is_some_and(|stripe| stripe.reserved.has(hash))
    };
    if keys.any(is_reserved) {
        return Err(unavailable(server));
    }
    Ok(())
}

/// Whether a script which runs aside has reserved keys in any of these stripes.
pub fn has_reserved(held: &Held<'_>, stripes: &[u32]) -> bool {
    let mut stripes = stripes.iter().filter_map(|&index| held.stripe(index));
    stripes.any(|stripe| !stripe.reserved.is_empty())
}
