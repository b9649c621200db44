//! A reply's bytes as values on the stack, in Redis's conversion.
//!
//! Nothing here owns memory: every function may jump (see the crate's rules).

use ochre_structures::number;

use crate::stack::Stack;

/// The field of an error that has been counted: a command's, not the script's own.
pub const COUNTED: &str = "ignore_error_stats_update";

/// What a level of nesting takes of the stack at most.
const SLOTS_PER_LEVEL: i32 = 5;

/// Pushes what `redis.call` returns for a reply. Replies are our own: they are
/// well-formed; of what is not, something is made of the part that is there.
///
/// May jump (memory).
pub fn push_reply(stack: Stack, reply: &[u8]) {
    Reader { stack, rest: reply }.value();
}

/// Pushes a table of one field.
fn push_tagged(stack: Stack, name: &str, text: &[u8]) {
    stack.push_table(0, 1);
    let table = stack.top();
    stack.push_string(name.as_bytes());
    stack.push_string(text);
    stack.store(table);
}

/// Pushes an error as scripts see it: a table with its text, and a note that it has been
/// counted.
///
/// May jump (memory).
pub fn push_error(stack: Stack, text: &[u8]) {
    stack.push_table(0, 4);
    let table = stack.top();
    stack.push_string(b"err");
    stack.push_string(text);
    stack.store(table);
    stack.push_string(COUNTED.as_bytes());
    stack.push_boolean(true);
    stack.store(table);
}

struct Reader<'a> {
    stack: Stack,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next line without its line break: its kind, and the text.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        match line.split_first() {
            Some((kind, text)) => (*kind, text),
            None => (b'_', &[]),
        }
    }

    fn bulk(&mut self, len: i64) -> &'a [u8] {
        let len = usize::try_from(len).unwrap_or(0).min(self.rest.len());
        let bytes = &self.rest[..len];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    /// Pushes the next value.
    fn value(&mut self) {
        let (stack, (kind, text)) = (self.stack, self.line());
        if !stack.reserve(SLOTS_PER_LEVEL) {
            // No reply of ours nests like that.
            return stack.push_nil();
        }
        let len = number::parse_i64(text).unwrap_or(-1);
        match kind {
            b':' => stack.push_number(len_or_zero(text)),
            b'$' if len < 0 => stack.push_boolean(false),
            b'$' => stack.push_string(self.bulk(len)),
            b'+' => push_tagged(stack, "ok", text),
            b'-' => push_error(stack, text),
            b'*' if len < 0 => stack.push_boolean(false),
            b'_' => stack.push_nil(),
            b'#' => stack.push_boolean(text == b"t"),
            b',' => {
                stack.push_table(0, 1);
                let table = stack.top();
                stack.push_string(b"double");
                stack.push_number(number::parse_f64(text).unwrap_or(f64::NAN));
                stack.store(table);
            }
            b'(' => push_tagged(stack, "big_number", text),
            b'=' => {
                let bytes = self.bulk(len);
                self.verbatim(bytes);
            }
            b'%' => self.table("map", len, Self::pair),
            b'~' => self.table("set", len, Self::member),
            _ => self.sequence(len),
        }
    }

    fn sequence(&mut self, len: i64) {
        // Every element takes three bytes at least: what is not there takes no room.
        let len = usize::try_from(len).unwrap_or(0).min(self.rest.len());
        self.stack.push_table(len, 0);
        let table = self.stack.top();
        for element in 1..=i32::try_from(len).unwrap_or(i32::MAX) {
            self.value();
            self.stack.store_element(table, element);
        }
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        let stack = self.stack;
        stack.push_table(0, 1);
        let outer = stack.top();
        stack.push_string(b"verbatim_string");
        stack.push_table(0, 2);
        let inner = stack.top();
        stack.push_string(b"format");
        stack.push_string(bytes.get(..3).unwrap_or_default());
        stack.store(inner);
        stack.push_string(b"string");
        stack.push_string(bytes.get(4..).unwrap_or_default());
        stack.store(inner);
        stack.store(outer);
    }

    /// A table under a name in a table; `entry` adds one entry to it.
    fn table(&mut self, name: &str, len: i64, entry: fn(&mut Self, i32)) {
        let stack = self.stack;
        stack.push_table(0, 1);
        let outer = stack.top();
        stack.push_string(name.as_bytes());
        stack.push_table(0, 0);
        let inner = stack.top();
        // Every entry takes three bytes at least.
        for _ in 0..usize::try_from(len).unwrap_or(0).min(self.rest.len()) {
            entry(self, inner);
        }
        stack.store(outer);
    }

    fn pair(&mut self, map: i32) {
        self.value();
        self.value();
        self.stack.store(map);
    }

    fn member(&mut self, set: i32) {
        self.value();
        self.stack.push_boolean(true);
        self.stack.store(set);
    }
}

/// Integers of 64 bits as the doubles that scripts have.
fn len_or_zero(text: &[u8]) -> f64 {
    number::parse_i64(text).unwrap_or(0) as f64
}
