//! `redis.call` and `redis.pcall`: a command within the script's unit of execution.

use mlua::{BorrowedBytes, Lua, MultiValue, Value};
use ochre_resp::{Protocol, Reply};
use ochre_structures::number;
use smallvec::SmallVec;

use super::convert;
use super::flags::ScriptFlags;
use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::{self, Call};
use crate::gates;
use crate::unit::Unit;

/// What the script calls, by the first argument of the prelude's `context.call`.
const CALL: i64 = 0;
const PCALL: i64 = 1;
const SETRESP: i64 = 2;
const SET_REPL: i64 = 3;
const ACL_CHECK: i64 = 4;
/// A call or pcall of so many arguments that they come in a table, with their number.
const LONG_CALL: i64 = 5;

/// Carries a script's calls into its unit of execution.
pub struct Dispatcher<'d, 'c> {
    call: &'d mut Call<'c>,
    unit: &'d mut Unit<'c>,
    flags: ScriptFlags,
    is_read_only: bool,
    protocol: Protocol,
    out: Vec<u8>,
}

impl<'d, 'c> Dispatcher<'d, 'c> {
    pub fn new(
        call: &'d mut Call<'c>,
        unit: &'d mut Unit<'c>,
        flags: ScriptFlags,
        is_read_only: bool,
    ) -> Self {
        Self {
            call,
            unit,
            is_read_only: is_read_only || flags.no_writes,
            flags,
            protocol: Protocol::Resp2,
            out: Vec::new(),
        }
    }

    /// The protocol version the script has chosen.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// One call of the script: whether it failed, and its result.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn call(&mut self, lua: &Lua, mut arguments: MultiValue) -> mlua::Result<(bool, Value)> {
        let what = match arguments.pop_front() {
            Some(Value::Integer(what)) => what,
            Some(Value::Number(what)) => what as i64,
            _ => CALL,
        };
        match what {
            SETRESP => {
                self.protocol = if let Some(Value::Integer(3)) = arguments.pop_front() {
                    Protocol::Resp3
                } else {
                    Protocol::Resp2
                };
                Ok((false, Value::Nil))
            }
            SET_REPL => Ok((false, Value::Nil)),
            ACL_CHECK => {
                match words_of_command(&arguments).and_then(|words| self.check(words[0].bytes())) {
                    Ok(()) => Ok((false, Value::Boolean(true))),
                    Err(error) => self.fail(lua, &error),
                }
            }
            LONG_CALL => match words_of_table(&arguments) {
                Ok(words) => {
                    let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    self.run(lua, &argv)
                }
                Err(error) => self.fail(lua, &error),
            },
            CALL | PCALL => match words_of_command(&arguments) {
                Ok(words) => {
                    let argv: SmallVec<[&[u8]; 8]> = words.iter().map(Word::bytes).collect();
                    self.run(lua, &argv)
                }
                Err(error) => self.fail(lua, &error),
            },
            _ => Ok((false, Value::Nil)),
        }
    }

    fn run(&mut self, lua: &Lua, argv: &[&[u8]]) -> mlua::Result<(bool, Value)> {
        let known = match self.admit(argv) {
            Ok(known) => known,
            Err(error) => return self.fail(lua, &error),
        };
        let server = self.call.server;
        if !server.monitors.is_empty() {
            server.monitors.show_scripted(self.call.session.db, argv);
        }
        let mut out = Reply::with_buffer(std::mem::take(&mut self.out), self.protocol);
        let client_protocol = self.call.session.protocol;
        self.call.session.protocol = self.protocol;
        let dirty = self.unit.effects.dirty;
        self.unit.run_nested(self.call, known, argv, &mut out);
        self.call.session.protocol = client_protocol;
        if self.unit.effects.dirty > dirty {
            server.script.note_write();
        }
        let mut bytes = out.into_bytes();
        let failed = bytes.first() == Some(&b'-');
        let value = convert::to_lua(lua, &bytes)?;
        bytes.clear();
        self.out = bytes;
        if let (true, Value::Table(error)) = (failed, &value) {
            error.raw_set("ignore_error_stats_update", true)?;
        }
        Ok((failed, value))
    }

    /// Whether the script may run the command.
    fn admit(&mut self, argv: &[&[u8]]) -> Result<&'c Known, Error> {
        let server = self.call.server;
        let Some(known) = server.commands.find(argv[0]) else {
            return Err(Error::text("ERR Unknown Redis command called from script"));
        };
        let known = execute::resolve_known(server, known, argv).map_err(|error| match error {
            Error::Arity(_) => {
                Error::text("ERR Wrong number of args calling Redis command from script")
            }
            _ => Error::text("ERR Unknown Redis command called from script"),
        })?;
        if known.flags.has(Flags::NOSCRIPT) {
            return Err(Error::text(
                "ERR This Redis command is not allowed from script",
            ));
        }
        if matches!(known.command.name, "xread" | "xreadgroup") && asks_to_block(argv) {
            let mut text = b"ERR ".to_vec();
            text.extend_from_slice(argv[0]);
            text.extend_from_slice(b" command is not allowed with BLOCK option from scripts");
            return Err(Error::Bytes(text));
        }
        let writes = known.flags.has(Flags::WRITE) || known.flags.has(Flags::MAY_REPLICATE);
        if writes && self.is_read_only {
            return Err(Error::text(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        if writes {
            gates::admit_scripted_write(self.call)?;
        }
        // Once it has written, a script is let finish.
        if known.flags.has(Flags::DENYOOM) && !self.flags.allow_oom && self.unit.effects.dirty == 0
        {
            gates::admit_memory(self.call, known)?;
        }
        Ok(known)
    }

    /// Whether there is such a command: everybody may run everything.
    fn check(&self, name: &[u8]) -> Result<(), Error> {
        match self.call.server.commands.find(name) {
            Some(_) => Ok(()),
            None => Err(Error::text(
                "ERR Invalid command passed to redis.acl_check_cmd()",
            )),
        }
    }

    fn fail(&self, lua: &Lua, error: &Error) -> mlua::Result<(bool, Value)> {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set("err", lua.create_string(error.line())?)?;
        table.raw_set("ignore_error_stats_update", true)?;
        Ok((true, Value::Table(table)))
    }
}

/// An argument of a command.
enum Word<'a> {
    Text(BorrowedBytes<'a>),
    Number(SmallVec<[u8; 24]>),
}

impl Word<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Number(text) => text,
        }
    }
}

fn words_of_command(arguments: &MultiValue) -> Result<SmallVec<[Word<'_>; 8]>, Error> {
    if arguments.is_empty() {
        return Err(Error::text(
            "ERR Please specify at least one argument for this redis lib call",
        ));
    }
    arguments
        .iter()
        .map(|value| match value {
            Value::String(text) => Ok(Word::Text(text.as_bytes())),
            Value::Integer(value) => {
                let mut digits = itoa::Buffer::new();
                let text = digits.format(*value);
                Ok(Word::Number(SmallVec::from_slice(text.as_bytes())))
            }
            // Numbers as Redis writes them.
            Value::Number(value) => {
                let mut text = Vec::new();
                number::format_f64_17g(&mut text, *value);
                Ok(Word::Number(SmallVec::from_vec(text)))
            }
            _ => Err(Error::text(
                "ERR Lua redis lib command arguments must be strings or integers",
            )),
        })
        .collect()
}

/// The words of a command that come in a table. Values are taken out one by one: the
/// interpreter can lend the host only some thousands at a time.
fn words_of_table(arguments: &MultiValue) -> Result<Vec<Vec<u8>>, Error> {
    let mut arguments = arguments.iter();
    let (Some(Value::Table(table)), Some(count)) = (arguments.next(), arguments.next()) else {
        return words_of_command(&MultiValue::new()).map(|_| Vec::new());
    };
    let count = count.as_i64().or(count.as_f64().map(|count| count as i64));
    (1..=count.unwrap_or(0))
        .map(|index| {
            let value = MultiValue::from_iter(table.raw_get::<Value>(index));
            words_of_command(&value).map(|words| words[0].bytes().to_vec())
        })
        .collect()
}

/// Whether the options of XREAD or XREADGROUP, read as those do, come to a BLOCK.
fn asks_to_block(argv: &[&[u8]]) -> bool {
    let mut at = 1;
    while let Some(option) = argv.get(at) {
        let more = argv.len() - at - 1;
        let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
        at += match more {
            1.. if is("BLOCK") => return true,
            1.. if is("COUNT") && number::parse_i64(argv[at + 1]).is_some() => 2,
            2.. if is("GROUP") => 3,
            _ if is("NOACK") => 1,
            _ => return false,
        };
    }
    false
}
