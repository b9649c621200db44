//! Values of each type, whatever their encoding: what handlers of commands work with.
//!
//! A value is looked at and changed through a pair of types (`…Ref`, `…Mut`) that hide
//! whether it lies packed within its entry or is an [`Object`](crate::Object), and that
//! convert it when Redis does. They know no keys, no replies and no effects.

pub mod sorted_set;

pub use sorted_set::{SortedSetMut, SortedSetRef};
