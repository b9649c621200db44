//! The keys of a stripe that a script on its own thread keeps to itself.
//!
//! Such a script may run for long, so it holds no stripe between its commands: it
//! reserves the keys it has touched, and others go on working on the rest of the stripe.
//! There is one such script at a time, as it holds the global lock; so keys are reserved
//! only while that is held, and by its holder.

use std::collections::HashSet;

/// The hashes of reserved keys, of all databases: two keys of one hash are reserved
/// together, which costs a wait and no more.
#[derive(Debug, Default)]
#[allow(
    clippy::box_collection,
    reason = "one word in every stripe, which commands look at; sets are rare"
)]
pub struct Reserved(Option<Box<HashSet<u64>>>);

impl Reserved {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a key of this hash is reserved.
    pub fn has(&self, hash: u64) -> bool {
        self.0.as_ref().is_some_and(|hashes| hashes.contains(&hash))
    }

    pub fn add(&mut self, hash: u64) {
        self.0.get_or_insert_default().insert(hash);
    }

    pub fn clear(&mut self) {
        self.0 = None;
    }
}
