//! A script's result as a reply, in Redis's conversion.
//!
//! Nothing here owns memory but the answer, which belongs to whoever called `lua_pcall`:
//! every function may jump (see the crate's rules).

use ochre_resp::Reply;
use ochre_structures::number;

use crate::stack::{Kind, Stack};
use crate::value::COUNTED;

/// How booleans are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booleans {
    /// 1 and null, in RESP2's world.
    AsIntegers,
    /// Themselves: the script has chosen RESP3.
    AsTheyAre,
}

/// Where a result goes.
pub struct Answer<'a> {
    pub out: &'a mut Reply,
    /// The errors within the result that nobody has counted.
    pub errors: &'a mut Vec<Vec<u8>>,
    pub booleans: Booleans,
}

/// What a level of nesting takes of the stack at most, as in Redis: the deepest nesting
/// follows from it and from the stack's limit.
const SLOTS_PER_LEVEL: i32 = 4;

/// Writes the value on top, and pops it.
///
/// May jump (memory).
pub fn write(stack: Stack, answer: &mut Answer<'_>) {
    let out = &mut *answer.out;
    if !stack.reserve(SLOTS_PER_LEVEL) {
        out.error("ERR reached lua stack limit");
        return stack.pop(1);
    }
    let value = stack.top();
    match stack.kind(value) {
        Kind::String => {
            // SAFETY: it is popped only at the end.
            let text = unsafe { stack.string(value) };
            out.bulk(text.unwrap_or_default());
        }
        Kind::Boolean if answer.booleans == Booleans::AsTheyAre => {
            out.boolean(stack.boolean(value));
        }
        Kind::Boolean if stack.boolean(value) => out.integer(1),
        Kind::Number => out.integer(truncated(stack.number(value))),
        Kind::Table => write_table(stack, value, answer),
        Kind::Nil | Kind::Boolean | Kind::Other => out.null(),
    }
    stack.cut(value - 1);
}

/// A number without its fraction. What no integer of 64 bits can hold is the smallest, as
/// on the machines that Redis knows.
fn truncated(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// Writes the table at `table`; leaves values above it.
fn write_table(stack: Stack, table: i32, answer: &mut Answer<'_>) {
    if let Some(text) = push_text(stack, table, "err") {
        stack.push_field(table, COUNTED);
        if !stack.boolean(table + 2) {
            answer.errors.push(text.to_vec());
        }
        return answer.out.error_bytes(text);
    }
    if let Some(text) = push_text(stack, table, "ok") {
        return write_status(text, answer.out);
    }
    stack.cut(table);
    if push_as(stack, table, "double", Kind::Number) {
        let value = stack.number(stack.top());
        return write_double(value, answer.out);
    }
    if push_as(stack, table, "map", Kind::Table) {
        let map = stack.top();
        answer.out.map(count(stack, map));
        stack.push_nil();
        while stack.next(map) {
            // The key is needed again, to find the next.
            stack.push_copy(map + 1);
            write(stack, answer);
            write(stack, answer);
        }
        return;
    }
    if push_as(stack, table, "set", Kind::Table) {
        let set = stack.top();
        answer.out.set(count(stack, set));
        stack.push_nil();
        while stack.next(set) {
            stack.pop(1);
            stack.push_copy(set + 1);
            write(stack, answer);
        }
        return;
    }
    if let Some(text) = push_text(stack, table, "big_number") {
        return answer.out.big_number(text);
    }
    stack.cut(table);
    if push_as(stack, table, "verbatim_string", Kind::Table) {
        let verbatim = stack.top();
        if let Some(format) = push_text(stack, verbatim, "format")
            && let Some(text) = push_text(stack, verbatim, "string")
        {
            return write_verbatim(format, text, answer.out);
        }
    }
    stack.cut(table);
    let mut len = 0;
    while {
        stack.push_element(table, len + 1);
        let is_there = stack.kind(table + 1) != Kind::Nil;
        stack.pop(1);
        is_there
    } {
        len += 1;
    }
    answer.out.array(len as usize);
    for element in 1..=len {
        stack.push_element(table, element);
        write(stack, answer);
    }
}

/// Pushes a field of a table; its text, if that is what it is. The slice lives as long as
/// the table is left alone.
fn push_text<'a>(stack: Stack, table: i32, name: &str) -> Option<&'a [u8]> {
    stack.push_field(table, name);
    // SAFETY: callers drop it before they drop the table, which keeps it.
    unsafe { stack.string(stack.top()) }
}

/// Pushes a field of a table if it is of a kind.
fn push_as(stack: Stack, table: i32, name: &str, kind: Kind) -> bool {
    stack.push_field(table, name);
    if stack.kind(stack.top()) == kind {
        return true;
    }
    stack.pop(1);
    false
}

/// How many entries the table on top has.
fn count(stack: Stack, table: i32) -> usize {
    let mut count = 0;
    stack.push_nil();
    while stack.next(table) {
        stack.pop(1);
        count += 1;
    }
    count
}

/// A status is one line.
fn write_status(text: &[u8], out: &mut Reply) {
    if memchr::memchr2(b'\r', b'\n', text).is_none() {
        return out.status_bytes(text);
    }
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let line: Vec<u8> = text
        .iter()
        .map(|byte| if is_break(byte) { b' ' } else { *byte })
        .collect();
    out.status_bytes(&line);
}

fn write_double(value: f64, out: &mut Reply) {
    out.double_text(number::format_f64(value).as_bytes());
}

/// The format is three letters, whatever the script says.
fn write_verbatim(format: &[u8], text: &[u8], out: &mut Reply) {
    let mut letters = String::from_utf8_lossy(format).into_owned();
    letters.retain(|letter| letter.is_ascii());
    out.verbatim(&format!("{letters:<3.3}"), text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_fraction() {
        for (value, expected) in [
            (3.99, 3),
            (-3.99, -3),
            (1e300, i64::MIN),
            (f64::NAN, i64::MIN),
            (-9_223_372_036_854_775_808.0, i64::MIN),
        ] {
            assert_eq!(truncated(value), expected, "{value}");
        }
    }
}
