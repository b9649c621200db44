//! An interpreter: one per worker, made when the worker runs its first script.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};
use ochre_resp::{Protocol, Reply};

use super::cache::{Script, Sha, sha_of};
use super::convert;
use super::dispatch::Dispatcher;
use super::flags::ScriptFlags;
use super::functions::{Library, Registered};
use super::libraries;
use super::random::Random;
use super::tail_calls;
use crate::config::REDIS_VERSION;
use crate::error::Error;
use crate::execute::Call;
use crate::server::Server;
use crate::unit::Unit;

const PRELUDE: &str = include_str!("prelude.lua");

/// How many instructions pass between two looks at the clock.
const INSTRUCTIONS_PER_TICK: u32 = 50_000;

/// Compiled scripts that are kept: each takes a place on a stack of the interpreter's,
/// which has few thousand.
const COMPILED_MAX: usize = 1000;

/// How long the text of a library may run when it is loaded.
const LOAD_MAX_MS: i64 = 500;

/// An interpreter and what it has compiled.
pub struct Engine {
    lua: Lua,
    run: Function,
    load_library: Function,
    world: Table,
    environment: Table,
    function_environment: Table,
    keys: Arguments,
    arguments: Arguments,
    /// Unix time in milliseconds by which a library must have been loaded; 0 otherwise.
    load_until_ms: Rc<Cell<i64>>,
    compiled: HashMap<Sha, Compiled>,
    /// The generations of the script cache and of the functions that this belongs to.
    generation: (u64, u64),
    libraries: HashMap<Vec<u8>, LoadedLibrary>,
}

/// KEYS or ARGV as it is now.
struct Arguments {
    name: &'static str,
    table: Table,
    is_blank: bool,
}

/// The functions of a library in this interpreter.
struct LoadedLibrary {
    id: u64,
    callbacks: HashMap<Vec<u8>, Function>,
}

/// A script that was compiled.
#[derive(Clone)]
pub struct Compiled {
    pub function: Function,
    /// The line of errors whose line is not known.
    pub last_return_line: usize,
}

/// The arguments of what is run.
pub enum Input<'a> {
    /// A script finds KEYS and ARGV among its globals: see [`Engine::set_arguments`].
    Globals,
    /// A function gets them passed.
    Passed(&'a [&'a [u8]], &'a [&'a [u8]]),
}

/// What is run: a body, and what it may do.
pub struct Program<'p> {
    pub compiled: Compiled,
    pub input: Input<'p>,
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
        let random = Rc::new(Random::default());
        random.seed(crate::clock::now_us() as u32);
        let host = host(&lua, server, &random)?;
        let (run, world, environment, function_environment, load_library): (
            Function,
            Table,
            Table,
            Table,
            Function,
        ) = lua.load(PRELUDE).set_name("=prelude").call(host)?;
        let watched = server.clone();
        let load_until_ms = Rc::new(Cell::new(0));
        let until_ms = load_until_ms.clone();
        // Global, so that it holds within coroutines.
        lua.set_global_hook(
            HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_TICK),
            move |_, _| {
                let now_ms = crate::clock::now_ms();
                if until_ms.get() > 0 {
                    if now_ms > until_ms.get() {
                        return Err(mlua::Error::runtime("FUNCTION LOAD timeout"));
                    }
                    return Ok(VmState::Continue);
                }
                let threshold_ms = watched.live().config.scripting.busy_reply_threshold_ms;
                if watched.script.tick(now_ms, threshold_ms) {
                    return Err(mlua::Error::runtime(
                        "Script killed by user with SCRIPT KILL...",
                    ));
                }
                Ok(VmState::Continue)
            },
        )?;
        let mut engine = Self {
            keys: Arguments::blank("KEYS", &lua)?,
            arguments: Arguments::blank("ARGV", &lua)?,
            lua,
            run,
            load_library,
            world,
            environment,
            function_environment,
            load_until_ms,
            compiled: HashMap::new(),
            generation: (server.scripts.generation(), server.functions.generation()),
            libraries: HashMap::new(),
        };
        engine.keys.is_blank = false;
        engine.arguments.is_blank = false;
        engine.set_arguments(&[], &[])?;
        Ok(engine)
    }

    /// Bytes that the interpreter uses.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Drops what was compiled before the script cache was flushed, and the libraries
    /// that are no more.
    pub fn catch_up(&mut self, server: &Server) {
        let generation = (server.scripts.generation(), server.functions.generation());
        if self.generation == generation {
            return;
        }
        if self.generation.0 != generation.0 {
            self.compiled.clear();
        }
        if self.generation.1 != generation.1 {
            let shelf = server.functions.shelf();
            self.libraries.retain(|_, loaded| shelf.has(loaded.id));
        }
        self.generation = generation;
        // What could not be collected now will be later.
        let _ = self.lua.gc_collect();
    }

    /// The compiled form of a script.
    ///
    /// # Errors
    /// The compiler's.
    pub fn compile(&mut self, script: &Script) -> Result<Compiled, Error> {
        if let Some(compiled) = self.compiled.get(&script.sha) {
            return Ok(compiled.clone());
        }
        let compiled = self
            .load(&script.body, "@user_script", &self.environment)
            .map_err(|text| {
                Error::owned(format!("ERR Error compiling script (new function): {text}"))
            })?;
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(script.sha, compiled.clone());
        Ok(compiled)
    }

    /// Compiles a text under a chunk name, in a world; the error is the compiler's text.
    fn load(&self, body: &[u8], chunk: &str, environment: &Table) -> Result<Compiled, String> {
        // What cannot be parsed is compiled as it is, for the compiler's own words.
        let prepared = tail_calls::prepare(body);
        let function = self
            .lua
            .load(&*prepared.text)
            .set_name(chunk)
            .set_mode(mlua::ChunkMode::Text)
            .set_environment(environment.clone())
            .into_function()
            .map_err(|error| match error {
                mlua::Error::SyntaxError { message, .. } => message,
                other => other.to_string(),
            })?;
        Ok(Compiled {
            function,
            last_return_line: prepared.last_return_line,
        })
    }

    /// Runs the text of a library and returns the functions that it registers.
    ///
    /// # Errors
    /// The compiler's, and what goes wrong when it runs.
    pub fn register(&self, body: &[u8]) -> Result<Vec<Registered<Function>>, Error> {
        let compiled = self
            .load(body, "@user_function", &self.function_environment)
            .map_err(|text| Error::owned(format!("ERR Error compiling function: {text}")))?;
        let refuse = |text: &str| {
            let text = first_line(text);
            Error::owned(format!("ERR Error registering functions: {text}"))
        };
        self.load_until_ms.set(crate::clock::now_ms() + LOAD_MAX_MS);
        let result = self.load_library.call::<(bool, Table)>(compiled.function);
        self.load_until_ms.set(0);
        match result {
            Ok((true, registered)) => registered
                .sequence_values::<Table>()
                .map(|function| read_registered(&function?))
                .collect::<mlua::Result<_>>()
                .map_err(|error| refuse(&error.to_string())),
            Ok((false, error)) => Err(refuse(&String::from_utf8_lossy(&text_of(&error)))),
            Err(error) => Err(refuse(&error.to_string())),
        }
    }

    /// A function of a library, whose text is run first if it was not yet in this
    /// interpreter.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub fn callback(&mut self, library: &Library, name: &[u8]) -> Result<Compiled, Error> {
        let is_loaded = |loaded: &LoadedLibrary| loaded.id == library.id;
        if !self.libraries.get(&library.name).is_some_and(is_loaded) {
            let registered = self.register(&library.body)?;
            let loaded = LoadedLibrary {
                id: library.id,
                callbacks: registered
                    .into_iter()
                    .map(|function| (function.name, function.callback))
                    .collect(),
            };
            self.libraries.insert(library.name.clone(), loaded);
        }
        let callback = self
            .libraries
            .get(&library.name)
            .and_then(|loaded| loaded.callbacks.get(name))
            .ok_or(Error::text("ERR Function not found"))?;
        Ok(Compiled {
            function: callback.clone(),
            last_return_line: library.last_return_line,
        })
    }

    /// Sets KEYS and ARGV.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn set_arguments(&mut self, keys: &[&[u8]], arguments: &[&[u8]]) -> mlua::Result<()> {
        self.keys.set(&self.lua, &self.world, keys)?;
        self.arguments.set(&self.lua, &self.world, arguments)
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
        out: &mut Reply,
    ) -> Result<(), Error> {
        let client_protocol = call.session.protocol;
        let mut dispatcher = Dispatcher::new(call, unit, program.flags, program.is_read_only);
        let mut resp3 = false;
        let result = self.lua.scope(|scope| {
            let dispatch = scope.create_function_mut(|lua, arguments: MultiValue| {
                dispatcher.call(lua, arguments)
            })?;
            let function = program.compiled.function.clone();
            let line = program.compiled.last_return_line;
            match program.input {
                Input::Globals => {
                    self.run
                        .call::<(bool, Value)>((function, dispatch, "@user_script", line))
                }
                Input::Passed(keys, arguments) => self.run.call((
                    function,
                    dispatch,
                    "@user_function",
                    line,
                    strings(&self.lua, keys)?,
                    strings(&self.lua, arguments)?,
                )),
            }
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
    let text = text_of(error);
    let mut line = first_line(&String::from_utf8_lossy(&text)).into_bytes();
    let source = error.raw_get::<String>("source").ok();
    if let Some(source) = source {
        let at = error.raw_get::<i64>("line").unwrap_or(0);
        line.extend_from_slice(format!(" script: {name}, on {source}:{at}.").as_bytes());
    }
    Error::Bytes(line)
}

fn text_of(error: &Table) -> Vec<u8> {
    match error.raw_get::<Value>("err") {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    }
}

/// What a library told of one of its functions.
fn read_registered(function: &Table) -> mlua::Result<Registered<Function>> {
    let mut flags = ScriptFlags::default();
    if let Some(names) = function.raw_get::<Option<Table>>("flags")? {
        for name in names.sequence_values::<mlua::String>() {
            flags.set(&name?.as_bytes());
        }
    }
    let description = function.raw_get::<Option<mlua::String>>("description")?;
    Ok(Registered {
        name: function
            .raw_get::<mlua::String>("name")?
            .as_bytes()
            .to_vec(),
        description: description.map(|text| text.as_bytes().to_vec()),
        flags,
        callback: function.raw_get("callback")?,
    })
}

impl Arguments {
    fn blank(name: &'static str, lua: &Lua) -> mlua::Result<Self> {
        Ok(Self {
            name,
            table: lua.create_table()?,
            is_blank: true,
        })
    }

    /// An empty table that the last script left empty serves the next that gets none.
    fn set(&mut self, lua: &Lua, world: &Table, values: &[&[u8]]) -> mlua::Result<()> {
        if values.is_empty() && self.is_blank && self.table.is_empty() {
            return Ok(());
        }
        self.table = strings(lua, values)?;
        self.is_blank = values.is_empty();
        world.raw_set(self.name, &self.table)
    }
}

/// A table of strings.
fn strings(lua: &Lua, strings: &[&[u8]]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(strings.len(), 0)?;
    for (index, string) in strings.iter().enumerate() {
        table.raw_set(index + 1, lua.create_string(string)?)?;
    }
    Ok(table)
}

/// mlua appends a traceback to errors that pass through the host.
fn first_line(text: &str) -> String {
    let text = text.strip_prefix("runtime error: ").unwrap_or(text);
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the prelude gets from the host.
fn host(lua: &Lua, server: &Arc<Server>, random: &Rc<Random>) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let numbers = random.clone();
    host.raw_set(
        "random",
        lua.create_function(move |_, ()| Ok(numbers.next()))?,
    )?;
    let numbers = random.clone();
    host.raw_set(
        "seed",
        lua.create_function(move |_, seed: f64| {
            numbers.seed(seed as i64 as u32);
            Ok(())
        })?,
    )?;
    host.raw_set(
        "is_flag",
        lua.create_function(|_, name: mlua::String| {
            Ok(ScriptFlags::default().set(&name.as_bytes()))
        })?,
    )?;
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
            let names = frame.source();
            let source = names.source.map(|source| source.into_owned());
            let short = names.short_src.map(|short| short.into_owned());
            (source, frame.current_line(), short)
        });
        Ok(found.unwrap_or((None, None, None)))
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
