//! What the black-box tests share: server processes, raw connections, generated
//! commands, the differential tester, the crash tests and the linearizability checker.
//!
//! It depends on nothing of the server and knows it only as a process behind a socket:
//! so the same tests run against any server that speaks the protocol, and a mistake in
//! the server's own crates cannot hide itself here.
//!
//! ```text
//! servers          start, await, stop, kill -9, restart a server process
//! resp             bytes out, typed replies and their exact bytes in
//! differential     one sequence of steps on two servers; rules for what may differ
//! generate         seeded command generators, one file per family
//! crash            kill -9 under load, restart, and compare with what was acknowledged
//! linearizability  concurrent histories, and whether any serial order explains them
//! proxy            a relay that doctors traffic, to test the tests
//! ```
#![forbid(unsafe_code)]

pub mod crash;
pub mod differential;
pub mod generate;
pub mod linearizability;
pub mod proxy;
pub mod resp;
pub mod rng;
pub mod servers;
