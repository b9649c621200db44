//! Lua scripts: EVAL and its relatives, and functions.
//!
//! ```text
//!   commands/scripting ──► engine (one a worker) ──► prelude.lua: the world of a script
//!                              │                        │ redis.call (crate ochre-lua)
//!                              ▼                        ▼
//!                          cache (bodies by SHA-1)    dispatch ──► unit (locks as it goes)
//! ```
//!
//! A script is a unit of execution that holds the global lock, so one runs at a time,
//! and takes stripes as it touches keys; other clients go on working on other keys.
//! Each thread that runs scripts has an interpreter of its own; bodies are shared. A
//! script that is not known to be short (`pace`) runs on a thread of its own (`aside`).

pub mod aside;
pub mod cache;
mod dispatch;
pub mod engine;
pub mod flags;
pub mod functions;
mod libraries;
pub mod pace;
mod random;
pub mod running;
mod tail_calls;

pub use aside::Aside;
pub use cache::{Scripts, Sha};
pub use engine::{Engine, Program};
pub use flags::ScriptFlags;
pub use functions::Functions;
pub use pace::Paces;
pub use running::Running;
