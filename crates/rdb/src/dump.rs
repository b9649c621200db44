//! Dump payloads: what DUMP gives and RESTORE takes.
//!
//! ```text
//! type | value | version (u16 LE) | CRC-64 of all before (u64 LE)
//! ```

use crate::crc64;
use crate::cursor::Cursor;
use crate::decode::{self, Validation};
use crate::error::{RdbError, RdbErrorKind, Result};
use crate::read::ChecksumPolicy;
use crate::value::PlainValue;
use crate::value_type::ValueType;
use crate::walk::{self, Walk};
use crate::{NEWEST_READABLE, Version};

const VERSION_BYTES: usize = size_of::<u16>();
const CHECKSUM_BYTES: usize = size_of::<u64>();
const FOOTER_BYTES: usize = VERSION_BYTES + CHECKSUM_BYTES;

/// A dump payload whose footer is right.
#[derive(Clone, Copy, Debug)]
pub struct DumpPayload<'a> {
    /// The version of the format it was written in.
    pub version: u16,
    /// How the value is stored.
    pub value_type: ValueType,
    value: &'a [u8],
}

impl<'a> DumpPayload<'a> {
    /// Checks the footer. O(length), and O(1) without the checksum.
    ///
    /// # Errors
    /// Too short, of a version newer than is known, a wrong checksum, an unknown
    /// type. Redis answers `DUMP payload version or checksum are wrong` to all but the
    /// last, and `Bad data format` to that one and to what [`DumpPayload::decode`]
    /// refuses.
    pub fn open(payload: &'a [u8], policy: ChecksumPolicy) -> Result<Self> {
        let fail = |offset: usize, what, kind| {
            Err(RdbError {
                offset: offset as u64,
                what,
                kind,
            })
        };
        let Some((rest, checksum)) = payload.split_last_chunk::<CHECKSUM_BYTES>() else {
            let missing = (FOOTER_BYTES - payload.len()) as u64;
            return fail(0, "footer", RdbErrorKind::Truncated { missing });
        };
        let Some((content, version)) = rest.split_last_chunk::<VERSION_BYTES>() else {
            let missing = (FOOTER_BYTES - payload.len()) as u64;
            return fail(0, "footer", RdbErrorKind::Truncated { missing });
        };
        let version = u16::from_le_bytes(*version);
        if version > NEWEST_READABLE {
            let kind = RdbErrorKind::Version(u32::from(version));
            return fail(content.len(), "version", kind);
        }
        let stored = u64::from_le_bytes(*checksum);
        if policy == ChecksumPolicy::Verify {
            let computed = crc64::checksum(rest);
            if stored != computed {
                let kind = RdbErrorKind::Checksum { stored, computed };
                return fail(rest.len(), "checksum", kind);
            }
        }
        let Some((&code, value)) = content.split_first() else {
            return fail(0, "type", RdbErrorKind::Truncated { missing: 1 });
        };
        let Some(value_type) = ValueType::from_code(code) else {
            return fail(0, "type", RdbErrorKind::Opcode(code));
        };
        Ok(DumpPayload {
            version,
            value_type,
            value,
        })
    }

    /// The value. O(its bytes).
    ///
    /// # Errors
    /// What is malformed in it, or of a module, or empty, or that bytes follow it.
    pub fn decode(&self, validation: Validation) -> Result<PlainValue<'a>> {
        let mut cursor = Cursor::new(self.value, 1, "value");
        // First that all counted parts are there: then counts can be relied on.
        let mut walk = Walk::default();
        walk.start(walk::grammar(self.value_type, &cursor)?);
        walk.advance(cursor.reading(self.value_type.noun()))?;
        if cursor.remaining() > 0 {
            return Err(cursor.error(RdbErrorKind::Trailing(cursor.remaining())));
        }
        cursor.seek(0);
        decode::decode(self.value_type, &mut cursor, validation)
    }
}

/// Makes a payload of a type and a value, which [`crate::Encoder`] has written into
/// `content`: adds the footer.
pub fn seal_dump(content: &mut Vec<u8>, version: Version) {
    content.extend_from_slice(&version.number().to_le_bytes());
    let checksum = crc64::checksum(content);
    content.extend_from_slice(&checksum.to_le_bytes());
}
