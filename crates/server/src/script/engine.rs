//! An interpreter: one per worker, made when the worker runs its first script.

use std::collections::HashMap;
use std::sync::Arc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};
use ochre_resp::{Protocol, Reply};

use super::cache::{Script, Sha, sha_of};
use super::convert;
use super::dispatch::Dispatcher;
use super::flags::ScriptFlags;
use super::libraries;
use crate::config::REDIS_VERSION;
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;
use crate::unit::Unit;

const PRELUDE: &str = include_str!("prelude.lua");

/// How many instructions pass between two looks at the clock.
const INSTRUCTIONS_PER_TICK: u32 = 50_000;

/// An interpreter and what it has compiled.
pub struct Engine {
    lua: Lua,
    run: Function,
    world: Table,
    environment: Table,
    compiled: HashMap<Sha, Function>,
    /// The generation of the script cache that `compiled` belongs to.
    generation: u64,
}

/// What is run: a body, and what it may do.
pub struct Program<'p> {
    pub function: Function,
    pub flags: ScriptFlags,
    /// The variant of the command that never writes (EVAL_RO, FCALL_RO).
    pub is_read_only: bool,
    /// The function's name or the script's SHA-1, for error texts.
    pub name: &'p str,
}

impl Engine {
    /// An interpreter with the world of scripts.
    ///
    /// # Errors
    /// When it is out of memory.
    pub fn new(server: &Arc<Server>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        let host = host(&lua, server)?;
        let (run, world, environment): (Function, Table, Table) =
            lua.load(PRELUDE).set_name("=prelude").call(host)?;
        let watched = server.clone();
        lua.set_hook(
            HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_TICK),
            move |_, _| {
                let threshold_ms = watched.live().config.scripting.busy_reply_threshold_ms;
                let now_ms = crate::clock::now_ms();
                if watched.script.tick(now_ms, threshold_ms) {
                    return Err(mlua::Error::runtime(
                        "Script killed by user with SCRIPT KILL.",
                    ));
                }
                Ok(VmState::Continue)
            },
        )?;
        Ok(Self {
            lua,
            run,
            world,
            environment,
            compiled: HashMap::new(),
            generation: server.scripts.generation(),
        })
    }

    /// Bytes that the interpreter uses.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Drops what was compiled before the script cache was flushed.
    pub fn catch_up(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.compiled.clear();
            // What could not be collected now will be later.
            let _ = self.lua.gc_collect();
        }
    }

    /// The compiled form of a script.
    ///
    /// # Errors
    /// The compiler's.
    pub fn compile(&mut self, script: &Script) -> Result<Function, Error> {
        if let Some(function) = self.compiled.get(&script.sha) {
            return Ok(function.clone());
        }
        let function = self.load(&script.body, "@user_script").map_err(|text| {
            Error::owned(format!("ERR Error compiling script (new function): {text}"))
        })?;
        self.compiled.insert(script.sha, function.clone());
        Ok(function)
    }

    /// Compiles a text under a chunk name, in the world of scripts.
    ///
    /// # Errors
    /// The compiler's text.
    pub fn load(&self, body: &[u8], chunk: &str) -> Result<Function, String> {
        self.lua
            .load(body)
            .set_name(chunk)
            .set_mode(mlua::ChunkMode::Text)
            .set_environment(self.environment.clone())
            .into_function()
            .map_err(|error| match error {
                mlua::Error::SyntaxError { message, .. } => message,
                other => other.to_string(),
            })
    }

    /// The interpreter itself, for loading libraries of functions.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// The environment that scripts see.
    pub fn environment(&self) -> &Table {
        &self.environment
    }

    /// Sets KEYS and ARGV.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn set_arguments(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> mlua::Result<()> {
        self.world.raw_set("KEYS", self.strings(keys)?)?;
        self.world.raw_set("ARGV", self.strings(arguments)?)
    }

    /// A table of strings.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn strings(&self, strings: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(strings.len(), 0)?;
        for (index, string) in strings.iter().enumerate() {
            table.raw_set(index + 1, self.lua.create_string(string)?)?;
        }
        Ok(table)
    }

    /// Runs a program within a unit of execution and writes its result.
    ///
    /// # Errors
    /// The script's own error, with where it happened.
    pub fn run<'c>(
        &self,
        call: &mut Call<'c>,
        unit: &mut Unit<'c>,
        program: &Program<'_>,
        arguments: Vec<Value>,
        out: &mut Reply,
    ) -> Result<(), Error> {
        let client_protocol = call.session.protocol;
        let mut dispatcher = Dispatcher::new(call, unit, program.flags, program.is_read_only);
        let mut resp3 = false;
        let result = self.lua.scope(|scope| {
            let dispatch = scope.create_function_mut(|lua, arguments: MultiValue| {
                dispatcher.call(lua, arguments)
            })?;
            let mut all = MultiValue::with_capacity(arguments.len() + 2);
            all.push_back(Value::Function(program.function.clone()));
            all.push_back(Value::Function(dispatch));
            all.extend(arguments);
            let result = self.run.call::<(bool, Value)>(all)?;
            Ok(result)
        });
        if dispatcher.protocol() == Protocol::Resp3 {
            resp3 = true;
        }
        match result {
            Ok((true, value)) => {
                // A script that speaks RESP2 answers in RESP2's types, whatever the client.
                let mut reply = Reply::new(client_protocol);
                convert::reply(&value, &mut reply, resp3);
                out.append(reply);
                Ok(())
            }
            Ok((false, Value::Table(error))) => Err(described(&error, program.name)),
            Ok((false, other)) => Err(Error::owned(format!(
                "ERR {} script: {}, on @user_script:0.",
                other.to_string().unwrap_or_default(),
                program.name
            ))),
            Err(error) => Err(Error::owned(format!(
                "ERR {} script: {}, on @user_script:0.",
                first_line(&error.to_string()),
                program.name
            ))),
        }
    }
}

/// The error of a script with its name and the line where it happened.
fn described(error: &Table, name: &str) -> Error {
    let text = match error.raw_get::<Value>("err") {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    };
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    let mut line = first_line(&String::from_utf8_lossy(text)).into_bytes();
    let source = error.raw_get::<String>("source").ok();
    if let Some(source) = source {
        let at = error.raw_get::<i64>("line").unwrap_or(0);
        line.extend_from_slice(format!(" script: {name}, on {source}:{at}.").as_bytes());
    }
    Error::Bytes(line)
}

/// mlua appends a traceback to errors that pass through the host.
fn first_line(text: &str) -> String {
    let text = text.strip_prefix("runtime error: ").unwrap_or(text);
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the prelude gets from the host.
fn host(lua: &Lua, server: &Arc<Server>) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set(
        "sha1hex",
        lua.create_function(|lua, text: mlua::String| lua.create_string(sha_of(&text.as_bytes())))?,
    )?;
    let server = server.clone();
    host.raw_set(
        "log",
        lua.create_function(move |_, (level, text): (f64, mlua::String)| {
            use crate::log::Level;
            let level = match level as i64 {
                0 => Level::Debug,
                1 => Level::Verbose,
                2 => Level::Notice,
                _ => Level::Warning,
            };
            server.log.write(level, &text.to_string_lossy());
            Ok(())
        })?,
    )?;
    // What the prelude needs of the debug library, which scripts must not have.
    let inspect = lua.create_function(|lua, level: usize| {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source().source.map(|source| source.into_owned());
            (source, frame.current_line())
        });
        Ok(found.unwrap_or((None, None)))
    })?;
    host.raw_set("frame", inspect)?;
    host.raw_set("version", REDIS_VERSION)?;
    let number = REDIS_VERSION.split('.').fold(0_u32, |number, part| {
        number << 8 | part.parse().unwrap_or(0)
    });
    host.raw_set("version_num", number)?;
    host.raw_set("libraries", libraries::all(lua)?)?;
    Ok(host)
}
