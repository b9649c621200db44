//! Everything between the kernel's sockets and a command: so far, the reactor.
//!
//! Not here: what the bytes mean (`ochre-resp`) and what they do (the commands).

pub mod reactor;
