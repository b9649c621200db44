//! The Redis protocol: bytes to requests, replies to bytes. No I/O.
