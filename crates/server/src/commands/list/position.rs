//! Where in a list elements are: LPOS.
//!
//! A search that does not end soon goes on through the list as it was, in slices, while
//! others have their turn; its reply is written when it has ended.

use ochre_resp::{Reply, Source};
use ochre_store::ReadView;
use ochre_store::value::list::{Element, ListRef, Side};
use ochre_structures::list::Stretch;
use ochre_structures::{listpack, number};

use super::value;
use crate::commands::args::Args;
use crate::commands::element::LONG_REPLY;
use crate::commands::found::Found;
use crate::commands::spec::*;
use crate::error::Error;

/// Elements looked at in a slice: about 0.1 ms.
const SLICE_ELEMENTS: usize = 8192;

pub const LPOS: Command = Command {
    summary: "Returns the index of matching elements in a list.",
    since: "6.0.6",
    complexity: "O(N) where N is the number of elements in the list, for the average case. When \
                 searching for elements near the head or the tail of the list, or when the \
                 MAXLEN option is provided, the command may run in constant time.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("element"),
        integer("rank").after("RANK").opt(),
        integer("num-matches").after("COUNT").opt(),
        integer("len").after("MAXLEN").opt(),
    ],
    ..command("lpos", Group::List, -3, Run::Read(lpos))
};

fn lpos(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let element = args.next()?;
    let (mut rank, mut count, mut max_len) = (1, None, 0);
    while !args.is_empty() {
        let has_value = args.len() > 1;
        if has_value && args.keyword("RANK") {
            rank = value::negatable(args)?;
            if rank == 0 {
                return Err(Error::text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                     second ... or use negative to start from the end of the list",
                ));
            }
        } else if has_value && args.keyword("COUNT") {
            count = Some(not_negative(args, "ERR COUNT can't be negative")?);
        } else if has_value && args.keyword("MAXLEN") {
            max_len = not_negative(args, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Error::Syntax);
        }
    }
    let Some(list) = value::find(view, key)? else {
        match count {
            Some(_) => out.array(0),
            None => out.null(),
        }
        return Ok(Flow::Done);
    };
    let wanted = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let looked_at = match max_len {
        0 => list.len(),
        max_len => max_len.min(list.len()),
    };
    // Most searches end soon.
    let at_once = match list {
        ListRef::Packed(_) => looked_at,
        ListRef::Large(_) => looked_at.min(LONG_REPLY),
    };
    let found = list.positions(element, rank, count.unwrap_or(1), at_once);
    if at_once < looked_at && found.len() < wanted {
        let side = if rank > 0 { Side::Front } else { Side::Back };
        if let Some(stretch) = list.share_stretch(side, looked_at) {
            out.source(Box::new(Search {
                left: stretch,
                side,
                list_len: list.len(),
                passed: 0,
                number: listpack::parse_integer(element),
                element: element.to_vec(),
                skipped: rank.unsigned_abs() - 1,
                wanted,
                is_counted: count.is_some(),
                found: Found::default(),
                is_working: true,
            }));
            return Ok(Flow::Done);
        }
    }
    match (count, found.first()) {
        (Some(_), _) => {
            out.array(found.len());
            for index in found {
                out.count(index);
            }
        }
        (None, Some(&index)) => out.count(index),
        (None, None) => out.null(),
    }
    Ok(Flow::Done)
}

/// A search through a large list as it was, a slice at a time.
struct Search {
    /// What has not been looked at yet.
    left: Stretch,
    side: Side,
    list_len: usize,
    /// How many elements have been looked at.
    passed: usize,
    element: Vec<u8>,
    /// The element's integer, if it is one.
    number: Option<i64>,
    /// Matches to pass over yet.
    skipped: u64,
    /// Matches to be found at most.
    wanted: usize,
    /// Whether the reply is an array, as COUNT makes it.
    is_counted: bool,
    found: Found,
    is_working: bool,
}

impl Search {
    /// Looks at a slice of elements; returns whether there are more to be looked at.
    fn work(&mut self) -> bool {
        self.left.read(SLICE_ELEMENTS, |own| {
            let index = match self.side {
                Side::Front => self.passed,
                Side::Back => self.list_len - 1 - self.passed,
            };
            self.passed += 1;
            let is_match = match own {
                Element::Int(value) => self.number == Some(value),
                Element::Str(bytes) => bytes == self.element,
            };
            if !is_match {
                return;
            }
            if self.skipped > 0 {
                self.skipped -= 1;
            } else if self.found.count() < self.wanted {
                self.found.add(|out| out.count(index));
            }
        });
        !self.left.is_empty() && self.found.count() < self.wanted
    }
}

impl Source for Search {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_working {
            if self.work() {
                return true;
            }
            self.is_working = false;
            if self.is_counted {
                out.array(self.found.count());
            } else if self.found.count() == 0 {
                out.null();
            }
        }
        self.found.write(out, budget_bytes)
    }
}

fn not_negative(args: &mut Args<'_>, otherwise: &'static str) -> Result<usize, Error> {
    number::parse_i64(args.next()?)
        .and_then(|value| usize::try_from(value).ok())
        .ok_or(Error::text(otherwise))
}
