//! The collection types as handlers see them, whatever their encoding.

pub mod list;
