//! An interpreter: one per worker, made when the worker runs its first script.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};
use ochre_lua::{Bridge, Failure, Hosts, Input};
use ochre_resp::{Protocol, Reply};

use super::cache::{Script, Sha, ShaHasher, sha_of};
use super::dispatch::Dispatcher;
use super::flags::ScriptFlags;
use super::functions::{Library, Registered};
use super::libraries;
use super::random::Random;
use super::tail_calls;
use crate::config::REDIS_VERSION;
use crate::error::Error;
use crate::execute::Call;
use crate::net::listener;
use crate::server::Server;
use crate::unit::Unit;

const PRELUDE: &str = include_str!("prelude.lua");

/// How many instructions pass between two looks at the clock.
const INSTRUCTIONS_PER_TICK: u32 = 5_000;

/// How long the text of a library may run when it is loaded.
const LOAD_MAX_MS: i64 = 500;

/// An interpreter and what it has compiled.
pub struct Engine {
    lua: Lua,
    bridge: Bridge,
    load_library: Function,
    environment: Table,
    function_environment: Table,
    /// What runs, for errors that have lost their place.
    chunk: Rc<Cell<Chunk>>,
    /// Unix time in milliseconds by which a library must have been loaded; 0 otherwise.
    load_until_ms: Rc<Cell<i64>>,
    compiled: HashMap<Sha, Compiled, BuildHasherDefault<ShaHasher>>,
    /// The generations of the script cache and of the functions that this belongs to.
    generation: (u64, u64),
    libraries: HashMap<Vec<u8>, LoadedLibrary>,
    /// Bytes that were told to the script cache.
    noted_bytes: usize,
}

/// The functions of a library in this interpreter.
struct LoadedLibrary {
    id: u64,
    callbacks: HashMap<Vec<u8>, ochre_lua::Program>,
}

/// A script or function that was compiled.
#[derive(Clone, Copy)]
pub struct Compiled {
    program: ochre_lua::Program,
    pub flags: ScriptFlags,
    chunk: Chunk,
}

/// A chunk by the name that Lua knows it by.
#[derive(Clone, Copy)]
struct Chunk {
    name: &'static str,
    /// The line of errors whose line is not known.
    last_return_line: usize,
}

const SCRIPT_CHUNK: &str = "@user_script";
const FUNCTION_CHUNK: &str = "@user_function";

/// What is run: a body, and what it may do.
pub struct Program<'p> {
    pub compiled: Compiled,
    pub input: Input<'p>,
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
        let mut bridge = Bridge::new(&lua)?;
        let chunk = Rc::new(Cell::new(Chunk {
            name: SCRIPT_CHUNK,
            last_return_line: 1,
        }));
        let host = host(&lua, server, &random, &bridge, &chunk)?;
        let (handler, world, environment, function_environment, load_library): (
            Function,
            Table,
            Table,
            Table,
            Function,
        ) = lua.load(PRELUDE).set_name("=prelude").call(host)?;
        bridge.bind(&handler, &world)?;
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
                    watched.script_became_busy();
                }
                if watched.script.is_killed() {
                    return Err(mlua::Error::runtime(
                        "Script killed by user with SCRIPT KILL...",
                    ));
                }
                if let Some(worker) = watched.script.held_up(now_ms) {
                    listener::hand_over(&watched, worker);
                }
                if watched.script.is_aside() {
                    // Nobody waits for this thread but one client: whoever shares its
                    // core need not wait for the end of its slice of time.
                    std::thread::yield_now();
                }
                Ok(VmState::Continue)
            },
        )?;
        Ok(Self {
            bridge,
            lua,
            load_library,
            environment,
            function_environment,
            chunk,
            load_until_ms,
            compiled: HashMap::default(),
            generation: (server.scripts.generation(), server.functions.generation()),
            libraries: HashMap::new(),
            noted_bytes: 0,
        })
    }

    /// Bytes that the interpreter used when that was last told, and uses now, which is
    /// told hereby.
    pub fn note_memory(&mut self) -> (usize, usize) {
        let now = self.lua.used_memory();
        (std::mem::replace(&mut self.noted_bytes, now), now)
    }

    /// Drops what was compiled before the script cache was flushed, and the libraries
    /// that are no more.
    pub fn catch_up(&mut self, server: &Server) {
        let generation = (server.scripts.generation(), server.functions.generation());
        if self.generation == generation {
            return;
        }
        if self.generation.0 != generation.0 {
            for (_, compiled) in self.compiled.drain() {
                self.bridge.forget(compiled.program);
            }
        }
        if self.generation.1 != generation.1 {
            let shelf = server.functions.shelf();
            let gone = |_: &Vec<u8>, loaded: &mut LoadedLibrary| !shelf.has(loaded.id);
            for (_, loaded) in self.libraries.extract_if(gone) {
                for program in loaded.callbacks.into_values() {
                    self.bridge.forget(program);
                }
            }
        }
        self.generation = generation;
        // What could not be collected now will be later.
        let _ = self.lua.gc_collect();
    }

    /// The compiled form of a script that this interpreter knows.
    pub fn find(&self, sha: &Sha) -> Option<Compiled> {
        self.compiled.get(sha).copied()
    }

    /// The compiled form of a script.
    ///
    /// # Errors
    /// The compiler's.
    pub fn compile(&mut self, script: &Script) -> Result<Compiled, Error> {
        if let Some(compiled) = self.find(&script.sha) {
            return Ok(compiled);
        }
        let refuse = |text: &[u8]| quoting(b"ERR Error compiling script (new function): ", text);
        let (function, chunk) = self
            .load(&script.body, SCRIPT_CHUNK, &self.environment)
            .map_err(|text| refuse(&text))?;
        let program = self.bridge.keep(&function);
        let compiled = Compiled {
            program: program.map_err(|error| refuse(error.to_string().as_bytes()))?,
            flags: script.flags,
            chunk,
        };
        self.compiled.insert(script.sha, compiled);
        Ok(compiled)
    }

    /// Compiles a text under a chunk name, in a world; the error is the compiler's text.
    fn load(
        &self,
        body: &[u8],
        name: &'static str,
        environment: &Table,
    ) -> Result<(Function, Chunk), Vec<u8>> {
        // What cannot be parsed is compiled as it is, for the compiler's own words.
        let prepared = tail_calls::prepare(body);
        let function = self
            .lua
            .load(&*prepared.text)
            .set_name(name)
            .set_mode(mlua::ChunkMode::Text)
            .set_environment(environment.clone())
            .into_function()
            .map_err(|error| self.text_of_syntax_error(&prepared.text, name, &error))?;
        let chunk = Chunk {
            name,
            last_return_line: prepared.last_return_line,
        };
        Ok((function, chunk))
    }

    /// The compiler's words, byte for byte: the binding makes text of them, which they
    /// need not be.
    fn text_of_syntax_error(&self, body: &[u8], name: &str, error: &mlua::Error) -> Vec<u8> {
        let words = || -> mlua::Result<Option<mlua::String>> {
            let load: Function = self.lua.globals().raw_get("loadstring")?;
            let body = self.lua.create_string(body)?;
            let (_, words): (Value, Option<mlua::String>) = load.call((body, name))?;
            Ok(words)
        };
        match (error, words()) {
            (mlua::Error::SyntaxError { .. }, Ok(Some(words))) => words.as_bytes().to_vec(),
            (mlua::Error::SyntaxError { message, .. }, _) => message.clone().into_bytes(),
            _ => error.to_string().into_bytes(),
        }
    }

    /// Runs the text of a library and returns the functions that it registers.
    ///
    /// # Errors
    /// The compiler's, and what goes wrong when it runs.
    pub fn register(&self, body: &[u8]) -> Result<Vec<Registered<Function>>, Error> {
        let (function, chunk) = self
            .load(body, FUNCTION_CHUNK, &self.function_environment)
            .map_err(|text| quoting(b"ERR Error compiling function: ", &text))?;
        self.chunk.set(chunk);
        let refuse = |text: &str| {
            let text = first_line(text);
            Error::owned(format!("ERR Error registering functions: {text}"))
        };
        self.load_until_ms.set(crate::clock::now_ms() + LOAD_MAX_MS);
        let result = self.load_library.call::<(bool, Table)>(function);
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
    pub fn callback(
        &mut self,
        library: &Library,
        name: &[u8],
        flags: ScriptFlags,
    ) -> Result<Compiled, Error> {
        let is_loaded = |loaded: &LoadedLibrary| loaded.id == library.id;
        if !self.libraries.get(&library.name).is_some_and(is_loaded) {
            self.load_anew(library)?;
        }
        let program = self
            .libraries
            .get(&library.name)
            .and_then(|loaded| loaded.callbacks.get(name))
            .ok_or(Error::text("ERR Function not found"))?;
        Ok(Compiled {
            program: *program,
            flags,
            chunk: Chunk {
                name: FUNCTION_CHUNK,
                last_return_line: library.last_return_line,
            },
        })
    }

    fn load_anew(&mut self, library: &Library) -> Result<(), Error> {
        let mut callbacks = HashMap::new();
        for function in self.register(&library.body)? {
            let program = self.bridge.keep(&function.callback).map_err(|error| {
                Error::owned(format!("ERR Error registering functions: {error}"))
            })?;
            callbacks.insert(function.name, program);
        }
        let loaded = LoadedLibrary {
            id: library.id,
            callbacks,
        };
        let replaced = self.libraries.insert(library.name.clone(), loaded);
        for program in replaced
            .into_iter()
            .flat_map(|old| old.callbacks.into_values())
        {
            self.bridge.forget(program);
        }
        Ok(())
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
        let compiled = program.compiled;
        self.chunk.set(compiled.chunk);
        let started = call.local.clock.raw();
        let mut dispatcher = Dispatcher::new(call, unit, compiled.flags, program.is_read_only);
        let result = self
            .bridge
            .run(&mut dispatcher, compiled.program, program.input, out);
        let took = call.local.clock.delta(started, call.local.clock.raw());
        call.server.paces.note(program.name, took);
        match result {
            Ok(errors) => {
                for error in errors {
                    call.server.stats.count_error(Error::code(&error));
                }
                Ok(())
            }
            Err(failure) if failure.is_counted => {
                out.error_bytes(&described(&failure, program.name).line());
                Ok(())
            }
            Err(failure) => Err(described(&failure, program.name)),
        }
    }
}

/// The error of a script with its name and the line where it happened.
fn described(failure: &Failure, name: &str) -> Error {
    let text = String::from_utf8_lossy(&failure.text);
    let mut line = first_line(&text).into_bytes();
    if let Some((source, at)) = &failure.origin {
        line.extend_from_slice(format!(" script: {name}, on ").as_bytes());
        line.extend_from_slice(source);
        line.extend_from_slice(format!(":{at}.").as_bytes());
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

/// An error of these words and that text.
fn quoting(words: &[u8], text: &[u8]) -> Error {
    Error::Bytes([words, text].concat())
}

/// mlua appends a traceback to errors that pass through the host.
fn first_line(text: &str) -> String {
    let text = text.strip_prefix("runtime error: ").unwrap_or(text);
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the prelude gets from the host.
fn host(
    lua: &Lua,
    server: &Arc<Server>,
    random: &Rc<Random>,
    bridge: &Bridge,
    chunk: &Rc<Cell<Chunk>>,
) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    define_commands(lua, &host, bridge)?;
    let chunk = chunk.clone();
    host.raw_set(
        "chunk",
        lua.create_function(move |_, ()| Ok((chunk.get().name, chunk.get().last_return_line)))?,
    )?;
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

/// The functions that reach the unit of execution of the script that runs.
fn define_commands(lua: &Lua, host: &Table, bridge: &Bridge) -> mlua::Result<()> {
    let (call, pcall) = bridge.commands()?;
    host.raw_set("call", call)?;
    host.raw_set("pcall", pcall)?;
    let hosts: Hosts = bridge.hosts();
    host.raw_set(
        "speak",
        lua.create_function(move |_, version: f64| {
            let protocol = if version == 3.0 {
                Protocol::Resp3
            } else {
                Protocol::Resp2
            };
            hosts.lend(|host| host.speak(protocol));
            Ok(())
        })?,
    )?;
    let hosts = bridge.hosts();
    host.raw_set(
        "propagate_to",
        lua.create_function(move |_, targets: u8| {
            hosts.lend(|host| host.propagate_to(targets));
            Ok(())
        })?,
    )?;
    let hosts = bridge.hosts();
    let check = lua.create_function(move |lua, name: mlua::String| {
        let refused = hosts.lend(|host| host.check(&name.as_bytes()));
        match refused {
            Some(Err(line)) => Ok(Value::String(lua.create_string(line)?)),
            _ => Ok(Value::Nil),
        }
    })?;
    host.raw_set("check", check)
}
