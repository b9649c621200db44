//! Entries counted and deleted, and the history of a stream set by hand: XLEN, XDEL,
//! XSETID.

use ochre_resp::Reply;
use ochre_store::{EventClass, ReadView, WriteView};
use ochre_structures::number;
use ochre_structures::stream::{SetIdError, StreamId};
use smallvec::SmallVec;

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const XLEN: Command = Command {
    summary: "Returns the number of messages in a stream.",
    since: "5.0.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("xlen", Group::Stream, 2, Run::Read(xlen))
};

pub const XDEL: Command = Command {
    summary: "Returns the number of messages after removing them from a stream.",
    since: "5.0.0",
    complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), string("id").many()],
    ..command("xdel", Group::Stream, -3, Run::Write(xdel))
};

pub const XSETID: Command = Command {
    summary: "An internal command for replicating stream values.",
    since: "5.0.0",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        string("last-id"),
        integer("entries-added")
            .after("ENTRIESADDED")
            .opt()
            .since("7.0.0"),
        string("max-deleted-id")
            .after("MAXDELETEDID")
            .opt()
            .since("7.0.0"),
    ],
    history: &[(
        "7.0.0",
        "Added the `entries_added` and `max_deleted_entry_id` arguments.",
    )],
    ..command("xsetid", Group::Stream, -3, Run::Write(xsetid))
};

fn xlen(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let length = match view.find(args.next()?) {
        Some(entry) => value::stream(entry)?.len(),
        None => 0,
    };
    out.integer(length as i64);
    Ok(Flow::Done)
}

fn xdel(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let Some(stream) = value::stream_mut(view, key)? else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let ids: SmallVec<[StreamId; 8]> = args
        .rest()
        .iter()
        .map(|id| value::parse_id(id))
        .collect::<Result<_, _>>()?;
    let deleted = ids.iter().filter(|&&id| stream.delete(id)).count();
    if deleted > 0 {
        view.modified(key, EventClass::Stream, "xdel");
        view.dirty(deleted as u64 - 1);
    }
    out.count(deleted);
    Ok(Flow::Done)
}

fn xsetid(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let id = value::parse_id(args.next()?)?;
    let (mut entries_added, mut max_deleted_id) = (None, None);
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(Error::Syntax);
        }
        if args.keyword("ENTRIESADDED") {
            let added = number::parse_i64(args.next()?).ok_or(Error::NotInteger)?;
            let added = u64::try_from(added)
                .map_err(|_| Error::text("ERR entries_added must be positive"))?;
            entries_added = Some(added);
        } else if args.keyword("MAXDELETEDID") {
            let deleted = value::parse_id(args.next()?)?;
            if id < deleted {
                return Err(refusal(SetIdError::BelowGivenDeleted));
            }
            max_deleted_id = Some(deleted);
        } else {
            return Err(Error::Syntax);
        }
    }
    let stream = value::stream_mut(view, key)?.ok_or(Error::NoSuchKey)?;
    stream
        .set_last_id(id, entries_added, max_deleted_id)
        .map_err(refusal)?;
    view.dirty(1);
    view.notify(key, EventClass::Stream, "xsetid");
    out.ok();
    Ok(Flow::Done)
}

#[cold]
fn refusal(error: SetIdError) -> Error {
    Error::text(match error {
        SetIdError::BelowGivenDeleted => {
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
        }
        SetIdError::BelowDeleted => {
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
        }
        SetIdError::BelowTop => {
            "ERR The ID specified in XSETID is smaller than the target stream top item"
        }
        SetIdError::AddedBelowLength => {
            "ERR The entries_added specified in XSETID is smaller than the target stream length"
        }
    })
}
