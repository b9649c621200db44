//! A value as the commands that make it: the base of an append-only file that is not
//! an RDB (`aof-use-rdb-preamble no`).
//!
//! ```text
//! string   SET                      list     RPUSH   ┐
//! hash     HMSET, HPEXPIREAT        set      SADD    ├ 64 elements each
//! stream   XADD … XSETID            zset     ZADD    ┘
//!          XGROUP CREATE, XGROUP CREATECONSUMER, XCLAIM
//! deadline PEXPIREAT
//! ```
//!
//! The order of the commands and the number of elements in each are Redis's.

use std::io::{self, Write};

use ochre_structures::intset::Intset;
use ochre_structures::listpack::{Element, Listpack};
use ochre_structures::number;
use ochre_structures::stream::{Stream, StreamId};

use super::ValueImage;
use super::value::triples;

/// How many elements one command carries (`AOF_REWRITE_ITEMS_PER_CMD`).
const ELEMENTS_PER_COMMAND: usize = 64;

/// Stands for an unknown number of entries read by a group.
const UNKNOWN_ENTRIES_READ: i64 = -1;

/// Writes the commands that make `key` with this value and deadline.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(
    key: &[u8],
    expiry_ms: Option<i64>,
    value: &ValueImage<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut commands = Commands { out };
    commands.value(key, value)?;
    if let Some(expiry_ms) = expiry_ms {
        commands.begin(3)?;
        commands.bulk(b"PEXPIREAT")?;
        commands.bulk(key)?;
        commands.integer(expiry_ms)?;
    }
    Ok(())
}

/// Writes commands, word by word.
struct Commands<'w, W> {
    out: &'w mut W,
}

/// A run of elements cut into commands.
struct Run<'k> {
    name: &'static [u8],
    key: &'k [u8],
    /// How many words an element has.
    words: usize,
    /// How many elements are to come.
    left: usize,
    /// How many of them the open command takes.
    open: usize,
}

impl<'k> Run<'k> {
    fn new(name: &'static [u8], key: &'k [u8], words: usize, elements: usize) -> Self {
        Self {
            name,
            key,
            words,
            left: elements,
            open: 0,
        }
    }
}

impl<W: Write> Commands<'_, W> {
    fn begin(&mut self, words: usize) -> io::Result<()> {
        self.head(b'*', words)
    }

    fn head(&mut self, mark: u8, count: usize) -> io::Result<()> {
        self.out.write_all(&[mark])?;
        let mut digits = itoa::Buffer::new();
        self.out.write_all(digits.format(count).as_bytes())?;
        self.out.write_all(b"\r\n")
    }

    fn bulk(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.head(b'$', bytes.len())?;
        self.out.write_all(bytes)?;
        self.out.write_all(b"\r\n")
    }

    fn integer(&mut self, value: i64) -> io::Result<()> {
        self.bulk(itoa::Buffer::new().format(value).as_bytes())
    }

    fn unsigned(&mut self, value: u64) -> io::Result<()> {
        self.bulk(itoa::Buffer::new().format(value).as_bytes())
    }

    fn element(&mut self, element: Element<'_>) -> io::Result<()> {
        self.bulk(element.as_bytes(&mut itoa::Buffer::new()))
    }

    fn id(&mut self, id: StreamId) -> io::Result<()> {
        let mut text = Vec::with_capacity(41);
        id.write_to(&mut text);
        self.bulk(&text)
    }

    /// Begins a command where the one before is full; called before each element.
    fn next(&mut self, run: &mut Run<'_>) -> io::Result<()> {
        if run.open == 0 {
            run.open = run.left.min(ELEMENTS_PER_COMMAND);
            self.begin(2 + run.open * run.words)?;
            self.bulk(run.name)?;
            self.bulk(run.key)?;
        }
        run.open -= 1;
        run.left -= 1;
        Ok(())
    }

    fn value(&mut self, key: &[u8], value: &ValueImage<'_>) -> io::Result<()> {
        match value {
            ValueImage::Integer(value) => {
                self.begin(3)?;
                self.bulk(b"SET")?;
                self.bulk(key)?;
                self.integer(*value)
            }
            ValueImage::String(bytes) => {
                self.begin(3)?;
                self.bulk(b"SET")?;
                self.bulk(key)?;
                self.bulk(bytes)
            }
            ValueImage::PackedList(bytes) => self.listpack(b"RPUSH", key, 1, bytes),
            ValueImage::List(list) => {
                let mut run = Run::new(b"RPUSH", key, 1, list.len());
                list.iter().try_for_each(|element| {
                    self.next(&mut run)?;
                    self.element(element)
                })
            }
            ValueImage::IntSet(bytes) => {
                let set = Intset::new(bytes);
                let mut run = Run::new(b"SADD", key, 1, set.len());
                set.iter().try_for_each(|member| {
                    self.next(&mut run)?;
                    self.integer(member)
                })
            }
            ValueImage::PackedSet(bytes) => self.listpack(b"SADD", key, 1, bytes),
            ValueImage::Set(table) => {
                let mut run = Run::new(b"SADD", key, 1, table.len());
                table.try_each(|member| {
                    self.next(&mut run)?;
                    self.element(member)
                })
            }
            ValueImage::PackedSortedSet(bytes) => {
                let pack = Listpack(bytes);
                let mut run = Run::new(b"ZADD", key, 2, pack.len() / 2);
                pack.pairs().try_for_each(|(member, score)| {
                    self.next(&mut run)?;
                    self.element(score)?;
                    self.element(member)
                })
            }
            ValueImage::SortedSet(members) => {
                let mut run = Run::new(b"ZADD", key, 2, members.len());
                members.clone().try_for_each(|(member, score)| {
                    self.next(&mut run)?;
                    self.bulk(number::format_f64(score).as_bytes())?;
                    self.bulk(member)
                })
            }
            ValueImage::PackedHash(bytes) => self.listpack(b"HMSET", key, 2, bytes),
            ValueImage::PackedHashEx(bytes) => {
                let mut run = Run::new(b"HMSET", key, 2, Listpack(bytes).len() / 3);
                triples(bytes).try_for_each(|(field, value, _)| {
                    self.next(&mut run)?;
                    self.element(field)?;
                    self.element(value)
                })?;
                triples(bytes).try_for_each(|(field, _, deadline)| match deadline {
                    Some(deadline) => self.field_deadline(key, field, deadline),
                    None => Ok(()),
                })
            }
            ValueImage::Hash(table) => {
                let mut run = Run::new(b"HMSET", key, 2, table.len());
                table.try_each(|field| {
                    self.next(&mut run)?;
                    self.bulk(field.field)?;
                    self.bulk(field.value)
                })?;
                if table.with_deadline == 0 {
                    return Ok(());
                }
                table.try_each(|field| match field.deadline_ms {
                    Some(deadline) => self.field_deadline(key, Element::Str(field.field), deadline),
                    None => Ok(()),
                })
            }
            ValueImage::Stream(stream) => self.stream(key, stream),
        }
    }

    /// A command of the elements of a listpack, `words` of which belong together.
    fn listpack(
        &mut self,
        name: &'static [u8],
        key: &[u8],
        words: usize,
        bytes: &[u8],
    ) -> io::Result<()> {
        let pack = Listpack(bytes);
        let mut run = Run::new(name, key, words, pack.len() / words);
        for (index, element) in pack.iter().enumerate() {
            if index % words == 0 {
                self.next(&mut run)?;
            }
            self.element(element)?;
        }
        Ok(())
    }

    fn field_deadline(
        &mut self,
        key: &[u8],
        field: Element<'_>,
        deadline_ms: u64,
    ) -> io::Result<()> {
        self.begin(6)?;
        self.bulk(b"HPEXPIREAT")?;
        self.bulk(key)?;
        self.unsigned(deadline_ms)?;
        self.bulk(b"FIELDS")?;
        self.bulk(b"1")?;
        self.element(field)
    }

    fn stream(&mut self, key: &[u8], stream: &Stream) -> io::Result<()> {
        let mut is_empty = true;
        for entry in stream.iter() {
            is_empty = false;
            let fields = entry.fields;
            self.begin(3 + 2 * fields.len())?;
            self.bulk(b"XADD")?;
            self.bulk(key)?;
            self.id(entry.id)?;
            for (field, value) in fields {
                self.element(field)?;
                self.element(value)?;
            }
        }
        if is_empty {
            // Adds an entry and trims it away at once.
            self.begin(7)?;
            self.bulk(b"XADD")?;
            self.bulk(key)?;
            self.bulk(b"MAXLEN")?;
            self.bulk(b"0")?;
            self.id(StreamId::new(0, 1))?;
            self.bulk(b"x")?;
            self.bulk(b"y")?;
        }
        self.begin(7)?;
        self.bulk(b"XSETID")?;
        self.bulk(key)?;
        self.id(stream.last_id())?;
        self.bulk(b"ENTRIESADDED")?;
        self.unsigned(stream.entries_added())?;
        self.bulk(b"MAXDELETEDID")?;
        self.id(stream.max_deleted_id())?;
        for (name, group) in stream.groups() {
            self.begin(7)?;
            self.bulk(b"XGROUP")?;
            self.bulk(b"CREATE")?;
            self.bulk(key)?;
            self.bulk(name)?;
            self.id(group.last_id())?;
            self.bulk(b"ENTRIESREAD")?;
            match group.entries_read() {
                Some(count) => self.unsigned(count)?,
                None => self.integer(UNKNOWN_ENTRIES_READ)?,
            }
            for consumer in group.consumers() {
                self.begin(5)?;
                self.bulk(b"XGROUP")?;
                self.bulk(b"CREATECONSUMER")?;
                self.bulk(key)?;
                self.bulk(name)?;
                self.bulk(consumer.name())?;
                let all = group.pending_range_of(consumer, StreamId::MIN, StreamId::MAX);
                for pending in all {
                    self.begin(12)?;
                    self.bulk(b"XCLAIM")?;
                    self.bulk(key)?;
                    self.bulk(name)?;
                    self.bulk(consumer.name())?;
                    self.bulk(b"0")?;
                    self.id(pending.id)?;
                    self.bulk(b"TIME")?;
                    self.integer(pending.delivery_time_ms)?;
                    self.bulk(b"RETRYCOUNT")?;
                    self.unsigned(pending.delivery_count)?;
                    self.bulk(b"JUSTID")?;
                    self.bulk(b"FORCE")?;
                }
            }
        }
        Ok(())
    }
}
