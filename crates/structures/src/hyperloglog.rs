//! HyperLogLog.
