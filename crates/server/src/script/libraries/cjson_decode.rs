//! Lua values from JSON.

use mlua::{Lua, Table, Value};

use super::cjson::Options;
use super::{Attempt, failure};

/// How deep values nest at most whatever the options say: the host's stack is finite.
const DEPTH_LIMIT: i64 = 1000;

/// The value of a JSON text.
///
/// # Errors
/// What was expected and what was found where, in lua-cjson's words.
pub fn decode(lua: &Lua, text: &[u8], options: &Options) -> Attempt<Value> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return failure("JSON parser does not support UTF-16 or UTF-32");
    }
    let mut decoder = Decoder {
        lua,
        text,
        at: 0,
        start: 0,
        depth: 0,
        options,
    };
    let token = decoder.token()?;
    let value = decoder.value(token)?;
    match decoder.token()? {
        Token::End => Ok(value),
        token => decoder.expected("the end", &token),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(mlua::String),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// No token, for this reason.
    Invalid(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Invalid(why) => why,
        }
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    /// Where the token that was read last starts.
    start: usize,
    depth: i64,
    options: &'a Options,
}

impl Decoder<'_> {
    /// The byte at a place; 0 behind the end, as in C.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn expected<T>(&self, wanted: &str, token: &Token) -> Attempt<T> {
        failure(format!(
            "Expected {wanted} but found {} at character {}",
            token.name(),
            self.start + 1
        ))
    }

    fn invalid(&mut self, why: &'static str) -> Token {
        self.start = self.at;
        Token::Invalid(why)
    }

    fn token(&mut self) -> Attempt<Token> {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.start = self.at;
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Ok(Token::End),
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.options.decode_invalid && self.is_invalid_number() {
                    return Ok(self.invalid("invalid number"));
                }
                return Ok(self.number());
            }
            b'+' | b'f' | b'i' | b'I' | b'n' | b'N' | b't' => return Ok(self.word()),
            _ => return Ok(self.invalid("invalid token")),
        };
        self.at += 1;
        Ok(single)
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let (len, token) = if rest.starts_with(b"true") {
            (4, Token::Boolean(true))
        } else if rest.starts_with(b"false") {
            (5, Token::Boolean(false))
        } else if rest.starts_with(b"null") {
            (4, Token::Null)
        } else if self.options.decode_invalid && self.is_invalid_number() {
            return self.number();
        } else {
            return self.invalid("invalid token");
        };
        self.at += len;
        token
    }

    /// Whether a number starts here that C accepts and JSON does not.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        match self.byte(at) {
            b'+' => return true,
            b'-' => at += 1,
            _ => {}
        }
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            byte if byte <= b'9' => false,
            _ => {
                let word = self.text.get(at..at + 3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn number(&mut self) -> Token {
        match number_prefix(&self.text[self.at..]) {
            Some((value, len)) => {
                self.at += len;
                Token::Number(value)
            }
            None => self.invalid("invalid number"),
        }
    }

    fn string(&mut self) -> Attempt<Token> {
        self.at += 1;
        // Without escapes the string is a part of the text.
        let rest = &self.text[self.at..];
        if let Some(end) = memchr::memchr3(b'"', b'\\', 0, rest)
            && rest[end] == b'"'
        {
            self.at += end + 1;
            return Ok(Token::Text(self.lua.create_string(&rest[..end])?));
        }
        let mut string = Vec::new();
        loop {
            let byte = match self.byte(self.at) {
                b'"' => break,
                0 => return Ok(self.invalid("unexpected end of string")),
                b'\\' => {
                    let escaped = match self.byte(self.at + 1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.unicode() {
                            Some((character, len)) => {
                                push_utf8(&mut string, character);
                                self.at += len;
                                continue;
                            }
                            None => return Ok(self.invalid("invalid unicode escape code")),
                        },
                        _ => return Ok(self.invalid("invalid escape code")),
                    };
                    self.at += 1;
                    escaped
                }
                byte => byte,
            };
            string.push(byte);
            self.at += 1;
        }
        self.at += 1;
        Ok(Token::Text(self.lua.create_string(&string)?))
    }

    /// The code point of the escape here, and how long it is.
    fn unicode(&self) -> Option<(u32, usize)> {
        let first = self.hex4(self.at + 2)?;
        if first & 0xf800 != 0xd800 {
            return Some((first, 6));
        }
        if first & 0x400 != 0 || self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
            return None;
        }
        let second = self.hex4(self.at + 8)?;
        (second & 0xfc00 == 0xdc00)
            .then(|| (((first & 0x3ff) << 10) + (second & 0x3ff) + 0x1_0000, 12))
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |value, at| {
            Some(value << 4 | char::from(self.byte(at)).to_digit(16)?)
        })
    }

    fn value(&mut self, token: Token) -> Attempt<Value> {
        match token {
            Token::Text(text) => Ok(Value::String(text)),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(value) => Ok(Value::Boolean(value)),
            Token::Null => Ok(Value::NULL),
            Token::ObjectBegin => self.nested(Self::object),
            Token::ArrayBegin => self.nested(Self::array),
            token => self.expected("value", &token),
        }
    }

    fn nested(&mut self, read: fn(&mut Self, &Table) -> Attempt<()>) -> Attempt<Value> {
        self.depth += 1;
        if self.depth > self.options.decode_depth.min(DEPTH_LIMIT) {
            return failure(format!(
                "Found too many nested data structures ({}) at character {}",
                self.depth, self.at
            ));
        }
        let table = self.lua.create_table()?;
        read(self, &table)?;
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn object(&mut self, table: &Table) -> Attempt<()> {
        let mut token = self.token()?;
        if let Token::ObjectEnd = token {
            return Ok(());
        }
        loop {
            let key = match token {
                Token::Text(key) => key,
                token => return self.expected("object key string", &token),
            };
            match self.token()? {
                Token::Colon => {}
                token => return self.expected("colon", &token),
            }
            let token_of_value = self.token()?;
            table.raw_set(key, self.value(token_of_value)?)?;
            match self.token()? {
                Token::ObjectEnd => return Ok(()),
                Token::Comma => token = self.token()?,
                token => return self.expected("comma or object end", &token),
            }
        }
    }

    fn array(&mut self, table: &Table) -> Attempt<()> {
        let mut token = self.token()?;
        if let Token::ArrayEnd = token {
            return Ok(());
        }
        for index in 1_i64.. {
            table.raw_set(index, self.value(token)?)?;
            match self.token()? {
                Token::ArrayEnd => break,
                Token::Comma => token = self.token()?,
                token => return self.expected("comma or array end", &token),
            }
        }
        Ok(())
    }
}

/// A code point in UTF-8; also those that are no characters.
fn push_utf8(out: &mut Vec<u8>, code: u32) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => {
            out.extend_from_slice(&[0xe0 | (code >> 12) as u8, tail(6), tail(0)]);
        }
        _ => out.extend_from_slice(&[0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

/// The number that C's strtod reads at the start of `text`, and how many bytes it takes.
fn number_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let negate = text.first() == Some(&b'-');
    let body = &text[sign_len..];
    let (value, len) = if starts_with_word(body, b"infinity") {
        (f64::INFINITY, 8)
    } else if starts_with_word(body, b"inf") {
        (f64::INFINITY, 3)
    } else if starts_with_word(body, b"nan") {
        (f64::NAN, 3)
    } else if starts_with_word(body, b"0x") && body.get(2).is_some_and(u8::is_ascii_hexdigit) {
        hexadecimal_prefix(body)
    } else {
        let digits = |from: usize| {
            let rest = body.get(from..).unwrap_or_default();
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let whole = digits(0);
        let mut len = whole;
        if body.get(len) == Some(&b'.') {
            let fraction = digits(len + 1);
            if whole + fraction == 0 {
                return None;
            }
            len += 1 + fraction;
        } else if whole == 0 {
            return None;
        }
        if matches!(body.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(body.get(len + 1), Some(b'+' | b'-')));
            let power = digits(len + 1 + sign);
            if power > 0 {
                len += 1 + sign + power;
            }
        }
        let text = std::str::from_utf8(&body[..len]).ok()?;
        (text.parse().ok()?, len)
    };
    Some((if negate { -value } else { value }, sign_len + len))
}

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// `0x1f`, `0x1.8p3`.
fn hexadecimal_prefix(text: &[u8]) -> (f64, usize) {
    let mut value = 0_f64;
    let mut scale = 0_i32;
    let mut seen_point = false;
    let mut at = 2;
    while let Some(&byte) = text.get(at) {
        match char::from(byte).to_digit(16) {
            Some(digit) => {
                value = value * 16.0 + f64::from(digit);
                scale -= if seen_point { 4 } else { 0 };
            }
            None if byte == b'.' && !seen_point => seen_point = true,
            None => break,
        }
        at += 1;
    }
    if matches!(text.get(at), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let rest = &text[at + 1 + sign..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len > 0 {
            let power = rest[..len].iter().fold(0_i32, |power, digit| {
                power
                    .saturating_mul(10)
                    .saturating_add(i32::from(digit - b'0'))
            });
            let power = if text[at + 1] == b'-' { -power } else { power };
            scale = scale.saturating_add(power);
            at += 1 + sign + len;
        }
    }
    (value * 2_f64.powi(scale), at)
}
