//! Keeps the caller's frame where a script returns what the host's function returns.
//!
//! `return cjson.encode(…)` is a tail call: Lua drops the script's frame before the callee
//! runs, and an error could no longer say in which line it happened. (In Redis the callee
//! is a C function, for which Lua keeps the frame; so it is here for `redis.call`.) So the
//! text is changed before it is compiled: `return (cjson.encode(…))` is no tail call.
//! Parentheses also cut the results to one, so this is done only to functions that have
//! one result, and only to names that the world of scripts protects. Line numbers do not
//! change.

use std::borrow::Cow;

/// Functions with one result at most, by their libraries.
const SINGLE: &[(&[u8], &[&[u8]])] = &[
    (
        b"redis",
        &[
            b"error_reply",
            b"status_reply",
            b"sha1hex",
            b"log",
            b"setresp",
            b"set_repl",
            b"acl_check_cmd",
            b"register_function",
        ],
    ),
    (b"cjson", &[b"encode", b"decode"]),
    (b"cmsgpack", &[b"pack"]),
    (b"struct", &[b"pack", b"size"]),
    (
        b"bit",
        &[
            b"tobit", b"tohex", b"bnot", b"band", b"bor", b"bxor", b"lshift", b"rshift",
            b"arshift", b"rol", b"ror", b"bswap",
        ],
    ),
];

/// A text to compile.
#[derive(Debug, PartialEq, Eq)]
pub struct Prepared<'a> {
    pub text: Cow<'a, [u8]>,
    /// The line of the last `return`: the best guess for tail calls that were left alone.
    pub last_return_line: usize,
}

/// Makes the tail calls of single-valued library functions ordinary calls. O(length).
pub fn prepare(text: &[u8]) -> Prepared<'_> {
    let mut inserts: Vec<(usize, u8)> = Vec::new();
    let mut last_return = 0;
    let mut at = 0;
    while let Some((start, token)) = next_token(text, at) {
        at = start + token.len();
        if token != b"return" {
            continue;
        }
        last_return = start;
        if let Some((from, to)) = tail_call(text, at) {
            inserts.push((from, b'('));
            inserts.push((to, b')'));
        }
    }
    let lines = memchr::memchr_iter(b'\n', &text[..last_return]).count();
    let mut prepared = Prepared {
        text: Cow::Borrowed(text),
        last_return_line: lines + 1,
    };
    if !inserts.is_empty() {
        inserts.sort_by_key(|&(at, _)| at);
        let mut changed = Vec::with_capacity(text.len() + inserts.len());
        let mut copied = 0;
        for (at, byte) in inserts {
            changed.extend_from_slice(&text[copied..at]);
            changed.push(byte);
            copied = at;
        }
        changed.extend_from_slice(&text[copied..]);
        prepared.text = Cow::Owned(changed);
    }
    prepared
}

/// Where the library call that is all that follows a `return` starts and ends.
fn tail_call(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (from, library) = next_token(text, at)?;
    let (_, functions) = SINGLE.iter().find(|(name, _)| *name == library)?;
    let (dot, token) = next_token(text, from + library.len())?;
    if token != b"." {
        return None;
    }
    let (start, function) = next_token(text, dot + 1)?;
    if !functions.contains(&function) {
        return None;
    }
    let (mut at, open) = next_token(text, start + function.len())?;
    if open != b"(" {
        return None;
    }
    let mut depth = 0_usize;
    let to = loop {
        let (start, token) = next_token(text, at)?;
        at = start + token.len();
        match token {
            b"(" | b"{" | b"[" => depth += 1,
            b")" | b"}" | b"]" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    break at;
                }
            }
            _ => {}
        }
    };
    match next_token(text, to) {
        None => Some((from, to)),
        Some((_, b"end" | b"else" | b"elseif" | b"until" | b";")) => Some((from, to)),
        Some(_) => None,
    }
}

/// The next word, string, number or single byte of punctuation from `at` on, with its
/// place.
fn next_token(text: &[u8], mut at: usize) -> Option<(usize, &[u8])> {
    loop {
        let rest = text.get(at..)?;
        let first = *rest.first()?;
        let len = match first {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with(b"--") => {
                at += 2 + comment_len(&rest[2..]);
                continue;
            }
            b'"' | b'\'' => quoted_len(rest, first),
            b'[' => long_bracket_len(rest).unwrap_or(1),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9' => rest
                .iter()
                .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
                .unwrap_or(rest.len()),
            _ => 1,
        };
        return Some((at, &rest[..len]));
    }
}

/// The length of a comment behind its `--`.
fn comment_len(rest: &[u8]) -> usize {
    long_bracket_len(rest).unwrap_or_else(|| memchr::memchr(b'\n', rest).unwrap_or(rest.len()))
}

/// The length of a string in quotes, or of what there is of it.
fn quoted_len(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => break,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at.min(rest.len())
}

/// The length of `[[…]]` or `[=[…]=]`, if that is what starts here.
fn long_bracket_len(rest: &[u8]) -> Option<usize> {
    let level = rest
        .get(1..)?
        .iter()
        .take_while(|&&byte| byte == b'=')
        .count();
    if rest.first() != Some(&b'[') || rest.get(level + 1) != Some(&b'[') {
        return None;
    }
    let mut closing = vec![b'='; level + 2];
    closing[0] = b']';
    closing[level + 1] = b']';
    let body = level + 2;
    Some(
        memchr::memmem::find(&rest[body..], &closing)
            .map_or(rest.len(), |end| body + end + closing.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let prepared = prepare(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&prepared.text), expected);
    }

    #[test]
    fn library_calls_in_tail_position_get_parentheses() {
        check(
            "return redis.sha1hex('get', KEYS[1])",
            "return (redis.sha1hex('get', KEYS[1]))",
        );
        check(
            "if x then return redis.sha1hex(f(\")\")) else return cjson.encode({1}) end",
            "if x then return (redis.sha1hex(f(\")\"))) else return (cjson.encode({1})) end",
        );
        check(
            "return redis.log([[)]]) -- done",
            "return (redis.log([[)]])) -- done",
        );
        check(
            "return redis.sha1hex('set', f(function() return redis.sha1hex('a') end))",
            "return (redis.sha1hex('set', f(function() return (redis.sha1hex('a')) end)))",
        );
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for text in [
            "return redis.sha1hex('get'), 1",
            "return redis.sha1hex('get')[1]",
            "return redis.sha1hex('get') + 1",
            "return redis.sha1hex 'get'",
            "return cmsgpack.unpack(x)",
            "local s = 'return redis.sha1hex(1)' return s",
            "-- return redis.sha1hex(1)",
            "--[==[ return redis.sha1hex(1) ]==] return 1",
            "return redis.sha1hex('get'",
            "return redis.call(1)",
            "returned = redis.sha1hex(1)",
            "return redis",
            "return",
            "[=[",
            "'\\",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn the_last_return_is_known() {
        assert_eq!(prepare(b"a()\n\nreturn f()\n").last_return_line, 3);
        assert_eq!(prepare(b"").last_return_line, 1);
    }
}
