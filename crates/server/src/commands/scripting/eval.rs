//! EVAL, EVALSHA and their read-only variants.

use std::sync::Arc;

use ochre_lua::Input;
use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::{Call, Role};
use crate::gates;
use crate::script::cache::{Script, Sha, parse_sha, sha_of};
use crate::script::{Engine, Program, ScriptFlags};
use crate::server::Server;
use crate::unit::{Kind, Unit};

const FLAGS: Flags = Flags::NOSCRIPT
    .or(Flags::STALE)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::MAY_REPLICATE)
    .or(Flags::NO_MANDATORY_KEYS);
const RO_FLAGS: Flags = Flags::NOSCRIPT
    .or(Flags::STALE)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::NO_MANDATORY_KEYS)
    .or(Flags::READONLY);
const RW_ANY: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
const KEYS: &[KeySpec] = &[KeySpec::counted(2, RW_ANY)];
const RO_KEYS: &[KeySpec] = &[KeySpec::counted(2, RO_ACCESS)];
/// EVALSHA has no notes, as in Redis.
const NOTED_KEYS: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
    ..KeySpec::counted(2, RW_ANY)
}];
const NOTED_RO_KEYS: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
    ..KeySpec::counted(2, RO_ACCESS)
}];

/// What the commands that run a script or function have in common, where they may write.
pub(super) const fn runner(name: &'static str, run: UnitHandler) -> Command {
    Command {
        flags: FLAGS,
        find_keys: Some(find_keys),
        keys: NOTED_KEYS,
        ..command(name, Group::Scripting, -3, Run::Unit(run))
    }
}

/// What they have in common where they never write.
pub(super) const fn reader(name: &'static str, run: UnitHandler) -> Command {
    Command {
        flags: RO_FLAGS,
        keys: NOTED_RO_KEYS,
        ..runner(name, run)
    }
}

const COMPLEXITY: &str = "Depends on the script that is executed.";
pub(super) const NUMKEYS: Arg = integer("numkeys");
pub(super) const ANY_KEYS: Arg = key("key").opt().many();
pub(super) const ANY_ARGUMENTS: Arg = string("arg").opt().many();

pub const EVAL: Command = Command {
    summary: "Executes a server-side Lua script.",
    since: "2.6.0",
    complexity: COMPLEXITY,
    args: &[string("script"), NUMKEYS, ANY_KEYS, ANY_ARGUMENTS],
    ..runner("eval", eval)
};

pub const EVALSHA: Command = Command {
    summary: "Executes a server-side Lua script by SHA1 digest.",
    since: "2.6.0",
    complexity: COMPLEXITY,
    keys: KEYS,
    args: &[string("sha1"), NUMKEYS, ANY_KEYS, ANY_ARGUMENTS],
    ..runner("evalsha", evalsha)
};

pub const EVAL_RO: Command = Command {
    summary: "Executes a read-only server-side Lua script.",
    since: "7.0.0",
    complexity: COMPLEXITY,
    args: &[
        string("script"),
        NUMKEYS,
        key("key").many(),
        string("arg").many(),
    ],
    ..reader("eval_ro", eval_ro)
};

pub const EVALSHA_RO: Command = Command {
    summary: "Executes a read-only server-side Lua script by SHA1 digest.",
    since: "7.0.0",
    complexity: COMPLEXITY,
    keys: RO_KEYS,
    args: &[
        string("sha1"),
        NUMKEYS,
        key("key").many(),
        string("arg").many(),
    ],
    ..reader("evalsha_ro", evalsha_ro)
};

/// The keys behind their number; none where that is zero.
fn find_keys(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    let count = usize::try_from(number::parse_i64(argv.get(2)?)?).ok()?;
    let last = count.checked_add(3)?;
    (last <= argv.len()).then(|| (3..last).map(|at| (at, RW_ANY)).collect())
}

fn eval<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    eval_text(call, unit, Writes::Allowed, args, out)
}

fn eval_ro<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    eval_text(call, unit, Writes::Refused, args, out)
}

fn eval_text<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    writes: Writes,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let text = args.next()?;
    // What is wrong with the keys is said before what is wrong with the script.
    let input = split_arguments(args)?;
    let sha = sha_of(text);
    let find = |server: &Server| server.scripts.add(text);
    run(call, unit, &sha, find, writes, input, args.all(), out)
}

fn evalsha<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    eval_known(call, unit, Writes::Allowed, args, out)
}

fn evalsha_ro<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    eval_known(call, unit, Writes::Refused, args, out)
}

fn eval_known<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    writes: Writes,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    const MISSING: Error = Error::text("NOSCRIPT No matching script. Please use EVAL.");
    let sha = parse_sha(args.next()?).ok_or(MISSING)?;
    let input = split_arguments(args)?;
    let find = |server: &Server| server.scripts.find(&sha).ok_or(MISSING);
    run(call, unit, &sha, find, writes, input, args.all(), out)
}

/// Whether the variant of the command lets the script write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    Allowed,
    Refused,
}

/// The keys and the other arguments behind the number of keys.
#[allow(
    clippy::type_complexity,
    reason = "two lists of arguments, or an error"
)]
pub(super) fn split_arguments<'a>(
    args: &mut Args<'a>,
) -> Result<(&'a [&'a [u8]], &'a [&'a [u8]]), Error> {
    let count = args.integer()?;
    let rest = args.rest();
    let count = match usize::try_from(count) {
        Ok(count) if count <= rest.len() => count,
        Ok(_) => {
            return Err(Error::text(
                "ERR Number of keys can't be greater than number of args",
            ));
        }
        Err(_) => return Err(Error::text("ERR Number of keys can't be negative")),
    };
    Ok(rest.split_at(count))
}

/// Runs a script, which `find` finds where this thread has not compiled it yet.
#[allow(
    clippy::too_many_arguments,
    reason = "what EVAL's four variants have in common"
)]
fn run<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    sha: &Sha,
    find: impl FnOnce(&Server) -> Result<Arc<Script>, Error>,
    writes: Writes,
    (keys, arguments): (&[&[u8]], &[&[u8]]),
    command: &[&[u8]],
    out: &mut Reply,
) -> Outcome {
    let name = std::str::from_utf8(sha).unwrap_or_default();
    if goes_aside(call, unit, name) {
        return Ok(Flow::Aside);
    }
    with_engine(call, |call, engine| {
        let compiled = match engine.find(sha) {
            Some(compiled) => compiled,
            None => {
                let script = find(call.server)?;
                engine.compile(&script).inspect_err(|_| {
                    call.server.scripts.remove(sha);
                })?
            }
        };
        if !compiled.flags.undeclared {
            admit(call, compiled.flags, writes)?;
        }
        let program = Program {
            compiled,
            input: Input::Globals(keys, arguments),
            is_read_only: writes == Writes::Refused,
            name,
        };
        locked(call, unit, keys, "", command, |call, unit| {
            engine.run(call, unit, &program, out)
        })
    })?;
    Ok(Flow::Done)
}

/// Whether a script or function is to run on the thread of scripts: it is not known to
/// be short, or another runs there.
pub(super) fn goes_aside(call: &Call<'_>, unit: &Unit<'_>, name: &str) -> bool {
    let server = call.server;
    call.local.role == Role::Worker
        && unit.kind == Kind::Single
        && (!server.paces.is_short(name) || server.script.is_long())
        && !server.is_busy()
}

/// Whether a script or function that declares what it does may run.
///
/// # Errors
/// It may write and the command does not let it, or there is no memory.
pub(super) fn admit(call: &Call<'_>, flags: ScriptFlags, writes: Writes) -> Result<(), Error> {
    if flags.no_writes {
        return Ok(());
    }
    if writes == Writes::Refused {
        return Err(Error::text(
            "ERR Can not execute a script with write flag using *_ro command.",
        ));
    }
    if !flags.allow_oom && gates::is_out_of_memory(call) {
        return Err(Error::OutOfMemory);
    }
    Ok(())
}

/// In the paths of the sources of the binding to the interpreter, and no others.
const INTERPRETER: &str = "/mlua-";

/// Runs `work` with the thread's interpreter, made on first use.
pub(super) fn with_engine<'c, R>(
    call: &mut Call<'c>,
    work: impl FnOnce(&mut Call<'c>, &mut Engine) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut engine = match call.local.engine.take() {
        Some(engine) => engine,
        None => Engine::new(call.server)
            .map(Box::new)
            .map_err(|error| Error::owned(format!("ERR cannot start the interpreter: {error}")))?,
    };
    engine.catch_up(call.server);
    let ended = ochre_crash::contained(INTERPRETER, || work(call, &mut engine));
    let (before, after) = engine.note_memory();
    let Some(result) = ended else {
        // The binding to the interpreter panics when a script exhausts its slots. That
        // interpreter is not to be trusted any more; the next script gets a new one, and
        // what the commands of this one did has happened.
        std::mem::forget(engine);
        call.server.script.end();
        call.server.scripts.note_memory(before, 0);
        call.server
            .log
            .warning("A script has exhausted its interpreter");
        return Err(Error::text(
            "ERR the script needs more than the interpreter can hold at a time",
        ));
    };
    call.server.scripts.note_memory(before, after);
    call.local.engine = Some(engine);
    result
}

/// Runs `work` as a script: under the global lock and the stripes of the declared keys,
/// visible to SCRIPT KILL, and to FUNCTION STATS under the function's name if it has one.
pub(super) fn locked<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    keys: &[&[u8]],
    function: &str,
    command: &[&[u8]],
    work: impl FnOnce(&mut Call<'c>, &mut Unit<'c>) -> Result<(), Error>,
) -> Result<(), Error> {
    let server = call.server;
    let outer = unit.kind;
    unit.lock_script(call)?;
    if outer == Kind::Single {
        unit.kind = Kind::Script;
    }
    let worker = match call.local.role {
        Role::Aside => None,
        Role::Worker | Role::Replay => Some(call.session.client.worker),
    };
    server
        .script
        .begin(call.local.now_ms, worker, function, command);
    unit.take_declared(keys);
    let db = call.session.db;
    let result = work(call, unit);
    // SELECT within a script ends with it, and so does set_repl.
    call.session.select(db);
    unit.records_changes(true);
    server.script.end();
    result
}
