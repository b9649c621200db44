//! A stack of Lua's: its functions as methods that speak of slices and offsets.
//!
//! Nothing here knows of commands or replies. Indices are as Lua has them: from 1 at the
//! bottom of the running function's frame, from -1 at the top.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use mlua::ffi;
use mlua::lua_State;

/// The type of a value, as far as the bridge tells types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nil,
    Boolean,
    Number,
    String,
    Table,
    /// Functions, coroutines, userdata, and no value at all.
    Other,
}

/// A stack, within a function that Lua called or under `lua_pcall`.
///
/// Methods marked *may jump* may leave by `longjmp`: their callers own nothing that needs
/// dropping. All indices given are of values that are there, all pushes are within the
/// room that [`Stack::reserve`] or the start of a function (20 slots) gives.
#[derive(Clone, Copy)]
pub struct Stack {
    state: *mut lua_State,
}

impl Stack {
    /// # Safety
    /// The state is alive as long as the result is used, its thread is this one, and the
    /// contract of [`Stack`] is kept: what may jump is called below a `lua_pcall` only.
    pub unsafe fn new(state: *mut lua_State) -> Self {
        Self { state }
    }

    /// The index of the topmost value; how many values there are.
    #[inline]
    pub fn top(self) -> i32 {
        // SAFETY: reads the state only.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Drops what is above `index`.
    #[inline]
    pub fn cut(self, index: i32) {
        // SAFETY: `index` is one of the frame's; lowering the top cannot fail.
        unsafe { ffi::lua_settop(self.state, index) }
    }

    /// Drops the topmost `count` values.
    #[inline]
    pub fn pop(self, count: i32) {
        // SAFETY: as many values are there.
        unsafe { ffi::lua_pop(self.state, count) }
    }

    /// Takes out the value at an index; those above move down.
    #[inline]
    pub fn remove(self, index: i32) {
        // SAFETY: a value is there.
        unsafe { ffi::lua_remove(self.state, index) }
    }

    /// Makes room for `count` more values; says whether there is. May jump (memory).
    #[inline]
    pub fn reserve(self, count: i32) -> bool {
        // SAFETY: a positive count.
        unsafe { ffi::lua_checkstack(self.state, count) != 0 }
    }

    #[inline]
    pub fn kind(self, index: i32) -> Kind {
        // SAFETY: an acceptable index.
        match unsafe { ffi::lua_type(self.state, index) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            _ => Kind::Other,
        }
    }

    #[inline]
    pub fn boolean(self, index: i32) -> bool {
        // SAFETY: an acceptable index.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// The number there; 0 where there is none.
    #[inline]
    pub fn number(self, index: i32) -> f64 {
        // SAFETY: an acceptable index.
        unsafe { ffi::lua_tonumber(self.state, index) }
    }

    /// The string there, or `None` for any other type: a number would be converted in
    /// place, which may jump.
    ///
    /// # Safety
    /// The value stays on the stack, or in a table that is, as long as the slice is used,
    /// and `'a` ends before the state does.
    #[inline]
    pub unsafe fn string<'a>(self, index: i32) -> Option<&'a [u8]> {
        if self.kind(index) != Kind::String {
            return None;
        }
        let mut len = 0;
        // SAFETY: a string is there; strings do not move, and the caller keeps it alive.
        unsafe {
            let bytes = ffi::lua_tolstring(self.state, index, &mut len);
            Some(std::slice::from_raw_parts(bytes.cast::<u8>(), len))
        }
    }

    #[inline]
    pub fn push_nil(self) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    #[inline]
    pub fn push_boolean(self, value: bool) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) }
    }

    #[inline]
    pub fn push_number(self, value: f64) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, value) }
    }

    /// May jump (memory).
    #[inline]
    pub fn push_string(self, bytes: &[u8]) {
        // SAFETY: there is room; Lua copies the bytes.
        unsafe {
            ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast::<c_char>(), bytes.len());
        }
    }

    /// A value that no script can make, and that its protected calls do not swallow.
    #[inline]
    pub fn push_mark(self) {
        // SAFETY: there is room; the pointer is never followed.
        unsafe { ffi::lua_pushlightuserdata(self.state, ptr::null_mut()) }
    }

    /// The value at an index once more.
    #[inline]
    pub fn push_copy(self, index: i32) {
        // SAFETY: there is room, and a value at the index.
        unsafe { ffi::lua_pushvalue(self.state, index) }
    }

    /// The running function's upvalue, from 1.
    #[inline]
    pub fn push_upvalue(self, upvalue: i32) {
        self.push_copy(ffi::lua_upvalueindex(upvalue));
    }

    /// An empty table with room. May jump (memory).
    #[inline]
    pub fn push_table(self, elements: usize, fields: usize) {
        let bounded = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
        // SAFETY: there is room.
        unsafe { ffi::lua_createtable(self.state, bounded(elements), bounded(fields)) }
    }

    /// Replaces the key on top by the value that the table at `index` has for it, asking
    /// no metatable.
    #[inline]
    pub fn lookup(self, index: i32) {
        // SAFETY: a table is there; a raw look-up cannot fail.
        unsafe { ffi::lua_rawget_(self.state, index) }
    }

    /// Pushes what the table at `index` has for a name, asking no metatable. May jump
    /// (memory, for the name).
    #[inline]
    pub fn push_field(self, index: i32, name: &str) {
        debug_assert!(index > 0, "counts from the bottom: pushing moves the top");
        self.push_string(name.as_bytes());
        self.lookup(index);
    }

    /// Pushes an element of the table at `index`, asking no metatable.
    #[inline]
    pub fn push_element(self, index: i32, element: i32) {
        // SAFETY: a table is there, and room; a raw look-up cannot fail.
        unsafe { ffi::lua_rawgeti_(self.state, index, element) }
    }

    /// Pops a key and, above it, a value, and stores them in the table at `index`, asking
    /// no metatable. The key is neither nil nor NaN. May jump (memory).
    #[inline]
    pub fn store(self, index: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawset(self.state, index) }
    }

    /// Pops a value and stores it as an element of the table at `index`. May jump (memory).
    #[inline]
    pub fn store_element(self, index: i32, element: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawseti_(self.state, index, element) }
    }

    /// Replaces the key on top by the next key of the table at `index` and its value;
    /// pops it and says `false` where there is none.
    #[inline]
    pub fn next(self, index: i32) -> bool {
        // SAFETY: a table is there, the key is one of its own, and there is room for one
        // more value.
        unsafe { ffi::lua_next(self.state, index) != 0 }
    }

    /// Calls the function below its topmost `arguments` values for one result, with the
    /// function at `handler` for its errors; says whether that succeeded. What is on top
    /// then is the result, or the error.
    #[inline]
    pub fn call(self, arguments: i32, handler: i32) -> bool {
        // SAFETY: function and arguments are there, the handler is a function's index.
        unsafe { ffi::lua_pcall(self.state, arguments, 1, handler) == ffi::LUA_OK }
    }

    /// Raises what is on top. Jumps.
    pub fn raise(self) -> ! {
        // SAFETY: this is below a `lua_pcall`, and the caller owns nothing.
        unsafe { ffi::lua_error(self.state) }
    }

    /// The pointer in the running function's upvalue, from 1.
    #[inline]
    pub fn upvalue_pointer(self, upvalue: i32) -> *mut c_void {
        // SAFETY: an acceptable index, whatever is there.
        unsafe { ffi::lua_touserdata(self.state, ffi::lua_upvalueindex(upvalue)) }
    }
}
