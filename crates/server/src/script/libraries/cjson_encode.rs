//! JSON from Lua values.

use mlua::{Table, Value};

use super::cjson::{InvalidNumbers, Options};
use super::{Attempt, failure, type_name};

/// How deep tables nest at most whatever the options say: the host's stack is finite.
const DEPTH_LIMIT: i64 = 1000;

/// The JSON text of a value.
///
/// # Errors
/// What cannot be said in JSON.
pub fn encode(value: &Value, options: &Options) -> Attempt<Vec<u8>> {
    let mut encoder = Encoder {
        out: Vec::with_capacity(64),
        options,
    };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder<'o> {
    out: Vec<u8>,
    options: &'o Options,
}

fn refuse<T>(value: &Value, why: &str) -> Attempt<T> {
    let kind = type_name(value);
    failure(format!("Cannot serialise {kind}: {why}"))
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: i64) -> Attempt<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(value, *number as f64)?,
            Value::Number(number) => self.number(value, *number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(data) if data.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(value, table, depth + 1)?,
            other => return refuse(other, "type not supported"),
        }
        Ok(())
    }

    fn table(&mut self, value: &Value, table: &Table, depth: i64) -> Attempt<()> {
        if depth > self.options.encode_depth.min(DEPTH_LIMIT) {
            return failure(format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.array_len(value, table)? {
            Some(len) if len > 0 => {
                self.out.push(b'[');
                for index in 1..=len {
                    if index > 1 {
                        self.out.push(b',');
                    }
                    self.value(&table.raw_get(index)?, depth)?;
                }
                self.out.push(b']');
            }
            _ => self.object(table, depth)?,
        }
        Ok(())
    }

    /// The length of a table that is an array; `None` for an object.
    fn array_len(&self, value: &Value, table: &Table) -> Attempt<Option<i64>> {
        let mut max = 0_i64;
        let mut items = 0_i64;
        for pair in table.pairs::<Value, Value>() {
            match pair?.0 {
                Value::Integer(key) if key >= 1 => {
                    max = max.max(key);
                    items += 1;
                }
                _ => return Ok(None),
            }
        }
        let options = self.options;
        if options.sparse_ratio > 0
            && max > items.saturating_mul(options.sparse_ratio)
            && max > options.sparse_safe
        {
            if !options.convert_sparse {
                return refuse(value, "excessively sparse array");
            }
            return Ok(None);
        }
        Ok(Some(max))
    }

    fn object(&mut self, table: &Table, depth: i64) -> Attempt<()> {
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(number) => {
                    self.out.push(b'"');
                    self.number(&key, *number as f64)?;
                    self.out.push(b'"');
                }
                Value::Number(number) => {
                    self.out.push(b'"');
                    self.number(&key, *number)?;
                    self.out.push(b'"');
                }
                _ => return refuse(&key, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn number(&mut self, value: &Value, number: f64) -> Attempt<()> {
        if !number.is_finite() {
            match self.options.encode_invalid {
                InvalidNumbers::Refuse => return refuse(value, "must not be NaN or Inf"),
                InvalidNumbers::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                InvalidNumbers::Allow => {}
            }
        }
        push_general(&mut self.out, number, self.options.precision as usize);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut copied = 0;
        for (at, &byte) in text.iter().enumerate() {
            let short = match byte {
                b'"' | b'\\' | b'/' => byte,
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0c => b'f',
                b'\r' => b'r',
                0..0x20 | 0x7f => b'u',
                _ => continue,
            };
            self.out.extend_from_slice(&text[copied..at]);
            self.out.extend_from_slice(&[b'\\', short]);
            if short == b'u' {
                self.out.extend_from_slice(format!("{byte:04x}").as_bytes());
            }
            copied = at + 1;
        }
        self.out.extend_from_slice(&text[copied..]);
        self.out.push(b'"');
    }
}

/// A number as C's `%.{precision}g` prints it.
pub fn push_general(out: &mut Vec<u8>, value: f64, precision: usize) {
    if !value.is_finite() {
        let text: &[u8] = match (value.is_nan(), value < 0.0) {
            (true, _) => b"nan",
            (false, true) => b"-inf",
            (false, false) => b"inf",
        };
        return out.extend_from_slice(text);
    }
    let exact = 10_f64.powi(precision as i32);
    if value.fract() == 0.0 && value.abs() < exact && (value != 0.0 || value.is_sign_positive()) {
        return out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    }
    let scientific = format!("{value:.*e}", precision - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision as i32 {
        out.extend_from_slice(trimmed(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        let power = exponent.unsigned_abs();
        out.extend_from_slice(format!("e{sign}{power:02}").as_bytes());
    } else {
        let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
        out.extend_from_slice(trimmed(&format!("{value:.decimals$}")).as_bytes());
    }
}

/// Without zeros at the end of the fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::push_general;

    #[test]
    fn numbers_are_printed_as_c_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333"),
            (1e14, "1e+14"),
            (99_999_999_999_999.0, "99999999999999"),
            (1.5e300, "1.5e+300"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-123.456, "-123.456"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut out = Vec::new();
            push_general(&mut out, value, 14);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
