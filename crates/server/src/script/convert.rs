//! Between replies and Lua values, both ways.

use mlua::{Lua, Table, Value};
use ochre_resp::Reply;
use ochre_structures::number;

/// The deepest nesting of tables in a script's result.
const DEPTH_MAX: usize = 1000;

/// Turns a reply's bytes into what `redis.call` returns.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn to_lua(lua: &Lua, bytes: &[u8]) -> mlua::Result<Value> {
    Reader { lua, rest: bytes }.value()
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next line without its kind and line break. Replies are our own: they are
    /// well-formed.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        match line.split_first() {
            Some((kind, text)) => (*kind, text),
            None => (b'_', &[]),
        }
    }

    fn length(text: &[u8]) -> i64 {
        number::parse_i64(text).unwrap_or(-1)
    }

    fn bulk(&mut self, len: i64) -> &'a [u8] {
        let len = usize::try_from(len).unwrap_or(0).min(self.rest.len());
        let bytes = &self.rest[..len];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    fn string(&self, bytes: &[u8]) -> mlua::Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    /// A table of one field.
    fn tagged(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn sequence(&mut self, len: i64) -> mlua::Result<Value> {
        let len = usize::try_from(len).unwrap_or(0);
        let table = self
            .lua
            .create_table_with_capacity(len.min(self.rest.len()), 0)?;
        for index in 1..=len {
            table.raw_set(index, self.value()?)?;
        }
        Ok(Value::Table(table))
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let (kind, text) = self.line();
        match kind {
            b':' => Ok(Value::Number(Self::length_or_zero(text))),
            b'$' => match Self::length(text) {
                -1 => Ok(Value::Boolean(false)),
                len => {
                    let bytes = self.bulk(len);
                    self.string(bytes)
                }
            },
            b'+' => {
                let text = self.string(text)?;
                self.tagged("ok", text)
            }
            b'-' => {
                let text = self.string(text)?;
                self.tagged("err", text)
            }
            b'*' => match Self::length(text) {
                -1 => Ok(Value::Boolean(false)),
                len => self.sequence(len),
            },
            b'_' => Ok(Value::Nil),
            b'#' => Ok(Value::Boolean(text == b"t")),
            b',' => {
                let value = number::parse_f64(text).unwrap_or(f64::NAN);
                self.tagged("double", Value::Number(value))
            }
            b'(' => {
                let text = self.string(text)?;
                self.tagged("big_number", text)
            }
            b'=' => {
                let bytes = self.bulk(Self::length(text));
                let table = self.lua.create_table_with_capacity(0, 2)?;
                table.raw_set("format", self.string(bytes.get(..3).unwrap_or_default())?)?;
                table.raw_set("string", self.string(bytes.get(4..).unwrap_or_default())?)?;
                self.tagged("verbatim_string", Value::Table(table))
            }
            b'%' => {
                let map = self.lua.create_table()?;
                for _ in 0..Self::length(text) {
                    let key = self.value()?;
                    let value = self.value()?;
                    map.raw_set(key, value)?;
                }
                self.tagged("map", Value::Table(map))
            }
            b'~' => {
                let set = self.lua.create_table()?;
                for _ in 0..Self::length(text) {
                    set.raw_set(self.value()?, true)?;
                }
                self.tagged("set", Value::Table(set))
            }
            _ => self.sequence(Self::length(text)),
        }
    }

    fn length_or_zero(text: &[u8]) -> f64 {
        Self::length(text) as f64
    }
}

/// Writes a script's result as a reply. Booleans are booleans only when the script has
/// chosen RESP3; RESP2 then has 1 and 0 for them.
pub fn reply(value: &Value, out: &mut Reply, script_speaks_resp3: bool) {
    let style = if script_speaks_resp3 {
        Style::Resp3
    } else {
        Style::Resp2
    };
    write(value, out, style, 0);
}

/// How booleans are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Resp2,
    Resp3,
}

fn write(value: &Value, out: &mut Reply, style: Style, depth: usize) {
    if depth > DEPTH_MAX {
        return out.error("ERR reached lua stack limit");
    }
    match value {
        Value::String(text) => out.bulk(&text.as_bytes()),
        Value::Boolean(value) if style == Style::Resp3 => out.boolean(*value),
        Value::Boolean(true) => out.integer(1),
        Value::Integer(value) => out.integer(*value),
        Value::Number(value) => out.integer(truncated(*value)),
        Value::Table(table) => write_table(table, out, style, depth),
        _ => out.null(),
    }
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

fn text_of(table: &Table, name: &str) -> Option<Vec<u8>> {
    match table.raw_get::<Value>(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn write_table(table: &Table, out: &mut Reply, style: Style, depth: usize) {
    if let Some(text) = text_of(table, "err") {
        return out.error_bytes(&text);
    }
    if let Some(text) = text_of(table, "ok") {
        let line: Vec<u8> = text
            .iter()
            .map(|&byte| {
                if matches!(byte, b'\r' | b'\n') {
                    b' '
                } else {
                    byte
                }
            })
            .collect();
        return out.status_bytes(&line);
    }
    if let Ok(Value::Number(value)) = table.raw_get::<Value>("double") {
        return out.double_text(number::format_f64(value).as_bytes());
    }
    if let Ok(Value::Integer(value)) = table.raw_get::<Value>("double") {
        return out.double_text(number::format_f64(value as f64).as_bytes());
    }
    // Elements are counted first and then read one by one: each value that is held takes
    // a place on a stack of the interpreter's, which has few thousand.
    if let Ok(Value::Table(map)) = table.raw_get::<Value>("map") {
        out.map(map.pairs::<Value, Value>().count());
        for (key, value) in map.pairs::<Value, Value>().filter_map(Result::ok) {
            write(&key, out, style, depth + 1);
            write(&value, out, style, depth + 1);
        }
        return;
    }
    if let Ok(Value::Table(set)) = table.raw_get::<Value>("set") {
        out.set(set.pairs::<Value, Value>().count());
        for (member, _) in set.pairs::<Value, Value>().filter_map(Result::ok) {
            write(&member, out, style, depth + 1);
        }
        return;
    }
    if let Some(text) = text_of(table, "big_number") {
        return out.big_number(&text);
    }
    if let Ok(Value::Table(verbatim)) = table.raw_get::<Value>("verbatim_string")
        && let (Some(format), Some(text)) =
            (text_of(&verbatim, "format"), text_of(&verbatim, "string"))
    {
        let mut format = String::from_utf8_lossy(&format).into_owned();
        // Three letters, whatever the script says.
        format.retain(|letter| letter.is_ascii());
        return out.verbatim(&format!("{format:<3.3}"), &text);
    }
    let element = |index: usize| match table.raw_get::<Value>(index) {
        Ok(Value::Nil) | Err(_) => None,
        Ok(value) => Some(value),
    };
    let len = (1..).take_while(|&index| element(index).is_some()).count();
    out.array(len);
    for value in (1..=len).filter_map(element) {
        write(&value, out, style, depth + 1);
    }
}
