//! MIGRATE: keys go over to another server.
//!
//! ```text
//!   hold ─ freeze, watch ─ release │ connect, RESTORE …, replies │ hold ─ delete ─ release
//! ```
//!
//! No lock is held while the other server is talked to (unless a transaction or script
//! holds it anyway); this worker's other clients wait meanwhile. A key that was changed
//! in between is not deleted but sent again, so no write is lost.

mod link;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ochre_resp::Reply;
use ochre_store::effects::recorded;
use ochre_store::locks::GaveUp;
use ochre_store::watch::Watcher;
use ochre_store::{EventClass, ReadView, WriteView};
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::gates;
use crate::persistence::image::{FrozenEntry, KeptAccess};
use crate::unit::{self, StripeList, Unit};
use link::{Errand, Link, LinkError, Login};

/// What a timeout of 0 or less stands for.
const DEFAULT_TIMEOUT_MS: i64 = 1_000;

/// How often keys that keep changing are sent.
const ROUNDS_MAX: usize = 16;
/// Between two looks at a key that a script keeps to itself.
const RESERVED_PATIENCE: Duration = Duration::from_millis(5);

pub const MIGRATE: Command = Command {
    summary: "Atomically transfers a key from one Redis instance to another.",
    since: "2.6.0",
    complexity: "A DUMP and a DEL here, a RESTORE in the other server, and O(N) data on the way.",
    flags: Flags::WRITE,
    categories: Categories::DANGEROUS,
    keys: &[
        KeySpec::one(3, RW_ACCESS_DELETE),
        KeySpec {
            begin: Begin::Keyword("KEYS", -2),
            ..KeySpec::rest(0, RW_ACCESS_DELETE.or(KeyFlags::INCOMPLETE))
        },
    ],
    find_keys: Some(find_keys),
    args: &[
        string("host"),
        integer("port"),
        one_of("key-selector", &[key("key"), token("empty-string", "")]),
        integer("destination-db"),
        integer("timeout"),
        token("copy", "COPY").opt().since("3.0.0"),
        token("replace", "REPLACE").opt().since("3.0.0"),
        one_of(
            "authentication",
            &[
                string("auth").after("AUTH").since("4.0.7"),
                block("auth2", &[string("username"), string("password")])
                    .after("AUTH2")
                    .since("6.0.0"),
            ],
        )
        .opt(),
        key("keys")
            .spec(1)
            .after("KEYS")
            .opt()
            .many()
            .since("3.0.6"),
    ],
    history: &[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ],
    tips: &["nondeterministic_output"],
    ..command("migrate", Group::Generic, -6, Run::Unit(migrate))
};

/// The key, or those behind KEYS.
fn find_keys(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    let mut at = 6;
    while argv.get(3).is_some_and(|key| key.is_empty()) && at < argv.len() {
        let is = |word: &str| argv[at].eq_ignore_ascii_case(word.as_bytes());
        if is("KEYS") {
            return Some(
                (at + 1..argv.len())
                    .map(|at| (at, RW_ACCESS_DELETE))
                    .collect(),
            );
        }
        at += if is("AUTH2") {
            3
        } else if is("AUTH") {
            2
        } else {
            1
        };
    }
    Some(vec![(3, RW_ACCESS_DELETE)])
}

/// What the arguments ask for.
struct Request<'a> {
    host: &'a [u8],
    port: &'a [u8],
    keys: Vec<&'a [u8]>,
    db: i64,
    timeout_ms: u64,
    copy: bool,
    replace: bool,
    login: Option<Login<'a>>,
}

impl<'a> Request<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, Error> {
        let (host, port, key) = (args.next()?, args.next()?, args.next()?);
        let (db, timeout) = (args.next()?, args.next()?);
        let mut request = Self {
            host,
            port,
            keys: vec![key],
            db: 0,
            timeout_ms: 0,
            copy: false,
            replace: false,
            login: None,
        };
        while !args.is_empty() {
            if args.keyword("COPY") {
                request.copy = true;
            } else if args.keyword("REPLACE") {
                request.replace = true;
            } else if args.keyword("AUTH") {
                request.login = Some(Login {
                    user: None,
                    password: args.next()?,
                });
            } else if args.keyword("AUTH2") {
                request.login = Some(Login {
                    user: Some(args.next()?),
                    password: args.next()?,
                });
            } else if args.keyword("KEYS") {
                if !key.is_empty() {
                    return Err(Error::text(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the \
                         empty string",
                    ));
                }
                // Once each: a key that is sent twice is gone the second time.
                let mut seen = HashSet::new();
                let keys = args.rest().iter().copied();
                request.keys = keys.filter(|key| seen.insert(*key)).collect();
                break;
            } else {
                return Err(Error::Syntax);
            }
        }
        let timeout_ms = number::parse_i64(timeout).ok_or(Error::NotInteger)?;
        request.db = number::parse_i64(db).ok_or(Error::NotInteger)?;
        let timeout_ms = if timeout_ms <= 0 {
            DEFAULT_TIMEOUT_MS
        } else {
            timeout_ms
        };
        request.timeout_ms = timeout_ms.unsigned_abs();
        Ok(request)
    }
}

/// A key on its way.
struct Traveller<'a> {
    key: &'a [u8],
    /// The value as it is sent; `None` for a key that went away after it was sent.
    frozen: Option<FrozenEntry>,
    /// Marked when the key changes here.
    watcher: Arc<Watcher>,
}

fn migrate<'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let request = Request::parse(args)?;
    // A transaction or script has taken, or takes, its locks for itself.
    let on_its_own = unit.held.is_nothing() && !unit.held.is_global();
    let store = &call.server.store;
    let mut stripes: StripeList = request
        .keys
        .iter()
        .map(|key| store.stripe_of(key))
        .collect();
    stripes.sort_unstable();
    stripes.dedup();
    let mut link: Option<Link> = None;
    let mut left = request.keys.clone();
    let mut deleted: Vec<&[u8]> = Vec::new();
    let mut outcome = Ok(());
    for round in 0..=ROUNDS_MAX {
        if round == ROUNDS_MAX {
            outcome = Err(Error::text(
                "TRYAGAIN The keys kept changing while they were migrated",
            ));
            break;
        }
        if round == 0 {
            hold(call, unit, &stripes, &request.keys)?;
        }
        let mut travellers = depart(call, unit, &left, round > 0);
        if travellers.is_empty() {
            if round == 0 {
                out.status("NOKEY");
                return Ok(Flow::Done);
            }
            break;
        }
        if on_its_own {
            unit.held = call.server.store.stripes.none();
        }
        let sent = send(call, unit, &request, &mut link, &mut travellers, round > 0);
        let arrived = match sent {
            Ok((arrived, error)) => {
                outcome = error.map_or(Ok(()), Err);
                arrived
            }
            Err(error) => {
                outcome = Err(error);
                Vec::new()
            }
        };
        if on_its_own {
            // Whatever holds them ends some time: what arrived must go here.
            unit.held = loop {
                let held = call.server.store.stripes.lock_many(&stripes);
                let keys = request.keys.iter().copied();
                if unit::refuse_reserved(call.server, &held, keys).is_ok() {
                    break held;
                }
                drop(held);
                std::thread::sleep(RESERVED_PATIENCE);
            };
        }
        left = arrive(call, unit, &request, travellers, &arrived, &mut deleted);
        if left.is_empty() || outcome.is_err() {
            break;
        }
    }
    if !deleted.is_empty() {
        let mut words: Vec<&[u8]> = vec![b"DEL"];
        words.append(&mut deleted);
        unit.effects.propagate_as(|| vec![recorded(&words)]);
    }
    // Whatever the error, keys that arrived are gone, and recorded as such.
    outcome?;
    out.ok();
    Ok(Flow::Done)
}

/// Sees to it that the unit holds these stripes.
fn hold<'c>(
    call: &Call<'c>,
    unit: &mut Unit<'c>,
    stripes: &[u32],
    keys: &[&[u8]],
) -> Result<(), Error> {
    let server = call.server;
    if unit.held.is_global() {
        unit.held.extend(stripes);
    } else if unit.held.is_nothing() {
        let all = &server.store.stripes;
        let locked = all.lock_many_or(stripes, &mut || server.is_busy());
        let held = locked.map_err(|GaveUp| gates::busy(server))?;
        unit::refuse_reserved(server, &held, keys.iter().copied())?;
        unit.held = held;
    }
    Ok(())
}

/// Freezes the keys that are there, and has their changes noted. In later rounds a key
/// that is gone travels too, to be deleted where it was sent.
fn depart<'a, 'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    keys: &[&'a [u8]],
    again: bool,
) -> Vec<Traveller<'a>> {
    let scope = unit::scope(call, unit.now_ms());
    let db = call.session.db;
    let mut travellers = Vec::new();
    for &key in keys {
        let view = ReadView::new(&scope, &unit.held, db);
        let found = view.find(key);
        let frozen = found.map(|entry| FrozenEntry::new(entry, KeptAccess::Nothing));
        if frozen.is_none() && !again {
            continue;
        }
        let watcher = Arc::new(Watcher::default());
        if let Some(stripe) = unit.held.stripe_mut(call.server.store.stripe_of(key)) {
            stripe.watches.add(db, key, &watcher);
        }
        travellers.push(Traveller {
            key,
            frozen,
            watcher,
        });
    }
    unit::observe(call, &scope);
    travellers
}

/// Sends the travellers; returns which of them arrived, and the first error that the
/// other server answered or that ended the talk.
fn send<'a>(
    call: &Call<'_>,
    unit: &Unit<'_>,
    request: &Request<'_>,
    link: &mut Option<Link>,
    travellers: &mut [Traveller<'a>],
    again: bool,
) -> Result<(Vec<bool>, Option<Error>), Error> {
    let link = match link {
        Some(link) => link,
        None => {
            let (host, port) = (request.host, request.port);
            let connected = Link::connect(host, port, request.timeout_ms);
            link.insert(connected.map_err(LinkError::told)?)
        }
    };
    let now_ms = unit.now_ms();
    let errands = travellers
        .iter_mut()
        .map(|traveller| match traveller.frozen.take() {
            Some(frozen) => Errand::Restore {
                ttl_ms: frozen
                    .expiry_ms()
                    .map(|at| at.saturating_sub(now_ms).max(1)),
                frozen,
                // What is there then was sent from here.
                replace: request.replace || again,
            },
            None => Errand::Delete { key: traveller.key },
        });
    let settings = &call.live.settings;
    link.run(request.login, request.db, errands, settings)
}

/// Deletes the keys that arrived and did not change meanwhile; returns those that
/// changed.
fn arrive<'a, 'c>(
    call: &mut Call<'c>,
    unit: &mut Unit<'c>,
    request: &Request<'_>,
    travellers: Vec<Traveller<'a>>,
    arrived: &[bool],
    deleted: &mut Vec<&'a [u8]>,
) -> Vec<&'a [u8]> {
    let scope = unit::scope(call, unit.now_ms());
    let db = call.session.db;
    let mut changed = Vec::new();
    for (index, traveller) in travellers.into_iter().enumerate() {
        let key = traveller.key;
        if let Some(stripe) = unit.held.stripe_mut(call.server.store.stripe_of(key)) {
            stripe.watches.remove(db, key, &traveller.watcher);
        }
        if request.copy || arrived.get(index) != Some(&true) {
            continue;
        }
        if traveller.watcher.is_marked() {
            changed.push(key);
            continue;
        }
        let mut view = WriteView::new(&scope, &mut unit.held, db, &mut unit.effects);
        if view.remove(key) {
            view.modified(key, EventClass::Generic, "del");
            deleted.push(key);
        }
    }
    unit::observe(call, &scope);
    changed
}
