//! The bytes that stand where a type of value could: what is no entry.

/// Cluster mode: a slot and its numbers of keys and of keys that expire.
pub(crate) const SLOT_INFO: u8 = 244;
/// A function library's code.
pub(crate) const FUNCTION: u8 = 245;
/// The same in the form of the release candidates of Redis 7.0.
pub(crate) const FUNCTION_PRE_RELEASE: u8 = 246;
/// Data of a module that belongs to no key.
pub(crate) const MODULE_AUX: u8 = 247;
/// The next key's seconds since its last access.
pub(crate) const IDLE: u8 = 248;
/// The next key's access frequency.
pub(crate) const FREQUENCY: u8 = 249;
/// A named fact about the file.
pub(crate) const AUX: u8 = 250;
/// How many keys follow, and how many of them expire.
pub(crate) const RESIZE_DB: u8 = 251;
/// The next key's deadline in milliseconds.
pub(crate) const EXPIRY_MS: u8 = 252;
/// The next key's deadline in seconds.
pub(crate) const EXPIRY_S: u8 = 253;
/// The database of the keys that follow.
pub(crate) const SELECT_DB: u8 = 254;
/// The end of the file.
pub(crate) const EOF: u8 = 255;
