//! The whole keyspace: one stripe after the other, or all at once.

use super::{Scope, WriteView};
use crate::Effects;
use crate::Held;
use crate::stripe::Stripe;

/// Access to the whole keyspace, one stripe after the other or all at once.
pub struct KeyspaceView<'a, 's> {
    pub scope: &'a Scope<'a>,
    held: &'a mut Held<'s>,
    db: u16,
    pub effects: &'a mut Effects,
}

impl<'a, 's> KeyspaceView<'a, 's> {
    pub fn new(
        scope: &'a Scope<'a>,
        held: &'a mut Held<'s>,
        db: u16,
        effects: &'a mut Effects,
    ) -> Self {
        Self {
            scope,
            held,
            db,
            effects,
        }
    }

    pub fn db(&self) -> u16 {
        self.db
    }

    pub fn stripes(&self) -> u32 {
        self.scope.store.stripes.count() as u32
    }

    /// Runs `look` on one stripe: the held one, or one locked for this moment. Within
    /// a transaction or script all stripes are held.
    pub fn with_stripe<R>(&mut self, index: u32, look: impl FnOnce(&mut Stripe) -> R) -> R {
        if let Some(stripe) = self.held.stripe_mut(index) {
            return look(stripe);
        }
        let mut held = self.held.owner().lock_one(index);
        look(held.stripe_mut(index).expect("just locked"))
    }

    /// Runs `write` with a write view of one stripe's keys in `db`.
    pub fn write_stripe<R>(
        &mut self,
        index: u32,
        db: u16,
        write: impl FnOnce(&mut WriteView<'_, '_>) -> R,
    ) -> R {
        if self.held.holds(index) {
            return write(&mut WriteView::new(self.scope, self.held, db, self.effects));
        }
        let mut held = self.held.owner().lock_one(index);
        write(&mut WriteView::new(self.scope, &mut held, db, self.effects))
    }

    /// Whether no stripe is held, so that others may be locked at other times: outside
    /// of transactions and scripts.
    pub fn holds_nothing(&self) -> bool {
        self.held.is_nothing() && !self.held.is_global()
    }

    /// Takes every stripe, for an operation on the whole keyspace at once.
    pub fn make_exclusive(&mut self) {
        if self.held.is_everything() {
            return;
        }
        if self.held.is_global() {
            self.held.extend_to_all();
        } else {
            debug_assert!(self.held.is_nothing(), "no stripe is held unless all are");
            *self.held = self.held.owner().exclusive();
        }
    }

    /// A write view; every stripe must be held.
    pub fn write(&mut self) -> WriteView<'_, 's> {
        debug_assert!(self.held.is_everything());
        WriteView::new(self.scope, self.held, self.db, self.effects)
    }

    /// The held stripes, for exclusive operations.
    pub fn held(&mut self) -> &mut Held<'s> {
        self.held
    }
}
