//! The Ochre server: sockets, sessions, commands, and the threads that carry them.
//!
//! ```text
//!   net/listener --> net/worker --> net/input --> execute --> commands/* --> store
//!    (accept)         (one a core)   (requests)    (locks)     (handlers)
//! ```

mod alarm;
pub mod blocking;
pub mod check;
pub mod clients;
pub mod clock;
pub mod commands;
pub mod config;
mod configured_users;
pub mod crash_report;
pub mod error;
pub mod execute;
pub mod gates;
pub mod latency;
pub mod live;
pub mod log;
pub mod memory;
pub mod monitor;
pub mod net;
pub mod pause;
pub mod persistence;
pub mod process;
pub mod pubsub;
mod purging;
mod rates;
mod reclaim;
pub mod restart;
mod scheduling;
pub mod script;
pub mod server;
pub mod session;
pub mod slowlog;
pub mod startup;
pub mod stats;
mod steward;
pub mod stop;
pub mod syslog;
mod threads;
pub mod title;
pub mod tracking;
pub mod unit;

pub use config::Config;
pub use server::{Running, Server, StartError};
