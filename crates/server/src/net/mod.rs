//! Everything between the kernel's sockets and a command.
//!
//! Not here: what the bytes mean (`ochre-resp`) and what they do (the commands).

mod ahead;
pub mod connection;
pub mod input;
pub mod listener;
pub mod mail;
pub mod output;
pub mod reactor;
pub mod worker;
