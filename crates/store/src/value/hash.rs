//! Hashes: a listpack or a table, and whether fields have deadlines.
//!
//! | encoding   | lies             | until                                            |
//! |------------|------------------|--------------------------------------------------|
//! | listpack   | in the entry     | a field gets a deadline, or the limits           |
//! | listpackex | in the entry     | `hash-max-listpack-entries` or `-value`          |
//! | hashtable  | behind a pointer |                                                  |
//!
//! Elements of a listpack are field and value in turn; of a `listpackex` (Redis 7.4)
//! field, value and deadline in Unix milliseconds, 0 for none. There, fields with a
//! deadline come first, the earliest at the start, and the others behind them.
//!
//! A reader holds fields against a moment and does not see those past their deadline; a
//! write view has them removed before a handler gets the hash to change.

use ochre_structures::field_map::{FieldDeadline, FieldMap, FrozenFieldMap};
use ochre_structures::listpack::{self, Element, Listpack, Place, Position};

use super::WrongType;
use crate::entry::{Entry, Kind, Payload, Value};
use crate::object::Object;
use crate::settings::Settings;

/// A field with its value and deadline.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub name: Element<'a>,
    pub value: Element<'a>,
    /// Milliseconds of Unix time.
    pub deadline_ms: Option<u64>,
}

impl Field<'_> {
    #[inline]
    fn is_live(&self, now_ms: u64) -> bool {
        self.deadline_ms.is_none_or(|deadline| deadline > now_ms)
    }
}

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    Packed(Listpack<'a>),
    PackedEx(Listpack<'a>),
    Table(&'a FieldMap),
}

/// A hash, for reading.
#[derive(Debug, Clone, Copy)]
pub struct HashRef<'a> {
    form: Form<'a>,
    now_ms: u64,
}

/// The deadline that an element of a `listpackex` stands for.
fn deadline_of(element: Element<'_>) -> Option<u64> {
    let deadline = element.as_integer()?;
    u64::try_from(deadline).ok().filter(|&at| at != 0)
}

/// The triples of a `listpackex` with the positions of the fields.
fn triples(list: Listpack<'_>) -> impl Iterator<Item = (Position, Field<'_>)> {
    let mut entries = list.entries();
    std::iter::from_fn(move || {
        let field = entries.next()?;
        let (value, deadline) = (entries.next()?, entries.next()?);
        let view = Field {
            name: field.element,
            value: value.element,
            deadline_ms: deadline_of(deadline.element),
        };
        Some((field.position, view))
    })
}

/// The earliest deadline of any field of the hash that `entry` may hold; `None` when no
/// field has one. May be too early, never too late. O(1).
#[inline]
pub fn earliest_field_deadline_ms(entry: &Entry) -> Option<u64> {
    match entry.kind() {
        Kind::PackedHashEx | Kind::Object => match entry.value() {
            Value::PackedHashEx(bytes) => first_deadline_ms(bytes),
            Value::Object(object) => object_deadline_ms(object),
            _ => None,
        },
        _ => None,
    }
}

fn first_deadline_ms(bytes: &[u8]) -> Option<u64> {
    triples(Listpack(bytes)).next()?.1.deadline_ms
}

fn object_deadline_ms(object: &Object) -> Option<u64> {
    match object {
        Object::Hash(map) => Some(map.earliest_deadline_ms()).filter(|&at| at != u64::MAX),
        _ => None,
    }
}

impl Payload<'_> {
    /// As [`earliest_field_deadline_ms`], for a value that is about to be stored.
    #[inline]
    pub(crate) fn earliest_field_deadline_ms(&self) -> Option<u64> {
        match self {
            Self::Inline(Kind::PackedHashEx, bytes) => first_deadline_ms(bytes),
            Self::Object(object) => object_deadline_ms(object),
            _ => None,
        }
    }
}

impl<'a> HashRef<'a> {
    /// The hash that `entry` holds, as seen at `now_ms` (milliseconds of Unix time; 0 to
    /// see every field).
    ///
    /// # Errors
    /// The value is of another type.
    #[inline]
    pub fn of(entry: &'a Entry, now_ms: u64) -> Result<Self, WrongType> {
        let form = match entry.value() {
            Value::PackedHash(bytes) => Form::Packed(Listpack(bytes)),
            Value::PackedHashEx(bytes) => Form::PackedEx(Listpack(bytes)),
            Value::Object(Object::Hash(map)) => Form::Table(map),
            _ => return Err(WrongType),
        };
        Ok(Self { form, now_ms })
    }

    /// The number of fields. O(1); O(n / 1500) and more while fields past their deadline
    /// wait to be removed.
    pub fn len(&self) -> usize {
        match self.form {
            Form::Packed(list) => list.len() / 2,
            Form::PackedEx(list) => {
                let due = triples(list)
                    .take_while(|(_, field)| !field.is_live(self.now_ms))
                    .count();
                list.len() / 3 - due
            }
            Form::Table(map) => map.len() - map.count_due(self.now_ms),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The field of this name. O(1), O(n) in a listpack.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<Field<'a>> {
        let field = match self.form {
            Form::Packed(list) => {
                let mut entries = list.entries_from(list.find(name, 1)?);
                Field {
                    name: entries.next()?.element,
                    value: entries.next()?.element,
                    deadline_ms: None,
                }
            }
            Form::PackedEx(list) => {
                let mut entries = list.entries_from(list.find(name, 2)?);
                Field {
                    name: entries.next()?.element,
                    value: entries.next()?.element,
                    deadline_ms: deadline_of(entries.next()?.element),
                }
            }
            Form::Table(map) => field_of(map.find(name)?),
        };
        field.is_live(self.now_ms).then_some(field)
    }

    /// Visits every field: in the order of a listpack, or of hashes.
    pub fn visit(&self, mut visit: impl FnMut(Field<'a>)) {
        let now_ms = self.now_ms;
        match self.form {
            Form::Packed(list) => list.pairs().for_each(|(name, value)| {
                visit(Field {
                    name,
                    value,
                    deadline_ms: None,
                });
            }),
            Form::PackedEx(list) => triples(list)
                .map(|(_, field)| field)
                .filter(|field| field.is_live(now_ms))
                .for_each(visit),
            Form::Table(map) => map
                .iter()
                .map(field_of)
                .filter(|field| field.is_live(now_ms))
                .for_each(visit),
        }
    }

    /// A field by chance, each equally likely (nearly, in a table). O(1), O(n) in a
    /// listpack.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Field<'a>> {
        /// Fields past their deadline drawn in a row before all are looked at.
        const TRIES: usize = 64;
        if let Form::Table(map) = self.form {
            for _ in 0..TRIES {
                let field = field_of(map.random(random)?);
                if field.is_live(self.now_ms) {
                    return Some(field);
                }
            }
        }
        let mut left = (random() as usize).checked_rem(self.len())?;
        let mut found = None;
        self.visit(|field| {
            if left == 0 && found.is_none() {
                found = Some(field);
            }
            left = left.saturating_sub(1);
        });
        found
    }

    /// Emits about `count` fields from `cursor` on and returns the cursor to go on from;
    /// 0 is both start and end. A small hash is emitted whole.
    pub fn scan(&self, cursor: u64, count: usize, mut emit: impl FnMut(Field<'_>)) -> u64 {
        let now_ms = self.now_ms;
        match self.form {
            Form::Table(map) => {
                let Ok(position) = u32::try_from(cursor) else {
                    return 0;
                };
                let next = map.scan(position, count, |view| {
                    let field = field_of(view);
                    if field.is_live(now_ms) {
                        emit(field);
                    }
                });
                next.map_or(0, u64::from)
            }
            _ => {
                self.visit(emit);
                0
            }
        }
    }

    /// The hash as it is now, when it is a table: for replies made in slices. Fields past
    /// their deadline are in it.
    pub fn freeze(&self) -> Option<FrozenFieldMap> {
        match self.form {
            Form::Table(map) => Some(map.freeze()),
            _ => None,
        }
    }

    /// The same fields as a table of the caller's own, those past their deadline
    /// included. A table shares its segments.
    pub fn to_table(&self) -> FieldMap {
        let mut table = FieldMap::new();
        let mut add = |field: Field<'_>| {
            let deadline = field
                .deadline_ms
                .map_or(FieldDeadline::Clear, FieldDeadline::AtMs);
            let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
            table.set(
                field.name.as_bytes(&mut name),
                field.value.as_bytes(&mut value),
                deadline,
            );
        };
        match self.form {
            Form::Packed(_) => self.visit(add),
            Form::PackedEx(list) => triples(list).for_each(|(_, field)| add(field)),
            Form::Table(map) => table = map.clone(),
        }
        table
    }
}

#[inline]
fn field_of(view: ochre_structures::field_map::FieldRef<'_>) -> Field<'_> {
    Field {
        name: Element::Str(view.field),
        value: Element::Str(view.value),
        deadline_ms: view.deadline_ms,
    }
}

/// The payload of an empty hash.
pub fn empty_hash() -> Payload<'static> {
    Payload::Inline(Kind::PackedHash, &listpack::EMPTY)
}

/// A hash, for changing it.
#[derive(Debug)]
pub struct HashMut<'e> {
    entry: &'e mut Entry,
    settings: &'e Settings,
}

impl<'e> HashMut<'e> {
    /// The hash that `entry` holds.
    ///
    /// # Errors
    /// The value is of another type.
    #[inline]
    pub fn of(entry: &'e mut Entry, settings: &'e Settings) -> Result<Self, WrongType> {
        HashRef::of(entry, 0)?;
        Ok(Self { entry, settings })
    }

    /// The hash, for reading.
    #[inline]
    pub fn view(&self) -> HashRef<'_> {
        match HashRef::of(self.entry, 0) {
            Ok(hash) => hash,
            Err(WrongType) => unreachable!("checked when the entry was borrowed"),
        }
    }

    /// The number of fields. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match self.view().form {
            Form::Packed(list) => list.len() / 2,
            Form::PackedEx(list) => list.len() / 3,
            Form::Table(map) => map.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn table(&mut self) -> Option<&mut FieldMap> {
        match self.entry.object_mut() {
            Some(Object::Hash(map)) => Some(map),
            _ => None,
        }
    }

    fn make_table(&mut self) {
        let table = self.view().to_table();
        let old = self
            .entry
            .replace(Payload::Object(Box::new(Object::Hash(table))));
        debug_assert!(old.is_none(), "it was small");
    }

    /// Makes a listpack one with deadlines.
    fn make_dated(&mut self) {
        if self.entry.kind() != Kind::PackedHash {
            return;
        }
        let mut bytes = listpack::EMPTY.to_vec();
        self.view().visit(|field| {
            listpack::append_all(&mut bytes, [field.name, field.value, Element::Int(0)]);
        });
        let old = self
            .entry
            .replace(Payload::Inline(Kind::PackedHashEx, &bytes));
        debug_assert!(old.is_none(), "it was small");
    }

    /// Makes it a table if these fields and values, which are going to be set, are too
    /// many or too long for a listpack.
    pub fn expect(&mut self, fields_and_values: &[&[u8]]) {
        if self.entry.kind() == Kind::Object {
            return;
        }
        let too_many = fields_and_values.len() / 2 > self.settings.hash_max_listpack_entries;
        let longest = self.settings.hash_max_listpack_value;
        let mut total = 0_usize;
        let too_long = fields_and_values.iter().any(|bytes| {
            total = total.saturating_add(bytes.len());
            bytes.len() > longest
        });
        let present = self
            .entry
            .buffer()
            .map_or(0, |buffer| listpack::Buffer::bytes(&buffer).len());
        if too_many || too_long || !listpack::fits(present, total) {
            self.make_table();
        }
    }

    /// Gives `name` a value; says whether the field is new.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], deadline: FieldDeadline) -> bool {
        if let Some(map) = self.table() {
            return map.set(name, value, deadline);
        }
        let longest = self.settings.hash_max_listpack_value;
        if name.len() > longest || value.len() > longest {
            self.make_table();
            return self.set(name, value, deadline);
        }
        if matches!(deadline, FieldDeadline::AtMs(_)) {
            self.make_dated();
        }
        let new = if self.entry.kind() == Kind::PackedHash {
            self.set_packed(name, value)
        } else {
            self.set_dated(name, value, deadline)
        };
        if new && self.len() > self.settings.hash_max_listpack_entries {
            self.make_table();
        }
        new
    }

    fn set_packed(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(mut buffer) = self.entry.buffer() else {
            return false;
        };
        let list = Listpack(listpack::Buffer::bytes(&buffer));
        match list.find(name, 1).and_then(|field| list.next(field)) {
            Some(position) => {
                listpack::replace(&mut buffer, position, value);
                false
            }
            None => {
                listpack::append_all(&mut buffer, [name, value]);
                true
            }
        }
    }

    fn set_dated(&mut self, name: &[u8], value: &[u8], deadline: FieldDeadline) -> bool {
        let Some(mut buffer) = self.entry.buffer() else {
            return false;
        };
        let list = Listpack(listpack::Buffer::bytes(&buffer));
        let present = list.find(name, 2).and_then(|field| {
            let position = list.next(field)?;
            let deadline = list.at(list.next(position)?)?;
            Some((field, position, deadline_of(deadline)))
        });
        let Some((field, position, present)) = present else {
            insert_dated(&mut buffer, name.into(), value.into(), deadline.over(None));
            return true;
        };
        let deadline_ms = deadline.over(present);
        if deadline_ms == present {
            listpack::replace(&mut buffer, position, value);
        } else {
            listpack::delete_at(&mut buffer, field, 3);
            insert_dated(&mut buffer, name.into(), value.into(), deadline_ms);
        }
        false
    }

    /// Sets or clears the deadline of the field `name`; says whether there is one.
    pub fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<u64>) -> bool {
        if let Some(map) = self.table() {
            return map.set_deadline(name, deadline_ms).is_some();
        }
        let Some(field) = self.view().find(name) else {
            return false;
        };
        if field.deadline_ms == deadline_ms {
            return true;
        }
        let value = field.value.to_vec();
        let deadline = deadline_ms.map_or(FieldDeadline::Clear, FieldDeadline::AtMs);
        self.make_dated();
        self.set_dated(name, &value, deadline);
        true
    }

    /// Takes the field `name` out; says whether it was there.
    #[inline]
    pub fn remove(&mut self, name: &[u8]) -> bool {
        if let Some(map) = self.table() {
            return map.remove(name);
        }
        let each = if self.entry.kind() == Kind::PackedHash {
            2
        } else {
            3
        };
        let Some(mut buffer) = self.entry.buffer() else {
            return false;
        };
        let list = Listpack(listpack::Buffer::bytes(&buffer));
        match list.find(name, each - 1) {
            Some(field) => listpack::delete_at(&mut buffer, field, each) == each,
            None => false,
        }
    }

    /// Removes fields past their deadline and hands their names to `removed`, in about
    /// `slices` times 1500 of a large hash's fields.
    pub fn expire_due(&mut self, now_ms: u64, slices: usize, mut removed: impl FnMut(&[u8])) {
        if let Some(map) = self.table() {
            map.expire_due(now_ms, slices, removed);
            return;
        }
        if self.entry.kind() != Kind::PackedHashEx {
            return;
        }
        let Some(mut buffer) = self.entry.buffer() else {
            return;
        };
        let list = Listpack(listpack::Buffer::bytes(&buffer));
        let mut due = 0;
        for (_, field) in triples(list).take_while(|(_, field)| !field.is_live(now_ms)) {
            removed(field.name.as_bytes(&mut itoa::Buffer::new()));
            due += 1;
        }
        if let (true, Some(first)) = (due > 0, list.first()) {
            listpack::delete_at(&mut buffer, first, 3 * due);
        }
    }
}

/// Adds a triple at its place: before the first field with a later deadline or none.
fn insert_dated(
    buffer: &mut impl listpack::Buffer,
    name: Element<'_>,
    value: Element<'_>,
    deadline_ms: Option<u64>,
) {
    let stored = deadline_ms
        .and_then(|at| i64::try_from(at).ok())
        .unwrap_or(0);
    let triple = [name, value, Element::Int(stored)];
    let behind = deadline_ms.and_then(|deadline_ms| {
        triples(Listpack(buffer.bytes()))
            .find(|(_, field)| field.deadline_ms.is_none_or(|at| at > deadline_ms))
    });
    match behind.map(|(position, _)| position) {
        Some(position) => {
            listpack::insert_all(buffer, position, Place::Before, triple);
        }
        None => listpack::append_all(buffer, triple),
    }
}
