//! DEBUG DIGEST and DIGEST-VALUE: the very digests that Redis gives for the same data, so
//! that two servers can be compared.
//!
//! ```text
//!   xor(d, x)  d ^= SHA1(x)                       order does not matter
//!   mix(d, x)  d ^= SHA1(x); d = SHA1(d)          order matters
//!
//!   data set   mix(database number), then for each key  xor of its digest
//!   key        mix(name), mix(type), the value, xor("!!expire!!") if it has a deadline
//! ```

use ochre_store::{Entry, Object, Value};
use ochre_structures::intset::Intset;
use ochre_structures::listpack::{Element, Listpack};
use sha1::{Digest as _, Sha1};

use crate::commands::string::value;
use crate::error::Error;

/// A digest in the making.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose place does not matter.
    pub fn xor(&mut self, bytes: &[u8]) {
        self.add(&Sha1::digest(bytes).into());
    }

    /// Adds something behind what was added before.
    pub fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn add(&mut self, other: &[u8; 20]) {
        for (byte, other) in self.0.iter_mut().zip(other) {
            *byte ^= other;
        }
    }

    /// Adds the digest of an element of a set: as its bytes, not hashed again.
    pub fn xor_digest(&mut self, element: &Digest) {
        self.xor(&element.0);
    }

    /// Adds the digest of a key to that of its data set.
    pub fn add_key(&mut self, key: &Digest) {
        self.xor(&key.0);
    }

    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The numbers of the types, as Redis has them.
fn type_number(kind: ochre_store::Type) -> u32 {
    use ochre_store::Type;
    match kind {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::SortedSet => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

/// Adds the type, value and expiry of `entry` to the digest of its key.
///
/// # Errors
/// A type whose digest is not known.
pub fn add_entry(digest: &mut Digest, entry: &Entry) -> Result<(), Error> {
    digest.mix(&type_number(entry.value_type()).to_be_bytes());
    add_value(digest, entry)?;
    if entry.expiry_ms().is_some() {
        digest.xor(b"!!expire!!");
    }
    Ok(())
}

fn add_value(digest: &mut Digest, entry: &Entry) -> Result<(), Error> {
    match entry.value() {
        Value::Int(_) | Value::Str(_) | Value::Object(Object::String(_)) => {
            value::with_bytes(entry, |bytes| digest.mix(bytes))?;
        }
        Value::PackedList(bytes) => {
            for element in Listpack(bytes).iter() {
                digest.mix(&element.to_vec());
            }
        }
        Value::PackedSet(bytes) => {
            for element in Listpack(bytes).iter() {
                digest.xor(&element.to_vec());
            }
        }
        Value::IntSet(bytes) => {
            for value in Intset::new(bytes).iter() {
                digest.xor(itoa::Buffer::new().format(value).as_bytes());
            }
        }
        Value::PackedHash(bytes) => {
            for (field, value) in Listpack(bytes).pairs() {
                add_field(digest, &field.to_vec(), &value.to_vec(), Deadline::None);
            }
        }
        Value::PackedHashEx(bytes) => {
            let mut elements = Listpack(bytes).iter();
            while let (Some(field), Some(value), Some(deadline)) =
                (elements.next(), elements.next(), elements.next())
            {
                let deadline = match deadline.as_integer() {
                    Some(0) => Deadline::None,
                    _ => Deadline::Set,
                };
                add_field(digest, &field.to_vec(), &value.to_vec(), deadline);
            }
        }
        Value::PackedSortedSet(bytes) => {
            for (member, score) in Listpack(bytes).pairs() {
                add_member(digest, &member.to_vec(), packed_score(score));
            }
        }
        Value::Object(object) => add_object(digest, object),
    }
    Ok(())
}

fn add_object(digest: &mut Digest, object: &Object) {
    match object {
        Object::String(bytes) => digest.mix(bytes),
        Object::List(list) => {
            for element in list.iter() {
                digest.mix(&element.to_vec());
            }
        }
        Object::SortedSet(set) => {
            for (member, score) in set.iter() {
                add_member(digest, member, score);
            }
        }
        Object::Set(set) => {
            for member in set.iter() {
                digest.xor(&member.to_vec());
            }
        }
        Object::Hash(map) => {
            for field in map.iter() {
                let deadline = match field.deadline_ms {
                    None => Deadline::None,
                    Some(_) => Deadline::Set,
                };
                add_field(digest, field.field, field.value, deadline);
            }
        }
        Object::Stream(stream) => {
            for entry in stream.iter() {
                let id = format!("{}.{}", entry.id.ms, entry.id.seq);
                digest.mix(id.as_bytes());
                for (field, value) in entry.fields {
                    digest.mix(&field.to_vec());
                    digest.mix(&value.to_vec());
                }
            }
        }
    }
}

/// Whether a hash's field has a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    None,
    Set,
}

/// Adds a field of a hash.
pub fn add_field(digest: &mut Digest, field: &[u8], value: &[u8], deadline: Deadline) {
    let mut element = Digest::default();
    element.mix(field);
    element.mix(value);
    if deadline == Deadline::Set {
        element.xor(b"!!hexpire!!");
    }
    digest.xor_digest(&element);
}

/// Adds a member of a sorted set.
pub fn add_member(digest: &mut Digest, member: &[u8], score: f64) {
    let mut element = Digest::default();
    element.mix(member);
    let mut text = Vec::new();
    ochre_structures::number::format_f64_17g(&mut text, score);
    element.mix(&text);
    digest.xor_digest(&element);
}

fn packed_score(score: Element<'_>) -> f64 {
    match score.as_integer() {
        Some(value) => value as f64,
        None => ochre_structures::number::parse_f64(&score.to_vec()).unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_redis_digest() {
        let payload = ochre_store::Payload::Inline(ochre_store::Kind::Str, b"v");
        let entry = Entry::new(b"k", payload, None);
        let mut value = Digest::default();
        add_entry(&mut value, &entry).unwrap();
        assert_eq!(value.hex(), "d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f");
        let mut digest = Digest::default();
        digest.mix(b"k");
        add_entry(&mut digest, &entry).unwrap();
        let mut all = Digest::default();
        all.mix(&0_u32.to_be_bytes());
        all.add_key(&digest);
        assert_eq!(all.hex(), "264ccf65edec66bccfa7cc659414ccca432057d2");
    }
}
