//! `cjson`: values to JSON and back, with the options and texts of lua-cjson 2.1.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::{Arguments, Attempt, cjson_decode, cjson_encode, define};

/// What becomes of NaN and infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidNumbers {
    Refuse,
    Allow,
    Null,
}

/// What the functions `encode_…` and `decode_…` set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Sparse arrays become objects instead of errors.
    pub convert_sparse: bool,
    /// An array is sparse that has more than this many places an element; 0 for none.
    pub sparse_ratio: i64,
    /// Arrays up to this length are never sparse.
    pub sparse_safe: i64,
    pub encode_depth: i64,
    pub decode_depth: i64,
    pub encode_invalid: InvalidNumbers,
    pub decode_invalid: bool,
    /// Has no effect: there is no buffer to keep.
    pub keep_buffer: bool,
    /// Significant digits.
    pub precision: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            convert_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            encode_invalid: InvalidNumbers::Refuse,
            decode_invalid: true,
            keep_buffer: true,
            precision: 14,
        }
    }
}

type Shared = Rc<Cell<Options>>;

/// The library's functions, with options of their own.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let cjson = lua.create_table()?;
    let options = Shared::default();
    cjson.raw_set("null", Value::NULL)?;
    cjson.raw_set("_NAME", "cjson")?;
    cjson.raw_set("_VERSION", "2.1.0")?;
    let shared = options.clone();
    define(lua, &cjson, "encode", move |_, arguments| {
        if arguments.len() != 1 {
            return arguments.bad(1, "expected 1 argument");
        }
        cjson_encode::encode(&arguments.values[0], &shared.get())
    })?;
    let shared = options.clone();
    define(lua, &cjson, "decode", move |lua, arguments| {
        if arguments.len() != 1 {
            return arguments.bad(1, "expected 1 argument");
        }
        let text = arguments.string(lua, 1)?;
        cjson_decode::decode(lua, &text.as_bytes(), &shared.get())
    })?;
    define(lua, &cjson, "new", |lua, _| Ok(Value::Table(library(lua)?)))?;
    define_options(lua, &cjson, &options)?;
    Ok(cjson)
}

fn define_options(lua: &Lua, cjson: &Table, options: &Shared) -> mlua::Result<()> {
    option(
        lua,
        cjson,
        options,
        "encode_sparse_array",
        3,
        |lua, a, o| {
            o.convert_sparse = boolean(a, 1, o.convert_sparse)?;
            o.sparse_ratio = integer(lua, a, 2, o.sparse_ratio, 0, i32::MAX)?;
            o.sparse_safe = integer(lua, a, 3, o.sparse_safe, 0, i32::MAX)?;
            Ok(vec![
                Value::Boolean(o.convert_sparse),
                number(o.sparse_ratio),
                number(o.sparse_safe),
            ])
        },
    )?;
    option(lua, cjson, options, "encode_max_depth", 1, |lua, a, o| {
        o.encode_depth = integer(lua, a, 1, o.encode_depth, 1, i32::MAX)?;
        Ok(vec![number(o.encode_depth)])
    })?;
    option(lua, cjson, options, "decode_max_depth", 1, |lua, a, o| {
        o.decode_depth = integer(lua, a, 1, o.decode_depth, 1, i32::MAX)?;
        Ok(vec![number(o.decode_depth)])
    })?;
    option(
        lua,
        cjson,
        options,
        "encode_number_precision",
        1,
        |lua, a, o| {
            o.precision = integer(lua, a, 1, o.precision, 1, 14)?;
            Ok(vec![number(o.precision)])
        },
    )?;
    option(lua, cjson, options, "encode_keep_buffer", 1, |_, a, o| {
        o.keep_buffer = boolean(a, 1, o.keep_buffer)?;
        Ok(vec![Value::Boolean(o.keep_buffer)])
    })?;
    option(
        lua,
        cjson,
        options,
        "encode_invalid_numbers",
        1,
        |lua, a, o| {
            o.encode_invalid = match a.at(1) {
                None | Some(Value::Nil) => o.encode_invalid,
                Some(Value::Boolean(true)) => InvalidNumbers::Allow,
                Some(Value::Boolean(false)) => InvalidNumbers::Refuse,
                Some(_) => match &*a.string(lua, 1)?.as_bytes() {
                    b"off" => InvalidNumbers::Refuse,
                    b"on" => InvalidNumbers::Allow,
                    b"null" => InvalidNumbers::Null,
                    other => return a.bad(1, &invalid_option(other)),
                },
            };
            Ok(vec![match o.encode_invalid {
                InvalidNumbers::Refuse => Value::Boolean(false),
                InvalidNumbers::Allow => Value::Boolean(true),
                InvalidNumbers::Null => Value::String(lua.create_string("null")?),
            }])
        },
    )?;
    option(
        lua,
        cjson,
        options,
        "decode_invalid_numbers",
        1,
        |_, a, o| {
            o.decode_invalid = boolean(a, 1, o.decode_invalid)?;
            Ok(vec![Value::Boolean(o.decode_invalid)])
        },
    )
}

type Change = fn(&Lua, &Arguments, &mut Options) -> Attempt<Vec<Value>>;

/// Adds a function that sets some options and returns them as they are then.
fn option(
    lua: &Lua,
    cjson: &Table,
    options: &Shared,
    name: &'static str,
    arguments_max: usize,
    change: Change,
) -> mlua::Result<()> {
    let shared = options.clone();
    define(lua, cjson, name, move |lua, arguments| {
        if arguments.len() > arguments_max {
            return arguments.bad(arguments_max + 1, "found too many arguments");
        }
        let mut options = shared.get();
        let values = change(lua, arguments, &mut options)?;
        shared.set(options);
        Ok(values)
    })
}

fn number(value: i64) -> Value {
    Value::Number(value as f64)
}

fn invalid_option(option: &[u8]) -> String {
    format!("invalid option '{}'", String::from_utf8_lossy(option))
}

fn boolean(arguments: &Arguments, index: usize, current: bool) -> Attempt<bool> {
    match arguments.at(index) {
        None | Some(Value::Nil) => Ok(current),
        Some(Value::Boolean(value)) => Ok(*value),
        Some(Value::String(text)) => match &*text.as_bytes() {
            b"on" => Ok(true),
            b"off" => Ok(false),
            other => arguments.bad(index, &invalid_option(other)),
        },
        Some(_) => arguments.wrong_type(index, "string"),
    }
}

fn integer(
    lua: &Lua,
    arguments: &Arguments,
    index: usize,
    current: i64,
    min: i32,
    max: i32,
) -> Attempt<i64> {
    let value = arguments.integer_or(lua, index, current)?;
    if (i64::from(min)..=i64::from(max)).contains(&value) {
        Ok(value)
    } else {
        arguments.bad(index, &format!("expected integer between {min} and {max}"))
    }
}
