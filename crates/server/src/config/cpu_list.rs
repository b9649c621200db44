//! Lists of processors as `taskset` writes them: `0-3,8`, `0-7:2`.

/// The processors that can be named are below this: what the system's calls take.
pub const PROCESSORS_MAX: usize = 1024;

const INVALID: &str =
    "argument must be a list of processors such as 0-3,8 or 0-7:2, from 0 to 1023";

/// The processors of a list, ascending, each once; none for an empty list. `a-b:s` is
/// every `s`th from `a` to `b`.
///
/// # Errors
/// What such a list looks like.
pub fn parse(list: &str) -> Result<Vec<usize>, &'static str> {
    let mut processors = Vec::new();
    if list.trim().is_empty() {
        return Ok(processors);
    }
    for part in list.split(',') {
        let (range, stride) = match part.split_once(':') {
            Some((range, stride)) => (range, number(stride)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None if part.contains(':') => return Err(INVALID),
            None => (number(range)?, number(range)?),
        };
        if last >= PROCESSORS_MAX || first > last || stride == 0 {
            return Err(INVALID);
        }
        processors.extend((first..=last).step_by(stride));
    }
    processors.sort_unstable();
    processors.dedup();
    Ok(processors)
}

fn number(text: &str) -> Result<usize, &'static str> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(INVALID);
    }
    text.parse().map_err(|_| INVALID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_name_processors() {
        for (list, processors) in [
            ("", &[][..]),
            ("0", &[0]),
            ("3,1,1", &[1, 3]),
            ("0-3,8", &[0, 1, 2, 3, 8]),
            ("0-7:2", &[0, 2, 4, 6]),
            (" 1 - 2 , 5", &[1, 2, 5]),
            ("1023", &[1023]),
        ] {
            assert_eq!(parse(list).as_deref(), Ok(processors), "{list:?}");
        }
        for list in [
            "a",
            "1,",
            ",1",
            "3-1",
            "1-",
            "-1",
            "0-3:0",
            "0-3:",
            "1:2",
            "1024",
            "+1",
            "99999999999999999999",
        ] {
            assert_eq!(parse(list), Err(INVALID), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn any_list_that_is_written_out_is_read_back(
            mut processors in proptest::collection::vec(0..PROCESSORS_MAX, 1..20)
        ) {
            let list = processors.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            processors.sort_unstable();
            processors.dedup();
            prop_assert_eq!(parse(&list).unwrap(), processors);
        }

        #[test]
        fn no_text_is_too_odd(text in "[0-9,:\\- ]{0,12}") {
            if let Ok(processors) = parse(&text) {
                prop_assert!(processors.iter().all(|&processor| processor < PROCESSORS_MAX));
            }
        }
    }
}
