//! The bridge between Lua's stack and the server: what a script calls goes out as slices
//! of the very strings that lie on the stack, the reply comes back as bytes and is laid
//! onto the stack as values, and so is the script's result, the other way round.
//!
//! It is not an interpreter: that is mlua's, which makes it, compiles for it and owns it.
//! A binding of closures costs an allocation, a registry slot and a finalizer for every
//! value that crosses; a script of three calls crosses some thirty times. Here nothing is
//! allocated but the values that the script gets to see.
//!
//! ```text
//!   Bridge::run ──► lua_pcall(runner) ──► lua_pcall(script) ──► redis.call
//!      │ lends                                                     │ slices of the stack
//!      ▼ the host                                                  ▼
//!   Shared { host, reply } ◄──────────────────────────────── Host::call
//! ```
//!
//! # How unwinding is kept apart
//!
//! Lua reports errors with `longjmp`, which runs no destructors; Rust panics run them,
//! but must not cross C frames. The rules, all kept in `bridge` and `stack`:
//!
//! 1. Code of Lua's runs only below a `lua_pcall`, so that a jump has where to land.
//! 2. A function that calls what may jump owns nothing that needs dropping: buffers live
//!    in `Shared`, or belong to whoever called `lua_pcall`.
//! 3. What may panic, or owns memory, runs within `catch_unwind` and calls nothing of
//!    Lua's that may jump.
//!
//! Invariant: unsafe code is in `stack` (Lua's functions as methods) and `bridge` (what
//! Lua calls) alone.

mod bridge;
mod result;
mod stack;
mod value;
mod words;

pub use bridge::{Bridge, Failure, Host, Hosts, Input, Program};
pub use words::BadWords;
