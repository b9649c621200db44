//! Checks an RDB: every entry is decoded, with full validation, and counted.
//!
//! A value that cannot be decoded does not end the check, since its end is known; what
//! makes the rest unreadable does.

use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ochre_rdb::{
    ChecksumPolicy, ChecksumState, Item, PlainValue, RawEntry, RdbError, RdbErrorKind, Reader,
    Validation, ValueType,
};

use super::duplicates::{Duplicate, SeenKeys};
use super::report::{reason, shown};
use super::{Broken, Check, Terminal, Verdict};

/// How many entries are decoded at a time.
const BATCH_BYTES: usize = 1 << 20;

/// How much is read again to find out in which key something is wrong.
const KEY_BYTES: u64 = 1 << 20;

/// How many broken values are told of.
const MAX_TOLD: u64 = 20;

/// What comes after an RDB.
pub(super) struct Rest<R> {
    /// What was read beyond the end already, and the source.
    pub(super) input: std::io::Chain<std::io::Cursor<Vec<u8>>, R>,
    /// Where the RDB ends.
    pub(super) offset: u64,
}

/// What was counted.
#[derive(Default)]
struct Figures {
    keys: u64,
    expires: u64,
    expired: u64,
    empty: u64,
    functions: u64,
    broken: u64,
    types: [u64; 6],
    seen: SeenKeys,
}

const TYPE_NAMES: [&str; 6] = [
    "strings",
    "lists",
    "sets",
    "sorted sets",
    "hashes",
    "streams",
];

impl Check<'_, '_> {
    /// Checks a file that is to be an RDB, whatever may follow it.
    pub(super) fn rdb_alone(&mut self, path: &Path) -> Verdict {
        let input = self.open_rdb(path)?;
        self.rdb(path, &path.display().to_string(), input)?;
        Ok(())
    }

    /// Checks a file that starts as an RDB, and may go on as an append-only file.
    pub(super) fn rdb_or_preamble(&mut self, path: &Path) -> Verdict {
        let input = self.open_rdb(path)?;
        let mut rest = self.rdb(path, &path.display().to_string(), input)?;
        match rest.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            _ => {
                self.terminal.line(format_args!(
                    "The RDB ends at byte {}, more follows: checking it as an AOF",
                    rest.offset
                ));
                self.single_aof(path)
            }
        }
    }

    fn open_rdb(&mut self, path: &Path) -> Verdict<Box<dyn Read + Send>> {
        self.disk.read(path).map_err(|error| {
            let (path, reason) = (path.display(), reason(&error));
            self.terminal
                .line(format_args!("Cannot open file {path}: {reason}"));
            Broken
        })
    }

    /// Checks the RDB at the start of this input; `path` says where to read again.
    pub(super) fn rdb<R: Read>(&mut self, path: &Path, name: &str, input: R) -> Verdict<Rest<R>> {
        self.terminal
            .line(format_args!("[offset 0] Checking RDB file {name}"));
        let mut reader = Reader::new(input, ChecksumPolicy::Verify);
        let mut figures = Figures::default();
        let verdict = self.items(path, &mut reader, &mut figures);
        if verdict.is_ok() {
            let seen = std::mem::take(&mut figures.seen);
            for duplicate in self.duplicates(path, seen) {
                self.duplicate_key(&mut figures, &duplicate);
            }
        }
        if verdict.is_ok() && figures.broken == 0 {
            let offset = reader.offset();
            self.terminal
                .line(format_args!("[offset {offset}] \\o/ RDB looks OK! \\o/"));
        }
        figures.print(self.terminal);
        if verdict.is_err() || figures.broken > 0 {
            return Err(Broken);
        }
        let offset = reader.offset();
        let (input, beyond) = reader.into_input();
        Ok(Rest {
            input: std::io::Cursor::new(beyond).chain(input),
            offset,
        })
    }

    fn items<R: Read>(
        &mut self,
        path: &Path,
        reader: &mut Reader<R>,
        figures: &mut Figures,
    ) -> Verdict {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_millis() as i64);
        // What precedes the entries comes one by one, so that its place is known.
        let mut target_bytes = 1;
        loop {
            let batch = match reader.next_batch(target_bytes) {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let at = reader.offset();
                    self.unreadable(path, at, &error);
                    return Err(Broken);
                }
            };
            let mut place = if batch.len() == 1 {
                reader.offset()
            } else {
                batch.offset()
            };
            for item in batch.items() {
                match item {
                    Err(error) => self.value_fault(figures, &error, None),
                    Ok(Item::Entry(entry)) => {
                        target_bytes = BATCH_BYTES;
                        place = entry.value_offset + entry.value.len() as u64;
                        self.entry(figures, &entry, now_ms);
                    }
                    Ok(Item::Eof(state)) => self.checksum(reader.offset(), state),
                    Ok(other) => self.other_item(figures, place, other),
                }
            }
            reader.recycle(batch);
        }
    }

    fn other_item(&mut self, figures: &mut Figures, place: u64, item: Item<'_>) {
        match item {
            Item::Aux { key, value } => {
                let (key, value) = (key.into_bytes(), value.into_bytes());
                self.terminal.line(format_args!(
                    "[offset {place}] AUX FIELD {} = '{}'",
                    shown(&key),
                    shown(&value)
                ));
            }
            Item::SelectDb(database) => {
                self.terminal
                    .line(format_args!("[offset {place}] Selecting DB ID {database}"));
            }
            Item::ModuleAux { module } => self.terminal.line(format_args!(
                "[offset {place}] MODULE AUX for: {}, it is not checked",
                shown(module.as_bytes())
            )),
            Item::Function(_) => figures.functions += 1,
            Item::Eof(_) | Item::ResizeDb { .. } | Item::SlotInfo { .. } | Item::Entry(_) => (),
        }
    }

    fn checksum(&mut self, end: u64, state: ChecksumState) {
        let text = match state {
            ChecksumState::Verified => "Checksum OK",
            ChecksumState::Unchecked => {
                "RDB file was saved with checksum disabled: no check performed."
            }
            ChecksumState::Absent => "RDB file of a version without checksum.",
        };
        self.terminal.line(format_args!("[offset {end}] {text}"));
    }

    fn entry(&mut self, figures: &mut Figures, entry: &RawEntry<'_>, now_ms: i64) {
        figures.keys += 1;
        if let Some(expiry_ms) = entry.expiry_ms {
            figures.expires += 1;
            figures.expired += u64::from(expiry_ms < now_ms);
        }
        match entry.decode(Validation::Full) {
            Ok(value) => {
                let index = match value {
                    PlainValue::String(_) => 0,
                    PlainValue::List(_) => 1,
                    PlainValue::Set(_) => 2,
                    PlainValue::SortedSet(_) => 3,
                    PlainValue::Hash(_) => 4,
                    PlainValue::Stream(_) => 5,
                };
                figures.types[index] += 1;
                let mut digits = itoa::Buffer::new();
                let key = entry.key.as_bytes(&mut digits);
                figures.seen.note(entry.database, key);
            }
            // Redis leaves such keys out when it loads the file.
            Err(error) if matches!(error.kind, RdbErrorKind::Empty) => figures.empty += 1,
            Err(error) => {
                let key = entry.key.clone().into_bytes();
                self.value_fault(figures, &error, Some((&key, entry.value_type)));
            }
        }
    }

    /// Tells of a value that cannot be decoded; what follows it can still be read.
    fn value_fault(
        &mut self,
        figures: &mut Figures,
        error: &RdbError,
        key: Option<(&[u8], ValueType)>,
    ) {
        figures.broken += 1;
        if figures.broken <= MAX_TOLD {
            self.fault(error, key);
        }
    }

    /// Tells of a key that was there before.
    fn duplicate_key(&mut self, figures: &mut Figures, duplicate: &Duplicate) {
        let key = Some((duplicate.key.as_slice(), duplicate.value_type));
        self.value_fault(figures, &duplicate.error(), key);
        if figures.broken <= MAX_TOLD {
            self.terminal.line(format_args!(
                "[additional info] RDB has duplicated key '{}' in DB {}, the first at offset {}",
                shown(&duplicate.key),
                duplicate.database,
                duplicate.first_offset
            ));
        }
    }

    /// Tells why the rest of the file cannot be read. `at` is where the item starts
    /// that could not be read.
    fn unreadable(&mut self, path: &Path, at: u64, error: &RdbError) {
        let key = self.key_at(path, at);
        let key = key.as_ref().map(|(key, kind)| (key.as_slice(), *kind));
        self.fault(error, key);
    }

    fn fault(&mut self, error: &RdbError, key: Option<(&[u8], ValueType)>) {
        let what = match &error.kind {
            RdbErrorKind::Truncated { .. } => "Unexpected EOF reading RDB file".to_owned(),
            RdbErrorKind::Checksum { .. } => "RDB CRC error".to_owned(),
            RdbErrorKind::Magic => "Wrong signature trying to load DB from file".to_owned(),
            RdbErrorKind::Version(version) => format!("Can't handle RDB format version {version}"),
            RdbErrorKind::Opcode(code) => format!("Invalid object type: {code}"),
            kind => kind.to_string(),
        };
        self.terminal
            .line(format_args!("--- RDB ERROR DETECTED ---"));
        self.terminal
            .line(format_args!("[offset {}] {what}", error.offset));
        self.terminal.line(format_args!(
            "[additional info] While doing: reading {}",
            error.what
        ));
        self.terminal
            .line(format_args!("[additional info] {error}"));
        if let Some((key, kind)) = key {
            self.terminal.line(format_args!(
                "[additional info] Reading key '{}'",
                shown(key)
            ));
            self.terminal.line(format_args!(
                "[additional info] Reading type {} ({kind:?})",
                kind.code()
            ));
        }
    }

    /// The key and type of the entry that starts here, if one does.
    fn key_at(&self, path: &Path, offset: u64) -> Option<(Vec<u8>, ValueType)> {
        // The format says where an entry's type is; the key that follows is read as
        // the one string of a function, in a file made for it.
        const HEAD: &[u8] = b"REDIS0011\xf5";
        let mut input = self.disk.read_from(path, offset).ok()?;
        let mut code = [0];
        input.read_exact(&mut code).ok()?;
        let kind = ValueType::from_code(code[0])?;
        let input = HEAD.chain(input.take(KEY_BYTES));
        let mut reader = Reader::new(input, ChecksumPolicy::Ignore);
        let batch = reader.next_batch(1).ok()??;
        match batch.items().next()?.ok()? {
            Item::Function(key) => Some((key.into_bytes().into_owned(), kind)),
            _ => None,
        }
    }
}

impl Figures {
    fn print(&self, terminal: &mut Terminal<'_>) {
        terminal.line(format_args!("[info] {} keys read", self.keys));
        terminal.line(format_args!("[info] {} expires", self.expires));
        terminal.line(format_args!("[info] {} already expired", self.expired));
        for (name, count) in TYPE_NAMES.iter().zip(self.types) {
            if count > 0 {
                terminal.line(format_args!("[info] {count} {name}"));
            }
        }
        if self.functions > 0 {
            terminal.line(format_args!("[info] {} function libraries", self.functions));
        }
        if self.empty > 0 {
            terminal.line(format_args!(
                "[info] {} empty keys, which are left out on loading",
                self.empty
            ));
        }
        if self.broken > 0 {
            terminal.line(format_args!("[info] {} entries are broken", self.broken));
        }
    }
}
