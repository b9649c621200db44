//! `bit`: operations on the low 32 bits of numbers, as the BitOp library has them.

use mlua::{Lua, Table};

use super::{Arguments, Attempt, define};

/// The library's functions.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    define(lua, &bit, "tobit", |lua, arguments| {
        Ok(answer(bits(lua, arguments, 1)?))
    })?;
    define(lua, &bit, "bnot", |lua, arguments| {
        Ok(answer(!bits(lua, arguments, 1)?))
    })?;
    define(lua, &bit, "bswap", |lua, arguments| {
        Ok(answer(bits(lua, arguments, 1)?.swap_bytes()))
    })?;
    fold(lua, &bit, "band", |a, b| a & b)?;
    fold(lua, &bit, "bor", |a, b| a | b)?;
    fold(lua, &bit, "bxor", |a, b| a ^ b)?;
    shift(lua, &bit, "lshift", |value, by| value << by)?;
    shift(lua, &bit, "rshift", |value, by| value >> by)?;
    shift(lua, &bit, "arshift", |value, by| {
        (value as i32 >> by) as u32
    })?;
    shift(lua, &bit, "rol", u32::rotate_left)?;
    shift(lua, &bit, "ror", u32::rotate_right)?;
    define(lua, &bit, "tohex", tohex)?;
    Ok(bit)
}

/// The low 32 bits of a number, rounded as the addition of 2^52 + 2^51 rounds it.
fn bits(lua: &Lua, arguments: &Arguments, index: usize) -> Attempt<u32> {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    Ok((arguments.number(lua, index)? + MAGIC).to_bits() as u32)
}

fn answer(bits: u32) -> f64 {
    f64::from(bits as i32)
}

fn fold(
    lua: &Lua,
    bit: &Table,
    name: &'static str,
    operation: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    define(lua, bit, name, move |lua, arguments| {
        let mut result = bits(lua, arguments, 1)?;
        for index in 2..=arguments.len() {
            result = operation(result, bits(lua, arguments, index)?);
        }
        Ok(answer(result))
    })
}

fn shift(
    lua: &Lua,
    bit: &Table,
    name: &'static str,
    operation: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    define(lua, bit, name, move |lua, arguments| {
        let value = bits(lua, arguments, 1)?;
        let by = bits(lua, arguments, 2)? & 31;
        Ok(answer(operation(value, by)))
    })
}

fn tohex(lua: &Lua, arguments: &Arguments) -> Attempt<Vec<u8>> {
    let value = bits(lua, arguments, 1)?;
    let digits = match arguments.len() {
        0 | 1 => 8,
        _ => bits(lua, arguments, 2)? as i32,
    };
    let len = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    Ok(text.as_bytes()[8 - len..].to_vec())
}
