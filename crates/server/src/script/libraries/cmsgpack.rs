//! `cmsgpack`: values to MessagePack and back, as Redis's lua_cmsgpack does it.

use mlua::{Lua, Table, Value};

use super::{Arguments, Attempt, RESULTS_MAX, define, failure};

/// Tables nested deeper are packed as nil.
const PACK_DEPTH_MAX: usize = 16;
/// How deep unpacking goes: the host's stack is finite.
const UNPACK_DEPTH_MAX: usize = 1000;

/// The library's functions.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd.")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    define(lua, &library, "pack", |_, arguments| {
        if arguments.len() == 0 {
            return arguments.bad(0, "MessagePack pack needs input.");
        }
        let mut packed = Vec::new();
        for value in arguments.values.iter() {
            pack(&mut packed, value, 0)?;
        }
        Ok(packed)
    })?;
    define(lua, &library, "unpack", |lua, arguments| {
        unpack(lua, arguments, 0, 0)
    })?;
    define(lua, &library, "unpack_one", |lua, arguments| {
        let offset = arguments.integer_or(lua, 2, 0)?;
        unpack(lua, arguments, 1, offset)
    })?;
    define(lua, &library, "unpack_limit", |lua, arguments| {
        let limit = arguments.number(lua, 2)? as i64;
        let offset = arguments.integer_or(lua, 3, 0)?;
        unpack(lua, arguments, limit, offset)
    })?;
    Ok(library)
}

fn pack(packed: &mut Vec<u8>, value: &Value, depth: usize) -> Attempt<()> {
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            match text.len() {
                len @ 0..32 => packed.push(0xa0 | len as u8),
                len @ 32..=0xff => packed.extend_from_slice(&[0xd9, len as u8]),
                len => push_len(packed, 0xda, 0xdb, len),
            }
            packed.extend_from_slice(&text);
        }
        Value::Boolean(value) => packed.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(value) => pack_integer(packed, *value),
        Value::Number(value) => pack_number(packed, *value),
        Value::Table(table) if depth < PACK_DEPTH_MAX => pack_table(packed, table, depth + 1)?,
        _ => packed.push(0xc0),
    }
    Ok(())
}

/// A length of 16 or of 32 bits behind its code.
fn push_len(packed: &mut Vec<u8>, code_16: u8, code_32: u8, len: usize) {
    if let Ok(len) = u16::try_from(len) {
        packed.push(code_16);
        packed.extend_from_slice(&len.to_be_bytes());
    } else {
        packed.push(code_32);
        packed.extend_from_slice(&(len as u32).to_be_bytes());
    }
}

fn pack_number(packed: &mut Vec<u8>, value: f64) {
    let whole = value as i64;
    // The bounds of i64 are no exact numbers: 2^63 is not an integer of 64 bits.
    if whole as f64 == value && whole != i64::MAX {
        return pack_integer(packed, whole);
    }
    let short = value as f32;
    if f64::from(short) == value {
        packed.push(0xca);
        packed.extend_from_slice(&short.to_be_bytes());
    } else {
        packed.push(0xcb);
        packed.extend_from_slice(&value.to_be_bytes());
    }
}

fn pack_integer(packed: &mut Vec<u8>, value: i64) {
    match value {
        -32..=0x7f => packed.push(value as u8),
        0x80..=0xff => packed.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            packed.push(0xcd);
            packed.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            packed.push(0xce);
            packed.extend_from_slice(&(value as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            packed.push(0xcf);
            packed.extend_from_slice(&value.to_be_bytes());
        }
        -0x80..-32 => packed.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..-0x80 => {
            packed.push(0xd1);
            packed.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            packed.push(0xd2);
            packed.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            packed.push(0xd3);
            packed.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// A table whose keys are 1 to their number is an array.
fn pack_table(packed: &mut Vec<u8>, table: &Table, depth: usize) -> Attempt<()> {
    let mut count = 0_usize;
    let mut highest = 0_i64;
    let mut is_array = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        count += 1;
        match key {
            Value::Integer(key) if key > 0 && i32::try_from(key).is_ok() => {
                highest = highest.max(key);
            }
            _ => is_array = false,
        }
    }
    if is_array && usize::try_from(highest) == Ok(count) {
        match count {
            0..16 => packed.push(0x90 | count as u8),
            _ => push_len(packed, 0xdc, 0xdd, count),
        }
        for index in 1..=count {
            pack(packed, &table.raw_get(index)?, depth)?;
        }
        return Ok(());
    }
    match count {
        0..16 => packed.push(0x80 | count as u8),
        _ => push_len(packed, 0xde, 0xdf, count),
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        pack(packed, &key, depth)?;
        pack(packed, &value, depth)?;
    }
    Ok(())
}

/// Unpacks up to `limit` values from `offset` on, with the next offset in front of them;
/// or all there are, if both are 0.
fn unpack(lua: &Lua, arguments: &Arguments, limit: i64, offset: i64) -> Attempt<Vec<Value>> {
    let input = arguments.string(lua, 1)?;
    let input = input.as_bytes();
    let len = input.len();
    let (Ok(limit), Ok(offset)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return failure(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        ));
    };
    if offset > len {
        return failure(format!(
            "Start offset {offset} greater than input length {len}."
        ));
    }
    let is_all = limit == 0 && offset == 0;
    let mut reader = Reader {
        lua,
        rest: &input[offset..],
    };
    let mut values = Vec::new();
    if !is_all {
        values.push(Value::Nil);
    }
    let mut count = 0;
    while !reader.rest.is_empty() && (is_all || count < limit) {
        if values.len() >= RESULTS_MAX {
            return failure("stack overflow (too many results)");
        }
        values.push(reader.value(0)?);
        count += 1;
    }
    if !is_all {
        values[0] = match reader.rest.len() {
            0 => Value::Number(-1.0),
            left => Value::Number((len - left) as f64),
        };
    }
    Ok(values)
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Attempt<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => failure("Missing bytes in input."),
        }
    }

    fn array<const N: usize>(&mut self) -> Attempt<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn len_16(&mut self) -> Attempt<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn len_32(&mut self) -> Attempt<usize> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    fn value(&mut self, depth: usize) -> Attempt<Value> {
        if depth > UNPACK_DEPTH_MAX {
            return failure("stack overflow (in function mp_decode_to_lua_type)");
        }
        let [code] = self.array()?;
        let number = match code {
            0x00..=0x7f => f64::from(code),
            0xe0..=0xff => f64::from(code as i8),
            0xcc => f64::from(self.array::<1>()?[0]),
            0xcd => f64::from(u16::from_be_bytes(self.array()?)),
            0xce => f64::from(u32::from_be_bytes(self.array()?)),
            0xcf => u64::from_be_bytes(self.array()?) as f64,
            0xd0 => f64::from(self.array::<1>()?[0] as i8),
            0xd1 => f64::from(i16::from_be_bytes(self.array()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array()?)),
            0xd3 => i64::from_be_bytes(self.array()?) as f64,
            0xca => f64::from(f32::from_be_bytes(self.array()?)),
            0xcb => f64::from_be_bytes(self.array()?),
            0xc0 => return Ok(Value::Nil),
            0xc2 => return Ok(Value::Boolean(false)),
            0xc3 => return Ok(Value::Boolean(true)),
            0xa0..=0xbf => return self.string(usize::from(code & 0x1f)),
            0xd9 => {
                let [len] = self.array()?;
                return self.string(usize::from(len));
            }
            0xda => {
                let len = self.len_16()?;
                return self.string(len);
            }
            0xdb => {
                let len = self.len_32()?;
                return self.string(len);
            }
            0x90..=0x9f => return self.sequence(usize::from(code & 15), depth),
            0xdc => {
                let len = self.len_16()?;
                return self.sequence(len, depth);
            }
            0xdd => {
                let len = self.len_32()?;
                return self.sequence(len, depth);
            }
            0x80..=0x8f => return self.map(usize::from(code & 15), depth),
            0xde => {
                let len = self.len_16()?;
                return self.map(len, depth);
            }
            0xdf => {
                let len = self.len_32()?;
                return self.map(len, depth);
            }
            _ => return failure("Bad data format in input."),
        };
        Ok(Value::Number(number))
    }

    fn string(&mut self, len: usize) -> Attempt<Value> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn sequence(&mut self, len: usize, depth: usize) -> Attempt<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=len {
            table.raw_set(index, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Attempt<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return failure("table index is nil"),
                Value::Number(key) if key.is_nan() => return failure("table index is NaN"),
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
