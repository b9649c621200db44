//! The arguments of one invocation, read from left to right.

use std::sync::Arc;

use ochre_structures::number;

use crate::error::Error;

/// A cursor over the arguments behind the command's name.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    all: &'a [&'a [u8]],
    at: usize,
    big: &'a [(usize, Arc<Vec<u8>>)],
}

impl<'a> Args<'a> {
    /// The arguments `all` (the name first), read from index `at` on. `big` names those
    /// that lie in buffers of their own.
    pub fn new(all: &'a [&'a [u8]], at: usize, big: &'a [(usize, Arc<Vec<u8>>)]) -> Self {
        Self { all, at, big }
    }

    /// All arguments, the name first.
    pub fn all(&self) -> &'a [&'a [u8]] {
        self.all
    }

    /// The index of the next argument among all.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Arguments not read yet.
    pub fn rest(&self) -> &'a [&'a [u8]] {
        &self.all[self.at.min(self.all.len())..]
    }

    /// How many arguments are left.
    pub fn len(&self) -> usize {
        self.all.len().saturating_sub(self.at)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next argument; a syntax error where there is none.
    #[inline]
    #[allow(
        clippy::should_implement_trait,
        reason = "fails where an iterator ends"
    )]
    pub fn next(&mut self) -> Result<&'a [u8], Error> {
        let argument = self.all.get(self.at).copied().ok_or(Error::Syntax)?;
        self.at += 1;
        Ok(argument)
    }

    /// The next argument, not consumed.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.all.get(self.at).copied()
    }

    /// Skips arguments.
    pub fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Consumes the next argument if it is `word`, whatever its case.
    #[inline]
    pub fn keyword(&mut self, word: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(found);
        found
    }

    /// The next argument as a signed 64-bit integer.
    pub fn integer(&mut self) -> Result<i64, Error> {
        number::parse_i64(self.next()?).ok_or(Error::NotInteger)
    }

    /// The next argument as an integer within bounds, with Redis's general error text.
    pub fn integer_in(&mut self, range: std::ops::RangeInclusive<i64>) -> Result<i64, Error> {
        let value = self.integer()?;
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(Error::OutOfRange)
        }
    }

    /// The next argument as the number of one of `databases`, with the errors that
    /// SELECT, MOVE and COPY have in common.
    pub fn database(&mut self, databases: usize) -> Result<u16, Error> {
        let number = self.integer()?;
        if i32::try_from(number).is_err() {
            return Err(Error::owned(format!(
                "ERR value is out of range, value must between {} and {}",
                i32::MIN,
                i32::MAX
            )));
        }
        u16::try_from(number)
            .ok()
            .filter(|&db| usize::from(db) < databases)
            .ok_or(Error::text("ERR DB index is out of range"))
    }

    /// The next argument as a float (infinities allowed, NaN not).
    pub fn float(&mut self) -> Result<f64, Error> {
        number::parse_f64(self.next()?).ok_or(Error::NotFloat)
    }

    /// A syntax error if arguments are left.
    pub fn end(&self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    /// The buffer of the argument at `index` among all, if it has one of its own: a
    /// large value that can be kept without copying it.
    pub fn shared(&self, index: usize) -> Option<Arc<Vec<u8>>> {
        self.big
            .iter()
            .find(|(of, _)| *of == index)
            .map(|(_, bytes)| bytes.clone())
    }
}
