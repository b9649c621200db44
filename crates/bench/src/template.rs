//! Command templates: a request is a copy of prepared bytes with its placeholders patched
//! in place. Placeholders have a fixed width, so lengths never change and nothing is
//! formatted or allocated per request.
//!
//! ```text
//! SET key:{k:12} {v:32}
//!
//! *3\r\n $3\r\nSET\r\n $16\r\nkey:............\r\n $32\r\n................................\r\n
//!                             └ key, 12 digits        └ value, 32 bytes
//! ```
//!
//! | placeholder | becomes |
//! | --- | --- |
//! | `{k:N}` | the number of a key, by the load's distribution, N digits |
//! | `{seq:N}` | the number of the request, N digits, the same wherever it stands in one |
//! | `{member:N}`, `{field:N}` | a random member number, N digits |
//! | `{int:N}`, `{intseq:N}` | a member number, the request's number: N digits, the first a 1 (no leading zero) |
//! | `{score:N}` | a random number of N digits |
//! | `{v:N}` | N bytes of text, the first eight random |
//!
//! Arguments are separated by spaces; `"…"` keeps spaces inside one, with `\"`, `\\`, `\n`,
//! `\r` and `\t`. An argument `;` ends a command and begins another one of the same
//! request: `MULTI ; INCR key:{k:12} ; EXEC` is one operation with three replies.

use crate::draw::Draw;

/// The widest placeholder: Redis's own bound of a string.
const WIDEST: usize = 512 * 1024 * 1024;

/// Why a template could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// There is a command without a name.
    #[error("a template has an empty command")]
    Empty,
    /// A quote is never closed.
    #[error("unbalanced quotes in template: {0}")]
    Quotes(String),
    /// A placeholder that does not exist, or with an unusable width.
    #[error(
        "unknown placeholder {{{0}}}: use k, seq, member, field, int, intseq, score or v, with a width, as in {{k:12}}"
    )]
    Placeholder(String),
    /// Mix lines look like `3:GET key:{k:12}` or `GET key:{k:12}`.
    #[error("a load needs at least one template with a weight above zero")]
    EmptyMix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Key,
    Sequence,
    Member,
    Integer,
    IntegerSequence,
    Score,
    Value,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    width: usize,
    kind: Kind,
}

/// One request: the bytes of its commands, where to patch them, how many replies it gets.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    replies: u32,
}

impl Template {
    /// Reads a template from a line (see the top of this module).
    ///
    /// # Errors
    /// When quotes are unbalanced, a command is empty or a placeholder is unknown.
    pub fn parse(line: &str) -> Result<Self, TemplateError> {
        let words = split(line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Self::from_arguments(&words)
    }

    /// Makes a template of arguments that are split already.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn from_arguments(arguments: &[&str]) -> Result<Self, TemplateError> {
        let mut template = Self {
            bytes: Vec::new(),
            slots: Vec::new(),
            replies: 0,
        };
        for command in arguments.split(|word| *word == ";") {
            if command.is_empty() {
                return Err(TemplateError::Empty);
            }
            template.replies += 1;
            template
                .bytes
                .extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
            for argument in command {
                template.push_argument(argument)?;
            }
        }
        Ok(template)
    }

    /// How many replies the server owes for one request.
    pub fn replies(&self) -> u32 {
        self.replies
    }

    /// The length in bytes of one request.
    pub fn request_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one request to `out`.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, draw: &mut Draw) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let request = &mut out[start..];
        for slot in &self.slots {
            let hole = &mut request[slot.at..slot.at + slot.width];
            match slot.kind {
                Kind::Key => patch_decimal(hole, draw.key()),
                Kind::Sequence => patch_decimal(hole, draw.sequence()),
                Kind::Member => patch_decimal(hole, draw.member()),
                Kind::Integer => patch_integer(hole, draw.member()),
                Kind::IntegerSequence => patch_integer(hole, draw.sequence()),
                Kind::Score => patch_decimal(hole, draw.number()),
                Kind::Value => patch_text(hole, draw.number()),
            }
        }
        draw.advance();
    }

    fn push_argument(&mut self, argument: &str) -> Result<(), TemplateError> {
        let mut literal = Vec::new();
        let mut slots = Vec::new();
        let mut rest = argument;
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}').map(|offset| open + offset) else {
                break;
            };
            literal.extend_from_slice(&rest.as_bytes()[..open]);
            let name = &rest[open + 1..close];
            let (kind, width) =
                placeholder(name).ok_or_else(|| TemplateError::Placeholder(name.to_owned()))?;
            slots.push((literal.len(), width, kind));
            literal.extend((0..width).map(|i| b'a' + (i * 7 % 26) as u8));
            rest = &rest[close + 1..];
        }
        literal.extend_from_slice(rest.as_bytes());
        self.bytes
            .extend_from_slice(format!("${}\r\n", literal.len()).as_bytes());
        let base = self.bytes.len();
        self.slots
            .extend(slots.into_iter().map(|(at, width, kind)| Slot {
                at: base + at,
                width,
                kind,
            }));
        self.bytes.extend_from_slice(&literal);
        self.bytes.extend_from_slice(b"\r\n");
        Ok(())
    }
}

fn placeholder(name: &str) -> Option<(Kind, usize)> {
    let (name, width) = name.split_once(':')?;
    let width: usize = width
        .parse()
        .ok()
        .filter(|width| (1..=WIDEST).contains(width))?;
    let kind = match name {
        "k" => Kind::Key,
        "seq" => Kind::Sequence,
        "member" | "field" => Kind::Member,
        "int" => Kind::Integer,
        "intseq" => Kind::IntegerSequence,
        "score" => Kind::Score,
        "v" => Kind::Value,
        _ => return None,
    };
    Some((kind, width))
}

/// Fills all of `hole` with the last digits of `number`, zeros in front.
#[inline]
fn patch_decimal(hole: &mut [u8], mut number: u64) {
    for digit in hole.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[inline]
fn patch_integer(hole: &mut [u8], number: u64) {
    patch_decimal(hole, number);
    hole[0] = b'1';
}

#[inline]
fn patch_text(hole: &mut [u8], number: u64) {
    for (byte, random) in hole.iter_mut().zip(number.to_le_bytes()) {
        *byte = b'A' + (random & 31);
    }
}

fn split(line: &str) -> Result<Vec<String>, TemplateError> {
    let unbalanced = || TemplateError::Quotes(line.to_owned());
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    while let Some(&next) = characters.peek() {
        if next.is_whitespace() {
            characters.next();
            continue;
        }
        let mut word = String::new();
        let mut quoted = false;
        loop {
            match characters.next() {
                None if quoted => return Err(unbalanced()),
                None => break,
                Some('"') => quoted = !quoted,
                Some('\\') if quoted => {
                    word.push(match characters.next().ok_or_else(unbalanced)? {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        other => other,
                    })
                }
                Some(space) if space.is_whitespace() && !quoted => break,
                Some(other) => word.push(other),
            }
        }
        words.push(word);
    }
    Ok(words)
}

/// Several templates with weights.
#[derive(Clone, Debug)]
pub struct Mix {
    templates: Vec<Template>,
    /// `templates[i]` is taken by draws below `bounds[i]` and not below the one before.
    bounds: Vec<u64>,
}

impl Mix {
    /// One template alone.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn of(line: &str) -> Result<Self, TemplateError> {
        Ok(Self::single(Template::parse(line)?))
    }

    /// One template alone.
    pub fn single(template: Template) -> Self {
        Self {
            templates: vec![template],
            bounds: vec![1],
        }
    }

    /// Templates as lines, each with an optional weight in front: `3:GET key:{k:12}`.
    ///
    /// # Errors
    /// As [`Template::parse`], or when no weight is above zero.
    pub fn parse(lines: &[String]) -> Result<Self, TemplateError> {
        let mut mix = Self {
            templates: Vec::new(),
            bounds: Vec::new(),
        };
        let mut total: u64 = 0;
        for line in lines {
            let (weight, template) = match line.split_once(':') {
                Some((weight, rest)) if weight.bytes().all(|b| b.is_ascii_digit()) => {
                    (weight.parse::<u32>().unwrap_or(1), rest)
                }
                _ => (1, line.as_str()),
            };
            total += u64::from(weight);
            mix.templates.push(Template::parse(template)?);
            mix.bounds.push(total);
        }
        if total == 0 {
            Err(TemplateError::EmptyMix)
        } else {
            Ok(mix)
        }
    }

    /// Appends one request to `out`; returns how many replies it gets.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, draw: &mut Draw) -> u32 {
        let template = match self.templates.as_slice() {
            [only] => only,
            several => {
                let total = self.bounds[self.bounds.len() - 1];
                let drawn = draw.number() % total;
                &several[self.bounds.partition_point(|bound| *bound <= drawn)]
            }
        };
        template.write(out, draw);
        template.replies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Distribution, KeyPicker};
    use proptest::prelude::*;

    fn draw() -> Draw {
        Draw::new(
            7,
            KeyPicker::new(Distribution::Sequential, 1000).starting_at(42),
            10,
            5,
        )
    }

    fn expand(line: &str) -> String {
        let mut out = Vec::new();
        Template::parse(line).unwrap().write(&mut out, &mut draw());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_patched_in_place() {
        assert_eq!(
            expand("GET key:{k:12}"),
            "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n"
        );
        assert_eq!(
            expand("A {seq:3}x{seq:2}"),
            "*2\r\n$1\r\nA\r\n$6\r\n005x05\r\n"
        );
        assert_eq!(expand("A {intseq:4}"), "*2\r\n$1\r\nA\r\n$4\r\n1005\r\n");
    }

    #[test]
    fn commands_of_one_request() {
        let template = Template::parse("MULTI ; INCR k ; EXEC").unwrap();
        assert_eq!(template.replies(), 3);
        assert_eq!(
            expand("MULTI ; EXEC"),
            "*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n"
        );
    }

    #[test]
    fn quotes_keep_spaces() {
        assert_eq!(expand(r#"E "a b\"c""#), "*2\r\n$1\r\nE\r\n$5\r\na b\"c\r\n");
    }

    #[test]
    fn refusals() {
        assert_eq!(Template::parse("").unwrap_err(), TemplateError::Empty);
        assert_eq!(
            Template::parse("A ; ; B").unwrap_err(),
            TemplateError::Empty
        );
        assert!(matches!(
            Template::parse("A \"b"),
            Err(TemplateError::Quotes(_))
        ));
        for bad in [
            "A {x:1}",
            "A {k}",
            "A {k:0}",
            "A {k:-1}",
            "A {v:99999999999}",
        ] {
            assert!(
                matches!(Template::parse(bad), Err(TemplateError::Placeholder(_))),
                "{bad}"
            );
        }
        assert_eq!(Mix::parse(&[]).unwrap_err(), TemplateError::EmptyMix);
        assert_eq!(
            Mix::parse(&["0:PING".to_owned()]).unwrap_err(),
            TemplateError::EmptyMix
        );
    }

    #[test]
    fn a_mix_follows_its_weights() {
        let mix = Mix::parse(&["3:GET a".to_owned(), "1:DEL a".to_owned()]).unwrap();
        let mut draw = draw();
        let mut out = Vec::new();
        for _ in 0..4000 {
            mix.write(&mut out, &mut draw);
        }
        let gets = out.windows(3).filter(|w| w == b"GET").count();
        assert!((2800..3200).contains(&gets), "{gets}");
    }

    proptest! {
        /// Whatever is drawn, a request keeps its length and its frame.
        #[test]
        fn lengths_never_change(key: u64, sequence: u64, seed: u64, width in 1usize..40) {
            let line = format!("CMD {{k:{width}}} a{{member:{width}}}b {{int:{width}}} {{score:{width}}} {{v:{width}}}");
            let template = Template::parse(&line).unwrap();
            let keys = KeyPicker::new(Distribution::Sequential, u64::MAX).starting_at(key);
            let mut out = Vec::new();
            template.write(&mut out, &mut Draw::new(seed, keys, u64::MAX, sequence));
            prop_assert_eq!(out.len(), template.request_bytes());
            let mut skipper = crate::reply::Skipper::new();
            prop_assert_eq!(skipper.feed(&out).unwrap(), 1);
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[ -~]{0,40}") {
            let _ = Template::parse(&line).map(|template| template.request_bytes());
        }
    }
}
