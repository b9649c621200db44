//! The arguments of `redis.call` as the words of a command.

use ochre_structures::number;
use smallvec::SmallVec;

use crate::stack::{Kind, Stack};

/// Why arguments are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadWords {
    /// There are none.
    Missing,
    /// One is neither a string nor a number.
    NotText,
}

/// Passes the values of a function's frame on as words: strings as they lie on the stack,
/// numbers in decimal.
///
/// # Safety
/// `take` calls nothing of Lua's: what is on the stack stays there.
pub unsafe fn with_words<R>(stack: Stack, take: impl FnOnce(Result<&[&[u8]], BadWords>) -> R) -> R {
    let count = stack.top();
    if count == 0 {
        return take(Err(BadWords::Missing));
    }
    // The words that are numbers: which, and where their digits end.
    let mut numbers: SmallVec<[(usize, usize); 8]> = SmallVec::new();
    let mut digits = Vec::new();
    let mut words: SmallVec<[&[u8]; 16]> = SmallVec::new();
    for index in 1..=count {
        // SAFETY: the caller's promise.
        if let Some(text) = unsafe { stack.string(index) } {
            words.push(text);
        } else if stack.kind(index) == Kind::Number {
            push_number(&mut digits, stack.number(index));
            numbers.push((words.len(), digits.len()));
            words.push(&[]);
        } else {
            return take(Err(BadWords::NotText));
        }
    }
    let mut start = 0;
    for (word, end) in numbers {
        words[word] = &digits[start..end];
        start = end;
    }
    take(Ok(&words))
}

/// Numbers as Redis writes them: 17 significant digits, so whole ones without a fraction.
fn push_number(digits: &mut Vec<u8>, value: f64) {
    // Every whole number below this is written with all its digits.
    const WHOLE_MAX: f64 = 1e17;
    if value.abs() < WHOLE_MAX && value.fract() == 0.0 && (value != 0.0 || value.is_sign_positive())
    {
        let mut buffer = itoa::Buffer::new();
        digits.extend_from_slice(buffer.format(value as i64).as_bytes());
    } else {
        number::format_f64_17g(digits, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(value: f64) {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        push_number(&mut ours, value);
        number::format_f64_17g(&mut plain, value);
        assert_eq!(
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(&plain),
            "{value:e}"
        );
    }

    proptest! {
        #[test]
        fn whole_numbers_are_written_as_all_are(value: i64, shift in 0_u32..64, any: f64) {
            check((value >> shift) as f64);
            check(any);
        }
    }

    #[test]
    fn the_edges() {
        for value in [
            0.0,
            -0.0,
            1e17,
            -1e17,
            1e17 - 16.0,
            0.5,
            f64::MAX,
            f64::INFINITY,
        ] {
            check(value);
        }
    }
}
