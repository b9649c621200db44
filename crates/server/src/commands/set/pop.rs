//! Taking members out at random: SPOP.

use ochre_resp::{Reply, Source};
use ochre_store::value::set::{NewSet, SetEncoding, SetMut, SetRef};
use ochre_store::{EventClass, Expiry, WriteView, recorded};
use ochre_structures::listpack::Element;
use ochre_structures::number;

use super::slices;
use crate::commands::args::Args;
use crate::commands::element::LONG_REPLY;
use crate::commands::sampling::{Dice, Drawn};
use crate::commands::spec::*;
use crate::error::Error;

/// Members named in one recorded SREM.
const MEMBERS_PER_RECORD: usize = 1024;

/// Where what remains is this many times less than what goes, what remains is drawn.
const REMAINDER_RATIO: usize = 5;

pub const SPOP: Command = Command {
    summary: "Removes members drawn at random from a set and returns them.",
    since: "1.0.0",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_DELETE)],
    args: &[key("key"), integer("count").since("3.2.0").opt()],
    history: &[("3.2.0", "Added the `count` argument.")],
    tips: &["nondeterministic_output"],
    ..command("spop", Group::Set, -2, Run::Write(spop))
};

fn spop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    match args.len() {
        0 => pop_one(view, key, out),
        1 => {
            let count = number::parse_i64(args.next()?)
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(Error::text("ERR value is out of range, must be positive"))?;
            pop_many(view, key, count, out)
        }
        _ => Err(Error::Syntax),
    }
}

fn pop_one(view: &mut WriteView<'_, '_>, key: &[u8], out: &mut Reply) -> Outcome {
    let (settings, seed) = (view.settings(), view.random());
    let Some(entry) = view.find_mut(key) else {
        out.null();
        return Ok(Flow::Done);
    };
    let mut set = SetMut::of(entry.into_inner(), settings)?;
    let mut dice = Dice::seeded(seed);
    let Some(member) = set.view().random(&mut || dice.roll()).map(|m| m.to_vec()) else {
        out.null();
        return Ok(Flow::Done);
    };
    set.remove(Element::Str(&member));
    let emptied = set.is_empty();
    view.modified(key, EventClass::Set, "spop");
    if emptied {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
    out.bulk(&member);
    view.effects
        .propagate_as(|| vec![recorded(&[b"SREM", key, &member])]);
    Ok(Flow::Done)
}

fn pop_many(view: &mut WriteView<'_, '_>, key: &[u8], count: usize, out: &mut Reply) -> Outcome {
    let Some(entry) = view.find(key) else {
        out.set(0);
        return Ok(Flow::Done);
    };
    let set = SetRef::of(entry)?;
    let size = set.len();
    if count == 0 {
        out.set(0);
        return Ok(Flow::Done);
    }
    if count >= size {
        slices::write_members(set, out);
        view.modified(key, EventClass::Set, "spop");
        view.dirty(size as u64 - 1);
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
        view.effects.propagate_as(|| vec![recorded(&[b"DEL", key])]);
        return Ok(Flow::Done);
    }
    let popped = if set.encoding() == SetEncoding::Table
        && (size - count).saturating_mul(REMAINDER_RATIO) <= count
    {
        keep_few(view, key, size - count)?
    } else {
        take_few(view, key, count)?
    };
    out.set(popped.len());
    view.modified(key, EventClass::Set, "spop");
    view.dirty(count as u64 - 1);
    view.effects.propagate_as(|| {
        popped
            .chunks(MEMBERS_PER_RECORD)
            .map(|members| {
                let mut words: Vec<&[u8]> = vec![b"SREM", key];
                words.extend(members.iter().map(Vec::as_slice));
                recorded(&words)
            })
            .collect()
    });
    if popped.len() > LONG_REPLY {
        out.source(Box::new(Popped(popped.into_iter())));
    } else {
        popped.iter().for_each(|member| out.bulk(member));
    }
    Ok(Flow::Done)
}

/// Many members that were taken out, being sent.
struct Popped(std::vec::IntoIter<Vec<u8>>);

impl Source for Popped {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while out.len() < end {
            let Some(member) = self.0.next() else {
                return false;
            };
            out.bulk(&member);
        }
        true
    }
}

/// Takes `count` members out, one after the other.
fn take_few(view: &mut WriteView<'_, '_>, key: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Error> {
    let (settings, seed) = (view.settings(), view.random());
    let mut dice = Dice::seeded(seed);
    let mut popped = Vec::new();
    if let Some(entry) = view.find_mut(key) {
        let mut set = SetMut::of(entry.into_inner(), settings)?;
        while popped.len() < count {
            let member = set.view().random(&mut || dice.roll()).map(|m| m.to_vec());
            let Some(member) = member else { break };
            set.remove(Element::Str(&member));
            popped.push(member);
        }
    }
    Ok(popped)
}

/// Draws the `count` members that stay, as a new set in the place of the old one; returns
/// the others.
fn keep_few(view: &mut WriteView<'_, '_>, key: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Error> {
    let mut kept = NewSet::new(SetEncoding::Listpack, view.settings());
    let mut popped = Vec::new();
    {
        let read = view.read();
        let Some(entry) = read.peek(key) else {
            return Ok(popped);
        };
        let set = SetRef::of(entry)?;
        let mut drawn = Drawn::default();
        while drawn.count() < count {
            let Some(member) = set.random(&mut || read.random()) else {
                break;
            };
            if drawn.is_new(member) {
                kept.edit().add(member);
            }
        }
        let kept = kept.edit();
        set.visit(|member| {
            if !kept.view().contains(member) {
                popped.push(member.to_vec());
            }
        });
    }
    kept.store(|payload| view.set(key, payload, Expiry::Keep));
    Ok(popped)
}
