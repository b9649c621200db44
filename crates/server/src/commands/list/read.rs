//! Reading lists: LINDEX, LLEN, LRANGE.

use ochre_resp::{Reply, Source};
use ochre_store::ReadView;
use ochre_structures::list::{Cursor, Direction, FrozenList, resolve_range};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

/// Replies of more elements are made in slices, as the connection takes them.
const WHOLE_REPLY_ELEMENTS_MAX: usize = 2000;

/// Elements of a sliced reply made between two looks at its size.
const SLICE_ELEMENTS: usize = 64;

pub const LINDEX: Command = Command {
    summary: "Returns an element from a list by its index.",
    complexity: "O(N) where N is the number of elements to traverse to get to the element at \
                 index. This makes asking for the first or the last element of the list O(1).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), integer("index")],
    ..command("lindex", Group::List, 3, Run::Read(lindex))
};

fn lindex(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let Some(list) = value::find(view, args.next()?)? else {
        out.null();
        return Ok(Flow::Done);
    };
    match list.get(args.integer()?) {
        Some(element) => value::reply(element, out),
        None => out.null(),
    }
    Ok(Flow::Done)
}

pub const LLEN: Command = Command {
    summary: "Returns the length of a list.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("llen", Group::List, 2, Run::Read(llen))
};

fn llen(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let list = value::find(view, args.next()?)?;
    out.count(list.map_or(0, |list| list.len()));
    Ok(Flow::Done)
}

pub const LRANGE: Command = Command {
    summary: "Returns a range of elements from a list.",
    complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from \
                 nearest end (HEAD or TAIL) for large lists; and N is the number of elements in \
                 the specified range.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), integer("start"), integer("stop")],
    ..command("lrange", Group::List, 4, Run::Read(lrange))
};

fn lrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let Some(list) = value::find(view, key)? else {
        out.array(0);
        return Ok(Flow::Done);
    };
    let range = resolve_range(start, stop, list.len());
    out.array(range.len());
    if range.len() > WHOLE_REPLY_ELEMENTS_MAX
        && let Some(frozen) = list.freeze()
    {
        out.source(Box::new(RangeSource {
            next: Some(frozen.cursor(range.start)),
            left: range.len(),
            list: frozen,
        }));
    } else if !range.is_empty() {
        list.visit(range.start, range.len(), Direction::Forward, |element| {
            value::reply(element, out);
        });
    }
    Ok(Flow::Done)
}

/// A part of a frozen list, being sent.
struct RangeSource {
    list: FrozenList,
    next: Option<Cursor>,
    left: usize,
}

impl Source for RangeSource {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let start = out.len();
        while self.left > 0
            && let Some(cursor) = self.next
        {
            if out.len() - start >= budget_bytes {
                return true;
            }
            let elements = self.left.min(SLICE_ELEMENTS);
            self.next = self
                .list
                .visit_from(cursor, elements, |element| value::reply(element, out));
            self.left -= elements;
        }
        false
    }
}
