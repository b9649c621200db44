//! The first line of a script: `#!lua name=… flags=no-writes,allow-oom`.

use crate::error::Error;

/// What a script declares about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScriptFlags {
    /// The script has no shebang line and is judged by what it does.
    pub undeclared: bool,
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
}

impl ScriptFlags {
    /// Sets the flag of this name.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// The names of the flags set, as FUNCTION LIST shows them.
    pub fn names(&self) -> Vec<&'static str> {
        [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect()
    }
}

/// Splits a script's text into its flags and what Lua compiles. The line break of the
/// shebang stays, so that line numbers are right.
///
/// # Errors
/// Another engine than Lua, or unknown words.
pub fn parse(text: &[u8]) -> Result<(ScriptFlags, &[u8]), Error> {
    if !text.starts_with(b"#!") {
        let flags = ScriptFlags {
            undeclared: true,
            ..ScriptFlags::default()
        };
        return Ok((flags, text));
    }
    let Some(end) = memchr::memchr(b'\n', text) else {
        return Err(Error::text("ERR Invalid script shebang"));
    };
    let mut words = Vec::new();
    if !ochre_resp::inline::split(&text[..end], |word| words.push(word.to_vec())) {
        return Err(Error::text("ERR Invalid engine in script shebang"));
    }
    let quoting = |text: &str, word: &[u8]| {
        let mut line = text.as_bytes().to_vec();
        line.extend_from_slice(word);
        Error::Bytes(line)
    };
    let mut words = words.iter();
    match words.next() {
        Some(engine) if engine == b"#!lua" => {}
        engine => {
            let engine = engine.map_or(&b""[..], Vec::as_slice);
            return Err(quoting("ERR Unexpected engine in script shebang: ", engine));
        }
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(quoting("ERR Unknown lua shebang option: ", word));
        };
        for flag in list
            .split(|&byte| byte == b',')
            .filter(|flag| !flag.is_empty())
        {
            if !flags.set(flag) {
                return Err(quoting("ERR Unexpected flag in script shebang: ", flag));
            }
        }
    }
    Ok((flags, &text[end..]))
}
