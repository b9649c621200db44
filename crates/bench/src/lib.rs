//! What Ochre is measured with: a low-overhead load generator, and the side-by-side
//! comparison with `redis-server` that holds the project to its budgets.
//!
//! ```text
//! cli ── compare ── rows/* ──┬── lab ── process, affinity, measure   servers, their CPU and memory
//!  │        └── report       └── generator, steady                  load, latencies
//!  └── generator, steady             └── template, draw, reply, histogram, connection
//! ```
//!
//! It is not a test: nothing here asserts a time, and no result decides a build. It knows
//! nothing of Ochre's inside either: a server is a process, a port and what `/proc` says.
//!
//! Invariant: both servers of a comparison see the same bytes in the same order (one seed
//! per round), so that a ratio compares servers and never loads.

#![forbid(unsafe_code)]

pub mod affinity;
pub mod cli;
pub mod client;
pub mod compare;
mod connection;
pub mod draw;
pub mod echo;
pub mod generator;
pub mod histogram;
pub mod lab;
pub mod machine;
pub mod measure;
pub mod process;
pub mod reply;
pub mod report;
pub mod rows;
pub mod statistics;
pub mod steady;
pub mod template;
