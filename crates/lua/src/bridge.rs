//! What Lua calls, and what calls Lua: the crate's safe interface.
//!
//! The host of a run is lent for as long as the run takes: its pointer lies in `Shared`,
//! and is taken out while the host works, so that nobody else can reach it meanwhile.
//!
//! ```text
//!   upvalues of redis.call, redis.pcall      upvalues of the runner
//!   1 the address of Shared                  1 the address of Shared
//!   2 what keeps Shared alive                2 what keeps Shared alive
//!                                            3 the handler of errors
//!                                            4 the world: where KEYS and ARGV go
//!                                            5 the programs, by number
//! ```

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use mlua::{Function, Lua, Table, ffi, lua_State};
use ochre_resp::Reply;

use crate::result::{self, Answer, Booleans};
use crate::stack::{Kind, Stack};
use crate::value;
use crate::words::{BadWords, with_words};

/// Reply buffers above this are given back.
const KEPT_BYTES_MAX: usize = 64 * 1024;

const HANDLER: i32 = 3;
const WORLD: i32 = 4;
const PROGRAMS: i32 = 5;

/// Where a script's calls end up.
pub trait Host {
    /// Runs a command and appends its reply to `reply`, which is empty: an error too is
    /// a reply.
    fn call(&mut self, words: Result<&[&[u8]], BadWords>, reply: &mut Vec<u8>);

    /// The script speaks RESP3 from now on, or no longer.
    fn speak(&mut self, protocol: ochre_resp::Protocol);

    /// What the script does from now on is propagated to these only: bit 0 stands for the
    /// append-only file, bit 1 for replicas (`redis.set_repl`).
    fn propagate_to(&mut self, targets: u8);

    /// The protocol that the script has chosen.
    fn protocol(&self) -> ochre_resp::Protocol;

    /// Whether there is a command of this name that may be run.
    ///
    /// # Errors
    /// The line of the error.
    fn check(&self, name: &[u8]) -> Result<(), Vec<u8>>;
}

/// A function that is kept to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program(i32);

/// The arguments of what is run.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A script finds its keys and arguments in its world, as KEYS and ARGV.
    Globals(&'a [&'a [u8]], &'a [&'a [u8]]),
    /// A function gets them passed.
    Passed(&'a [&'a [u8]], &'a [&'a [u8]]),
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// The error's line.
    pub text: Vec<u8>,
    /// The chunk that raised it and its line there, where that is known.
    pub origin: Option<(Vec<u8>, i64)>,
    /// It is a command's, which has counted it.
    pub is_counted: bool,
}

/// What the functions that Lua calls find.
#[derive(Default)]
struct Shared {
    host: Cell<Option<NonNull<dyn Host>>>,
    /// The reply of the last command. Taken out while a command runs.
    reply: Cell<Vec<u8>>,
    /// A run is on.
    is_running: Cell<bool>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

/// Reaches the host of the run that is on.
#[derive(Clone)]
pub struct Hosts(Rc<Shared>);

/// A bridge to one interpreter.
pub struct Bridge {
    /// Keeps the state alive.
    lua: Lua,
    state: *mut lua_State,
    shared: Rc<Shared>,
    runner: c_int,
    programs: Table,
    free: Vec<i32>,
    last: i32,
}

/// What a run needs, for the runner.
struct Run<'r> {
    program: Program,
    input: Input<'r>,
    out: &'r mut Reply,
    /// The errors within the result that no command has counted.
    errors: Vec<Vec<u8>>,
    failure: Option<Failure>,
}

impl Hosts {
    /// Lends the host to `work`, if a run is on and the host is not at work already.
    pub fn lend<R>(&self, work: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
        self.0.lend(work)
    }
}

impl Shared {
    fn lend<R>(&self, work: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
        /// Puts the host back, also when it panics.
        struct Back<'s>(&'s Shared, NonNull<dyn Host>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.host.set(Some(self.1));
            }
        }
        let mut back = Back(self, self.host.take()?);
        // SAFETY: `Bridge::run` has borrowed the host for as long as its pointer can be
        // found in the cell, and who takes it out is alone with it.
        Some(work(unsafe { back.1.as_mut() }))
    }
}

/// How a call went, once all that owns memory is gone.
enum Called {
    /// The reply is in `Shared::reply`.
    Replied,
    /// No run is on.
    Nowhere,
    /// The host panicked; the payload is in `Shared::panic`.
    Panicked,
}

/// Runs a command with the frame's values as its words.
fn dispatch(shared: &Shared, stack: Stack) -> Called {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        shared.lend(|host| {
            let mut reply = shared.reply.take();
            reply.clear();
            // SAFETY: the frame of a function that Lua called is changed by that function
            // alone, which is this.
            unsafe { with_words(stack, |words| host.call(words, &mut reply)) };
            shared.reply.set(reply);
        })
    }));
    match outcome {
        Ok(Some(())) => Called::Replied,
        Ok(None) => Called::Nowhere,
        Err(panic) => {
            shared.panic.set(Some(panic));
            Called::Panicked
        }
    }
}

/// `redis.call` where `RAISES`, else `redis.pcall`.
unsafe extern "C-unwind" fn call<const RAISES: bool>(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this, below a `lua_pcall`; nothing here needs dropping but what
    // `dispatch` drops before it returns.
    let stack = unsafe { Stack::new(state) };
    // SAFETY: the address of what the second upvalue keeps alive.
    let shared = unsafe { &*stack.upvalue_pointer(1).cast::<Shared>() };
    match dispatch(shared, stack) {
        Called::Replied => {}
        Called::Nowhere => {
            value::push_error(stack, b"ERR no script is running");
            stack.raise();
        }
        Called::Panicked => {
            stack.push_mark();
            stack.raise();
        }
    }
    // The words are not needed any more, and their slots may be.
    stack.cut(0);
    // SAFETY: only a command or the end of the run changes the buffer: pushing values
    // makes for neither.
    let reply = unsafe { &*shared.reply.as_ptr() }.as_slice();
    value::push_reply(stack, reply);
    if RAISES && reply.first() == Some(&b'-') {
        stack.raise();
    }
    1
}

/// Sets up the arguments, runs the program, and turns what it returns into the reply, or
/// what it raises into a failure. Its argument is the address of a [`Run`].
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: `Bridge::run` calls this by `lua_pcall`; nothing here needs dropping.
    let stack = unsafe { Stack::new(state) };
    // SAFETY: the address of a local of `Bridge::run`, which waits and does not look.
    let run = unsafe { &mut *ffi::lua_touserdata(state, 1).cast::<Run<'_>>() };
    stack.cut(0);
    stack.push_upvalue(HANDLER);
    stack.push_upvalue(PROGRAMS);
    stack.push_element(2, run.program.0);
    stack.remove(2);
    let arguments = match run.input {
        Input::Globals(keys, arguments) => {
            stack.push_upvalue(WORLD);
            for (name, values) in [("KEYS", keys), ("ARGV", arguments)] {
                stack.push_string(name.as_bytes());
                push_strings(stack, values);
                stack.store(3);
            }
            stack.cut(2);
            0
        }
        Input::Passed(keys, arguments) => {
            push_strings(stack, keys);
            push_strings(stack, arguments);
            2
        }
    };
    if stack.call(arguments, 1) {
        // SAFETY: as in `call`; a run of its own has lent the host.
        let shared = unsafe { &*stack.upvalue_pointer(1).cast::<Shared>() };
        let protocol = shared.lend(|host| host.protocol());
        let booleans = match protocol {
            Some(ochre_resp::Protocol::Resp3) => Booleans::AsTheyAre,
            _ => Booleans::AsIntegers,
        };
        result::write(
            stack,
            &mut Answer {
                out: run.out,
                errors: &mut run.errors,
                booleans,
            },
        );
    } else {
        describe(stack, run);
    }
    0
}

/// A table of strings.
fn push_strings(stack: Stack, strings: &[&[u8]]) {
    stack.push_table(strings.len(), 0);
    let table = stack.top();
    for (index, string) in (1..).zip(strings) {
        stack.push_string(string);
        stack.store_element(table, index);
    }
}

/// Notes what the error on top says. It is the handler's table, or where the handler
/// could not run, something else.
fn describe(stack: Stack, run: &mut Run<'_>) {
    let error = stack.top();
    run.failure = Some(Failure::default());
    if stack.kind(error) != Kind::Table {
        return note(stack, error, run, |failure, text| {
            failure.text = text.to_vec()
        });
    }
    stack.push_field(error, "err");
    note(stack, error + 1, run, |failure, text| {
        failure.text = text.to_vec();
    });
    stack.push_field(error, value::COUNTED);
    if let Some(failure) = &mut run.failure {
        failure.is_counted = stack.boolean(error + 2);
    }
    stack.cut(error + 1);
    stack.push_field(error, "line");
    let line = stack.number(error + 2) as i64;
    stack.push_field(error, "source");
    note(stack, error + 3, run, |failure, source| {
        failure.origin = Some((source.to_vec(), line));
    });
}

/// Passes a string of the stack on to `write`, if there is one at the index.
fn note(stack: Stack, index: i32, run: &mut Run<'_>, write: impl FnOnce(&mut Failure, &[u8])) {
    // SAFETY: the value stays where it is.
    if let (Some(text), Some(failure)) = (unsafe { stack.string(index) }, &mut run.failure) {
        write(failure, text);
    }
}

impl Bridge {
    /// A bridge to `lua`, which has no way to the commands yet: [`Bridge::commands`] are
    /// to be given to scripts, and [`Bridge::bind`] says how they are run.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn new(lua: &Lua) -> mlua::Result<Self> {
        let mut main = std::ptr::null_mut();
        // SAFETY: notes an address and leaves the stack as it is.
        unsafe { lua.exec_raw::<()>((), |state| main = state)? };
        Ok(Self {
            lua: lua.clone(),
            state: main,
            shared: Rc::default(),
            runner: ffi::LUA_NOREF,
            programs: lua.create_table()?,
            free: Vec::new(),
            last: 0,
        })
    }

    /// The way to the host of the run that is on.
    pub fn hosts(&self) -> Hosts {
        Hosts(self.shared.clone())
    }

    /// A closure over the shared state, and over `values`.
    fn closure(
        &self,
        function: ffi::lua_CFunction,
        values: impl mlua::IntoLuaMulti,
    ) -> mlua::Result<Function> {
        let values = values.into_lua_multi(&self.lua)?;
        let count = values.len() as c_int;
        let anchor = self.lua.create_any_userdata(self.shared.clone())?;
        let address = Rc::as_ptr(&self.shared).cast_mut().cast();
        // SAFETY: the closure captures nothing that needs dropping; it takes what it was
        // passed (anchor and values) off the stack and leaves one function.
        unsafe {
            self.lua.exec_raw((anchor, values), |state| {
                ffi::lua_pushlightuserdata(state, address);
                ffi::lua_insert(state, -(count + 2));
                ffi::lua_pushcclosure(state, function, count + 2);
            })
        }
    }

    /// `redis.call` and `redis.pcall`.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn commands(&self) -> mlua::Result<(Function, Function)> {
        Ok((
            self.closure(call::<true>, ())?,
            self.closure(call::<false>, ())?,
        ))
    }

    /// Says how programs are run: `handler` turns what is raised into a table with the
    /// fields err, source and line; KEYS and ARGV are set in `world`.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn bind(&mut self, handler: &Function, world: &Table) -> mlua::Result<()> {
        let runner = self.closure(run, (handler, world, &self.programs))?;
        let mut reference = ffi::LUA_NOREF;
        // SAFETY: takes the function off the stack and notes where it is kept.
        unsafe {
            self.lua.exec_raw::<()>(runner, |state| {
                reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            })?;
        }
        self.runner = reference;
        Ok(())
    }

    /// Keeps a function to be run.
    ///
    /// # Errors
    /// When the interpreter is out of memory.
    pub fn keep(&mut self, function: &Function) -> mlua::Result<Program> {
        let place = self.free.last().copied().unwrap_or(self.last + 1);
        self.programs.raw_set(place, function)?;
        if self.free.pop().is_none() {
            self.last = place;
        }
        Ok(Program(place))
    }

    /// Lets go of a function. It must not be run any more.
    pub fn forget(&mut self, program: Program) {
        // Storing nil in a place that is there takes no memory.
        if self.programs.raw_set(program.0, mlua::Value::Nil).is_ok() {
            self.free.push(program.0);
        }
    }

    /// Runs a program for `host` and writes its result. Returns the errors within the
    /// result that are no command's: those nobody has counted.
    ///
    /// # Errors
    /// What the program raised, or what went wrong in the interpreter. The reply may then
    /// hold a part of a result.
    ///
    /// # Panics
    /// If the host has: its panic goes on where it left the interpreter.
    pub fn run(
        &self,
        host: &mut dyn Host,
        program: Program,
        input: Input<'_>,
        out: &mut Reply,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        /// Takes the host back, whatever happens.
        struct Lent<'s>(&'s Shared);
        impl Drop for Lent<'_> {
            fn drop(&mut self) {
                self.0.host.set(None);
                self.0.is_running.set(false);
            }
        }
        if self.shared.is_running.replace(true) {
            return Err(Failure::of(b"ERR a script is running already"));
        }
        let lent = Lent(&self.shared);
        let host = NonNull::from(host);
        // SAFETY: only the bound on the lifetime goes: `Lent` takes the pointer out of the
        // cell before this function, and with it the borrow of the host, ends.
        let host = unsafe {
            std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host + 'static>>(host)
        };
        self.shared.host.set(Some(host));
        let mut run = Run {
            program,
            input,
            out,
            errors: Vec::new(),
            failure: None,
        };
        // SAFETY: the state lives as long as `lua`, and nothing of Lua's runs between this
        // and the call below. Two slots are there or not, which is asked before they are
        // used; pushing what is in the registry and a pointer does not allocate; whatever
        // jumps lands in `lua_pcall`. The stack is left as it was.
        let (status, unclear) = unsafe {
            let top = ffi::lua_gettop(self.state);
            if ffi::lua_checkstack(self.state, 4) == 0 {
                (ffi::LUA_ERRMEM, None)
            } else {
                ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, self.runner);
                ffi::lua_pushlightuserdata(self.state, (&raw mut run).cast());
                let status = ffi::lua_pcall(self.state, 1, 0, 0);
                let text = (status != ffi::LUA_OK)
                    .then(|| Stack::new(self.state).string(-1).map(<[u8]>::to_vec))
                    .flatten();
                ffi::lua_settop(self.state, top);
                (status, text)
            }
        };
        drop(lent);
        let mut reply = self.shared.reply.take();
        reply.clear();
        reply.shrink_to(KEPT_BYTES_MAX);
        self.shared.reply.set(reply);
        if let Some(panic) = self.shared.panic.take() {
            resume_unwind(panic);
        }
        match run.failure {
            Some(failure) => Err(failure),
            None if status == ffi::LUA_OK => Ok(run.errors),
            None => Err(unclear.map_or_else(
                || Failure::of(b"ERR not enough memory"),
                |text| Failure::of(&text),
            )),
        }
    }
}

impl Failure {
    fn of(text: &[u8]) -> Self {
        Self {
            text: text.to_vec(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
