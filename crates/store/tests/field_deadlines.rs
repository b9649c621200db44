//! Fields of hashes are removed when their deadline passes: by whoever writes the hash,
//! and by the walk over what is due.

use std::sync::Arc;

use ochre_store::value::hash::{HashMut, HashRef, empty_hash};
use ochre_store::view::Observed;
use ochre_store::{Effects, Expiry, KeyspaceView, Scope, Settings, Store, WriteView};
use ochre_structures::field_map::FieldDeadline;

const STRIPES: usize = 4;

struct Server {
    store: Arc<Store>,
    settings: Settings,
}

impl Server {
    fn new() -> Self {
        Self {
            store: Store::start(STRIPES, 16).unwrap().0,
            settings: Settings::default(),
        }
    }

    fn scope(&self, now_ms: i64) -> Scope<'_> {
        Scope {
            store: &self.store,
            settings: &self.settings,
            now_ms,
            touch: true,
            expire: true,
            observed: Observed::default(),
            named: None,
        }
    }

    /// Runs `work` with the key's stripe; returns what it left.
    fn write<R>(
        &self,
        now_ms: i64,
        key: &[u8],
        work: impl FnOnce(&mut WriteView<'_, '_>) -> R,
    ) -> (R, Effects) {
        let scope = self.scope(now_ms);
        let mut held = self.store.stripes.lock_one(self.store.stripe_of(key));
        let mut effects = Effects {
            recording: true,
            wanted_events: u32::MAX,
            ..Effects::default()
        };
        let result = work(&mut WriteView::new(&scope, &mut held, 0, &mut effects));
        (result, effects)
    }

    /// A hash with `undated` fields, and fields that are due at the moments given.
    fn add_hash(&self, key: &[u8], undated: usize, moments_ms: impl Iterator<Item = u64>) {
        self.write(1, key, |view| {
            view.set(key, empty_hash(), Expiry::Clear);
            let entry = view.find_mut(key).unwrap().into_inner();
            let mut hash = HashMut::of(entry, &self.settings).unwrap();
            for i in 0..undated {
                hash.set(format!("kept:{i}").as_bytes(), b"v", FieldDeadline::Clear);
            }
            let mut moments = Vec::new();
            for moment_ms in moments_ms {
                let name = format!("due:{moment_ms}");
                hash.set(name.as_bytes(), b"v", FieldDeadline::AtMs(moment_ms));
                moments.push(moment_ms);
            }
            for moment_ms in moments {
                view.note_field_deadline(key, moment_ms);
            }
        });
    }

    /// The number of fields, those past their deadline included; `None` without a key.
    fn fields(&self, key: &[u8]) -> Option<usize> {
        let (fields, _) = self.write(1, key, |view| {
            let entry = view.find(key)?;
            Some(HashRef::of(entry, 0).unwrap().len())
        });
        fields
    }

    /// Walks over everything that is due.
    fn reclaim(&self, now_ms: i64) -> Effects {
        let scope = self.scope(now_ms);
        let mut effects = Effects {
            recording: true,
            wanted_events: u32::MAX,
            ..Effects::default()
        };
        for index in 0..self.store.stripes.count() as u32 {
            let mut held = self.store.stripes.none();
            let mut view = KeyspaceView::new(&scope, &mut held, 0, &mut effects);
            while view.expire_due(index) {}
        }
        effects
    }
}

fn events(effects: &Effects) -> Vec<&'static str> {
    effects.events.iter().map(|event| event.name).collect()
}

#[test]
fn whoever_writes_a_hash_finds_no_field_past_its_deadline() {
    for undated in [2, 300] {
        let server = Server::new();
        server.add_hash(b"key", undated, 10..20);
        let (len, effects) = server.write(14, b"key", |view| {
            let entry = view.find_mut(b"key").unwrap().into_inner();
            HashMut::of(entry, &Settings::default()).unwrap().len()
        });
        assert_eq!(len, undated + 5);
        assert_eq!(events(&effects), ["hexpired"]);
        let mut removed = effects.removed_fields[0].fields.clone();
        removed.sort();
        assert_eq!(
            removed,
            ["due:10", "due:11", "due:12", "due:13", "due:14"].map(Vec::from)
        );
        assert_eq!(
            (&*effects.removed_fields[0].key, effects.expired_fields),
            (&b"key"[..], 5)
        );
    }
}

#[test]
fn the_walk_removes_what_is_due_and_a_hash_with_its_last_field() {
    let server = Server::new();
    server.add_hash(b"small", 0, 10..20);
    server.add_hash(b"large", 0, 10..3000);
    server.add_hash(b"mixed", 5, 10..3000);
    let effects = server.reclaim(12);
    assert_eq!(effects.expired_fields, 9);
    assert_eq!(server.fields(b"large"), Some(2987));
    let effects = server.reclaim(19);
    assert_eq!(
        events(&effects)
            .iter()
            .filter(|name| **name == "del")
            .count(),
        1
    );
    assert_eq!(server.fields(b"small"), None);
    // A large hash is worked off in steps.
    let mut now_ms = 5000;
    while server.fields(b"large").is_some() || server.fields(b"mixed") != Some(5) {
        server.reclaim(now_ms);
        now_ms += 2;
        assert!(now_ms < 6000, "it does not end");
    }
    assert!(server.reclaim(now_ms + 10).events.is_empty());
}

#[test]
fn deadlines_of_fields_move_with_the_hash() {
    let server = Server::new();
    server.add_hash(b"key", 1, 10..12);
    let (entry, _) = server.write(1, b"key", |view| view.take(b"key").unwrap());
    assert!(server.reclaim(50).events.is_empty());
    server.write(1, b"other", |view| view.put(entry.renamed(b"other")));
    assert_eq!(events(&server.reclaim(50)), ["hexpired"]);
    assert_eq!(server.fields(b"other"), Some(1));
}
