//! The views against plain maps: random writes, renames, copies between databases and
//! deadlines, with time injected, over several stripes; then everything that can be
//! asked about the whole keyspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use ochre_store::view::Observed;
use ochre_store::walk::Walk;
use ochre_store::{
    Effects, Expiry, KeyspaceView, Kind, Payload, Removal, Scope, Settings, Store, Value, WriteView,
};
use proptest::prelude::*;

const STRIPES: usize = 4;
const DATABASES: u16 = 3;
const START_MS: i64 = 1_000_000;

#[derive(Debug, Clone, PartialEq)]
struct Known {
    value: Vec<u8>,
    expiry_ms: Option<i64>,
}

type Model = BTreeMap<(u16, Vec<u8>), Known>;

#[derive(Debug, Clone)]
enum Action {
    /// The value, and milliseconds to live: none clears, the outer none keeps.
    Set(u16, u8, Vec<u8>, Option<Option<i64>>),
    Remove(u16, u8),
    SetExpiry(u16, u8, Option<i64>),
    Rename(u16, u8, u8),
    Copy(u16, u8, u16, u8),
    Move(u16, u8, u16),
    Find(u16, u8),
    Replace(u16, u8, Vec<u8>),
    Pass(i64),
    ExpireDue,
    Flush(u16),
    Swap(u16, u16),
}

fn key(name: u8) -> Vec<u8> {
    format!("key:{name}").into_bytes()
}

fn action() -> impl Strategy<Value = Action> {
    let db = || 0..DATABASES;
    let name = || 0_u8..40;
    let value = || proptest::collection::vec(any::<u8>(), 0..30);
    let ttl = || prop_oneof![Just(None), (1_i64..60).prop_map(Some)];
    prop_oneof![
        8 => (db(), name(), value(), proptest::option::of(ttl()))
            .prop_map(|(db, name, value, ttl)| Action::Set(db, name, value, ttl)),
        3 => (db(), name()).prop_map(|(db, name)| Action::Remove(db, name)),
        4 => (db(), name(), ttl()).prop_map(|(db, name, ttl)| Action::SetExpiry(db, name, ttl)),
        3 => (db(), name(), name()).prop_map(|(db, old, new)| Action::Rename(db, old, new)),
        3 => (db(), name(), db(), name())
            .prop_map(|(db, from, target, to)| Action::Copy(db, from, target, to)),
        3 => (db(), name(), db()).prop_map(|(db, name, target)| Action::Move(db, name, target)),
        3 => (db(), name()).prop_map(|(db, name)| Action::Find(db, name)),
        3 => (db(), name(), value())
            .prop_map(|(db, name, value)| Action::Replace(db, name, value)),
        3 => (1_i64..30).prop_map(Action::Pass),
        2 => Just(Action::ExpireDue),
        1 => db().prop_map(Action::Flush),
        1 => (db(), db()).prop_map(|(a, b)| Action::Swap(a, b)),
    ]
}

struct Bench {
    store: Arc<Store>,
    settings: Settings,
    now_ms: i64,
    model: Model,
}

impl Bench {
    fn new() -> Self {
        let (store, _freeing) = Store::start(STRIPES, usize::from(DATABASES)).unwrap();
        Self {
            store,
            settings: Settings::default(),
            now_ms: START_MS,
            model: Model::new(),
        }
    }

    fn with_scope<R>(&self, work: impl FnOnce(&Scope<'_>, &mut Effects) -> R) -> R {
        let scope = Scope {
            store: &self.store,
            settings: &self.settings,
            now_ms: self.now_ms,
            touch: true,
            expire: true,
            observed: Observed::default(),
            named: None,
        };
        let mut effects = Effects {
            recording: true,
            ..Effects::default()
        };
        work(&scope, &mut effects)
    }

    fn write<R>(&self, db: u16, work: impl FnOnce(&mut WriteView<'_, '_>) -> R) -> R {
        self.with_scope(|scope, effects| {
            let mut held = self.store.stripes.exclusive();
            work(&mut WriteView::new(scope, &mut held, db, effects))
        })
    }

    /// Without any stripe held, as SCAN and the reclaimer work.
    fn whole<R>(&self, db: u16, work: impl FnOnce(&mut KeyspaceView<'_, '_>) -> R) -> R {
        self.with_scope(|scope, effects| {
            let mut held = self.store.stripes.none();
            work(&mut KeyspaceView::new(scope, &mut held, db, effects))
        })
    }

    fn live(&self, db: u16, name: u8) -> Option<&Known> {
        self.model
            .get(&(db, key(name)))
            .filter(|known| known.expiry_ms.is_none_or(|at| at > self.now_ms))
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Set(db, name, value, ttl) => {
                let old = self.live(db, name).cloned();
                let (expiry, expiry_ms) = match ttl {
                    None => (Expiry::Keep, old.as_ref().and_then(|old| old.expiry_ms)),
                    Some(None) => (Expiry::Clear, None),
                    Some(Some(ttl)) => (Expiry::AtMs(self.now_ms + ttl), Some(self.now_ms + ttl)),
                };
                let payload = Payload::Inline(Kind::Str, &value);
                let new = self.write(db, |view| view.set(&key(name), payload, expiry));
                assert_eq!(new, old.is_none());
                self.model
                    .insert((db, key(name)), Known { value, expiry_ms });
            }
            Action::Remove(db, name) => {
                let removed = self.write(db, |view| view.remove(&key(name)));
                assert_eq!(removed, self.live(db, name).is_some());
                self.model.remove(&(db, key(name)));
            }
            Action::SetExpiry(db, name, ttl) => {
                let deadline = ttl.map(|ttl| self.now_ms + ttl);
                let found = self.write(db, |view| view.set_expiry(&key(name), deadline));
                assert_eq!(found, self.live(db, name).is_some());
                if found {
                    self.model.get_mut(&(db, key(name))).unwrap().expiry_ms = deadline;
                } else {
                    self.model.remove(&(db, key(name)));
                }
            }
            Action::Rename(db, old, new) => {
                if old == new {
                    return;
                }
                let known = self.live(db, old).cloned();
                let renamed = self.write(db, |view| match view.take(&key(old)) {
                    Some(entry) => {
                        view.put(entry.renamed(&key(new)));
                        true
                    }
                    None => false,
                });
                assert_eq!(renamed, known.is_some());
                self.model.remove(&(db, key(old)));
                if let Some(known) = known {
                    self.model.insert((db, key(new)), known);
                }
            }
            Action::Copy(db, from, target, to) => {
                if (db, from) == (target, to) {
                    return;
                }
                let known = self.live(db, from).cloned();
                let copied = self.write(db, |view| {
                    let Some(entry) = view.read().find(&key(from)) else {
                        return false;
                    };
                    let mut copy = entry.duplicate(&key(to));
                    copy.set_expiry_ms(entry.expiry_ms());
                    view.select(target);
                    view.put(copy);
                    true
                });
                assert_eq!(copied, known.is_some());
                if let Some(known) = known {
                    self.model.insert((target, key(to)), known);
                }
            }
            Action::Move(db, name, target) => {
                if db == target {
                    return;
                }
                let known = self.live(db, name).cloned();
                let moved = self.write(db, |view| match view.take(&key(name)) {
                    Some(entry) => {
                        view.select(target);
                        view.put(entry);
                        true
                    }
                    None => false,
                });
                assert_eq!(moved, known.is_some());
                self.model.remove(&(db, key(name)));
                if let Some(known) = known {
                    self.model.insert((target, key(name)), known);
                }
            }
            Action::Find(db, name) => {
                let expected = self.live(db, name).cloned();
                self.write(db, |view| {
                    let found = view.read().find(&key(name)).map(|entry| {
                        let Value::Str(bytes) = entry.value() else {
                            panic!("{entry:?}");
                        };
                        Known {
                            value: bytes.to_vec(),
                            expiry_ms: entry.expiry_ms(),
                        }
                    });
                    assert_eq!(found, expected);
                    assert_eq!(view.contains(&key(name)), expected.is_some());
                });
            }
            Action::Replace(db, name, value) => {
                let found = self.write(db, |view| match view.find_mut(&key(name)) {
                    Some(mut entry) => {
                        entry.replace(Payload::Inline(Kind::Str, &value));
                        true
                    }
                    None => false,
                });
                assert_eq!(found, self.live(db, name).is_some());
                if found {
                    self.model.get_mut(&(db, key(name))).unwrap().value = value;
                } else {
                    self.model.remove(&(db, key(name)));
                }
            }
            Action::Pass(ms) => self.now_ms += ms,
            Action::ExpireDue => {
                for stripe in 0..STRIPES as u32 {
                    self.whole(0, |view| while view.expire_due(stripe) {});
                    assert!(self.store.deadlines().of(stripe) > self.now_ms);
                }
                let now_ms = self.now_ms;
                self.model
                    .retain(|_, known| known.expiry_ms.is_none_or(|at| at > now_ms));
                // Nothing that is past is left, seen or unseen.
                for db in 0..DATABASES {
                    let size = self.whole(db, |view| view.size(db));
                    assert_eq!(size, self.expected_size(db));
                }
            }
            Action::Flush(db) => {
                self.whole(db, |view| view.flush(Some(db)));
                self.model.retain(|(of, _), _| *of != db);
            }
            Action::Swap(a, b) => {
                self.whole(a, |view| view.swap_databases(a, b));
                self.model = std::mem::take(&mut self.model)
                    .into_iter()
                    .map(|((db, key), known)| {
                        let db = match db {
                            db if db == a => b,
                            db if db == b => a,
                            db => db,
                        };
                        ((db, key), known)
                    })
                    .collect();
            }
        }
    }

    /// Keys, and how many have a deadline, those past it but not met yet included.
    fn expected_size(&self, db: u16) -> (usize, usize) {
        let of_db = || self.model.iter().filter(move |((of, _), _)| *of == db);
        let expiring = of_db().filter(|(_, known)| known.expiry_ms.is_some());
        (of_db().count(), expiring.count())
    }

    fn check(&self) {
        for db in 0..DATABASES {
            let deadlines: Vec<i128> = self
                .model
                .iter()
                .filter(|((of, _), _)| *of == db)
                .filter_map(|(_, known)| known.expiry_ms.map(i128::from))
                .collect();
            let average = match deadlines.len() as i128 {
                0 => 0,
                len => deadlines.iter().sum::<i128>() / len - i128::from(self.now_ms),
            };
            let live: BTreeMap<Vec<u8>, Option<i64>> = self
                .model
                .iter()
                .filter(|((of, _), known)| {
                    *of == db && known.expiry_ms.is_none_or(|at| at > self.now_ms)
                })
                .map(|((_, key), known)| (key.clone(), known.expiry_ms))
                .collect();
            self.whole(db, |view| {
                assert_eq!(view.size(db), self.expected_size(db));
                assert_eq!(i128::from(view.average_ttl_ms(db)), average.max(0));
                // A scan in small steps, a walk, and every stripe at once agree.
                let mut scanned = Vec::new();
                let mut cursor = 0;
                loop {
                    cursor = view.scan(cursor, 3, |entry| {
                        scanned.push((entry.key().to_vec(), entry.expiry_ms()));
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert_eq!(scanned.len(), live.len());
                assert_eq!(scanned.into_iter().collect::<BTreeMap<_, _>>(), live);
                let mut walked = Vec::new();
                let mut walk: Walk = view.walk(0);
                while walk.step(&self.store, 2, |entry| walked.push(entry.key().to_vec())) {}
                assert_eq!(walk.cursor(&self.store), 0);
                walked.sort();
                assert!(walked.iter().eq(live.keys()));
                let mut visited = 0;
                for stripe in 0..STRIPES as u32 {
                    view.visit_stripe(stripe, |_| visited += 1);
                }
                assert_eq!(visited, live.len());
                let mut seed = 7_u64;
                let mut random = || {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    seed
                };
                if let Some(key) = view.random_key(&mut random) {
                    let is_known = self.model.contains_key(&(db, key.clone()));
                    assert!(is_known && (live.is_empty() || live.contains_key(&key)));
                } else {
                    assert_eq!(view.size(db).0, 0);
                }
            });
        }
        // No deadline is later than what its stripe says.
        for ((_, key), known) in &self.model {
            if let Some(deadline) = known.expiry_ms {
                let stripe = self.store.stripe_of(key);
                assert!(self.store.deadlines().of(stripe) <= deadline);
                assert!(self.store.deadlines().refresh() <= deadline);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn views_do_what_they_do_to_plain_maps(
        actions in proptest::collection::vec(action(), 1..120),
    ) {
        let mut bench = Bench::new();
        for (step, action) in actions.into_iter().enumerate() {
            bench.apply(action);
            if step % 8 == 0 {
                bench.check();
            }
        }
        bench.check();
    }
}

#[test]
fn removals_on_behalf_of_the_server_are_recorded_and_announced() {
    use ochre_store::EventClass;

    let mut bench = Bench::new();
    bench.write(1, |view| {
        let payload = Payload::Int(5);
        view.set(b"k", payload, Expiry::AtMs(START_MS + 10));
    });
    bench.now_ms += 10;
    bench.with_scope(|scope, effects| {
        effects.wanted_events = EventClass::Expired as u32;
        let mut held = bench.store.stripes.none();
        let stripe = bench.store.stripe_of(b"k");
        let more = KeyspaceView::new(scope, &mut held, 0, effects).expire_due(stripe);
        assert!(!more);
        assert_eq!(effects.expired, 1);
        assert_eq!(effects.removed.len(), 1);
        assert_eq!(
            (effects.removed[0].db, &*effects.removed[0].key),
            (1, &b"k"[..])
        );
        let event = &effects.events[0];
        assert_eq!(
            (event.class, event.name, event.db),
            (EventClass::Expired, "expired", 1)
        );
        assert_eq!(effects.dirty, 0);
    });
    assert_eq!(bench.store.deadlines().refresh(), i64::MAX);
}

#[test]
fn a_slice_of_mass_expiry_is_bounded() {
    const KEYS: u32 = 60_000;
    let mut bench = Bench::new();
    bench.write(0, |view| {
        for name in 0..KEYS {
            let key = format!("key:{name}");
            view.set(key.as_bytes(), Payload::Int(1), Expiry::AtMs(START_MS + 1));
        }
    });
    bench.now_ms += 1;
    let (mut slices, mut largest, mut total) = (0, 0, 0);
    for stripe in 0..STRIPES as u32 {
        loop {
            let (more, removed) = bench.with_scope(|scope, effects| {
                let mut held = bench.store.stripes.none();
                let more = KeyspaceView::new(scope, &mut held, 0, effects).expire_due(stripe);
                (more, effects.expired)
            });
            slices += 1;
            largest = largest.max(removed);
            total += removed;
            if !more {
                break;
            }
        }
    }
    assert_eq!(total, u64::from(KEYS));
    // A segment holds at most 383 buckets of seven.
    assert!(
        largest <= 383 * 7,
        "{largest} keys in one slice of {slices}"
    );
    assert_eq!(bench.whole(0, |view| view.size(0)), (0, 0));
}

#[test]
fn where_deadlines_are_not_enforced_nothing_expires() {
    let bench = Bench::new();
    bench.write(0, |view| {
        view.set(b"k", Payload::Int(5), Expiry::AtMs(START_MS - 10));
        assert!(!view.contains(b"k"));
    });
    let mut scope = Scope {
        store: &bench.store,
        settings: &bench.settings,
        now_ms: START_MS,
        touch: true,
        expire: false,
        observed: Observed::default(),
        named: None,
    };
    let mut effects = Effects::default();
    {
        let mut held = bench.store.stripes.exclusive();
        let mut view = WriteView::new(&scope, &mut held, 0, &mut effects);
        assert!(!view.enforces_deadlines());
        assert!(view.contains(b"k") && view.find_mut(b"k").is_some());
    }
    scope.expire = true;
    let mut held = bench.store.stripes.exclusive();
    let mut view = WriteView::new(&scope, &mut held, 0, &mut effects);
    assert!(view.is_expired(b"k"));
    assert!(view.remove_as(b"k", Removal::Expired));
    assert!(!view.remove_as(b"k", Removal::Expired));
}
