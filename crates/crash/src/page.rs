//! Text on its way to a descriptor, through a small buffer of its own.
//!
//! Invariant: writing to it neither allocates nor locks, so that it may be used in a
//! signal handler. What cannot be written is lost: there is nobody left to tell.

use std::fmt;
use std::os::fd::RawFd;

/// Room for a line or two: a system call for several pieces of text.
const BUFFER_BYTES: usize = 256;

/// A buffered writer.
#[derive(Debug)]
pub struct Page {
    descriptor: RawFd,
    buffer: [u8; BUFFER_BYTES],
    used: usize,
}

impl Page {
    /// Text for `descriptor`, which must stay open meanwhile.
    pub fn new(descriptor: RawFd) -> Self {
        Self {
            descriptor,
            buffer: [0; BUFFER_BYTES],
            used: 0,
        }
    }

    /// Appends text.
    pub fn put(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.used == BUFFER_BYTES {
                self.flush();
            }
            let taken = rest.len().min(BUFFER_BYTES - self.used);
            self.buffer[self.used..self.used + taken].copy_from_slice(&rest[..taken]);
            self.used += taken;
            rest = &rest[taken..];
        }
    }

    /// Writes what is in the buffer.
    pub fn flush(&mut self) {
        let mut from = 0;
        while from < self.used {
            let rest = &self.buffer[from..self.used];
            // SAFETY: `rest` is valid for reads of its length. A descriptor that is not
            // open makes the call fail.
            let written = unsafe { libc::write(self.descriptor, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(0) => break,
                Ok(written) => from += written,
                Err(_) if is_interrupted() => {}
                Err(_) => break,
            }
        }
        self.used = 0;
    }
}

fn is_interrupted() -> bool {
    // SAFETY: the location of the calling thread's `errno` is always valid.
    unsafe { *libc::__errno_location() == libc::EINTR }
}

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_is_put_arrives_in_order() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut expected = String::new();
        {
            let mut page = Page::new(writer.as_raw_fd());
            for number in 0..500 {
                let piece = "x".repeat(number % 300);
                write!(page, "{number}:{piece};").unwrap();
                expected.push_str(&format!("{number}:{piece};"));
                if number % 7 == 0 {
                    page.flush();
                    let mut part = vec![0; expected.len()];
                    reader.read_exact(&mut part).unwrap();
                    assert_eq!(String::from_utf8(part).unwrap(), expected);
                    expected.clear();
                }
            }
        }
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_closed_descriptor_loses_the_text_and_nothing_else() {
        let mut page = Page::new(-1);
        page.put(&"lost".repeat(200));
        page.flush();
        assert_eq!(page.used, 0);
    }
}
