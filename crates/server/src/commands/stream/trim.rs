//! Trimming: XTRIM, and the options it shares with XADD.
//!
//! An approximate trim removes what suits the layout of nodes, and LIMIT bounds its
//! work; so what is recorded is the exact bound that it came to.

use ochre_resp::Reply;
use ochre_store::freeing::Garbage;
use ochre_store::{EventClass, Recorded, WriteView, recorded};
use ochre_structures::number;
use ochre_structures::stream::{Keep, Log, NewId, Precision, StreamId, Trim, TrimmedNode};

use super::value::{self, IdText};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const XTRIM: Command = Command {
    summary: "Deletes messages from the beginning of a stream.",
    since: "5.0.0",
    complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), TRIM],
    history: &[(
        "6.2.0",
        "Added the `MINID` trimming strategy and the `LIMIT` option.",
    )],
    tips: &["nondeterministic_output"],
    ..command("xtrim", Group::Stream, -4, Run::Write(xtrim))
};

/// The options of a trim, for COMMAND DOCS.
pub const TRIM: Arg = block(
    "trim",
    &[
        one_of(
            "strategy",
            &[
                token("maxlen", "MAXLEN"),
                token("minid", "MINID").since("6.2.0"),
            ],
        ),
        one_of(
            "operator",
            &[token("equal", "="), token("approximately", "~")],
        )
        .opt(),
        string("threshold"),
        integer("count").after("LIMIT").opt().since("6.2.0"),
    ],
);

/// A trim as it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Trimming {
    pub trim: Trim,
    /// The index of the bound among the arguments.
    bound_at: usize,
}

/// The command whose options are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Add,
    Trim,
}

/// What comes before the fields of XADD, or after the key of XTRIM.
#[derive(Debug)]
pub struct Options {
    pub trimming: Option<Trimming>,
    /// NOMKSTREAM was not given.
    pub creates: bool,
    /// The ID of XADD, and its index among the arguments.
    pub id: NewId,
    pub id_at: usize,
}

impl Options {
    /// Reads the options and the ID of XADD.
    ///
    /// # Errors
    /// Any that makes no sense, from left to right; then those that do not fit.
    pub fn of_add(view: &WriteView<'_, '_>, argv: &[&[u8]]) -> Result<Self, Error> {
        Self::parse(view, argv, Of::Add)
    }

    fn parse(view: &WriteView<'_, '_>, argv: &[&[u8]], of: Of) -> Result<Self, Error> {
        let mut options = Self {
            trimming: None,
            creates: true,
            id: NewId::Auto,
            id_at: argv.len(),
        };
        let mut limit = None;
        let mut at = 2;
        while let Some(&word) = argv.get(at) {
            let has_more = at + 1 < argv.len();
            if of == Of::Add && word == b"*" {
                options.id_at = at;
                break;
            } else if word.eq_ignore_ascii_case(b"MAXLEN") && has_more {
                options.read_bound(argv, &mut at, |text| {
                    let length = number::parse_i64(text).ok_or(Error::NotInteger)?;
                    let length = u64::try_from(length)
                        .map_err(|_| Error::text("ERR The MAXLEN argument must be >= 0."))?;
                    Ok(Keep::MaxLen(length))
                })?;
            } else if word.eq_ignore_ascii_case(b"MINID") && has_more {
                options.read_bound(argv, &mut at, |text| {
                    Ok(Keep::MinId(value::parse_id(text)?))
                })?;
            } else if word.eq_ignore_ascii_case(b"LIMIT") && has_more {
                at += 1;
                let given = number::parse_i64(argv[at]).ok_or(Error::NotInteger)?;
                let given = u64::try_from(given)
                    .map_err(|_| Error::text("ERR The LIMIT argument must be >= 0."))?;
                limit = Some(given);
            } else if of == Of::Trim {
                return Err(Error::Syntax);
            } else if word.eq_ignore_ascii_case(b"NOMKSTREAM") {
                options.creates = false;
            } else {
                options.id = NewId::parse(word).map_err(|_| value::INVALID_ID)?;
                options.id_at = at;
                break;
            }
            at += 1;
        }
        options.check_limit(view, limit, of)?;
        Ok(options)
    }

    /// Reads `[=|~] bound` behind the word at `at`, and leaves `at` at the bound.
    fn read_bound(
        &mut self,
        argv: &[&[u8]],
        at: &mut usize,
        read: impl FnOnce(&[u8]) -> Result<Keep, Error>,
    ) -> Result<(), Error> {
        if self.trimming.is_some() {
            return Err(Error::text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let mut precision = Precision::Exact;
        *at += 1;
        if *at + 1 < argv.len() {
            match argv[*at] {
                b"~" => {
                    precision = Precision::Approximate;
                    *at += 1;
                }
                b"=" => *at += 1,
                _ => {}
            }
        }
        self.trimming = Some(Trimming {
            trim: Trim {
                keep: read(argv[*at])?,
                precision,
                limit: 0,
            },
            bound_at: *at,
        });
        Ok(())
    }

    fn check_limit(
        &mut self,
        view: &WriteView<'_, '_>,
        limit: Option<u64>,
        of: Of,
    ) -> Result<(), Error> {
        if self.trimming.is_none() && limit.is_some_and(|limit| limit > 0) {
            return Err(Error::text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.trimming.is_none() && of == Of::Trim {
            return Err(Error::text(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        // What is recorded is exact, whatever its LIMIT says.
        if !view.enforces_deadlines() {
            return Ok(());
        }
        let trim = self.trimming.as_mut().map(|trimming| &mut trimming.trim);
        match (limit, trim) {
            (Some(limit), Some(trim)) if trim.precision == Precision::Approximate => {
                trim.limit = limit;
            }
            (Some(_), _) => {
                return Err(Error::text(
                    "ERR syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            (None, Some(trim)) if trim.precision == Precision::Approximate => {
                trim.limit = value::node_limits(view.settings()).default_trim_limit();
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// The bound that an approximate trim has come to.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    keep: Keep,
    bound_at: usize,
}

impl Trimming {
    /// Trims, and returns how many entries went. Nodes go to `gone`.
    pub fn apply(&self, log: &mut Log, gone: &mut Vec<TrimmedNode>) -> u64 {
        log.trim_into(&self.trim, |node| gone.push(node))
    }

    /// What is left now, if that may not follow from the arguments.
    pub fn reached(&self, log: &Log) -> Option<Reached> {
        let keep = match self.trim.keep {
            Keep::MaxLen(_) => Keep::MaxLen(log.len()),
            Keep::MinId(_) if log.is_empty() => Keep::MinId(StreamId::MAX),
            Keep::MinId(_) => Keep::MinId(log.first_id()),
        };
        (self.trim.precision == Precision::Approximate).then_some(Reached {
            keep,
            bound_at: self.bound_at,
        })
    }
}

impl Reached {
    /// Makes the recorded command's trim exact.
    pub fn rewrite(&self, command: &mut Recorded) {
        command[self.bound_at - 1] = b"=".to_vec();
        command[self.bound_at] = match self.keep {
            Keep::MaxLen(length) => itoa::Buffer::new().format(length).into(),
            Keep::MinId(id) => IdText::new(id).as_bytes().to_vec(),
        };
    }
}

/// Frees nodes of a stream: many of them on the freeing thread.
pub fn free(view: &mut WriteView<'_, '_>, gone: Vec<TrimmedNode>) {
    /// Nodes that are freed sooner than handed over.
    const FEW: usize = 64;
    if gone.len() > FEW {
        view.effects.garbage.push(Garbage::Part(Box::new(gone)));
    }
}

fn xtrim(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let argv = args.all();
    let key = argv[1];
    let options = Options::parse(view, argv, Of::Trim)?;
    let (Some(trimming), Some(stream)) = (options.trimming, value::stream_mut(view, key)?) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let mut gone = Vec::new();
    let removed = trimming.apply(stream, &mut gone);
    let reached = trimming.reached(stream);
    free(view, gone);
    if removed > 0 {
        view.modified(key, EventClass::Stream, "xtrim");
        view.dirty(removed - 1);
        if let Some(reached) = reached {
            view.effects.propagate_as(|| {
                let mut command = recorded(argv);
                reached.rewrite(&mut command);
                vec![command]
            });
        }
    }
    out.integer(removed as i64);
    Ok(Flow::Done)
}
