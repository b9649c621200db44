//! Integers of any width at any bit: BITFIELD, BITFIELD_RO.

use ochre_resp::Reply;
use ochre_store::{EventClass, ReadView, Settings, WriteView};
use ochre_structures::bits::{Field, Overflow, length_for};
use ochre_structures::number;
use smallvec::SmallVec;

use super::bit::parse_field_offset;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::{edit, value};
use crate::error::Error;

pub const BITFIELD: Command = Command {
    summary: "Reads, sets and increments integers of any width at any bit of a string value.",
    since: "3.2.0",
    complexity: "O(1) for each subcommand specified",
    flags: Flags::DENYOOM,
    keys: &[
        KeySpec::one(1, RW_ACCESS_UPDATE.or(KeyFlags::VARIABLE_FLAGS))
            .noted("This command allows both access and modification of the key"),
    ],
    vary_key_flags: Some(bitfield_key_flags),
    args: &[
        key("key"),
        one_of(
            "operation",
            &[
                GET_BLOCK,
                block(
                    "write",
                    &[
                        one_of(
                            "overflow-block",
                            &[
                                token("wrap", "WRAP"),
                                token("sat", "SAT"),
                                token("fail", "FAIL"),
                            ],
                        )
                        .after("OVERFLOW")
                        .opt(),
                        one_of(
                            "write-operation",
                            &[
                                block(
                                    "set-block",
                                    &[string("encoding"), integer("offset"), integer("value")],
                                )
                                .after("SET"),
                                block(
                                    "increment-block",
                                    &[string("encoding"), integer("offset"), integer("increment")],
                                )
                                .after("INCRBY"),
                            ],
                        ),
                    ],
                ),
            ],
        )
        .opt()
        .many(),
    ],
    ..command("bitfield", Group::Bitmap, -2, Run::Write(bitfield))
};

pub const BITFIELD_RO: Command = Command {
    summary: "Reads integers of any width at any bit of a string value.",
    since: "6.0.0",
    complexity: "O(1) for each subcommand specified",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), GET_BLOCK.opt().many_tokens()],
    ..command("bitfield_ro", Group::Bitmap, -2, Run::Read(bitfield_ro))
};

const GET_BLOCK: Arg = block("get-block", &[string("encoding"), integer("offset")]).after("GET");

/// One of BITFIELD's subcommands.
#[derive(Debug, Clone, Copy)]
struct Step {
    field: Field,
    offset: u64,
    action: Action,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// The subcommands of an invocation, most of which have a handful.
type Steps = SmallVec<[Step; 4]>;

fn parse(args: &mut Args<'_>, settings: &Settings) -> Result<Steps, Error> {
    let mut steps = Steps::new();
    let mut overflow = Overflow::default();
    while let Some(word) = args.peek() {
        args.skip(1);
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        // The number of words behind is checked before what they say.
        let left = args.len();
        if is("OVERFLOW") && left >= 1 {
            overflow = Overflow::parse(args.next()?)
                .ok_or(Error::text("ERR Invalid OVERFLOW type specified"))?;
            continue;
        }
        let is_get = is("GET") && left >= 2;
        let is_set = is("SET") && left >= 3;
        let is_increment = is("INCRBY") && left >= 3;
        if !(is_get || is_set || is_increment) {
            return Err(Error::Syntax);
        }
        let field = Field::parse(args.next()?).ok_or(Error::text(
            "ERR Invalid bitfield type. Use something like i16 u8. \
             Note that u64 is not supported but i64 is.",
        ))?;
        let offset = parse_field_offset(args.next()?, field.width(), settings)?;
        let action = if is_get {
            Action::Get
        } else {
            let operand = number::parse_i64(args.next()?).ok_or(Error::NotInteger)?;
            if is_set {
                Action::Set(operand, overflow)
            } else {
                Action::Increment(operand, overflow)
            }
        };
        steps.push(Step {
            field,
            offset,
            action,
        });
    }
    Ok(steps)
}

/// How long the string must be for all that is written, in bytes; `None` if nothing is.
fn written_bytes(steps: &[Step]) -> Option<usize> {
    steps
        .iter()
        .filter(|step| !matches!(step.action, Action::Get))
        .map(|step| length_for(step.offset + u64::from(step.field.width())))
        .max()
}

fn bitfield(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let steps = parse(args, view.settings())?;
    let Some(length) = written_bytes(&steps) else {
        return read_all(&view.read(), key, &steps, out);
    };
    let edited = edit::edit(view, key, length, |bytes| {
        out.array(steps.len());
        // Of a string that was long enough only real changes count.
        let (mut written, mut changed) = (0, 0);
        for step in &steps {
            let before = step.field.read(bytes, step.offset);
            let answer = match step.action {
                Action::Get => Some(before),
                Action::Set(value, overflow) => step.field.set(bytes, step.offset, value, overflow),
                Action::Increment(by, overflow) => {
                    step.field.increment(bytes, step.offset, by, overflow)
                }
            };
            match answer {
                Some(value) => out.integer(value),
                None => out.null(),
            }
            if answer.is_some() && !matches!(step.action, Action::Get) {
                written += 1;
                changed += u64::from(step.field.read(bytes, step.offset) != before);
            }
        }
        (written, changed)
    })?;
    let (written, changed) = edited.result;
    let changes = if edited.grown { written } else { changed };
    if changes > 0 {
        view.modified(key, EventClass::String, "setbit");
        view.dirty(changes - 1);
    } else if edited.grown {
        // All writes failed, but the string was made for them. Redis does not tell
        // anybody, and so lets replicas differ; here it is a change without an event.
        view.mark_changed(key);
        view.dirty(1);
    }
    Ok(Flow::Done)
}

fn bitfield_ro(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let steps = parse(args, view.settings())?;
    if written_bytes(&steps).is_some() {
        return Err(Error::text(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    read_all(view, key, &steps, out)
}

fn read_all(view: &ReadView<'_>, key: &[u8], steps: &[Step], out: &mut Reply) -> Outcome {
    let entry = view.find(key);
    let mut write = |bytes: &[u8]| {
        out.array(steps.len());
        for step in steps {
            out.integer(step.field.read(bytes, step.offset));
        }
    };
    match entry {
        Some(entry) => value::with_bytes(entry, write)?,
        None => write(&[]),
    }
    Ok(Flow::Done)
}

/// BITFIELD that only reads is no write.
fn bitfield_key_flags(argv: &[&[u8]]) -> KeyFlags {
    let mut rest = argv.get(2..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first() {
        let words = if word.eq_ignore_ascii_case(b"GET") {
            2
        } else if word.eq_ignore_ascii_case(b"OVERFLOW") {
            1
        } else {
            return RW_ACCESS_UPDATE;
        };
        match behind.get(words..) {
            Some(behind) => rest = behind,
            None => return RW_ACCESS_UPDATE,
        }
    }
    RO_ACCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_flags_follow_the_subcommands() {
        let flags = |words: &str| {
            let argv: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            bitfield_key_flags(&argv)
        };
        for (words, expected) in [
            ("bitfield k", RO_ACCESS),
            ("bitfield k get u8 0", RO_ACCESS),
            ("bitfield k OVERFLOW sat GET u8 #0", RO_ACCESS),
            ("bitfield k get u8 0 set u8 0 1", RW_ACCESS_UPDATE),
            ("bitfield k get u8", RW_ACCESS_UPDATE),
            ("bitfield k incrby u8 0 1", RW_ACCESS_UPDATE),
        ] {
            assert_eq!(flags(words), expected, "{words}");
        }
    }
}
