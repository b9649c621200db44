//! Taking elements from the ends: LPOP, RPOP, LMPOP.
//!
//! Many are taken off the list node by node, and written in slices as the connection
//! drains.

use ochre_resp::{Reply, Source};
use ochre_store::WriteView;
use ochre_store::value::list::{ListMut, Side};
use ochre_structures::list::{Direction, Stretch};
use ochre_structures::number;

use super::value;
use crate::commands::args::Args;
use crate::commands::element::LONG_REPLY;
use crate::commands::spec::*;
use crate::error::Error;

const POP_KEYS: &[KeySpec] = &[KeySpec::one(1, RW_ACCESS_DELETE)];
const POP_ARGUMENTS: &[Arg] = &[key("key"), integer("count").since("6.2.0").opt()];

const fn pop_command(name: &'static str, side: Side, run: Run) -> Command {
    Command {
        complexity: "O(N) where N is the number of elements returned",
        flags: Flags::FAST,
        keys: POP_KEYS,
        args: POP_ARGUMENTS,
        history: &[("6.2.0", "Added the `count` argument.")],
        list_end: side,
        ..command(name, Group::List, -2, run)
    }
}

pub const LPOP: Command = Command {
    summary: "Returns the first elements in a list after removing it. Deletes the list if the \
              last element was popped.",
    ..pop_command("lpop", Side::Front, Run::Write(lpop))
};

pub const RPOP: Command = Command {
    summary: "Returns and removes the last elements of a list. Deletes the list if the last \
              element was popped.",
    ..pop_command("rpop", Side::Back, Run::Write(rpop))
};

fn lpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop(view, args, out, Side::Front)
}

fn rpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop(view, args, out, Side::Back)
}

fn pop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply, side: Side) -> Outcome {
    let key = args.next()?;
    let count = match args.len() {
        0 => None,
        1 => Some(
            number::parse_i64(args.next()?)
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(Error::text("ERR value is out of range, must be positive"))?,
        ),
        _ => return Err(Error::Arity(value::pop_event(side).into())),
    };
    let Some(mut list) = value::find_mut(view, key)? else {
        match count {
            Some(_) => out.null_array(),
            None => out.null(),
        }
        return Ok(Flow::Done);
    };
    let popped = match count {
        None => {
            list.pop(side, |element| value::reply(element, out));
            list.shrink();
            1
        }
        Some(0) => {
            out.array(0);
            return Ok(Flow::Done);
        }
        Some(count) => take(&mut list, side, count, out),
    };
    let left = list.len();
    value::removed(view, key, value::pop_event(side), popped, left);
    Ok(Flow::Done)
}

/// Pops up to `count` elements into an array; returns how many.
fn take(list: &mut ListMut<'_>, side: Side, count: usize, out: &mut Reply) -> usize {
    let len = list.len();
    let taken = count.min(len);
    out.array(taken);
    if taken > LONG_REPLY
        && let Some(stretch) = list.take_stretch(side, taken)
    {
        out.source(Box::new(Popped(stretch)));
        return taken;
    }
    let (start, first, direction) = match side {
        Side::Front => (0, 0, Direction::Forward),
        Side::Back => (len - taken, len.saturating_sub(1), Direction::Backward),
    };
    list.read().visit(first, taken, direction, |element| {
        value::reply(element, out)
    });
    list.remove_range(start, taken)
}

/// Elements that were taken off a list, being sent.
struct Popped(Stretch);

impl Source for Popped {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        /// Between looks at how much is written.
        const STEP_ELEMENTS: usize = 64;
        let full = out.len().saturating_add(budget_bytes);
        while !self.0.is_empty() && out.len() < full {
            self.0
                .read(STEP_ELEMENTS, |element| value::reply(element, out));
        }
        !self.0.is_empty()
    }
}

pub const LMPOP: Command = Command {
    summary: "Returns multiple elements from a list after removing them. Deletes the list if the \
              last element was popped.",
    since: "7.0.0",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements \
                 returned.",
    keys: &[KeySpec::counted(1, RW_ACCESS_DELETE)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        value::side_argument("where"),
        integer("count").after("COUNT").opt(),
    ],
    ..command("lmpop", Group::List, -4, Run::Write(lmpop))
};

fn lmpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let several = Several::parse(args)?;
    if !several.pop(view, out)? {
        out.null_array();
    }
    Ok(Flow::Done)
}

/// The arguments that LMPOP and BLMPOP share.
pub struct Several<'a> {
    pub keys: &'a [&'a [u8]],
    side: Side,
    count: usize,
}

impl<'a> Several<'a> {
    /// Reads `numkeys key … LEFT|RIGHT [COUNT count]`.
    pub fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let at_least_one = |argument: &[u8], otherwise| {
            number::parse_i64(argument)
                .filter(|&value| value > 0)
                .and_then(|value| usize::try_from(value).ok())
                .ok_or(Error::text(otherwise))
        };
        let count = at_least_one(args.next()?, "ERR numkeys should be greater than 0")?;
        if count >= args.len() {
            return Err(Error::Syntax);
        }
        let keys = &args.rest()[..count];
        args.skip(count);
        let side = value::side(args)?;
        let mut count = None;
        while !args.is_empty() {
            if count.is_none() && args.len() > 1 && args.keyword("COUNT") {
                let text = "ERR count should be greater than 0";
                count = Some(at_least_one(args.next()?, text)?);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(Self {
            keys,
            side,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first of the lists that is there; says whether there is one.
    pub fn pop(&self, view: &mut WriteView<'_, '_>, out: &mut Reply) -> Result<bool, Error> {
        for &key in self.keys {
            let Some(mut list) = value::find_mut(view, key)? else {
                continue;
            };
            out.array(2);
            out.bulk(key);
            let popped = take(&mut list, self.side, self.count, out);
            let left = list.len();
            let event = value::pop_event(self.side);
            value::removed(view, key, event, popped, left);
            view.effects.propagate_as(|| {
                vec![vec![
                    event.to_ascii_uppercase().into_bytes(),
                    key.to_vec(),
                    popped.to_string().into_bytes(),
                ]]
            });
            return Ok(true);
        }
        Ok(false)
    }
}
