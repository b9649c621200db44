//! Values by type over all their encodings: what a command sees of a hash, a set or a
//! sorted set, whether that lies in the entry as a listpack or intset, or behind a pointer.
//!
//! Here, and nowhere else, is decided when an encoding gives way to the next. A `Ref`
//! reads an entry's value, a `Mut` changes it in place. Neither knows keys or views.
//!
//! Invariant: a collection changes its encoding exactly when Redis 7.2 reports that.

pub mod hash;
pub mod list;
pub mod set;
pub mod sorted_set;

/// The value is of another type than the command wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl std::fmt::Display for WrongType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the value is of another type")
    }
}

impl std::error::Error for WrongType {}
