//! The keyspace: stripes of entries behind locks, and the views through which commands
//! see them.
//!
//! The store knows neither sockets nor the protocol nor the journal. A caller locks
//! stripes ([`locks`]), looks and writes through a view ([`view`]), and finds what the
//! rest of the server must hear about in [`effects`].

pub mod clock;
pub mod effects;
pub mod entry;
pub mod freeing;
pub mod load;
pub mod locks;
pub mod object;
pub mod reserved;
pub mod settings;
mod stripe;
pub mod tracked;
pub mod value;
pub mod view;
pub mod waiting;
pub mod walk;
pub mod watch;

mod keyspace;
#[cfg(test)]
mod locks_tests;
mod sync;

pub use effects::{Effects, EventClass, Recorded, recorded};
pub use entry::{Entry, Kind, Payload, Value, encoding_name};
pub use keyspace::{DATABASES_MAX, Store};
pub use locks::GaveUp;
pub use object::{Object, Type};
pub use settings::Settings;
pub use stripe::{Capture, Database, Stripe};
pub use value::WrongType;
pub use view::{Expiry, Hashed, KeyspaceView, ReadView, Removal, Scope, WriteView};

/// The stripes a command holds.
pub type Held<'s> = locks::Held<'s, Stripe>;
