//! EVAL, EVALSHA and their read-only variants.

use std::sync::Arc;

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::gates;
use crate::script::cache::{Script, parse_sha};
use crate::script::{Engine, Input, Program, ScriptFlags};
use crate::unit::{Kind, StripeList, Unit};

pub(super) const FLAGS: Flags = Flags::NOSCRIPT
    .or(Flags::STALE)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::MAY_REPLICATE)
    .or(Flags::NO_MANDATORY_KEYS);
pub(super) const RO_FLAGS: Flags = Flags::NOSCRIPT
    .or(Flags::STALE)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::NO_MANDATORY_KEYS)
    .or(Flags::READONLY);
const RW_ANY: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
pub(super) const KEYS: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
    ..KeySpec::counted(2, RW_ANY)
}];
pub(super) const RO_KEYS: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
    ..KeySpec::counted(2, RO_ACCESS)
}];

pub const EVAL: Command = Command {
    summary: "Executes a server-side Lua script.",
    since: "2.6.0",
    complexity: "Depends on the script that is executed.",
    flags: FLAGS,
    find_keys: Some(find_keys),
    keys: KEYS,
    args: &[
        string("script"),
        integer("numkeys"),
        key("key").opt().many(),
        string("arg").opt().many(),
    ],
    ..command("eval", Group::Scripting, -3, Run::Unit(eval))
};

pub const EVALSHA: Command = Command {
    summary: "Executes a server-side Lua script by SHA1 digest.",
    since: "2.6.0",
    complexity: "Depends on the script that is executed.",
    flags: FLAGS,
    find_keys: Some(find_keys),
    keys: KEYS,
    args: &[
        string("sha1"),
        integer("numkeys"),
        key("key").opt().many(),
        string("arg").opt().many(),
    ],
    ..command("evalsha", Group::Scripting, -3, Run::Unit(evalsha))
};

pub const EVAL_RO: Command = Command {
    summary: "Executes a read-only server-side Lua script.",
    since: "7.0.0",
    complexity: "Depends on the script that is executed.",
    flags: RO_FLAGS,
    find_keys: Some(find_keys),
    keys: RO_KEYS,
    args: &[
        string("script"),
        integer("numkeys"),
        key("key").many(),
        string("arg").many(),
    ],
    ..command("eval_ro", Group::Scripting, -3, Run::Unit(eval_ro))
};

pub const EVALSHA_RO: Command = Command {
    summary: "Executes a read-only server-side Lua script by SHA1 digest.",
    since: "7.0.0",
    complexity: "Depends on the script that is executed.",
    flags: RO_FLAGS,
    find_keys: Some(find_keys),
    keys: RO_KEYS,
    args: &[
        string("sha1"),
        integer("numkeys"),
        key("key").many(),
        string("arg").many(),
    ],
    ..command("evalsha_ro", Group::Scripting, -3, Run::Unit(evalsha_ro))
};

/// The keys behind their number; none where that is zero.
pub(super) fn find_keys(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
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
    let text = args.next()?;
    // What is wrong with the keys is said before what is wrong with the script.
    split_arguments(&mut args.clone())?;
    let script = call.server.scripts.add(text)?;
    run(call, unit, &script, Writes::Allowed, args, out)
}

fn eval_ro<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let text = args.next()?;
    // What is wrong with the keys is said before what is wrong with the script.
    split_arguments(&mut args.clone())?;
    let script = call.server.scripts.add(text)?;
    run(call, unit, &script, Writes::Refused, args, out)
}

fn evalsha<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let script = find(call, args)?;
    run(call, unit, &script, Writes::Allowed, args, out)
}

fn evalsha_ro<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let script = find(call, args)?;
    run(call, unit, &script, Writes::Refused, args, out)
}

fn find(call: &Call<'_>, args: &mut Args<'_>) -> Result<Arc<Script>, Error> {
    const MISSING: Error = Error::text("NOSCRIPT No matching script. Please use EVAL.");
    let sha = parse_sha(args.next()?).ok_or(MISSING)?;
    split_arguments(&mut args.clone())?;
    call.server.scripts.find(&sha).ok_or(MISSING)
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

fn run<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    script: &Arc<Script>,
    writes: Writes,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let (keys, arguments) = split_arguments(args)?;
    if !script.flags.undeclared {
        admit(call, script.flags, writes)?;
    }
    let name = std::str::from_utf8(&script.sha).unwrap_or_default();
    with_engine(call, |call, engine| {
        let compiled = engine.compile(script).inspect_err(|_| {
            call.server.scripts.remove(&script.sha);
        })?;
        let program = Program {
            compiled,
            input: Input::Globals,
            flags: script.flags,
            is_read_only: writes == Writes::Refused,
            name,
        };
        engine
            .set_arguments(keys, arguments)
            .map_err(|error| Error::owned(format!("ERR {error}")))?;
        locked(call, unit, keys, "", args.all(), |call, unit| {
            engine.run(call, unit, &program, out)
        })
    })?;
    Ok(Flow::Done)
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

/// Runs `work` with the worker's interpreter, made on first use.
/// In the paths of the sources of the binding to the interpreter, and no others.
const INTERPRETER: &str = "/mlua-";

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
    let before = engine.memory_bytes();
    let ended = ochre_crash::contained(INTERPRETER, || work(call, &mut engine));
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
    call.server
        .scripts
        .note_memory(before, engine.memory_bytes());
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
    unit.lock_script(server)?;
    if outer == Kind::Single {
        unit.kind = Kind::Script;
    }
    let mut stripes: StripeList = keys.iter().map(|key| server.store.stripe_of(key)).collect();
    stripes.sort_unstable();
    stripes.dedup();
    unit.held.extend(&stripes);
    let worker = call.session.client.worker;
    server
        .script
        .begin(call.local.now_ms, worker, function, command);
    let db = call.session.db;
    let result = work(call, unit);
    // SELECT within a script ends with it.
    call.session.select(db);
    server.script.end();
    result
}
