//! Random actions of a worker and its peers, against a model that knows what each side has
//! written: what arrives is always a prefix of it, and in the end all of it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

#[derive(Clone, Debug)]
enum Action {
    PeerWrites(u32, usize),
    PeerReads(u32, usize),
    PeerHangsUp(u32),
    Send {
        slot: u32,
        bytes: usize,
        shared: bool,
    },
    Pause(u32),
    Resume(u32),
    Close {
        slot: u32,
        how: Close,
    },
    Tick,
}

fn action() -> impl Strategy<Value = Action> {
    let slot = || 0..3u32;
    let size = || prop_oneof![4 => 1..200usize, 1 => 1..400_000usize];
    let how = prop_oneof![Just(Close::Now), Just(Close::AfterFlush)];
    prop_oneof![
        6 => (slot(), size()).prop_map(|(slot, bytes)| Action::PeerWrites(slot, bytes)),
        4 => (slot(), size()).prop_map(|(slot, bytes)| Action::PeerReads(slot, bytes)),
        1 => slot().prop_map(Action::PeerHangsUp),
        6 => (slot(), size(), any::<bool>())
            .prop_map(|(slot, bytes, shared)| Action::Send { slot, bytes, shared }),
        3 => slot().prop_map(Action::Pause),
        3 => slot().prop_map(Action::Resume),
        1 => (slot(), how).prop_map(|(slot, how)| Action::Close { slot, how }),
        8 => Just(Action::Tick),
    ]
}

/// One connection as the model knows it. Streams are `pattern`s, so counts say it all.
struct Side {
    peer: Option<Peer>,
    peer_wrote: usize,
    received: usize,
    sent: usize,
    peer_read: usize,
    paused: bool,
    ended: bool,
}

/// The model is the handler: it checks each event against what it knows.
struct Model {
    sides: HashMap<Token, Side>,
    pattern: Vec<u8>,
}

impl Model {
    fn open(&mut self, reactor: &mut Reactor, token: Token) {
        let family = if token.slot() == 0 {
            Family::Tcp
        } else {
            Family::Unix
        };
        let (socket, peer) = pair(family);
        peer.0.set_nonblocking(true).unwrap();
        reactor.register(token, socket).unwrap();
        let side = Side {
            peer: Some(peer),
            peer_wrote: 0,
            received: 0,
            sent: 0,
            peer_read: 0,
            paused: false,
            ended: false,
        };
        self.sides.insert(token, side);
    }

    fn peer_reads(&mut self, token: Token, most: usize) -> usize {
        let side = self.sides.get_mut(&token).unwrap();
        let mut buffer = vec![0; most];
        let count = match &mut side.peer {
            Some(peer) => peer.0.read(&mut buffer).unwrap_or(0),
            None => 0,
        };
        assert!(buffer[..count] == self.pattern[side.peer_read..side.peer_read + count]);
        side.peer_read += count;
        assert!(side.peer_read <= side.sent);
        count
    }
}

impl Handler for Model {
    fn received(&mut self, _: &mut Reactor, token: Token, bytes: &[u8]) {
        let side = self.sides.get_mut(&token).expect("no event after close");
        assert!(!side.paused && !side.ended && !bytes.is_empty());
        assert!(bytes == &self.pattern[side.received..side.received + bytes.len()]);
        side.received += bytes.len();
        assert!(side.received <= side.peer_wrote);
    }
    fn ended(&mut self, _: &mut Reactor, token: Token, why: Ended) {
        let side = self.sides.get_mut(&token).expect("no event after close");
        assert!(side.peer.is_none(), "{why:?}");
        if matches!(why, Ended::Eof) {
            assert!(!side.paused && !side.ended);
            assert_eq!(side.received, side.peer_wrote);
        }
        side.ended = true;
    }
    fn drained(&mut self, reactor: &mut Reactor, token: Token) {
        assert!(self.sides.contains_key(&token), "no event after close");
        assert_eq!(reactor.queued_bytes(token), 0);
    }
    fn woken(&mut self, _: &mut Reactor) {
        panic!("nobody called");
    }
}

fn play(reactor: &mut Reactor, actions: &[Action], pattern: &[u8]) {
    let mut model = Model {
        sides: HashMap::new(),
        pattern: pattern.to_vec(),
    };
    let mut names: Vec<Token> = (0..3).map(|slot| Token(slot, 0)).collect();
    for &token in &names {
        model.open(reactor, token);
    }
    for action in actions {
        match *action {
            Action::PeerWrites(slot, bytes) => {
                let side = model.sides.get_mut(&names[slot as usize]).unwrap();
                let Some(peer) = &mut side.peer else { continue };
                let at = side.peer_wrote;
                side.peer_wrote += peer.0.write(&pattern[at..at + bytes]).unwrap_or(0);
            }
            Action::PeerReads(slot, bytes) => {
                model.peer_reads(names[slot as usize], bytes);
            }
            Action::PeerHangsUp(slot) => {
                let token = names[slot as usize];
                // Unread bytes would make it a reset, which may overtake what was written.
                while model.peer_reads(token, 1 << 16) > 0 {}
                let side = model.sides.get_mut(&token).unwrap();
                if reactor.queued_bytes(token) == 0 && side.sent == side.peer_read {
                    side.peer = None;
                }
            }
            Action::Send {
                slot,
                bytes,
                shared,
            } => {
                let token = names[slot as usize];
                let side = model.sides.get_mut(&token).unwrap();
                if side.peer.is_none() {
                    continue;
                }
                let piece = pattern[side.sent..side.sent + bytes].to_vec();
                side.sent += bytes;
                reactor.send(
                    token,
                    if shared {
                        Chunk::Shared(Arc::new(piece))
                    } else {
                        Chunk::Bytes(piece)
                    },
                );
            }
            Action::Pause(slot) => {
                reactor.pause(names[slot as usize]);
                model.sides.get_mut(&names[slot as usize]).unwrap().paused = true;
            }
            Action::Resume(slot) => {
                reactor.resume(names[slot as usize]);
                model.sides.get_mut(&names[slot as usize]).unwrap().paused = false;
            }
            Action::Close { slot, how } => {
                let old = names[slot as usize];
                reactor.close(old, how);
                // The peer goes first, so that nothing lingers.
                model.sides.remove(&old);
                names[slot as usize] = Token(slot, old.generation() + 1);
                model.open(reactor, names[slot as usize]);
            }
            Action::Tick => reactor.wait(Some(Duration::ZERO), &mut model).unwrap(),
        }
    }
    // In the end everything that was written arrives.
    let start = Instant::now();
    for &token in &names {
        reactor.resume(token);
        model.sides.get_mut(&token).unwrap().paused = false;
    }
    loop {
        reactor
            .wait(Some(Duration::from_millis(1)), &mut model)
            .unwrap();
        for &token in &names {
            while model.peer_reads(token, 1 << 16) > 0 {}
        }
        let done = names.iter().all(|token| {
            let side = &model.sides[token];
            side.received == side.peer_wrote
                && side.sent == side.peer_read
                && side.ended == side.peer.is_none()
        });
        if done {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "something got lost");
    }
    for token in names {
        reactor.close(token, Close::Now);
        model.sides.remove(&token);
    }
    while !reactor.is_empty() {
        reactor
            .wait(Some(Duration::from_millis(1)), &mut model)
            .unwrap();
        assert!(start.elapsed() < PATIENCE, "something stays");
    }
}

pub(super) fn random_actions(reactor: Reactor) {
    let config = Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    };
    let pattern = pattern(50_000_000);
    TestRunner::new(config)
        .run(&proptest::collection::vec(action(), 0..120), |actions| {
            let mut reactor = Reactor::new(reactor.kind(), Options::default())?;
            play(&mut reactor, &actions, &pattern);
            Ok(())
        })
        .unwrap();
}
