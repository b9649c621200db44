//! RESTORE: a key of what DUMP answered.
//!
//! Every payload is checked wholly before it is used (`sanitize-dump-payload` or not): one
//! that is malformed anywhere is refused, and changes nothing. It is decoded before the
//! key's stripe is locked, as a large one takes long.

use ochre_rdb::{Access, ChecksumPolicy, DumpPayload, Validation};
use ochre_store::effects::recorded;
use ochre_store::{Entry, EventClass, Settings, WriteView};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::persistence::restore;

const BUSY_KEY: Error = Error::text("BUSYKEY Target key name already exists.");
const BAD_FOOTER: Error = Error::text("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: Error = Error::text("ERR Bad data format");

const COMPLEXITY: &str = "O(1) to create the new key and O(N*M) to reconstruct the value, where N is \
                          the number of its items and M their average size; O(N*M*log(N)) for \
                          sorted sets.";
const ARGS: &[Arg] = &[
    key("key"),
    integer("ttl"),
    string("serialized-value"),
    token("replace", "REPLACE").opt().since("3.0.0"),
    token("absttl", "ABSTTL").opt().since("5.0.0"),
    integer("seconds").after("IDLETIME").opt().since("5.0.0"),
    integer("frequency").after("FREQ").opt().since("5.0.0"),
];
const HISTORY: &[(&str, &str)] = &[
    ("3.0.0", "Added the `REPLACE` modifier."),
    ("5.0.0", "Added the `ABSTTL` modifier."),
    ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
];

pub const RESTORE: Command = Command {
    summary: "Creates a key from the serialized representation of a value.",
    since: "2.6.0",
    complexity: COMPLEXITY,
    flags: Flags::DENYOOM,
    categories: Categories::DANGEROUS,
    keys: &[KeySpec::one(1, OW_UPDATE)],
    args: ARGS,
    history: HISTORY,
    ..command("restore", Group::Generic, -4, Run::Prepared(restore))
};

pub const RESTORE_ASKING: Command = Command {
    summary: "An internal command for migrating keys in a cluster.",
    since: "3.0.0",
    group: Group::Server,
    flags: Flags::DENYOOM.or(Flags::ASKING),
    categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
    ..Command {
        name: "restore-asking",
        ..RESTORE
    }
};

/// What the arguments ask for.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    key: &'a [u8],
    ttl: &'a [u8],
    payload: &'a [u8],
    replace: bool,
    /// The time to live is a moment.
    absolute: bool,
    access: Option<Access>,
}

impl<'a> Request<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let mut request = Self {
            key: args.next()?,
            ttl: args.next()?,
            payload: args.next()?,
            replace: false,
            absolute: false,
            access: None,
        };
        while !args.is_empty() {
            let more = args.len() > 1;
            let frequent = matches!(request.access, Some(Access::Frequency(_)));
            let idle = matches!(request.access, Some(Access::Idle { .. }));
            if args.keyword("REPLACE") {
                request.replace = true;
            } else if args.keyword("ABSTTL") {
                request.absolute = true;
            } else if more && !frequent && args.keyword("IDLETIME") {
                let seconds = u64::try_from(args.integer()?)
                    .map_err(|_| Error::text("ERR Invalid IDLETIME value, must be >= 0"))?;
                request.access = Some(Access::Idle { seconds });
            } else if more && !idle && args.keyword("FREQ") {
                let counter = u8::try_from(args.integer()?)
                    .map_err(|_| Error::text("ERR Invalid FREQ value, must be >= 0 and <= 255"))?;
                request.access = Some(Access::Frequency(counter));
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(request)
    }

    /// The value under its key, without deadline.
    fn decode(&self, settings: &Settings) -> Result<Entry, Error> {
        let checksum = if settings.skip_checksums {
            ChecksumPolicy::Ignore
        } else {
            ChecksumPolicy::Verify
        };
        let dump = DumpPayload::open(self.payload, checksum).map_err(|error| {
            match error.kind {
                // The footer is right, but what it is the footer of is not.
                ochre_rdb::RdbErrorKind::Opcode(_) if error.what == "type" => BAD_DATA,
                ochre_rdb::RdbErrorKind::Truncated { .. } if error.what == "type" => BAD_DATA,
                _ => BAD_FOOTER,
            }
        })?;
        let value = dump.decode(Validation::Packed).map_err(|_| BAD_DATA)?;
        restore::entry(self.key, value, None, settings).map_err(|_| BAD_DATA)
    }

    /// The time to live, or the moment, in milliseconds.
    fn ttl_ms(&self) -> Result<i64, Error> {
        let ttl_ms = ochre_structures::number::parse_i64(self.ttl).ok_or(Error::NotInteger)?;
        if ttl_ms < 0 {
            return Err(Error::text("ERR Invalid TTL value, must be >= 0"));
        }
        Ok(ttl_ms)
    }

    /// The time to live and the value, of which either may be wrong.
    fn prepare(&self, settings: &Settings) -> Result<(i64, Entry), Error> {
        let ttl_ms = self.ttl_ms()?;
        Ok((ttl_ms, self.decode(settings)?))
    }

    /// Gives the key its value, whose stripe is held. That the key is there is told
    /// before anything is that is wrong with the value, as Redis does.
    fn apply(
        &self,
        view: &mut WriteView<'_, '_>,
        prepared: Result<(i64, Entry), Error>,
    ) -> Result<(), Error> {
        let key = self.key;
        if !self.replace && view.find(key).is_some() {
            if let Ok((_, entry)) = prepared {
                view.discard(entry);
            }
            return Err(BUSY_KEY);
        }
        let (ttl_ms, mut entry) = prepared?;
        let deleted = self.replace && view.remove(key);
        let deadline_ms = match (ttl_ms, self.absolute) {
            (0, _) => None,
            (moment, true) => Some(moment),
            // What is beyond the end of time is long past, as in Redis.
            (ttl_ms, false) => Some(ttl_ms.wrapping_add(view.now_ms())),
        };
        let is_past = deadline_ms.is_some_and(|deadline| deadline <= view.now_ms());
        if is_past && view.enforces_deadlines() {
            if deleted {
                view.effects.propagate_as(|| vec![recorded(&[b"DEL", key])]);
                view.modified(key, EventClass::Generic, "del");
            }
            view.discard(entry);
            return Ok(());
        }
        let (policy, now_ms) = (view.settings().access_policy, view.now_ms());
        entry.set_expiry_ms(deadline_ms);
        entry.set_access(restore::access_clock(policy, now_ms, self.access));
        view.put(entry);
        if let (Some(deadline_ms), false) = (deadline_ms, self.absolute) {
            view.effects
                .propagate_as(|| vec![self.absolutely(deadline_ms)]);
        }
        view.modified(key, EventClass::Generic, "restore");
        Ok(())
    }

    /// The command with its deadline as a moment.
    fn absolutely(&self, deadline_ms: i64) -> Vec<Vec<u8>> {
        let (mut deadline, mut number) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut words = recorded(&[
            b"RESTORE",
            self.key,
            deadline.format(deadline_ms).as_bytes(),
            self.payload,
        ]);
        if self.replace {
            words.push(b"REPLACE".to_vec());
        }
        match self.access {
            None => (),
            Some(Access::Idle { seconds }) => {
                words.extend(recorded(&[b"IDLETIME", number.format(seconds).as_bytes()]))
            }
            Some(Access::Frequency(counter)) => {
                words.extend(recorded(&[b"FREQ", number.format(counter).as_bytes()]))
            }
        }
        words.push(b"ABSTTL".to_vec());
        words
    }
}

fn restore<'a>(settings: &Settings, args: &mut Args<'a>) -> Result<Prepared<'a>, Error> {
    let request = Request::parse(args)?;
    let prepared = request.prepare(settings);
    Ok(Box::new(move |view, out| {
        request.apply(view, prepared)?;
        out.ok();
        Ok(Flow::Done)
    }))
}

#[cfg(test)]
mod tests;
