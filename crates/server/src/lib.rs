//! server

pub mod net;
