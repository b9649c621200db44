//! One allocation for a key, its expiry, and its value when that is small.
//!
//! ```text
//!   offset 0        4       5       6      8          8|16       16|24
//!   +------+--------+-------+-------+------+----------+----------+-----+---------+
//!   | kind | access | flags | k len | v len| long lens| deadline | key | payload |
//!   | u8   | 3 bytes| u8    | u8    | u16  | 2 x u32  | i64      |     |         |
//!   +------+--------+-------+-------+------+----------+----------+-----+---------+
//!                                            if LONG    if EXPIRES
//! ```
//!
//! The payload is the value itself (an integer, string bytes, a listpack or an
//! intset) or, for [`Kind::Object`], a pointer to a boxed [`Object`]. The allocation is
//! as long as the allocator's size class, so a value that stays within its class is
//! replaced in place. The four bytes of kind and access clock are atomic, because
//! readers refresh the clock.
//!
//! This is the one file of the crate with `unsafe` code. [`Entry`] owns its allocation;
//! every accessor checks kinds and lengths against the header, which only this file
//! writes. Where the parts lie is computed in `layout`; `buffer` edits a payload in
//! place; `names` says what Redis calls an entry's type and encoding.

use std::alloc;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use ochre_structures::hash::hash_bytes;
use ochre_structures::table::{Slot, prefetch_line};

use crate::object::Object;

mod buffer;
mod layout;
mod names;

pub use buffer::InlineBuffer;
pub use layout::size_class;
use layout::{EXPIRES, LONG, POINTER_BYTES, RAW, SNAPSHOT, Shape, key_offset};
pub use names::encoding_name;

/// What the payload of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string that is the decimal form of an integer; eight bytes.
    Int,
    /// The bytes of a string.
    Str,
    /// A list as one listpack.
    PackedList,
    /// A hash as a listpack of fields and values in turn.
    PackedHash,
    /// A hash with deadlines of its own on some fields, as a listpack of field, value
    /// and deadline (milliseconds, 0 for none) in turn.
    PackedHashEx,
    /// A set of integers as an intset.
    IntSet,
    /// A set as a listpack.
    PackedSet,
    /// A sorted set as a listpack of members and scores in turn.
    PackedSortedSet,
    /// Anything larger, behind a pointer.
    Object,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Int,
        Self::Str,
        Self::PackedList,
        Self::PackedHash,
        Self::PackedHashEx,
        Self::IntSet,
        Self::PackedSet,
        Self::PackedSortedSet,
        Self::Object,
    ];
}

/// What an entry holds, borrowed.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Int(i64),
    Str(&'a [u8]),
    PackedList(&'a [u8]),
    PackedHash(&'a [u8]),
    PackedHashEx(&'a [u8]),
    IntSet(&'a [u8]),
    PackedSet(&'a [u8]),
    PackedSortedSet(&'a [u8]),
    Object(&'a Object),
}

/// What an entry is made of.
#[derive(Debug)]
pub enum Payload<'a> {
    Int(i64),
    /// A kind other than `Int` and `Object`, and its bytes.
    Inline(Kind, &'a [u8]),
    Object(Box<Object>),
}

/// An owned key and value. Eight bytes: what a slot of the table holds.
pub struct Entry(NonNull<u8>);

// SAFETY: an `Entry` owns its allocation and the object it may point to, and `Object`
// is `Send`.
unsafe impl Send for Entry {}
// SAFETY: shared access changes nothing but the access clock, which is atomic, and
// `Object` is `Sync`.
unsafe impl Sync for Entry {}

impl Slot for Entry {
    #[inline]
    fn position(&self) -> u32 {
        (hash_bytes(self.key()) >> 32) as u32
    }

    #[inline]
    fn prefetch(&self) {
        Entry::prefetch(self);
    }
}

impl Entry {
    /// An entry of `key` and `payload`.
    ///
    /// # Panics
    /// If the key or an inline payload is 4 GiB or longer: the protocol's limit on
    /// arguments keeps them below.
    pub fn new(key: &[u8], payload: Payload<'_>, expiry_ms: Option<i64>) -> Self {
        match payload {
            Payload::Int(value) => Self::assemble(Kind::Int, key, &value.to_le_bytes(), expiry_ms),
            Payload::Inline(kind, bytes) => {
                assert!(!matches!(kind, Kind::Int | Kind::Object));
                Self::assemble(kind, key, bytes, expiry_ms)
            }
            Payload::Object(object) => {
                let mut entry = Self::assemble(Kind::Str, key, &[0; POINTER_BYTES], expiry_ms);
                entry.own(object);
                entry
            }
        }
    }

    /// Makes `pointer` the payload; its provenance must survive, so it is written as a
    /// pointer, not as bytes.
    fn write_pointer(&mut self, pointer: *mut Object) {
        let payload = self.payload_mut();
        assert_eq!(payload.len(), POINTER_BYTES);
        // SAFETY: the payload is as long as a pointer; the write may be unaligned.
        unsafe {
            payload
                .as_mut_ptr()
                .cast::<*mut Object>()
                .write_unaligned(pointer);
        }
    }

    /// Turns a payload of pointer length into the owner of `object`.
    fn own(&mut self, object: Box<Object>) {
        self.write_pointer(Box::into_raw(object));
        self.set_kind(Kind::Object);
    }

    fn assemble(kind: Kind, key: &[u8], payload: &[u8], expiry_ms: Option<i64>) -> Self {
        let shape = Shape {
            key: key.len(),
            payload: payload.len(),
            expires: expiry_ms.is_some(),
        };
        assert!(u32::try_from(key.len()).is_ok() && u32::try_from(payload.len()).is_ok());
        let mut entry = Self::allocate(shape);
        entry.write_header(kind, 0, shape, 0);
        if let Some(deadline) = expiry_ms {
            entry.write_expiry(deadline);
        }
        entry.key_mut().copy_from_slice(key);
        entry.payload_mut().copy_from_slice(payload);
        entry
    }

    fn allocate(shape: Shape) -> Self {
        let layout = shape.layout();
        // SAFETY: the layout's size is at least 16.
        let pointer = unsafe { alloc::alloc(layout) };
        let Some(pointer) = NonNull::new(pointer) else {
            alloc::handle_alloc_error(layout)
        };
        // Not `alloc_zeroed`: jemalloc has a short way for malloc, and none for calloc.
        // SAFETY: the allocation has the layout's size, and nobody else knows it.
        unsafe { pointer.write_bytes(0, layout.size()) };
        Self(pointer)
    }

    fn write_header(&mut self, kind: Kind, access: u32, shape: Shape, extra_flags: u8) {
        self.word()
            .store(kind as u32 | access << 8, Ordering::Relaxed);
        let flags = shape.flags() | extra_flags;
        let long = shape.is_long();
        // SAFETY: the allocation is at least `key_offset()` long, which covers the
        // header and, for long entries, the eight bytes behind it; `&mut self` is unique.
        unsafe {
            let base = self.0.as_ptr();
            base.add(4).write(flags);
            base.add(5).write(if long { 0 } else { shape.key as u8 });
            let payload = if long { 0 } else { shape.payload as u16 };
            base.add(6).cast::<u16>().write_unaligned(payload);
            if long {
                base.add(8).cast::<u32>().write_unaligned(shape.key as u32);
                base.add(12)
                    .cast::<u32>()
                    .write_unaligned(shape.payload as u32);
            }
        }
    }

    #[inline]
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the first four bytes are aligned to 8, always initialised, and only
        // ever accessed through this atomic.
        unsafe { self.0.cast::<AtomicU32>().as_ref() }
    }

    #[inline]
    fn flags(&self) -> u8 {
        // SAFETY: within the header.
        unsafe { self.0.as_ptr().add(4).read() }
    }

    fn update_flags(&mut self, update: impl FnOnce(u8) -> u8) {
        let flags = update(self.flags());
        // SAFETY: within the header; `&mut self` is unique.
        unsafe { self.0.as_ptr().add(4).write(flags) }
    }

    #[inline]
    fn lengths(&self) -> (usize, usize) {
        // SAFETY: the header holds the lengths, or LONG is set and the eight bytes
        // behind it do.
        unsafe {
            let base = self.0.as_ptr();
            if self.flags() & LONG == 0 {
                let payload = base.add(6).cast::<u16>().read_unaligned();
                (usize::from(base.add(5).read()), usize::from(payload))
            } else {
                let key = base.add(8).cast::<u32>().read_unaligned();
                let payload = base.add(12).cast::<u32>().read_unaligned();
                (key as usize, payload as usize)
            }
        }
    }

    fn shape(&self) -> Shape {
        let (key, payload) = self.lengths();
        Shape {
            key,
            payload,
            expires: self.flags() & EXPIRES != 0,
        }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let len = self.lengths().0;
        // SAFETY: the key's `len` bytes start at `key_offset` and are initialised.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(key_offset(self.flags())), len) }
    }

    fn key_mut(&mut self) -> &mut [u8] {
        let len = self.lengths().0;
        // SAFETY: as in `key`; `&mut self` is unique.
        unsafe {
            std::slice::from_raw_parts_mut(self.0.as_ptr().add(key_offset(self.flags())), len)
        }
    }

    #[inline]
    fn payload(&self) -> &[u8] {
        let (key, payload) = self.lengths();
        // SAFETY: the payload follows the key and is initialised.
        unsafe {
            let start = self.0.as_ptr().add(key_offset(self.flags()) + key);
            std::slice::from_raw_parts(start, payload)
        }
    }

    #[inline]
    fn payload_mut(&mut self) -> &mut [u8] {
        let (key, payload) = self.lengths();
        // SAFETY: as in `payload`; `&mut self` is unique.
        unsafe {
            let start = self.0.as_ptr().add(key_offset(self.flags()) + key);
            std::slice::from_raw_parts_mut(start, payload)
        }
    }

    /// What the payload is.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::ALL[(self.word().load(Ordering::Relaxed) & 0xff) as usize]
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        let bytes = self.payload();
        match self.kind() {
            Kind::Int => Value::Int(i64::from_le_bytes(
                bytes.try_into().expect("an integer has eight bytes"),
            )),
            Kind::Str => Value::Str(bytes),
            Kind::PackedList => Value::PackedList(bytes),
            Kind::PackedHash => Value::PackedHash(bytes),
            Kind::PackedHashEx => Value::PackedHashEx(bytes),
            Kind::IntSet => Value::IntSet(bytes),
            Kind::PackedSet => Value::PackedSet(bytes),
            Kind::PackedSortedSet => Value::PackedSortedSet(bytes),
            Kind::Object => Value::Object(self.object().expect("the kind says so")),
        }
    }

    fn object_pointer(&self) -> Option<*mut Object> {
        (self.kind() == Kind::Object).then(|| {
            let payload = self.payload();
            debug_assert_eq!(payload.len(), POINTER_BYTES);
            // SAFETY: the payload of an object entry is a pointer, maybe unaligned.
            unsafe { payload.as_ptr().cast::<*mut Object>().read_unaligned() }
        })
    }

    /// The boxed value, if it is one.
    #[inline]
    pub fn object(&self) -> Option<&Object> {
        // SAFETY: the entry owns the box; `&self` allows shared access.
        self.object_pointer().map(|pointer| unsafe { &*pointer })
    }

    /// The boxed value, if it is one.
    #[inline]
    pub fn object_mut(&mut self) -> Option<&mut Object> {
        // SAFETY: the entry owns the box; `&mut self` is unique.
        self.object_pointer()
            .map(|pointer| unsafe { &mut *pointer })
    }

    /// The deadline in milliseconds of Unix time.
    #[inline]
    pub fn expiry_ms(&self) -> Option<i64> {
        let flags = self.flags();
        (flags & EXPIRES != 0).then(|| {
            let offset = key_offset(flags) - 8;
            // SAFETY: EXPIRES says the eight bytes before the key are the deadline.
            unsafe { self.0.as_ptr().add(offset).cast::<i64>().read_unaligned() }
        })
    }

    fn write_expiry(&mut self, deadline_ms: i64) {
        let offset = key_offset(self.flags()) - 8;
        debug_assert!(self.flags() & EXPIRES != 0);
        // SAFETY: as in `expiry_ms`; `&mut self` is unique.
        unsafe {
            self.0
                .as_ptr()
                .add(offset)
                .cast::<i64>()
                .write_unaligned(deadline_ms);
        }
    }

    /// Sets or clears the deadline.
    pub fn set_expiry_ms(&mut self, deadline_ms: Option<i64>) {
        let mut shape = self.shape();
        if shape.expires != deadline_ms.is_some() {
            shape.expires = deadline_ms.is_some();
            self.reshape(shape);
        }
        if let Some(deadline) = deadline_ms {
            self.write_expiry(deadline);
        }
    }

    /// Moves key and payload into an allocation of another shape; the payload is cut
    /// or extended with zeros, the deadline kept where both have one.
    fn reshape(&mut self, shape: Shape) {
        let old = self.shape();
        let extra = self.flags() & (SNAPSHOT | RAW);
        let access = self.access();
        let kind = self.kind();
        let expiry = self.expiry_ms();
        if old.layout() == shape.layout() && old.key_offset() == shape.key_offset() {
            // Same place for the key, same allocation: only the payload's length changes.
            self.write_header(kind, access, shape, extra);
            if shape.payload > old.payload {
                self.payload_mut()[old.payload..].fill(0);
            }
            return;
        }
        let mut new = Self::allocate(shape);
        new.write_header(kind, access, shape, extra);
        if let (true, Some(expiry)) = (shape.expires, expiry) {
            new.write_expiry(expiry);
        }
        new.key_mut().copy_from_slice(self.key());
        if let Some(pointer) = self.object_pointer() {
            new.write_pointer(pointer);
        } else {
            let kept = old.payload.min(shape.payload);
            new.payload_mut()[..kept].copy_from_slice(&self.payload()[..kept]);
        }
        std::mem::swap(self, &mut new);
        // `new` is the old allocation now. Its object, if any, lives on in `self`.
        new.release_allocation();
    }

    fn release_allocation(self) {
        let layout = self.shape().layout();
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        // SAFETY: allocated with this very layout, which follows from the header.
        unsafe { alloc::dealloc(pointer, layout) }
    }

    /// Replaces the value, keeping key, deadline and access clock. In place where the
    /// size class stays. The old object, if the value was one, is returned: dropping
    /// it may take long.
    #[must_use = "a large old value is for the freeing thread"]
    pub fn replace(&mut self, payload: Payload<'_>) -> Option<Box<Object>> {
        let old = self.disown();
        match payload {
            Payload::Int(value) => self.set_inline(Kind::Int, &value.to_le_bytes()),
            Payload::Inline(kind, bytes) => {
                assert!(!matches!(kind, Kind::Int | Kind::Object));
                self.set_inline(kind, bytes);
            }
            Payload::Object(object) => {
                self.set_inline(Kind::Str, &[0; POINTER_BYTES]);
                self.own(object);
            }
        }
        old
    }

    /// Takes the object out, leaving an empty string in its place.
    pub fn take_object(&mut self) -> Option<Box<Object>> {
        let object = self.disown()?;
        self.resize(0);
        Some(object)
    }

    /// Takes the object out, leaving a string of the pointer's bytes: the caller
    /// replaces that, or ends the entry.
    fn disown(&mut self) -> Option<Box<Object>> {
        let pointer = self.object_pointer()?;
        self.set_kind(Kind::Str);
        // SAFETY: the pointer came from `Box::into_raw` and the entry has just
        // stopped owning it.
        Some(unsafe { Box::from_raw(pointer) })
    }

    fn set_kind(&mut self, kind: Kind) {
        let word = self.word().load(Ordering::Relaxed);
        self.word()
            .store(word & !0xff | kind as u32, Ordering::Relaxed);
    }

    /// Makes the payload `bytes` of `kind`; the old payload must not be an object.
    fn set_inline(&mut self, kind: Kind, bytes: &[u8]) {
        debug_assert_ne!(self.kind(), Kind::Object);
        self.update_flags(|flags| flags & !RAW);
        self.resize(bytes.len());
        self.payload_mut().copy_from_slice(bytes);
        self.set_kind(kind);
    }

    fn resize(&mut self, payload: usize) {
        let mut shape = self.shape();
        if shape.payload != payload {
            assert!(u32::try_from(payload).is_ok());
            shape.payload = payload;
            self.reshape(shape);
        }
    }

    /// The 24-bit access clock: LRU seconds, or LFU minutes and counter.
    #[inline]
    pub fn access(&self) -> u32 {
        self.word().load(Ordering::Relaxed) >> 8
    }

    /// Sets the 24-bit access clock; a concurrent reader may do the same.
    #[inline]
    pub fn set_access(&self, access: u32) {
        // Kind changes need `&mut self`, so load and store do not race with one.
        let word = self.word().load(Ordering::Relaxed);
        self.word()
            .store(word & 0xff | access << 8, Ordering::Relaxed);
    }

    /// The entry's side of the snapshot bit.
    #[inline]
    pub fn snapshot_bit(&self) -> bool {
        self.flags() & SNAPSHOT != 0
    }

    /// Sets the entry's side of the snapshot bit. The caller holds the lock of the
    /// entry's stripe; a shared reference will do, so that a walk can mark what it passes.
    #[inline]
    pub fn set_snapshot_bit(&self, bit: bool) {
        // SAFETY: within the header, which outlives `self`; a byte is always aligned.
        let flags = unsafe { AtomicU8::from_ptr(self.0.as_ptr().add(4)) };
        let old = flags.load(Ordering::Relaxed);
        let new = if bit { old | SNAPSHOT } else { old & !SNAPSHOT };
        flags.store(new, Ordering::Relaxed);
    }

    /// Whether a string was changed in place, which Redis reports as `raw` however
    /// short it is.
    pub fn is_raw(&self) -> bool {
        self.flags() & RAW != 0
    }

    /// Marks a string as changed in place.
    pub fn mark_raw(&mut self) {
        self.update_flags(|flags| flags | RAW);
    }

    /// The bytes of a short string to be edited in place, made `len` bytes long: cut, or
    /// filled up with zeros. The string counts as changed in place. `None` for anything
    /// but [`Kind::Str`].
    ///
    /// # Panics
    /// If `len` is 4 GiB or more.
    pub fn stretch_string(&mut self, len: usize) -> Option<&mut [u8]> {
        if self.kind() != Kind::Str {
            return None;
        }
        self.resize(len);
        self.mark_raw();
        Some(self.payload_mut())
    }

    /// The payload as a buffer that can be edited in place; `None` for integers and
    /// objects.
    pub fn buffer(&mut self) -> Option<InlineBuffer<'_>> {
        (!matches!(self.kind(), Kind::Int | Kind::Object)).then_some(InlineBuffer(self))
    }

    /// A copy under another key, without deadline.
    pub fn duplicate(&self, key: &[u8]) -> Self {
        let mut copy = match self.value() {
            Value::Object(object) => {
                Self::new(key, Payload::Object(Box::new(object.duplicate())), None)
            }
            _ => Self::assemble(self.kind(), key, self.payload(), None),
        };
        if self.is_raw() {
            copy.mark_raw();
        }
        copy.set_access(self.access());
        copy
    }

    /// The same value under another key, deadline kept.
    pub fn renamed(mut self, key: &[u8]) -> Self {
        let expiry = self.expiry_ms();
        let raw = self.is_raw();
        let access = self.access();
        let mut renamed = match self.disown() {
            Some(object) => Self::new(key, Payload::Object(object), expiry),
            None => Self::assemble(self.kind(), key, self.payload(), expiry),
        };
        if raw {
            renamed.mark_raw();
        }
        renamed.set_access(access);
        renamed
    }

    /// The size of the entry's own allocation, in bytes.
    pub fn allocated_bytes(&self) -> usize {
        self.shape().layout().size()
    }

    /// Prefetches the start of the entry.
    #[inline]
    pub fn prefetch(&self) {
        prefetch_line(self.0.as_ptr());
    }

    /// Prefetches the object behind the entry, which is read.
    #[inline]
    pub fn prefetch_object(&self) {
        if let Some(object) = self.object() {
            prefetch_line(object);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(self.disown());
        let layout = self.shape().layout();
        // SAFETY: allocated with this very layout, which follows from the header.
        unsafe { alloc::dealloc(self.0.as_ptr(), layout) }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("kind", &self.kind())
            .field("expiry_ms", &self.expiry_ms())
            .finish()
    }
}
