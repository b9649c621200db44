//! Entries as a snapshot needs them: encoded at once while small, frozen when large.
//!
//! [`capture`] is called under a stripe's lock. It encodes at most [`AT_ONCE_BYTES`] or
//! so there; a larger value costs pointer copies (or one copy of its bytes) and is
//! encoded later, without a lock, by whoever has the [`FrozenEntry`]. Both halves exist
//! for RDB items and for the commands of an append-only file without RDB base.
//!
//! - `value`: a value, live or frozen, and its bytes in an RDB; `stream`: those of a
//!   stream; `commands`: a value as the commands that make it.
//!
//! Invariant: what a frozen entry gives is what the entry would have given when it was
//! frozen, to the byte but for the order of unordered members.

mod commands;
mod frozen;
mod stream;
#[cfg(test)]
mod tests;
mod value;

use std::io;

use ochre_rdb::{Access, Compression, Encoder, EntryHead, Version};
use ochre_store::clock::AccessPolicy;
use ochre_store::{Entry, Settings};

pub use frozen::FrozenEntry;
pub use value::ValueImage;

/// About how many bytes are encoded under a stripe's lock, at most.
pub const AT_ONCE_BYTES: usize = 16 << 10;

/// What of an entry's access clock goes into an RDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeptAccess {
    /// Nothing: the eviction policy does not look at it.
    #[default]
    Nothing,
    /// The seconds since the last access: an LRU policy.
    Idle {
        /// The moment of the snapshot, in milliseconds of Unix time.
        now_ms: i64,
    },
    /// The counter of accesses: an LFU policy.
    Frequency {
        /// The moment of the snapshot, in milliseconds of Unix time.
        now_ms: i64,
        /// How the counter decays.
        policy: AccessPolicy,
    },
}

impl KeptAccess {
    fn of(self, entry: &Entry) -> Option<Access> {
        let access = entry.access();
        match self {
            Self::Nothing => None,
            Self::Idle { now_ms } => Some(Access::Idle {
                seconds: u64::from(AccessPolicy::Lru.idle_seconds(access, now_ms)),
            }),
            Self::Frequency { now_ms, policy } => Some(Access::Frequency(
                u8::try_from(policy.frequency(access, now_ms)).unwrap_or(u8::MAX),
            )),
        }
    }
}

/// What became of a captured entry.
#[derive(Debug)]
pub enum Captured {
    /// It was appended whole.
    Encoded,
    /// It is large: to be encoded once the lock is released.
    Frozen(FrozenEntry),
}

/// Captures an entry, whose stripe is locked, for an RDB: appends the whole item
/// (deadline, access, type, key, value) to `out`, or freezes it. O(bytes) up to
/// [`AT_ONCE_BYTES`]; beyond, O(nodes), and for a value of one piece a copy of it.
pub fn capture(
    entry: &Entry,
    kept: KeptAccess,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) -> Captured {
    if !is_small(entry) {
        return Captured::Frozen(FrozenEntry::new(entry, kept));
    }
    let head = EntryHead {
        key: entry.key(),
        expiry_ms: entry.expiry_ms(),
        access: kept.of(entry),
    };
    written(encode(&head, &ValueImage::of(entry), encoder, out));
    Captured::Encoded
}

/// As [`capture`], but as commands.
pub fn capture_as_commands(entry: &Entry, out: &mut Vec<u8>) -> Captured {
    if !is_small(entry) {
        return Captured::Frozen(FrozenEntry::new(entry, KeptAccess::Nothing));
    }
    let value = ValueImage::of(entry);
    written(commands::write(entry.key(), entry.expiry_ms(), &value, out));
    Captured::Encoded
}

/// A value as DUMP answers it. O(bytes).
pub fn dump(value: &ValueImage<'_>, encoder: &mut Encoder) -> Vec<u8> {
    let mut payload = Vec::new();
    let form = value.form();
    written(encoder.dump_head(&mut payload, form));
    written(value.encode(encoder, &mut payload));
    ochre_rdb::seal_dump(&mut payload, encoder.dump_version(form));
    payload
}

/// How many bytes the value takes in an RDB, without type and key. O(bytes).
pub fn encoded_len(value: &ValueImage<'_>, encoder: &mut Encoder) -> u64 {
    let mut counter = Counter(0);
    written(value.encode(encoder, &mut counter));
    counter.0
}

/// As [`with_encoder`], for dumps as they are configured.
pub fn with_dump_encoder<R>(settings: &Settings, work: impl FnOnce(&mut Encoder) -> R) -> R {
    let version = if settings.rdb_version <= Version::V10.number() {
        Version::V10
    } else {
        Version::V11
    };
    let compression = if settings.rdb_compression {
        Compression::Lzf
    } else {
        Compression::Off
    };
    with_encoder(version, compression, work)
}

/// Lends an encoder to `work`: each thread keeps one, as it takes some room.
pub fn with_encoder<R>(
    version: Version,
    compression: Compression,
    work: impl FnOnce(&mut Encoder) -> R,
) -> R {
    type Kept = Option<(Compression, Encoder)>;
    thread_local! {
        static KEPT: std::cell::RefCell<Kept> = const { std::cell::RefCell::new(None) };
    }
    KEPT.with(|kept| {
        // Taken out, so that `work` may call this again.
        let taken = kept.borrow_mut().take();
        let (_, mut encoder) = taken
            .filter(|(of, encoder)| *of == compression && encoder.version() == version)
            .unwrap_or_else(|| (compression, Encoder::new(version, compression)));
        let result = work(&mut encoder);
        *kept.borrow_mut() = Some((compression, encoder));
        result
    })
}

/// A whole RDB item.
fn encode(
    head: &EntryHead<'_>,
    value: &ValueImage<'_>,
    encoder: &mut Encoder,
    out: &mut impl io::Write,
) -> io::Result<()> {
    encoder.entry_head(out, head, value.form())?;
    value.encode(encoder, out)
}

/// Whether the entry is encoded at once rather than frozen.
pub fn is_small(entry: &Entry) -> bool {
    entry.key().len() <= AT_ONCE_BYTES && ValueImage::of(entry).is_within(AT_ONCE_BYTES)
}

/// Writing to memory does not fail.
fn written(result: io::Result<()>) {
    debug_assert!(result.is_ok(), "memory takes all bytes");
}

/// Counts bytes instead of keeping them.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
