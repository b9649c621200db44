//! Publish and subscribe: who listens to what, and how a message reaches them.
//!
//! A message is serialized at most once per protocol version, however many receive it,
//! and travels as one piece of mail per worker. The audience of a channel, grouped by
//! worker, is kept from one message to the next and made anew when it changes.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ochre_resp::{Protocol, Reply};
use ochre_structures::glob::{self, Case};
use parking_lot::{Mutex, RwLock};

use crate::clients::Client;
use crate::net::mail::Mail;
use crate::net::reactor::Token;
use crate::server::Server;

/// Channels are spread over so many locks.
const SHARDS: usize = 64;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    /// To a subscriber of a shard channel.
    ShardMessage,
}

/// A message on its way to its receivers on one worker or several.
#[derive(Debug)]
pub struct Message {
    /// The elements of the push, the kind first.
    parts: Vec<Vec<u8>>,
    resp2: OnceLock<Vec<u8>>,
    resp3: OnceLock<Vec<u8>>,
}

impl Message {
    fn new(parts: Vec<Vec<u8>>) -> Self {
        Self {
            parts,
            resp2: OnceLock::new(),
            resp3: OnceLock::new(),
        }
    }

    /// The message in the receiver's protocol.
    pub fn bytes(&self, protocol: Protocol) -> &[u8] {
        let place = match protocol {
            Protocol::Resp2 => &self.resp2,
            Protocol::Resp3 => &self.resp3,
        };
        place.get_or_init(|| {
            let mut reply = Reply::new(protocol);
            reply.push(self.parts.len());
            for part in &self.parts {
                reply.bulk(part);
            }
            reply.into_bytes()
        })
    }
}

/// The receivers of a channel on each worker.
#[derive(Debug, Default)]
struct Audience {
    workers: Vec<(usize, Arc<[Token]>)>,
    size: usize,
}

/// A channel or pattern: its subscribers in the order they came.
#[derive(Debug, Default)]
struct Channel {
    subscribers: BTreeMap<u64, Arc<Client>>,
    audience: Option<Arc<Audience>>,
}

impl Channel {
    fn audience(&mut self) -> Arc<Audience> {
        if let Some(audience) = &self.audience {
            return audience.clone();
        }
        let mut by_worker: BTreeMap<usize, Vec<Token>> = BTreeMap::new();
        for client in self.subscribers.values() {
            by_worker
                .entry(client.worker)
                .or_default()
                .push(client.token);
        }
        let audience = Arc::new(Audience {
            workers: by_worker
                .into_iter()
                .map(|(worker, tokens)| (worker, tokens.into()))
                .collect(),
            size: self.subscribers.len(),
        });
        self.audience = Some(audience.clone());
        audience
    }
}

/// A namespace of channels.
#[derive(Debug)]
struct Channels {
    shards: Vec<Mutex<HashMap<Vec<u8>, Channel>>>,
    hasher: std::hash::RandomState,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: std::hash::RandomState::new(),
        }
    }
}

impl Channels {
    fn shard(&self, channel: &[u8]) -> &Mutex<HashMap<Vec<u8>, Channel>> {
        &self.shards[self.hasher.hash_one(channel) as usize % SHARDS]
    }

    fn add(&self, channel: &[u8], client: &Arc<Client>) {
        let mut shard = self.shard(channel).lock();
        let channel = shard.entry(channel.to_vec()).or_default();
        channel.subscribers.insert(client.id, client.clone());
        channel.audience = None;
    }

    fn remove(&self, channel: &[u8], client: u64) {
        let mut shard = self.shard(channel).lock();
        if let Some(found) = shard.get_mut(channel) {
            found.subscribers.remove(&client);
            found.audience = None;
            if found.subscribers.is_empty() {
                shard.remove(channel);
            }
        }
    }

    fn audience(&self, channel: &[u8]) -> Option<Arc<Audience>> {
        self.shard(channel)
            .lock()
            .get_mut(channel)
            .map(Channel::audience)
    }

    fn names(&self, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        for shard in &self.shards {
            names.extend(
                shard
                    .lock()
                    .keys()
                    .filter(|name| pattern.is_none_or(|p| glob::matches(p, name, Case::Sensitive)))
                    .cloned(),
            );
        }
        names
    }

    fn subscribers(&self, channel: &[u8]) -> usize {
        let shard = self.shard(channel).lock();
        shard
            .get(channel)
            .map_or(0, |channel| channel.subscribers.len())
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: RwLock<BTreeMap<Vec<u8>, Channel>>,
    pattern_count: AtomicUsize,
}

/// The three kinds of subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Channel,
    Pattern,
    Shard,
}

impl PubSub {
    pub fn subscribe(&self, scope: Scope, name: &[u8], client: &Arc<Client>) {
        match scope {
            Scope::Channel => self.channels.add(name, client),
            Scope::Shard => self.shard_channels.add(name, client),
            Scope::Pattern => {
                let mut patterns = self.patterns.write();
                let pattern = patterns.entry(name.to_vec()).or_default();
                pattern.subscribers.insert(client.id, client.clone());
                pattern.audience = None;
                self.pattern_count.store(patterns.len(), Ordering::Release);
            }
        }
    }

    pub fn unsubscribe(&self, scope: Scope, name: &[u8], client: u64) {
        match scope {
            Scope::Channel => self.channels.remove(name, client),
            Scope::Shard => self.shard_channels.remove(name, client),
            Scope::Pattern => {
                let mut patterns = self.patterns.write();
                if let Some(pattern) = patterns.get_mut(name) {
                    pattern.subscribers.remove(&client);
                    pattern.audience = None;
                    if pattern.subscribers.is_empty() {
                        patterns.remove(name);
                    }
                }
                self.pattern_count.store(patterns.len(), Ordering::Release);
            }
        }
    }

    /// The names of channels with subscribers.
    pub fn names(&self, scope: Scope, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        match scope {
            Scope::Channel => self.channels.names(pattern),
            Scope::Shard => self.shard_channels.names(pattern),
            Scope::Pattern => self.patterns.read().keys().cloned().collect(),
        }
    }

    /// How many subscribe to a channel (patterns do not count).
    pub fn subscribers(&self, scope: Scope, name: &[u8]) -> usize {
        match scope {
            Scope::Shard => self.shard_channels.subscribers(name),
            Scope::Channel | Scope::Pattern => self.channels.subscribers(name),
        }
    }

    pub fn pattern_count(&self) -> usize {
        self.pattern_count.load(Ordering::Acquire)
    }

    /// Channels with subscribers.
    pub fn channel_count(&self, scope: Scope) -> usize {
        match scope {
            Scope::Channel => self.channels.len(),
            Scope::Shard => self.shard_channels.len(),
            Scope::Pattern => self.pattern_count(),
        }
    }
}

/// Mail put into mailboxes whose owners are yet to be woken: under a lock mail is only
/// put, which waits for nobody; the wake-up, a system call, comes after.
#[derive(Debug, Default)]
pub struct Wakes {
    workers: Vec<usize>,
}

impl Wakes {
    /// Puts mail for a worker.
    pub fn put(&mut self, server: &Server, worker: usize, mail: Mail) {
        server.mailboxes[worker].mailbox.put_quietly(mail);
        if !self.workers.contains(&worker) {
            self.workers.push(worker);
        }
    }

    /// Wakes the workers.
    pub fn wake(self, server: &Server) {
        for worker in self.workers {
            server.mailboxes[worker].mailbox.wake();
        }
    }
}

/// Publishes a message; returns how many receive it. Wake the workers afterwards.
pub fn publish(
    server: &Server,
    kind: Kind,
    channel: &[u8],
    payload: &[u8],
    wakes: &mut Wakes,
) -> usize {
    let pubsub = &server.pubsub;
    let channels = match kind {
        Kind::Message => &pubsub.channels,
        Kind::ShardMessage => &pubsub.shard_channels,
    };
    let mut receivers = 0;
    if let Some(audience) = channels.audience(channel) {
        let name: &[u8] = match kind {
            Kind::Message => b"message",
            Kind::ShardMessage => b"smessage",
        };
        let parts = vec![name.to_vec(), channel.to_vec(), payload.to_vec()];
        receivers += send(server, &audience, parts, wakes);
    }
    if kind == Kind::Message && pubsub.pattern_count() > 0 {
        let matching: Vec<(Vec<u8>, Arc<Audience>)> = {
            let mut patterns = pubsub.patterns.write();
            patterns
                .iter_mut()
                .filter(|(pattern, _)| glob::matches(pattern, channel, Case::Sensitive))
                .map(|(pattern, found)| (pattern.clone(), found.audience()))
                .collect()
        };
        for (pattern, audience) in matching {
            let parts = vec![
                b"pmessage".to_vec(),
                pattern,
                channel.to_vec(),
                payload.to_vec(),
            ];
            receivers += send(server, &audience, parts, wakes);
        }
    }
    receivers
}

fn send(server: &Server, audience: &Audience, parts: Vec<Vec<u8>>, wakes: &mut Wakes) -> usize {
    let message = Arc::new(Message::new(parts));
    for (worker, tokens) in &audience.workers {
        wakes.put(
            server,
            *worker,
            Mail::Published {
                to: tokens.clone(),
                message: message.clone(),
            },
        );
    }
    audience.size
}

/// Announces keyspace events to their two channels, as far as the configuration wants.
/// Called under the locks of the keys, so that the events of a key keep their order.
pub fn announce(
    server: &Server,
    events: &[ochre_store::effects::Event],
    wanted: u32,
    wakes: &mut Wakes,
) {
    for event in events {
        if wanted & KEYSPACE != 0 {
            let mut channel = format!("__keyspace@{}__:", event.db).into_bytes();
            channel.extend_from_slice(&event.key);
            publish(
                server,
                Kind::Message,
                &channel,
                event.name.as_bytes(),
                wakes,
            );
        }
        if wanted & KEYEVENT != 0 {
            let channel = format!("__keyevent@{}__:{}", event.db, event.name);
            publish(server, Kind::Message, channel.as_bytes(), &event.key, wakes);
        }
    }
}

/// `K` and `E` of `notify-keyspace-events`, beside the classes.
pub const KEYSPACE: u32 = 1;
pub const KEYEVENT: u32 = 2;

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub struct Subscriptions {
    pub channels: indexed::Names,
    pub patterns: indexed::Names,
    pub shards: indexed::Names,
}

impl Subscriptions {
    /// The names of one kind.
    pub fn of(&mut self, scope: Scope) -> &mut indexed::Names {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shards,
        }
    }

    /// What a subscription reply counts: shard channels apart from the others.
    pub fn count(&self, scope: Scope) -> usize {
        match scope {
            Scope::Shard => self.shards.len(),
            Scope::Channel | Scope::Pattern => self.channels.len() + self.patterns.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }
}

pub mod indexed {
    //! A set of names that remembers the order they came in.

    /// Names in the order they were added. Sessions have few; adding is O(log n).
    #[derive(Debug, Default)]
    pub struct Names {
        by_name: std::collections::BTreeMap<Vec<u8>, u64>,
        added: u64,
    }

    impl Names {
        /// Returns whether the name is new.
        pub fn add(&mut self, name: &[u8]) -> bool {
            if self.by_name.contains_key(name) {
                return false;
            }
            self.added += 1;
            self.by_name.insert(name.to_vec(), self.added);
            true
        }

        pub fn remove(&mut self, name: &[u8]) -> bool {
            self.by_name.remove(name).is_some()
        }

        pub fn len(&self) -> usize {
            self.by_name.len()
        }

        pub fn is_empty(&self) -> bool {
            self.by_name.is_empty()
        }

        /// All names, the oldest first.
        pub fn all(&self) -> Vec<Vec<u8>> {
            let mut names: Vec<(&u64, &Vec<u8>)> =
                self.by_name.iter().map(|(name, at)| (at, name)).collect();
            names.sort_unstable();
            names.into_iter().map(|(_, name)| name.clone()).collect()
        }
    }
}
