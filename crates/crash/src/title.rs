//! The title of the process: what `ps` shows in place of its arguments.
//!
//! The kernel shows the memory that the arguments were given in. That of the environment
//! follows it, and may be used as well once the environment is elsewhere:
//!
//! ```text
//!   │ ochre \0 --port \0 6379 \0 │ PATH=… \0 HOME=… \0 … │
//!   └──────── arguments ─────────┴──────── environment ──┘
//!   │ ochre *:6379 \0 …        . │                       │    while it fits
//! ```
//!
//! If the last byte of the arguments is no NUL, the kernel shows one text up to its first
//! NUL, even if that is in the environment; hence the full stop.
//!
//! Invariant: only bytes within these two are written, and none before the environment
//! has moved out.

use std::fs;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The memory that holds the title.
#[derive(Debug)]
pub struct Title {
    start: usize,
    /// Of the arguments.
    argument_bytes: usize,
    /// All that may be written.
    room_bytes: usize,
}

static IS_CLAIMED: AtomicBool = AtomicBool::new(false);

impl Title {
    /// Takes the memory of the arguments, which are lost: whoever needs them
    /// ([`std::env::args_os`]) must have asked before. To be called once, before there
    /// is a second thread; `None` otherwise, and where the kernel does not say where
    /// that memory is.
    pub fn claim() -> Option<Self> {
        let threads = fs::read_dir("/proc/self/task").ok()?.count();
        if threads != 1 || IS_CLAIMED.swap(true, Ordering::SeqCst) {
            return None;
        }
        let (arguments, environment) = parse_stat(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let mut room_bytes = arguments.len();
        if environment.start == arguments.end && move_environment() {
            room_bytes += environment.len();
        }
        Some(Self {
            start: arguments.start,
            argument_bytes: arguments.len(),
            room_bytes,
        })
    }

    /// Shows `text`, as far as there is room for it.
    pub fn set(&mut self, text: &str) {
        let shown = layout(text, self.argument_bytes, self.room_bytes);
        let memory = ptr::with_exposed_provenance_mut::<u8>(self.start);
        // SAFETY: the kernel mapped these bytes, writable, for the whole life of the
        // process; they are not the stack's. The environment does not point there any
        // more (`claim`), and nobody reads the arguments. `self` is the only one.
        unsafe { ptr::copy_nonoverlapping(shown.as_ptr(), memory, shown.len()) };
    }
}

/// What the memory is to hold: as many bytes as there is room.
fn layout(text: &str, argument_bytes: usize, room_bytes: usize) -> Vec<u8> {
    let mut shown = vec![0; room_bytes];
    let length = text.len().min(room_bytes.saturating_sub(1));
    shown[..length].copy_from_slice(&text.as_bytes()[..length]);
    let last = argument_bytes.saturating_sub(1);
    if length < last {
        shown[last] = b'.';
    } else if length == last && argument_bytes < room_bytes {
        shown[last] = b' ';
    }
    shown
}

/// Where arguments and environment are: fields 48 to 51 of `/proc/self/stat`, whose
/// second, the name, may hold anything but ends with the last `)`.
fn parse_stat(line: &str) -> Option<(Range<usize>, Range<usize>)> {
    const ARGUMENTS_START: usize = 48;
    const FIRST_AFTER_NAME: usize = 3;
    let mut fields = line
        .rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .skip(ARGUMENTS_START - FIRST_AFTER_NAME)
        .map(|field| field.parse::<usize>().ok());
    let mut range = || {
        let (start, end) = (fields.next()??, fields.next()??);
        (start != 0 && start <= end).then_some(start..end)
    };
    let arguments = range().filter(|range| !range.is_empty())?;
    Some((arguments, range()?))
}

/// Gives every variable of the environment memory of its own. False where one cannot be
/// named.
fn move_environment() -> bool {
    let variables: Vec<_> = std::env::vars_os().collect();
    let is_odd =
        |name: &std::ffi::OsString| name.is_empty() || name.as_encoded_bytes().contains(&b'=');
    if variables.iter().any(|(name, _)| is_odd(name)) {
        return false;
    }
    // What is not of the form NAME=value is in nobody's list and stays behind, unread.
    for (name, value) in variables {
        // SAFETY: there is one thread (`claim`), so nobody reads the environment now.
        unsafe { std::env::set_var(name, value) };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found_behind_odd_names() {
        let numbers: Vec<String> = (4..=52).map(|number| (number * 10).to_string()).collect();
        let line = format!("42 (a) b) (c) S {}", numbers.join(" "));
        assert_eq!(parse_stat(&line), Some((480..490, 500..510)));
        assert_eq!(parse_stat("42 (a) S 1 2 3"), None);
        let nothing = format!("42 (a) S {}", "0 ".repeat(60));
        assert_eq!(parse_stat(&nothing), None);
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(parse_stat(&own).is_some());
    }

    #[test]
    fn titles_are_laid_out_as_the_kernel_reads_them() {
        let text = |text, arguments, room| {
            String::from_utf8(layout(text, arguments, room))
                .unwrap()
                .replace('\0', "_")
        };
        assert_eq!(text("ab", 6, 10), "ab___.____");
        assert_eq!(text("abcde", 6, 10), "abcde ____");
        assert_eq!(text("abcde", 6, 6), "abcde_");
        assert_eq!(text("abcdefg", 6, 10), "abcdefg___");
        assert_eq!(text("abcdefghijklm", 6, 10), "abcdefghi_");
        assert_eq!(text("", 1, 1), "_");
        assert_eq!(text("abc", 1, 1), "_");
    }

    #[test]
    fn with_other_threads_there_is_no_title() {
        // A test runs on a thread of its own, besides the first.
        assert!(Title::claim().is_none());
    }
}
