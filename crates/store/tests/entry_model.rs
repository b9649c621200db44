//! Entries, whose memory is handled by hand, against a plain struct: random edits, and
//! the sizes at which their layout changes. Small enough to run under valgrind:
//! `valgrind target/debug/deps/entry_model-* --test-threads=1`.

use std::sync::Arc;

use ochre_store::entry::size_class;
use ochre_store::{Entry, Kind, Object, Payload, Value};
use ochre_structures::listpack::Buffer;
use proptest::prelude::*;

/// What an entry is, in plain types.
#[derive(Debug, Clone)]
struct Model {
    key: Vec<u8>,
    value: ModelValue,
    expiry_ms: Option<i64>,
    access: u32,
    is_raw: bool,
    snapshot_bit: bool,
}

#[derive(Debug, Clone)]
enum ModelValue {
    Int(i64),
    Inline(Kind, Vec<u8>),
    /// The bytes of a large string. The count of its owners tells when it is dropped.
    Object(Arc<Vec<u8>>),
}

const INLINE_KINDS: [Kind; 7] = [
    Kind::Str,
    Kind::PackedList,
    Kind::PackedHash,
    Kind::PackedHashEx,
    Kind::IntSet,
    Kind::PackedSet,
    Kind::PackedSortedSet,
];

impl ModelValue {
    fn payload(&self) -> Payload<'_> {
        match self {
            Self::Int(value) => Payload::Int(*value),
            Self::Inline(kind, bytes) => Payload::Inline(*kind, bytes),
            Self::Object(bytes) => Payload::Object(Box::new(Object::String(bytes.clone()))),
        }
    }

    /// Owners of a large value: this model and the entry.
    fn check_owned(&self, owners: usize) {
        if let Self::Object(bytes) = self {
            assert_eq!(Arc::strong_count(bytes), owners);
        }
    }
}

impl Model {
    fn new(key: Vec<u8>, value: ModelValue, expiry_ms: Option<i64>) -> Self {
        Self {
            key,
            value,
            expiry_ms,
            access: 0,
            is_raw: false,
            snapshot_bit: false,
        }
    }

    fn entry(&self) -> Entry {
        Entry::new(&self.key, self.value.payload(), self.expiry_ms)
    }

    fn check(&self, entry: &Entry) {
        assert_eq!(entry.key(), self.key);
        assert_eq!(entry.expiry_ms(), self.expiry_ms);
        assert_eq!(entry.access(), self.access);
        assert_eq!(entry.is_raw(), self.is_raw);
        assert_eq!(entry.snapshot_bit(), self.snapshot_bit);
        let header = 8 + if self.expiry_ms.is_some() { 8 } else { 0 };
        let (kind, payload) = match &self.value {
            ModelValue::Int(value) => {
                assert!(matches!(entry.value(), Value::Int(found) if found == *value));
                (Kind::Int, 8)
            }
            ModelValue::Inline(kind, bytes) => {
                let found = match entry.value() {
                    Value::Str(found)
                    | Value::PackedList(found)
                    | Value::PackedHash(found)
                    | Value::PackedHashEx(found)
                    | Value::IntSet(found)
                    | Value::PackedSet(found)
                    | Value::PackedSortedSet(found) => found,
                    other => panic!("{other:?}"),
                };
                assert_eq!(found, bytes);
                (*kind, bytes.len())
            }
            ModelValue::Object(bytes) => {
                match entry.object() {
                    Some(Object::String(found)) => assert!(Arc::ptr_eq(found, bytes)),
                    other => panic!("{other:?}"),
                }
                (Kind::Object, 8)
            }
        };
        assert_eq!(entry.kind(), kind);
        let is_long = self.key.len() > 255 || payload > 65_535;
        let bytes = header + if is_long { 8 } else { 0 } + self.key.len() + payload;
        assert_eq!(entry.allocated_bytes(), size_class(bytes));
    }
}

/// One edit of an entry.
#[derive(Debug, Clone)]
enum Edit {
    Replace(ModelValue),
    SetExpiry(Option<i64>),
    /// Where, how much goes, what comes; in thousandths of the payload.
    Splice(usize, usize, Vec<u8>),
    SetByte(usize, u8),
    Duplicate(Vec<u8>),
    Rename(Vec<u8>),
    TakeObject,
    Access(u32),
    MarkRaw,
    Snapshot(bool),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Around every limit of the layout: tiny, size classes, u8, u16.
    let len = prop_oneof![
        6 => 0_usize..40,
        3 => 100_usize..300,
        1 => 65_500_usize..65_600,
        1 => Just(66_000_usize),
    ];
    (len, any::<u8>()).prop_map(|(len, seed)| {
        (0..len)
            .map(|at| seed.wrapping_add(at as u8).wrapping_mul(31))
            .collect()
    })
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![6 => 0_usize..30, 2 => 250_usize..260, 1 => Just(700_usize)];
    (len, any::<u8>()).prop_map(|(len, seed)| (0..len).map(|at| seed ^ at as u8).collect())
}

fn value() -> impl Strategy<Value = ModelValue> {
    prop_oneof![
        any::<i64>().prop_map(ModelValue::Int),
        (0..INLINE_KINDS.len(), bytes())
            .prop_map(|(kind, bytes)| ModelValue::Inline(INLINE_KINDS[kind], bytes)),
        bytes().prop_map(|bytes| ModelValue::Object(Arc::new(bytes))),
    ]
}

fn expiry() -> impl Strategy<Value = Option<i64>> {
    proptest::option::of(any::<i64>())
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => value().prop_map(Edit::Replace),
        4 => expiry().prop_map(Edit::SetExpiry),
        6 => (0_usize..=1000, 0_usize..=1000, bytes())
            .prop_map(|(at, remove, insert)| Edit::Splice(at, remove, insert)),
        2 => (0_usize..1000, any::<u8>()).prop_map(|(at, byte)| Edit::SetByte(at, byte)),
        2 => key().prop_map(Edit::Duplicate),
        2 => key().prop_map(Edit::Rename),
        1 => Just(Edit::TakeObject),
        1 => (0_u32..1 << 24).prop_map(Edit::Access),
        1 => Just(Edit::MarkRaw),
        1 => any::<bool>().prop_map(Edit::Snapshot),
    ]
}

/// Makes one edit on both sides and compares what it returned.
fn apply(edit: Edit, entry: &mut Entry, model: &mut Model) {
    match edit {
        Edit::Replace(value) => {
            let returned = entry.replace(value.payload());
            assert_eq!(
                returned.is_some(),
                matches!(model.value, ModelValue::Object(_))
            );
            drop(returned);
            model.value.check_owned(1);
            model.value = value;
            model.is_raw = false;
        }
        Edit::SetExpiry(expiry_ms) => {
            entry.set_expiry_ms(expiry_ms);
            model.expiry_ms = expiry_ms;
        }
        Edit::Splice(at, remove, insert) => match (&mut model.value, entry.buffer()) {
            (ModelValue::Inline(_, bytes), Some(mut buffer)) => {
                let at = bytes.len() * at / 1000;
                let remove = (bytes.len() - at) * remove / 1000;
                buffer.splice(at, remove, &insert);
                assert_eq!(buffer.bytes().len(), bytes.len() - remove + insert.len());
                bytes.splice(at..at + remove, insert);
            }
            (ModelValue::Inline(..), None) => panic!("no buffer of {entry:?}"),
            (_, buffer) => assert!(buffer.is_none()),
        },
        Edit::SetByte(at, byte) => {
            if let (ModelValue::Inline(_, bytes), Some(mut buffer)) =
                (&mut model.value, entry.buffer())
                && !bytes.is_empty()
            {
                let at = bytes.len() * at / 1000;
                buffer.bytes_mut()[at] = byte;
                bytes[at] = byte;
            }
        }
        Edit::Duplicate(key) => {
            let mut copy = entry.duplicate(&key);
            // A copy of a large value is its own.
            let value = match (&model.value, copy.object_mut()) {
                (ModelValue::Object(bytes), Some(Object::String(copied))) => {
                    assert_eq!(copied, bytes);
                    ModelValue::Object(copied.clone())
                }
                (value, None) => value.clone(),
                (value, other) => panic!("{value:?} and {other:?}"),
            };
            let expected = Model {
                key,
                value,
                expiry_ms: None,
                snapshot_bit: false,
                ..model.clone()
            };
            expected.check(&copy);
            drop(copy);
            drop(expected);
        }
        Edit::Rename(key) => {
            let old = std::mem::replace(entry, Entry::new(b"", Payload::Int(0), None));
            *entry = old.renamed(&key);
            model.key = key;
            model.snapshot_bit = false;
        }
        Edit::TakeObject => {
            let taken = entry.take_object();
            if let ModelValue::Object(bytes) = &model.value {
                match taken.as_deref() {
                    Some(Object::String(found)) => assert!(Arc::ptr_eq(found, bytes)),
                    other => panic!("{other:?}"),
                }
                drop(taken);
                model.value.check_owned(1);
                model.value = ModelValue::Inline(Kind::Str, Vec::new());
            } else {
                assert!(taken.is_none());
            }
        }
        Edit::Access(access) => {
            entry.set_access(access);
            model.access = access;
        }
        Edit::MarkRaw => {
            entry.mark_raw();
            model.is_raw = true;
        }
        Edit::Snapshot(bit) => {
            entry.set_snapshot_bit(bit);
            model.snapshot_bit = bit;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("OCHRE_ENTRY_CASES").map_or(400, |cases| cases.parse().unwrap_or(400))
    ))]

    #[test]
    fn edits_do_what_they_do_to_a_plain_struct(
        key in key(),
        value in value(),
        expiry_ms in expiry(),
        edits in proptest::collection::vec(edit(), 0..20),
    ) {
        let mut model = Model::new(key, value, expiry_ms);
        let mut entry = model.entry();
        model.check(&entry);
        for edit in edits {
            apply(edit, &mut entry, &mut model);
            model.check(&entry);
            model.value.check_owned(2);
        }
        drop(entry);
        // Dropped once, and not leaked.
        model.value.check_owned(1);
    }
}

#[test]
fn lengths_around_the_limits_of_the_header() {
    for key_len in [0, 1, 254, 255, 256, 70_000] {
        for payload_len in [0, 1, 65_534, 65_535, 65_536, 70_000] {
            let key = vec![b'k'; key_len];
            let bytes = vec![b'v'; payload_len];
            for expiry_ms in [None, Some(i64::MAX), Some(-1)] {
                let value = ModelValue::Inline(Kind::Str, bytes.clone());
                let mut model = Model::new(key.clone(), value, None);
                let mut entry = model.entry();
                apply(Edit::SetExpiry(expiry_ms), &mut entry, &mut model);
                model.check(&entry);
                // One byte more, and one less again.
                apply(Edit::Splice(1000, 0, b"x".to_vec()), &mut entry, &mut model);
                model.check(&entry);
                apply(Edit::Splice(0, 1000, Vec::new()), &mut entry, &mut model);
                model.check(&entry);
                apply(Edit::SetExpiry(None), &mut entry, &mut model);
                model.check(&entry);
            }
        }
    }
}

#[test]
fn growing_byte_by_byte_passes_every_size_class() {
    let mut model = Model::new(
        b"key".to_vec(),
        ModelValue::Inline(Kind::Str, Vec::new()),
        Some(5),
    );
    let mut entry = model.entry();
    for byte in 0..=255_u8 {
        for _ in 0..3 {
            apply(Edit::Splice(1000, 0, vec![byte]), &mut entry, &mut model);
            model.check(&entry);
        }
    }
    for _ in 0..768 {
        apply(Edit::Splice(0, 2, Vec::new()), &mut entry, &mut model);
        model.check(&entry);
    }
}

#[test]
fn a_value_of_the_same_size_class_stays_in_place() {
    let mut entry = Entry::new(b"key", Payload::Inline(Kind::Str, b"12345678"), None);
    let place = entry.key().as_ptr();
    assert!(entry.replace(Payload::Int(5)).is_none());
    assert!(
        entry
            .replace(Payload::Inline(Kind::Str, b"abcdefghijklmnop"))
            .is_none()
    );
    assert_eq!(entry.key().as_ptr(), place);
    assert!(matches!(entry.value(), Value::Str(b"abcdefghijklmnop")));
}
