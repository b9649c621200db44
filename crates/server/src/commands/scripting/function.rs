//! FUNCTION: the libraries of functions, and the function that runs.

use ochre_rdb::{ChecksumPolicy, Compression, RdbErrorKind, Version};
use ochre_resp::Reply;
use ochre_structures::glob::{self, Case};

use super::eval::with_engine;
use super::script::end;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::config::choices::RdbVersion;
use crate::error::Error;
use crate::execute::Call;
use crate::gates;
use crate::script::functions::{Existing, Library, Shelf, Source};
use crate::unit::Unit;

pub const FUNCTION: Command = Command {
    summary: "A container for function commands.",
    since: "7.0.0",
    complexity: "Depends on subcommand.",
    subcommands: &[
        &DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS,
    ],
    not_categories: Categories::SCRIPTING,
    ..command("function", Group::Scripting, -2, Run::Container)
};

const WRITES: Flags = Flags::NOSCRIPT.or(Flags::WRITE);
const TO_ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const DELETE: Command = Command {
    summary: "Deletes a library and its functions.",
    since: "7.0.0",
    complexity: "O(1)",
    flags: WRITES,
    tips: TO_ALL_SHARDS,
    args: &[string("library-name")],
    ..command("delete", Group::Scripting, 3, Run::Unit(delete))
};

fn delete<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    // Libraries change in the order in which that is recorded.
    unit.lock_script(call)?;
    if !call.server.functions.delete(args.next()?) {
        return Err(Error::text("ERR Library not found"));
    }
    unit.effects.dirty += 1;
    out.ok();
    Ok(Flow::Done)
}

const DUMP: Command = Command {
    summary: "Dumps all libraries into a serialized binary payload.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions",
    flags: Flags::NOSCRIPT,
    ..command("dump", Group::Scripting, 2, Run::Session(dump))
};

fn dump(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let shelf = call.server.functions.shelf();
    let texts = shelf.libraries().map(|library| library.text.as_slice());
    let compression = if call.live.config.persistence.rdb_compression {
        Compression::Lzf
    } else {
        Compression::Off
    };
    let version = match call.live.config.persistence.rdb_version {
        RdbVersion::V10 => Version::V10,
        RdbVersion::V11 => Version::V11,
    };
    out.bulk(&ochre_rdb::dump_functions(texts, version, compression));
    Ok(Flow::Done)
}

const FLUSH: Command = Command {
    summary: "Deletes all libraries and functions.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions deleted",
    flags: WRITES,
    tips: TO_ALL_SHARDS,
    args: &[one_of(
        "flush-type",
        &[token("async", "ASYNC"), token("sync", "SYNC")],
    )
    .opt()],
    ..command("flush", Group::Scripting, -2, Run::Unit(flush))
};

fn flush<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    if args.len() > 1 {
        return Err(Error::subcommand("FUNCTION", args.all()[1]));
    }
    if !args.is_empty() && !args.keyword("SYNC") && !args.keyword("ASYNC") {
        return Err(Error::text(
            "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
        ));
    }
    unit.lock_script(call)?;
    call.server.functions.flush();
    unit.effects.dirty += 1;
    out.ok();
    Ok(Flow::Done)
}

const KILL: Command = Command {
    summary: "Terminates a function during execution.",
    since: "7.0.0",
    complexity: "O(1)",
    flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    ..command("kill", Group::Scripting, 2, Run::Session(kill))
};

fn kill(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    end(call, true, out)
}

const LIST: Command = Command {
    summary: "Returns information about all libraries.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions",
    flags: Flags::NOSCRIPT,
    tips: &["nondeterministic_output_order"],
    args: &[
        string("library-name-pattern").after("LIBRARYNAME").opt(),
        token("withcode", "WITHCODE").opt(),
    ],
    ..command("list", Group::Scripting, -2, Run::Session(list))
};

fn list(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let mut pattern = None;
    let mut with_code = false;
    while !args.is_empty() {
        if !with_code && args.keyword("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.keyword("LIBRARYNAME") {
            if args.is_empty() {
                return Err(Error::text("ERR library name argument was not given"));
            }
            pattern = Some(args.next()?);
        } else {
            let mut text = b"ERR Unknown argument ".to_vec();
            text.extend_from_slice(args.next()?);
            return Err(Error::Bytes(text));
        }
    }
    let shelf = call.server.functions.shelf();
    let is_wanted = |library: &Library| {
        pattern.is_none_or(|pattern| glob::matches(pattern, &library.name, Case::Insensitive))
    };
    let wanted: Vec<_> = shelf
        .libraries()
        .filter(|library| is_wanted(library))
        .collect();
    out.array(wanted.len());
    for library in wanted {
        describe(library, with_code, out);
    }
    Ok(Flow::Done)
}

fn describe(library: &Library, with_code: bool, out: &mut Reply) {
    out.map(if with_code { 4 } else { 3 });
    out.bulk(b"library_name");
    out.bulk(&library.name);
    out.bulk(b"engine");
    out.bulk(b"LUA");
    out.bulk(b"functions");
    out.array(library.functions.len());
    for function in &library.functions {
        out.map(3);
        out.bulk(b"name");
        out.bulk(&function.name);
        out.bulk(b"description");
        out.bulk_or_null(function.description.as_deref());
        out.bulk(b"flags");
        let flags = function.flags.names();
        out.set(flags.len());
        flags.iter().for_each(|flag| out.status(flag));
    }
    if with_code {
        out.bulk(b"library_code");
        out.bulk(&library.text);
    }
}

const LOAD: Command = Command {
    summary: "Creates a library.",
    since: "7.0.0",
    complexity: "O(1) (considering compilation time is redundant)",
    flags: WRITES.or(Flags::DENYOOM),
    tips: TO_ALL_SHARDS,
    args: &[token("replace", "REPLACE").opt(), string("function-code")],
    ..command("load", Group::Scripting, -3, Run::Unit(load))
};

fn load<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let mut existing = Existing::Keep;
    while args.len() > 1 {
        if args.keyword("REPLACE") {
            existing = Existing::Replace;
        } else {
            let mut text = b"ERR Unknown option given: ".to_vec();
            text.extend_from_slice(args.next()?);
            return Err(Error::Bytes(text));
        }
    }
    let source = Source::parse(args.next()?)?;
    if existing == Existing::Keep {
        // As Redis does, before the text is run.
        call.server.functions.check_free(&source.name)?;
    }
    let library = compile(call, &source)?;
    unit.lock_script(call)?;
    call.server
        .functions
        .change(|shelf| shelf.add(library, existing))?;
    unit.effects.dirty += 1;
    out.bulk(&source.name);
    Ok(Flow::Done)
}

/// Runs a library's text to learn its functions.
fn compile(call: &mut Call<'_>, source: &Source<'_>) -> Result<Library, Error> {
    let registered = with_engine(call, |_, engine| engine.register(source.body))?;
    if registered.is_empty() {
        return Err(Error::text("ERR No functions registered"));
    }
    Ok(call.server.functions.bind(source, registered))
}

const RESTORE: Command = Command {
    summary: "Restores all libraries from a payload.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions on the payload",
    flags: WRITES.or(Flags::DENYOOM),
    tips: TO_ALL_SHARDS,
    args: &[
        string("serialized-value"),
        one_of(
            "policy",
            &[
                token("flush", "FLUSH"),
                token("append", "APPEND"),
                token("replace", "REPLACE"),
            ],
        )
        .opt(),
    ],
    ..command("restore", Group::Scripting, -3, Run::Unit(restore))
};

fn restore<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let payload = args.next()?;
    if args.len() > 1 {
        return Err(Error::subcommand("FUNCTION", args.all()[1]));
    }
    let mut existing = Existing::Keep;
    let mut flushes = false;
    if args.keyword("REPLACE") {
        existing = Existing::Replace;
    } else if args.keyword("FLUSH") {
        flushes = true;
    } else if !args.is_empty() && !args.keyword("APPEND") {
        return Err(Error::text(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    }
    let texts = ochre_rdb::open_functions(payload, ChecksumPolicy::Verify).map_err(|error| {
        Error::text(match error.kind {
            RdbErrorKind::Opcode(_) => "ERR given type is not a function",
            RdbErrorKind::PreReleaseFunction => "ERR Pre-GA function format not supported",
            _ if error.what == "function library" => "ERR Failed loading library payload",
            _ => "ERR DUMP payload version or checksum are wrong",
        })
    })?;
    let mut libraries = Vec::new();
    for text in &texts {
        libraries.push(compile(call, &Source::parse(text)?)?);
    }
    unit.lock_script(call)?;
    call.server.functions.change(|shelf| {
        if flushes {
            *shelf = Shelf::default();
        }
        for library in libraries {
            if existing == Existing::Keep && shelf.contains(&library.name) {
                let name = String::from_utf8_lossy(&library.name);
                return Err(Error::owned(format!("ERR Library {name} already exists")));
            }
            shelf.add(library, existing)?;
        }
        Ok(())
    })?;
    unit.effects.dirty += 1;
    out.ok();
    Ok(Flow::Done)
}

const STATS: Command = Command {
    summary: "Returns information about a function during execution.",
    since: "7.0.0",
    complexity: "O(1)",
    flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..command("stats", Group::Scripting, 2, Run::Session(stats))
};

fn stats(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let server = call.server;
    let running = server.script.current(crate::clock::now_ms());
    if server.is_busy() && !server.script.is_function() {
        return Err(gates::busy(server));
    }
    out.map(2);
    out.bulk(b"running_script");
    match running.filter(|(what, _)| !what.function.is_empty()) {
        Some((what, duration_ms)) => {
            out.map(3);
            out.bulk(b"name");
            out.bulk(what.function.as_bytes());
            out.bulk(b"command");
            out.array(what.command.len());
            what.command.iter().for_each(|word| out.bulk(word));
            out.bulk(b"duration_ms");
            out.integer(duration_ms);
        }
        None => out.null(),
    }
    let shelf = server.functions.shelf();
    out.bulk(b"engines");
    out.map(1);
    out.bulk(b"LUA");
    out.map(2);
    out.bulk(b"libraries_count");
    out.integer(shelf.libraries().count() as i64);
    out.bulk(b"functions_count");
    out.integer(shelf.function_count() as i64);
    Ok(Flow::Done)
}

const HELP: Command = Command {
    summary: "Returns helpful text about the different subcommands.",
    since: "7.0.0",
    complexity: "O(1)",
    flags: Flags::LOADING.or(Flags::STALE),
    ..command("help", Group::Scripting, 2, Run::Session(help))
};

fn help(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance of failure",
        "      in case of functions name collision with another library).",
        "HELP",
        "    Prints this help.",
    ];
    out.array(LINES.len());
    LINES.iter().for_each(|line| out.status(line));
    Ok(Flow::Done)
}
