//! `struct`: values to packed bytes and back, by a format text.
//!
//! ```text
//! > < !n      big endian, little endian, align to at most n (8)
//! b B h H l L T i<n> I<n>   integers of 1, 2, 8, 8, n (4) bytes; capitals are unsigned
//! f d x       float, double, a byte of padding
//! c<n> s      n (1) bytes, c0: by the value's length or the number before; ends in NUL
//! ```

use mlua::{Lua, Table, Value};

use super::{Arguments, Attempt, RESULTS_MAX, bad_argument, define, failure};

/// The longest integer.
const INTEGER_BYTES_MAX: usize = 32;
const ALIGN_MAX: usize = 8;
/// The longest result of packing, whatever sizes and alignments a format asks for.
const PACKED_MAX: usize = 512 * 1024 * 1024;

/// The library's functions.
///
/// # Errors
/// When the interpreter is out of memory.
pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    define(lua, &library, "pack", pack)?;
    define(lua, &library, "unpack", unpack)?;
    define(lua, &library, "size", size)?;
    Ok(library)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endian {
    Little,
    Big,
}

/// A format text that is being read.
struct Format<'a> {
    rest: &'a [u8],
    endian: Endian,
    align: usize,
    function: &'static str,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8], function: &'static str) -> Self {
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        Self {
            rest: &text[..end],
            endian: Endian::Little,
            align: 1,
            function,
        }
    }

    /// The next option with the size it says.
    fn next(&mut self) -> Attempt<Option<(u8, usize)>> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.count(1)?,
            b'i' | b'I' => {
                let size = self.count(4)?;
                if size > INTEGER_BYTES_MAX {
                    return failure(format!(
                        "integral size {size} is larger than limit of {INTEGER_BYTES_MAX}"
                    ));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    fn count(&mut self, default: usize) -> Attempt<usize> {
        let mut count = None;
        while let Some((&digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let next = count.unwrap_or(0_i32).checked_mul(10);
            let next = next.and_then(|count| count.checked_add(i32::from(digit - b'0')));
            if next.is_none() {
                return failure("integral size overflow");
            }
            count = next;
            self.rest = rest;
        }
        Ok(count.map_or(default, |count| count as usize))
    }

    /// Bytes of padding in front of an option at `position`.
    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// Obeys an option that stands for no value.
    fn control(&mut self, option: u8) -> Attempt<()> {
        match option {
            b' ' => {}
            b'>' => self.endian = Endian::Big,
            b'<' => self.endian = Endian::Little,
            b'!' => {
                let align = self.count(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    return failure(format!("alignment {align} is not a power of 2"));
                }
                self.align = align;
            }
            _ => {
                let why = format!("invalid format option '{}'", char::from(option));
                return bad_argument(1, self.function, &why);
            }
        }
        Ok(())
    }
}

fn pack(lua: &Lua, arguments: &Arguments) -> Attempt<Vec<u8>> {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text, arguments.function);
    let mut packed: Vec<u8> = Vec::new();
    let mut index = 1;
    let number = |index| match arguments.at(index) {
        Some(_) => arguments.number(lua, index),
        None => arguments.bad(index, "number expected, got nil"),
    };
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(packed.len(), option, size);
        if packed.len() + padding + size > PACKED_MAX {
            return failure("resulting string too large");
        }
        packed.resize(packed.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                index += 1;
                let value = number(index)?;
                let bits = if value < 0.0 {
                    value as i64 as u64
                } else {
                    value as u64
                };
                push_integer(&mut packed, bits, size, format.endian);
            }
            b'x' => packed.push(0),
            b'f' => {
                index += 1;
                let bytes = (number(index)? as f32).to_le_bytes();
                push_ordered(&mut packed, bytes, format.endian);
            }
            b'd' => {
                index += 1;
                let bytes = number(index)?.to_le_bytes();
                push_ordered(&mut packed, bytes, format.endian);
            }
            b'c' | b's' => {
                index += 1;
                let value = match arguments.at(index) {
                    Some(_) => arguments.string(lua, index)?,
                    None => return arguments.bad(index, "string expected, got nil"),
                };
                let value = value.as_bytes();
                let len = if size == 0 { value.len() } else { size };
                let Some(value) = value.get(..len) else {
                    return arguments.bad(index + 1, "string too short");
                };
                packed.extend_from_slice(value);
                if option == b's' {
                    packed.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    Ok(packed)
}

/// Integers have 64 bits; what is wider is filled up with zeros.
fn push_integer(packed: &mut Vec<u8>, bits: u64, size: usize, endian: Endian) {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    bytes[..8].copy_from_slice(&bits.to_le_bytes());
    if endian == Endian::Big {
        bytes[..size].reverse();
    }
    packed.extend_from_slice(&bytes[..size]);
}

fn push_ordered<const N: usize>(packed: &mut Vec<u8>, mut bytes: [u8; N], endian: Endian) {
    if endian == Endian::Big {
        bytes.reverse();
    }
    packed.extend_from_slice(&bytes);
}

fn ordered<const N: usize>(bytes: &[u8], endian: Endian) -> [u8; N] {
    let mut ordered = [0; N];
    ordered.copy_from_slice(bytes);
    if endian == Endian::Big {
        ordered.reverse();
    }
    ordered
}

fn integer(bytes: &[u8], endian: Endian, is_signed: bool) -> f64 {
    let push = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    let mut bits = match endian {
        Endian::Big => bytes.iter().fold(0, push),
        Endian::Little => bytes.iter().rev().fold(0, push),
    };
    if !is_signed {
        return bits as f64;
    }
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    if bits & sign != 0 {
        bits |= sign;
    }
    bits as i64 as f64
}

fn unpack(lua: &Lua, arguments: &Arguments) -> Attempt<Vec<Value>> {
    let text = arguments.string(lua, 1)?;
    let data = arguments.string(lua, 2)?;
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let start = arguments.integer_or(lua, 3, 1)?;
    if start == 0 {
        return arguments.bad(3, "offset must be 1 or greater");
    }
    // A negative offset is one that lies far behind the data.
    let mut position = usize::try_from(start - 1).unwrap_or(usize::MAX / 2);
    let mut format = Format::new(&text, arguments.function);
    let mut values = Vec::new();
    let too_short = || arguments.bad(2, "data string too short");
    while let Some((option, size)) = format.next()? {
        if values.len() >= RESULTS_MAX {
            return failure("stack overflow (too many results)");
        }
        position += format.padding(position, option, size);
        let slice = |len: usize| {
            let end = position.checked_add(len)?;
            data.get(position..end)
        };
        let Some(bytes) = slice(size) else {
            return too_short();
        };
        let mut used = size;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = integer(bytes, format.endian, option.is_ascii_lowercase());
                values.push(Value::Number(value));
            }
            b'x' => {}
            b'f' => {
                let value = f32::from_le_bytes(ordered(bytes, format.endian));
                values.push(Value::Number(f64::from(value)));
            }
            b'd' => {
                let value = f64::from_le_bytes(ordered(bytes, format.endian));
                values.push(Value::Number(value));
            }
            b'c' => {
                let mut bytes = bytes;
                if size == 0 {
                    let len = match values.pop() {
                        Some(Value::Number(len)) => len,
                        _ => return failure("format 'c0' needs a previous size"),
                    };
                    used = if len < 0.0 { usize::MAX } else { len as usize };
                    match slice(used) {
                        Some(found) => bytes = found,
                        None => return too_short(),
                    }
                }
                values.push(Value::String(lua.create_string(bytes)?));
            }
            b's' => {
                let rest = &data[position..];
                let Some(end) = memchr::memchr(0, rest) else {
                    return failure("unfinished string in data");
                };
                values.push(Value::String(lua.create_string(&rest[..end])?));
                used = end + 1;
            }
            _ => format.control(option)?,
        }
        position += used;
    }
    values.push(Value::Number((position + 1) as f64));
    Ok(values)
}

fn size(lua: &Lua, arguments: &Arguments) -> Attempt<f64> {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text, arguments.function);
    let mut position = 0_usize;
    while let Some((option, size)) = format.next()? {
        position += format.padding(position, option, size);
        match option {
            b's' => return arguments.bad(1, "option 's' has no fixed size"),
            b'c' if size == 0 => return arguments.bad(1, "option 'c0' has no fixed size"),
            _ if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        position += size;
    }
    Ok(position as f64)
}
