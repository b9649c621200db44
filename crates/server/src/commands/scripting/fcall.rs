//! FCALL and FCALL_RO: a function of a library.

use ochre_lua::Input;
use ochre_resp::Reply;

use super::eval::{
    ANY_ARGUMENTS, ANY_KEYS, NUMKEYS, Writes, admit, goes_aside, locked, reader, runner,
    split_arguments, with_engine,
};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::script::Program;
use crate::unit::Unit;

const COMPLEXITY: &str = "Depends on the function that is executed.";
const ARGS: &[Arg] = &[string("function"), NUMKEYS, ANY_KEYS, ANY_ARGUMENTS];

pub const FCALL: Command = Command {
    summary: "Invokes a function.",
    since: "7.0.0",
    complexity: COMPLEXITY,
    args: ARGS,
    ..runner("fcall", fcall)
};

pub const FCALL_RO: Command = Command {
    summary: "Invokes a read-only function.",
    since: "7.0.0",
    complexity: COMPLEXITY,
    args: ARGS,
    ..reader("fcall_ro", fcall_ro)
};

fn fcall<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    run(call, unit, Writes::Allowed, args, out)
}

fn fcall_ro<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    run(call, unit, Writes::Refused, args, out)
}

fn run<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    writes: Writes,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let function = args.next()?;
    let (library, flags) = call
        .server
        .functions
        .find(function)
        .ok_or(Error::text("ERR Function not found"))?;
    let (keys, arguments) = split_arguments(args).map_err(|error| match error {
        Error::NotInteger => Error::text("ERR Bad number of keys provided"),
        error => error,
    })?;
    admit(call, flags, writes)?;
    let name = std::str::from_utf8(function).unwrap_or_default();
    if goes_aside(call, unit, name) {
        return Ok(Flow::Aside);
    }
    with_engine(call, |call, engine| {
        let compiled = engine.callback(&library, function, flags)?;
        let program = Program {
            compiled,
            input: Input::Passed(keys, arguments),
            is_read_only: writes == Writes::Refused,
            name,
        };
        locked(call, unit, keys, name, args.all(), |call, unit| {
            engine.run(call, unit, &program, out)
        })
    })?;
    Ok(Flow::Done)
}
