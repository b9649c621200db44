//! Libraries of functions: what FUNCTION LOAD adds and FCALL runs. The texts are kept here
//! once; each interpreter runs them when one of their functions is first called there.
//!
//! Invariants: no two libraries share a name, nor do any two functions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::flags::ScriptFlags;
use super::tail_calls;
use crate::error::Error;

/// A function as its library describes it; what is called, where that is known.
#[derive(Debug, Clone)]
pub struct Registered<C> {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: ScriptFlags,
    pub callback: C,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Differs from that of every other library there ever was.
    pub id: u64,
    pub name: Vec<u8>,
    /// As it was loaded.
    pub text: Vec<u8>,
    /// What Lua compiles: the text without its first line.
    pub body: Vec<u8>,
    pub functions: Vec<Registered<()>>,
    pub last_return_line: usize,
}

/// The libraries by name, and the functions by name.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    libraries: BTreeMap<Vec<u8>, Arc<Library>>,
    functions: BTreeMap<Vec<u8>, Arc<Library>>,
}

/// All libraries of the server.
#[derive(Debug, Default)]
pub struct Functions {
    shelf: RwLock<Shelf>,
    last_id: AtomicU64,
    /// Counts the changes: interpreters drop what is gone.
    generation: AtomicU64,
}

/// What to do with a library or function of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

/// A library's text with what its first line says.
#[derive(Debug, PartialEq, Eq)]
pub struct Source<'a> {
    pub name: Vec<u8>,
    pub text: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Source<'a> {
    /// Reads `#!lua name=…`.
    ///
    /// # Errors
    /// What is wrong with the first line.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        if !text.starts_with(b"#!") {
            return Err(Error::text("ERR Missing library metadata"));
        }
        let Some(end) = memchr::memchr(b'\n', text) else {
            return Err(Error::text("ERR Invalid library metadata"));
        };
        let mut words = Vec::new();
        if !ochre_resp::inline::split(&text[2..end], |word| words.push(word.to_vec())) {
            return Err(Error::text("ERR Invalid library metadata"));
        }
        let quoting = |before: &str, word: &[u8], after: &str| {
            Error::Bytes([before.as_bytes(), word, after.as_bytes()].concat())
        };
        let mut words = words.into_iter();
        let engine = words.next().unwrap_or_default();
        let mut name = None;
        for word in words {
            match word.strip_prefix(b"name=") {
                Some(_) if name.is_some() => {
                    return Err(Error::text(
                        "ERR Invalid metadata value, name argument was given multiple times",
                    ));
                }
                Some(value) => name = Some(value.to_vec()),
                None => return Err(quoting("ERR Invalid metadata value given: ", &word, "")),
            }
        }
        let Some(name) = name else {
            return Err(Error::text("ERR Library name was not given"));
        };
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if name.is_empty() || !name.iter().all(is_plain) {
            return Err(Error::text(
                "ERR Library names can only contain letters, numbers, or underscores(_) and must \
                 be at least one character long",
            ));
        }
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(quoting("ERR Engine '", &engine, "' not found"));
        }
        Ok(Self {
            name,
            text,
            body: &text[end..],
        })
    }
}

fn taken(name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name);
    Error::owned(format!("ERR Library '{name}' already exists"))
}

impl Shelf {
    /// Adds a library.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn add(&mut self, library: Library, existing: Existing) -> Result<(), Error> {
        let old = self.libraries.get(&library.name).cloned();
        if old.is_some() && existing == Existing::Keep {
            return Err(taken(&library.name));
        }
        for function in &library.functions {
            let taken = self.functions.get(&function.name);
            if taken.is_some_and(|other| other.name != library.name) {
                let name = String::from_utf8_lossy(&function.name);
                return Err(Error::owned(format!("ERR Function {name} already exists")));
            }
        }
        self.remove(&library.name);
        let library = Arc::new(library);
        for function in &library.functions {
            let name = function.name.clone();
            self.functions.insert(name, library.clone());
        }
        self.libraries.insert(library.name.clone(), library);
        Ok(())
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else {
            return false;
        };
        for function in &library.functions {
            self.functions.remove(&function.name);
        }
        true
    }

    /// The libraries in the order of their names.
    pub fn libraries(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.libraries.values()
    }

    pub fn contains(&self, name: &[u8]) -> bool {
        self.libraries.contains_key(name)
    }

    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// Bytes of all libraries' texts (`used_memory_functions`). O(libraries).
    pub fn bytes(&self) -> usize {
        let texts = self.libraries.values();
        texts
            .map(|library| library.text.len() + library.body.len())
            .sum()
    }

    /// Whether a library of this id is there.
    pub fn has(&self, id: u64) -> bool {
        self.libraries.values().any(|library| library.id == id)
    }
}

impl Functions {
    /// A library that is on no shelf yet.
    pub fn bind<C>(&self, source: &Source<'_>, registered: Vec<Registered<C>>) -> Library {
        let unbound = |function: Registered<C>| Registered {
            name: function.name,
            description: function.description,
            flags: function.flags,
            callback: (),
        };
        Library {
            id: self.last_id.fetch_add(1, Ordering::Relaxed) + 1,
            name: source.name.clone(),
            text: source.text.to_vec(),
            body: source.body.to_vec(),
            functions: registered.into_iter().map(unbound).collect(),
            last_return_line: tail_calls::prepare(source.body).last_return_line,
        }
    }

    /// Changes the libraries: all that `change` does, or nothing if it fails.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn change<R>(
        &self,
        change: impl FnOnce(&mut Shelf) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut shelf = self.shelf.write();
        let mut changed = shelf.clone();
        let result = change(&mut changed)?;
        *shelf = changed;
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(result)
    }

    /// Whether a library may have this name.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn check_free(&self, name: &[u8]) -> Result<(), Error> {
        if self.shelf.read().contains(name) {
            return Err(taken(name));
        }
        Ok(())
    }

    /// FUNCTION DELETE: whether there was such a library.
    pub fn delete(&self, name: &[u8]) -> bool {
        let found = self.shelf.write().remove(name);
        self.generation.fetch_add(1, Ordering::AcqRel);
        found
    }

    /// FUNCTION FLUSH.
    pub fn flush(&self) {
        *self.shelf.write() = Shelf::default();
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The library that has a function, and the function's flags.
    pub fn find(&self, function: &[u8]) -> Option<(Arc<Library>, ScriptFlags)> {
        let shelf = self.shelf.read();
        let library = shelf.functions.get(function)?;
        let registered = library.functions.iter().find(|one| one.name == function)?;
        Some((library.clone(), registered.flags))
    }

    /// The libraries as they are now. O(libraries and functions).
    pub fn shelf(&self) -> Shelf {
        self.shelf.read().clone()
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_engine_and_library() {
        let source = Source::parse(b"#!lua name=mine\nreturn 1").unwrap();
        assert_eq!(source.name, b"mine");
        assert_eq!(source.body, b"\nreturn 1");
        for (text, expected) in [
            ("return 1", "ERR Missing library metadata"),
            ("#!lua name=x", "ERR Invalid library metadata"),
            ("#!lua\n", "ERR Library name was not given"),
            ("#!js name=x\n", "ERR Engine 'js' not found"),
            (
                "#!lua name=x y=z\n",
                "ERR Invalid metadata value given: y=z",
            ),
        ] {
            let error = Source::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
