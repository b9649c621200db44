//! The libraries that scripts expect beside Lua's own: cjson, cmsgpack, struct, bit.
//!
//! Their functions never raise: an error that crosses from the host into Lua would be no
//! string to a script that catches it. They return `true` and their results, or `false`
//! and a message, and the prelude wraps each in a function that raises the message with
//! the script's line.

mod bit;
mod cjson;
mod cjson_decode;
mod cjson_encode;
mod cmsgpack;
mod structure;

use mlua::{IntoLua, Lua, MultiValue, Table, Value};

/// The libraries by name, as tables of functions and constants.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    let all = lua.create_table()?;
    all.raw_set("bit", bit::library(lua)?)?;
    all.raw_set("cjson", cjson::library(lua)?)?;
    all.raw_set("cmsgpack", cmsgpack::library(lua)?)?;
    all.raw_set("struct", structure::library(lua)?)?;
    Ok(all)
}

/// Why a function of a library failed.
enum Failure {
    /// A message for the script.
    Message(String),
    /// The interpreter's own.
    Lua(mlua::Error),
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

type Attempt<T> = Result<T, Failure>;

fn failure<T>(message: impl Into<String>) -> Attempt<T> {
    Err(Failure::Message(message.into()))
}

/// `bad argument #1 to 'pack' (…)`.
fn bad_argument<T>(index: usize, function: &str, why: &str) -> Attempt<T> {
    failure(format!("bad argument #{index} to '{function}' ({why})"))
}

/// Adds a function to a library's table.
fn define<R: Results>(
    lua: &Lua,
    library: &Table,
    name: &'static str,
    function: impl Fn(&Lua, &Arguments) -> Attempt<R> + 'static,
) -> mlua::Result<()> {
    let wrapped = lua.create_function(move |lua, values: MultiValue| {
        let arguments = Arguments {
            function: name,
            values,
        };
        let mut results = MultiValue::new();
        match function(lua, &arguments) {
            Ok(values) => {
                results.push_back(Value::Boolean(true));
                values.append(lua, &mut results)?;
            }
            Err(Failure::Message(message)) => {
                results.push_back(Value::Boolean(false));
                results.push_back(message.into_lua(lua)?);
            }
            Err(Failure::Lua(error)) => return Err(error),
        }
        Ok(results)
    })?;
    library.raw_set(name, wrapped)
}

/// What a function hands back: one value, or several.
trait Results {
    fn append(self, lua: &Lua, results: &mut MultiValue) -> mlua::Result<()>;
}

impl Results for Value {
    fn append(self, _lua: &Lua, results: &mut MultiValue) -> mlua::Result<()> {
        results.push_back(self);
        Ok(())
    }
}

impl Results for f64 {
    fn append(self, _lua: &Lua, results: &mut MultiValue) -> mlua::Result<()> {
        results.push_back(Value::Number(self));
        Ok(())
    }
}

impl Results for Vec<u8> {
    fn append(self, lua: &Lua, results: &mut MultiValue) -> mlua::Result<()> {
        results.push_back(Value::String(lua.create_string(&self)?));
        Ok(())
    }
}

impl Results for Vec<Value> {
    fn append(self, _lua: &Lua, results: &mut MultiValue) -> mlua::Result<()> {
        results.extend(self);
        Ok(())
    }
}

/// The arguments of a call; they count from 1, as in messages.
struct Arguments {
    function: &'static str,
    values: MultiValue,
}

impl Arguments {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn at(&self, index: usize) -> Option<&Value> {
        self.values.get(index.checked_sub(1)?)
    }

    fn bad<T>(&self, index: usize, why: &str) -> Attempt<T> {
        bad_argument(index, self.function, why)
    }

    fn wrong_type<T>(&self, index: usize, wanted: &str) -> Attempt<T> {
        let got = self.at(index).map_or("no value", type_name);
        self.bad(index, &format!("{wanted} expected, got {got}"))
    }

    /// A number, or a string that is one.
    fn number(&self, lua: &Lua, index: usize) -> Attempt<f64> {
        match self.at(index) {
            Some(Value::Number(value)) => Ok(*value),
            Some(Value::Integer(value)) => Ok(*value as f64),
            Some(value @ Value::String(_)) => match lua.coerce_number(value.clone())? {
                Some(value) => Ok(value),
                None => self.wrong_type(index, "number"),
            },
            _ => self.wrong_type(index, "number"),
        }
    }

    /// An optional integer: anything but nothing and nil must be a number.
    fn integer_or(&self, lua: &Lua, index: usize, default: i64) -> Attempt<i64> {
        match self.at(index) {
            None | Some(Value::Nil) => Ok(default),
            // Saturates where C leaves the result open.
            Some(_) => Ok(self.number(lua, index)? as i64),
        }
    }

    /// A string, or a number as text.
    fn string(&self, lua: &Lua, index: usize) -> Attempt<mlua::String> {
        match self.at(index) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                match lua.coerce_string(value.clone())? {
                    Some(text) => Ok(text),
                    None => self.wrong_type(index, "string"),
                }
            }
            _ => self.wrong_type(index, "string"),
        }
    }
}

/// How many values a function returns at most: what Lua's stack has room for.
const RESULTS_MAX: usize = 1000;

/// A value's type as Lua names it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}
