//! A field's record: the bytes of its blob.
//!
//! ```text
//!   +--------------------------------------+---------------+-------+-------+
//!   | length of field << 1 | dated, varint | deadline, i64 | field | value |
//!   +--------------------------------------+---------------+-------+-------+
//!                                            LE, if dated            to the end
//! ```
//!
//! The deadline is in milliseconds of Unix time. The value is last, so that another one
//! replaces it in place.
//!
//! Invariant: the mark of the blob is the upper half of the field's position.

use crate::blob::{Blob, read_varint, write_varint};
use crate::hash::hash_bytes;
use crate::table::Slot;

const DEADLINE_BYTES: usize = 8;

/// A field with its value and deadline, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldRef<'a> {
    pub field: &'a [u8],
    pub value: &'a [u8],
    /// Milliseconds of Unix time.
    pub deadline_ms: Option<u64>,
}

impl FieldRef<'_> {
    /// Whether the deadline has come.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms.is_some_and(|deadline| deadline <= now_ms)
    }
}

#[derive(Clone)]
pub(super) struct Record(Blob);

impl Record {
    pub(super) fn new(hash: u64, field: &[u8], value: &[u8], deadline_ms: Option<u64>) -> Self {
        let (prefix, used) = write_varint(field.len() << 1 | usize::from(deadline_ms.is_some()));
        let deadline = deadline_ms.map(u64::to_le_bytes);
        let deadline = deadline.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        let parts = [&prefix[..used], deadline, field, value];
        Self(Blob::new((hash >> 48) as u16, &parts))
    }

    /// Where deadline, field and value start and whether there is a deadline.
    #[inline]
    fn parts(bytes: &[u8]) -> (usize, usize, usize, bool) {
        let (head, prefix) = read_varint(bytes);
        let dated = head & 1 != 0;
        let field = prefix + if dated { DEADLINE_BYTES } else { 0 };
        (prefix, field, field + (head >> 1), dated)
    }

    #[inline]
    pub(super) fn view(&self) -> FieldRef<'_> {
        let bytes = self.0.bytes();
        let (deadline, field, value, dated) = Self::parts(bytes);
        FieldRef {
            field: &bytes[field..value],
            value: &bytes[value..],
            deadline_ms: if dated {
                bytes[deadline..]
                    .first_chunk()
                    .map(|bytes| u64::from_le_bytes(*bytes))
            } else {
                None
            },
        }
    }

    /// Whether this is the record of `field`.
    #[inline]
    pub(super) fn is(&self, field: &[u8]) -> bool {
        self.view().field == field
    }

    /// Changes the value in place where that is possible; says whether it did.
    #[inline]
    pub(super) fn replace_value(&mut self, value: &[u8]) -> bool {
        let (_, _, at, _) = Self::parts(self.0.bytes());
        self.0.replace_tail(at, value)
    }

    /// Changes the deadline in place: where there is one, and no other owner. Says
    /// whether it did.
    pub(super) fn replace_deadline(&mut self, deadline_ms: u64) -> bool {
        let Some(bytes) = self.0.bytes_mut() else {
            return false;
        };
        let (at, field, _, dated) = Self::parts(bytes);
        if dated {
            bytes[at..field].copy_from_slice(&deadline_ms.to_le_bytes());
        }
        dated
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.0.allocated_bytes()
    }
}

impl Slot for Record {
    const KNOWN_BITS: u32 = 16;

    #[inline]
    fn position(&self) -> u32 {
        (hash_bytes(self.view().field) >> 32) as u32
    }

    #[inline]
    fn known_position(&self) -> u32 {
        u32::from(self.0.mark()) << 16
    }

    #[inline]
    fn prefetch(&self) {
        self.0.prefetch();
    }
}
