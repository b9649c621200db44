//! `redis.call` and `redis.pcall`: a command within the script's unit of execution.

use ochre_lua::{BadWords, Host};
use ochre_resp::{Protocol, Reply};
use ochre_structures::number;

use super::flags::ScriptFlags;
use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::{self, Call};
use crate::gates;
use crate::unit::Unit;

/// Carries a script's calls into its unit of execution.
pub struct Dispatcher<'d, 'c> {
    call: &'d mut Call<'c>,
    unit: &'d mut Unit<'c>,
    flags: ScriptFlags,
    is_read_only: bool,
    protocol: Protocol,
}

impl Host for Dispatcher<'_, '_> {
    fn call(&mut self, words: Result<&[&[u8]], BadWords>, reply: &mut Vec<u8>) {
        let admitted = match words {
            Ok(words) => self.admit(words).map(|known| (known, words)),
            Err(BadWords::Missing) => Err(Error::text(
                "ERR Please specify at least one argument for this redis lib call",
            )),
            Err(BadWords::NotText) => Err(Error::text(
                "ERR Lua redis lib command arguments must be strings or integers",
            )),
        };
        let mut out = Reply::with_buffer(std::mem::take(reply), self.protocol);
        match admitted {
            Ok((known, words)) => self.run(known, words, &mut out),
            Err(error) => execute::write_error(self.call.server, &error, &mut out),
        }
        *reply = out.into_bytes();
    }

    fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn propagate_to(&mut self, targets: u8) {
        const APPEND_ONLY_FILE: u8 = 1;
        self.unit.records_changes(targets & APPEND_ONLY_FILE != 0);
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Everybody may run every command that there is.
    fn check(&self, name: &[u8]) -> Result<(), Vec<u8>> {
        match self.call.server.commands.find(name) {
            Some(_) => Ok(()),
            None => Err(b"ERR Invalid command passed to redis.acl_check_cmd()".to_vec()),
        }
    }
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
        }
    }

    fn run(&mut self, known: &Known, argv: &[&[u8]], out: &mut Reply) {
        let server = self.call.server;
        if !server.monitors.is_empty() {
            server.monitors.show_scripted(self.call.session.db, argv);
        }
        let client_protocol = std::mem::replace(&mut self.call.session.protocol, self.protocol);
        let dirty = self.unit.effects.dirty;
        self.unit.run_nested(self.call, known, argv, out);
        self.call.session.protocol = client_protocol;
        if self.unit.effects.dirty > dirty {
            server.script.note_write();
        }
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
