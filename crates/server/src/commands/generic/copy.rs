//! Keys in other places: COPY, within a database or to another, and MOVE.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

const SAME_OBJECT: Error = Error::text("ERR source and destination objects are the same");

pub const COPY: Command = Command {
    summary: "Copies the value of a key to a new key.",
    since: "6.2.0",
    complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for \
                 string values.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RO_ACCESS), KeySpec::one(2, OW_UPDATE)],
    args: &[
        key("source"),
        key("destination").spec(1),
        integer("destination-db").after("DB").opt(),
        token("replace", "REPLACE").opt(),
    ],
    ..command("copy", Group::Generic, -3, Run::Write(copy))
};

fn copy(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (source, destination) = (args.next()?, args.next()?);
    let home = view.db();
    let (mut target, mut replace) = (home, false);
    while !args.is_empty() {
        if args.keyword("REPLACE") {
            replace = true;
        } else if args.len() > 1 && args.keyword("DB") {
            target = args.database(view.databases())?;
        } else {
            return Err(Error::Syntax);
        }
    }
    if source == destination && target == home {
        return Err(SAME_OBJECT);
    }
    let Some(entry) = view.read().find(source) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    if !replace && view.read().of_db(target).peek(destination).is_some() {
        out.integer(0);
        return Ok(Flow::Done);
    }
    let mut copy = entry.duplicate(destination);
    copy.set_expiry_ms(entry.expiry_ms());
    copy.set_access(view.settings().access_policy.born(view.now_ms()));
    view.select(target);
    view.put(copy);
    view.modified(destination, EventClass::Generic, "copy_to");
    view.select(home);
    out.integer(1);
    Ok(Flow::Done)
}

pub const MOVE: Command = Command {
    summary: "Moves a key to another database.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), integer("db")],
    ..command("move", Group::Generic, 3, Run::Write(move_key))
};

fn move_key(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let home = view.db();
    let target = args.database(view.databases())?;
    if target == home {
        return Err(SAME_OBJECT);
    }
    if view.find(key).is_none() || view.read().of_db(target).peek(key).is_some() {
        out.integer(0);
        return Ok(Flow::Done);
    }
    let Some(entry) = view.take(key) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    view.select(target);
    view.put(entry);
    view.select(home);
    view.modified(key, EventClass::Generic, "move_from");
    view.select(target);
    view.mark_changed(key);
    view.notify(key, EventClass::Generic, "move_to");
    view.select(home);
    out.integer(1);
    Ok(Flow::Done)
}
