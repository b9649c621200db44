//! One suite for both backends: what a worker may rely on, seen from real sockets.
//!
//! Each case runs over TCP and Unix sockets where that makes a difference. Cases are listed
//! once, at the end; a backend that the kernel does not offer is skipped, loudly.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
enum Family {
    Tcp,
    Unix,
}

const FAMILIES: [Family; 2] = [Family::Tcp, Family::Unix];

/// The other end of a connection: blocking reads and writes, whatever the family.
struct Peer(socket2::Socket);

impl Peer {
    fn expect(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        self.0.read_exact(&mut got).expect("the reply");
        assert!(got == expected, "a different reply");
    }

    fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "{} bytes before the end", rest.len()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}

fn pair(family: Family) -> (OwnedFd, Peer) {
    let (ours, theirs): (OwnedFd, OwnedFd) = match family {
        Family::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (ours, _) = listener.accept().unwrap();
            ours.set_nodelay(true).unwrap();
            (ours.into(), theirs.into())
        }
        Family::Unix => {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (ours.into(), theirs.into())
        }
    };
    let ours = socket2::Socket::from(ours);
    ours.set_nonblocking(true).unwrap();
    let theirs = socket2::Socket::from(theirs);
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    theirs.set_write_timeout(Some(PATIENCE)).unwrap();
    (ours.into(), Peer(theirs))
}

#[derive(Debug)]
enum Event<'a> {
    Received(Token, &'a [u8]),
    Ended(Token, Ended),
    Drained(Token),
    Woken,
}

/// A handler made of a closure.
struct On<F>(F);

impl<F: FnMut(&mut Reactor, Event<'_>)> Handler for On<F> {
    fn received(&mut self, reactor: &mut Reactor, token: Token, bytes: &[u8]) {
        self.0(reactor, Event::Received(token, bytes));
    }
    fn ended(&mut self, reactor: &mut Reactor, token: Token, why: Ended) {
        self.0(reactor, Event::Ended(token, why));
    }
    fn drained(&mut self, reactor: &mut Reactor, token: Token) {
        self.0(reactor, Event::Drained(token));
    }
    fn woken(&mut self, reactor: &mut Reactor) {
        self.0(reactor, Event::Woken);
    }
}

/// Ticks until `done` says so.
fn run<H: Handler>(reactor: &mut Reactor, handler: &mut H, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        reactor
            .wait(Some(Duration::from_millis(5)), handler)
            .unwrap();
        assert!(start.elapsed() < PATIENCE, "it takes too long");
    }
}

/// Ticks for a while, whatever happens.
fn run_for<H: Handler>(reactor: &mut Reactor, handler: &mut H, time: Duration) {
    let start = Instant::now();
    run(reactor, handler, || start.elapsed() > time);
}

fn is_end(event: &Event<'_>, token: Token) -> bool {
    matches!(event, Event::Ended(ended, _) if *ended == token)
}

/// Bytes whose every position is recognisable.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

const FIRST: Token = Token(0, 1);
const SECOND: Token = Token(1, 1);

fn echo(reactor: &mut Reactor, event: Event<'_>, ends: &mut usize) {
    match event {
        Event::Received(token, bytes) => {
            let mut reply = reactor.recycled();
            assert!(reply.is_empty() && reply.capacity() > 0);
            reply.extend_from_slice(bytes);
            reactor.send(token, Chunk::Bytes(reply));
        }
        Event::Ended(token, why) => {
            assert!(matches!(why, Ended::Eof), "{why:?}");
            reactor.close(token, Close::AfterFlush);
            *ends += 1;
        }
        Event::Drained(_) | Event::Woken => {}
    }
}

fn echo_of_fragments(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let sent = pattern(2_000_000);
        let expected = sent.clone();
        let mut writer = Peer(peer.0.try_clone().unwrap());
        let writing = thread::spawn(move || {
            let mut rest = &sent[..];
            let mut size = 1;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(size.min(rest.len()));
                writer.0.write_all(now).unwrap();
                rest = later;
                size = size * 31 % 70_001 + 1;
            }
            writer.0.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let reading = thread::spawn(move || {
            peer.expect(&expected);
            peer.expect_end();
        });
        let mut ends = 0;
        let mut handler =
            On(|reactor: &mut Reactor, event: Event<'_>| echo(reactor, event, &mut ends));
        run(&mut reactor, &mut handler, || reading.is_finished());
        reading.join().unwrap();
        writing.join().unwrap();
        assert_eq!(ends, 1);
        assert!(reactor.is_empty());
    }
}

fn slow_reader(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let expected = pattern(100_000_000);
        let mut rest = &expected[..];
        let mut size = 1;
        let mut shared = false;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            let chunk = if shared {
                Chunk::Shared(Arc::new(now.to_vec()))
            } else {
                Chunk::Bytes(now.to_vec())
            };
            reactor.send(FIRST, chunk);
            rest = later;
            shared = !shared;
            size = size * 31 % 700_001 + 1;
        }
        assert_eq!(reactor.queued_bytes(FIRST), expected.len());
        let drained = Rc::new(RefCell::new(0));
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| match event {
            Event::Drained(FIRST) => *drained.borrow_mut() += 1,
            event => panic!("{event:?}"),
        });
        run_for(&mut reactor, &mut handler, Duration::from_millis(30));
        let stuck = reactor.queued_bytes(FIRST);
        assert!(
            stuck > 50_000_000,
            "the kernel cannot have taken so much: {stuck}"
        );
        let expected = Arc::new(expected);
        let all = Arc::clone(&expected);
        let reading = thread::spawn(move || {
            for piece in all.chunks(3_000_000) {
                peer.expect(piece);
            }
            peer
        });
        run(&mut reactor, &mut handler, || reading.is_finished());
        assert_eq!(reactor.queued_bytes(FIRST), 0);
        run(&mut reactor, &mut handler, || *drained.borrow() > 0);
        assert_eq!(*drained.borrow(), 1);
        // The connection is as good as new.
        let mut peer = reading.join().unwrap();
        reactor.send(FIRST, Chunk::Bytes(b"more".to_vec()));
        run(&mut reactor, &mut handler, || *drained.borrow() == 2);
        peer.expect(b"more");
        reactor.close(FIRST, Close::Now);
    }
}

fn pause_and_resume(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let got = Rc::new(RefCell::new((Vec::new(), 0)));
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| match event {
            Event::Received(FIRST, bytes) => got.borrow_mut().0.extend_from_slice(bytes),
            Event::Ended(FIRST, Ended::Eof) => got.borrow_mut().1 += 1,
            event => panic!("{event:?}"),
        });
        let short = Duration::from_millis(20);
        for round in 0..3 {
            peer.0.write_all(b"one").unwrap();
            run(&mut reactor, &mut handler, || got.borrow().0 == b"one");
            reactor.pause(FIRST);
            peer.0.write_all(b"two").unwrap();
            run_for(&mut reactor, &mut handler, short);
            peer.0.write_all(b"three").unwrap();
            run_for(&mut reactor, &mut handler, short);
            assert_eq!(got.borrow().0, b"one", "round {round}");
            reactor.resume(FIRST);
            run(&mut reactor, &mut handler, || {
                got.borrow().0 == b"onetwothree"
            });
            got.borrow_mut().0.clear();
        }
        // Changes of mind within a tick.
        reactor.pause(FIRST);
        reactor.resume(FIRST);
        reactor.pause(FIRST);
        peer.0.write_all(b"x").unwrap();
        run_for(&mut reactor, &mut handler, short);
        assert!(got.borrow().0.is_empty());
        reactor.resume(FIRST);
        reactor.pause(FIRST);
        reactor.resume(FIRST);
        run(&mut reactor, &mut handler, || got.borrow().0 == b"x");
        // The end waits, too, and comes after the bytes.
        reactor.pause(FIRST);
        peer.0.write_all(b"y").unwrap();
        drop(peer);
        run_for(&mut reactor, &mut handler, short);
        assert_eq!(*got.borrow(), (b"x".to_vec(), 0));
        reactor.resume(FIRST);
        run(&mut reactor, &mut handler, || got.borrow().1 > 0);
        assert_eq!(*got.borrow(), (b"xy".to_vec(), 1));
        reactor.close(FIRST, Close::Now);
    }
}

/// A pause in the middle of a flood holds back what the kernel has delivered already.
fn pause_inside_a_flood(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let sent = pattern(3_000_000);
        let expected = sent.clone();
        let writing = thread::spawn(move || {
            peer.0.write_all(&sent).unwrap();
            peer
        });
        let got = Rc::new(RefCell::new((Vec::new(), false)));
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
            Event::Received(FIRST, bytes) => {
                let mut got = got.borrow_mut();
                assert!(!got.1, "input while paused");
                got.0.extend_from_slice(bytes);
                reactor.pause(FIRST);
                got.1 = true;
            }
            event => panic!("{event:?}"),
        });
        let mut ticks = 0;
        while got.borrow().0.len() < expected.len() {
            reactor
                .wait(Some(Duration::from_millis(1)), &mut handler)
                .unwrap();
            ticks += 1;
            if ticks % 2 == 0 {
                got.borrow_mut().1 = false;
                reactor.resume(FIRST);
            }
        }
        assert!(got.borrow().0 == expected);
        drop(writing.join().unwrap());
        reactor.close(FIRST, Close::Now);
    }
}

fn close_now(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let received = Rc::new(RefCell::new(0));
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
            Event::Received(FIRST, _) => {
                *received.borrow_mut() += 1;
                reactor.send(FIRST, Chunk::Bytes(vec![b'z'; 50_000_000]));
            }
            event => panic!("{event:?}"),
        });
        peer.0.write_all(b"go").unwrap();
        run(&mut reactor, &mut handler, || *received.borrow() == 1);
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        // Output is in flight, input is waiting.
        peer.0.write_all(b"ignored").unwrap();
        reactor.close(FIRST, Close::Now);
        assert_eq!(reactor.queued_bytes(FIRST), 0);
        assert!(reactor.socket(FIRST).is_none());
        // The slot is free at once, and the old name stays dead.
        let again = Token(FIRST.slot(), FIRST.generation() + 1);
        let (socket, mut successor) = pair(family);
        reactor.register(again, socket).unwrap();
        reactor.send(FIRST, Chunk::Bytes(b"stale".to_vec()));
        reactor.close(FIRST, Close::Now);
        reactor.pause(FIRST);
        reactor.send(again, Chunk::Bytes(b"fresh".to_vec()));
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            let _ = peer.0.read_to_end(&mut all);
            assert!(all.len() < 50_000_000);
            successor.expect(b"fresh");
            successor
        });
        let drained = Rc::new(RefCell::new(false));
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| match event {
            Event::Drained(token) if token == again => *drained.borrow_mut() = true,
            event => panic!("{event:?}"),
        });
        run(&mut reactor, &mut handler, || {
            reading.is_finished() && *drained.borrow()
        });
        drop(reading.join().unwrap());
        reactor.close(again, Close::Now);
        let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
        run_for(&mut reactor, &mut silent, Duration::from_millis(10));
        assert!(reactor.is_empty());
    }
}

/// A handler may close any connection, also one whose events are yet to be reported.
fn close_of_another(mut reactor: Reactor) {
    for family in FAMILIES {
        let mut peers = Vec::new();
        for slot in 0..20 {
            let (socket, mut peer) = pair(family);
            reactor.register(Token(slot, 7), socket).unwrap();
            peer.0.write_all(b"hello").unwrap();
            peers.push(peer);
        }
        let received = Rc::new(RefCell::new(Vec::new()));
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
            Event::Received(token, _) => {
                received.borrow_mut().push(token);
                for slot in (0..20).filter(|&slot| slot != token.slot()) {
                    reactor.close(Token(slot, 7), Close::Now);
                }
            }
            event => panic!("{event:?}"),
        });
        run(&mut reactor, &mut handler, || received.borrow().len() == 1);
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        assert_eq!(reactor.len(), 1);
        let survivor = received.borrow()[0];
        for (slot, peer) in (0..).zip(&mut peers) {
            if slot != survivor.slot() {
                peer.expect_end();
            }
        }
        reactor.close(survivor, Close::Now);
        run_for(&mut reactor, &mut handler, Duration::from_millis(5));
        assert!(reactor.is_empty());
    }
}

fn close_after_flush(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let expected = pattern(20_000_000);
        reactor.send(FIRST, Chunk::Bytes(expected.clone()));
        reactor.close(FIRST, Close::AfterFlush);
        reactor.send(FIRST, Chunk::Bytes(b"too late".to_vec()));
        // With nothing queued it is a plain close.
        let (socket, mut other) = pair(family);
        reactor.register(SECOND, socket).unwrap();
        reactor.close(SECOND, Close::AfterFlush);
        let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
        let reading = thread::spawn(move || {
            peer.expect(&expected);
            peer.expect_end();
            other.expect_end();
        });
        run(&mut reactor, &mut silent, || reading.is_finished());
        reading.join().unwrap();
        run_for(&mut reactor, &mut silent, Duration::from_millis(5));
        assert!(reactor.is_empty());
    }
}

fn lingering_is_bounded(mut reactor: Reactor) {
    let linger = Duration::from_millis(300);
    reactor.core.linger = linger;
    for family in FAMILIES {
        let (socket, peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        reactor.send(FIRST, Chunk::Bytes(vec![0; 50_000_000]));
        reactor.close(FIRST, Close::AfterFlush);
        let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
        let start = Instant::now();
        while !reactor.is_empty() {
            reactor.wait(None, &mut silent).unwrap();
        }
        assert!(start.elapsed() >= linger && start.elapsed() < PATIENCE);
        drop(peer);
    }
}

fn peer_resets(mut reactor: Reactor) {
    let reset = |peer: &Peer| peer.0.set_linger(Some(Duration::ZERO)).unwrap();
    // While nothing is sent.
    let (socket, peer) = pair(Family::Tcp);
    reactor.register(FIRST, socket).unwrap();
    let ends = Rc::new(RefCell::new(Vec::new()));
    let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
        Event::Ended(token, Ended::Error(error)) => {
            // Sending into the void is allowed.
            reactor.send(token, Chunk::Bytes(b"anybody?".to_vec()));
            assert_eq!(reactor.queued_bytes(token), 0);
            ends.borrow_mut().push((token, error.kind()));
        }
        event => panic!("{event:?}"),
    });
    run_for(&mut reactor, &mut handler, Duration::from_millis(5));
    reset(&peer);
    drop(peer);
    run(&mut reactor, &mut handler, || !ends.borrow().is_empty());
    assert_eq!(
        ends.borrow_mut().pop(),
        Some((FIRST, io::ErrorKind::ConnectionReset))
    );
    // While much is queued.
    let (socket, peer) = pair(Family::Tcp);
    reactor.register(SECOND, socket).unwrap();
    reactor.send(SECOND, Chunk::Bytes(vec![1; 50_000_000]));
    run_for(&mut reactor, &mut handler, Duration::from_millis(10));
    reset(&peer);
    drop(peer);
    run(&mut reactor, &mut handler, || !ends.borrow().is_empty());
    run_for(&mut reactor, &mut handler, Duration::from_millis(10));
    assert_eq!(ends.borrow().len(), 1);
    assert_eq!(ends.borrow()[0].0, SECOND);
    reactor.close(FIRST, Close::Now);
    reactor.close(SECOND, Close::AfterFlush);
    run_for(&mut reactor, &mut handler, Duration::from_millis(5));
    assert!(reactor.is_empty());
}

/// A Unix peer that goes away while it is being written to; SIGPIPE must not kill us.
fn peer_vanishes(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        drop(peer);
        for _ in 0..3 {
            reactor.send(FIRST, Chunk::Bytes(vec![1; 10_000_000]));
        }
        let errors = Rc::new(RefCell::new(0));
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| {
            if let Event::Ended(FIRST, Ended::Error(_)) = event {
                *errors.borrow_mut() += 1;
            } else {
                assert!(is_end(&event, FIRST), "{event:?}");
            }
        });
        run(&mut reactor, &mut handler, || *errors.borrow() > 0);
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        assert_eq!(*errors.borrow(), 1);
        reactor.close(FIRST, Close::Now);
    }
}

fn end_after_data(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        peer.0.write_all(b"last words").unwrap();
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        reactor.register(FIRST, socket).unwrap();
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
            Event::Received(FIRST, bytes) => log.borrow_mut().extend_from_slice(bytes),
            Event::Ended(FIRST, Ended::Eof) => {
                log.borrow_mut().push(b'.');
                reactor.send(FIRST, Chunk::Bytes(b"still here".to_vec()));
            }
            Event::Drained(FIRST) => log.borrow_mut().push(b'!'),
            event => panic!("{event:?}"),
        });
        run(&mut reactor, &mut handler, || log.borrow().ends_with(b"!"));
        assert_eq!(*log.borrow(), b"last words.!");
        peer.expect(b"still here");
        reactor.close(FIRST, Close::Now);
        peer.expect_end();
    }
}

fn many_connections(mut reactor: Reactor) {
    const COUNT: u32 = 400;
    const ROUNDS: usize = 5;
    for family in FAMILIES {
        let mut peers = Vec::new();
        for slot in 0..COUNT {
            let (socket, peer) = pair(family);
            reactor.register(Token(slot, slot), socket).unwrap();
            peers.push(peer);
        }
        let talking = thread::spawn(move || {
            for round in 0..ROUNDS {
                for (number, peer) in peers.iter_mut().enumerate() {
                    peer.0
                        .write_all(format!("{round}:{number}").as_bytes())
                        .unwrap();
                }
                for (number, peer) in peers.iter_mut().enumerate() {
                    peer.expect(format!("{round}:{number}").as_bytes());
                }
            }
        });
        let mut ends = 0;
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| {
            if let Event::Received(token, bytes) = &event {
                assert_eq!(token.slot(), token.generation());
                assert!(bytes.ends_with(format!(":{}", token.slot()).as_bytes()));
            }
            echo(reactor, event, &mut ends);
        });
        run(&mut reactor, &mut handler, || talking.is_finished());
        talking.join().unwrap();
        run_for(&mut reactor, &mut handler, Duration::from_millis(50));
        assert_eq!(ends, COUNT as usize);
        assert!(reactor.is_empty());
    }
}

fn wakers(mut reactor: Reactor) {
    const THREADS: usize = 4;
    const MESSAGES: usize = 20_000;
    let mailbox = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, mailbox) = (reactor.waker(), Arc::clone(&mailbox));
            thread::spawn(move || {
                for message in 0..MESSAGES {
                    mailbox.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                    if message % 1000 == 0 {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            })
        })
        .collect();
    let mut taken = 0;
    let mut calls = 0;
    let start = Instant::now();
    while taken < THREADS * MESSAGES {
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| {
            assert!(matches!(event, Event::Woken));
            calls += 1;
            taken += mailbox.swap(0, Ordering::Relaxed);
        });
        // No timeout: a lost wake-up would hang the test.
        reactor.wait(None, &mut handler).unwrap();
        assert!(start.elapsed() < PATIENCE);
    }
    assert!(calls <= THREADS * MESSAGES);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    // From the worker itself, and after the reactor is gone.
    let waker = reactor.waker();
    waker.wake();
    waker.wake();
    let mut woken = 0;
    let mut handler = On(|_: &mut Reactor, _: Event<'_>| woken += 1);
    run_for(&mut reactor, &mut handler, Duration::from_millis(20));
    assert!((1..=2).contains(&woken));
    drop(reactor);
    waker.wake();
}

fn shared_chunks(mut reactor: Reactor) {
    let message = Arc::new(pattern(5_000_000));
    let mut readers = Vec::new();
    for (slot, family) in (0..6).zip(FAMILIES.into_iter().cycle()) {
        let (socket, mut peer) = pair(family);
        let token = Token(slot, 0);
        reactor.register(token, socket).unwrap();
        reactor.send(token, Chunk::Bytes(b"<".to_vec()));
        reactor.send(token, Chunk::Shared(message.clone()));
        reactor.send(token, Chunk::Bytes(Vec::new()));
        reactor.send(token, Chunk::Bytes(b">".to_vec()));
        let expected = message.clone();
        readers.push(thread::spawn(move || {
            peer.expect(b"<");
            peer.expect(&expected);
            peer.expect(b">");
            peer
        }));
    }
    let drained = Rc::new(RefCell::new(0));
    let mut handler = On(|_: &mut Reactor, event: Event<'_>| match event {
        Event::Drained(_) => *drained.borrow_mut() += 1,
        event => panic!("{event:?}"),
    });
    run(&mut reactor, &mut handler, || *drained.borrow() == 6);
    let peers: Vec<_> = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .collect();
    assert_eq!(Arc::strong_count(&message), 1);
    drop(peers);
}

/// The kernel may hold a shared chunk beyond `close`; dropping the reactor ends that.
fn shared_chunks_outlive_a_close(mut reactor: Reactor) {
    let message = Arc::new(vec![7; 50_000_000]);
    let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
    let (socket, peer) = pair(Family::Tcp);
    reactor.register(FIRST, socket).unwrap();
    reactor.send(FIRST, Chunk::Shared(message.clone()));
    run_for(&mut reactor, &mut silent, Duration::from_millis(10));
    reactor.close(FIRST, Close::Now);
    run_for(&mut reactor, &mut silent, Duration::from_millis(10));
    assert_eq!(Arc::strong_count(&message), 1);
    drop(peer);
    let (socket, peer) = pair(Family::Tcp);
    reactor.register(SECOND, socket).unwrap();
    reactor.send(SECOND, Chunk::Shared(message.clone()));
    run_for(&mut reactor, &mut silent, Duration::from_millis(10));
    drop(reactor);
    assert_eq!(Arc::strong_count(&message), 1);
    drop(peer);
}

fn flood_starves_nobody(mut reactor: Reactor) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut flooders = Vec::new();
    for slot in 1..3 {
        let (socket, mut peer) = pair(Family::Tcp);
        reactor.register(Token(slot, 1), socket).unwrap();
        let stop = Arc::clone(&stop);
        flooders.push(thread::spawn(move || {
            let junk = vec![b'!'; 1 << 20];
            while !stop.load(Ordering::Relaxed) {
                peer.0.write_all(&junk).unwrap();
            }
        }));
    }
    let (socket, mut peer) = pair(Family::Tcp);
    reactor.register(FIRST, socket).unwrap();
    let quiet = thread::spawn(move || {
        for _ in 0..200 {
            peer.0.write_all(b"ping").unwrap();
            peer.expect(b"ping");
        }
    });
    let flooded = Rc::new(RefCell::new(0usize));
    let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| match event {
        Event::Received(FIRST, bytes) => reactor.send(FIRST, Chunk::Bytes(bytes.to_vec())),
        Event::Received(_, bytes) => *flooded.borrow_mut() += bytes.len(),
        Event::Drained(FIRST) => {}
        event => assert!(is_end(&event, FIRST), "{event:?}"),
    });
    let mut before = 0;
    run(&mut reactor, &mut handler, || {
        let now = *flooded.borrow();
        assert!(
            now - before <= 8 << 20,
            "one tick served {} bytes of flood",
            now - before
        );
        before = now;
        quiet.is_finished()
    });
    quiet.join().unwrap();
    assert!(*flooded.borrow() > 0);
    stop.store(true, Ordering::Relaxed);
    let mut drain = On(|_: &mut Reactor, _: Event<'_>| {});
    run(&mut reactor, &mut drain, || {
        flooders.iter().all(|flooder| flooder.is_finished())
    });
    flooders
        .into_iter()
        .for_each(|flooder| flooder.join().unwrap());
}

/// A large argument goes to the connection's own buffer, what follows it does not.
#[derive(Default)]
struct Collector {
    own: HashMap<Token, Vec<u8>>,
    want: usize,
    rest: Vec<u8>,
}

impl Handler for Collector {
    fn received(&mut self, _: &mut Reactor, token: Token, bytes: &[u8]) {
        assert_eq!(
            self.own[&token].len(),
            self.want,
            "only what follows comes here"
        );
        self.rest.extend_from_slice(bytes);
    }
    fn ended(&mut self, _: &mut Reactor, _: Token, why: Ended) {
        panic!("{why:?}");
    }
    fn drained(&mut self, _: &mut Reactor, _: Token) {}
    fn woken(&mut self, _: &mut Reactor) {}
    fn fill(&mut self, token: Token) -> Option<Fill<'_>> {
        let buffer = self.own.get_mut(&token)?;
        let want = self.want - buffer.len();
        Some(Fill { buffer, want })
    }
    fn filled(&mut self, _: &mut Reactor, _: Token, added: usize) {
        assert!(added > 0);
    }
}

fn large_argument(mut reactor: Reactor) {
    for (family, capacity) in FAMILIES
        .into_iter()
        .flat_map(|family| [(family, 0), (family, 10_000_000), (family, 20_000_000)])
    {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let sent = pattern(10_000_100);
        let mut collector = Collector {
            want: 10_000_000,
            ..Collector::default()
        };
        collector.own.insert(FIRST, Vec::with_capacity(capacity));
        let bytes = sent.clone();
        let writing = thread::spawn(move || {
            peer.0.write_all(&bytes).unwrap();
            peer
        });
        let start = Instant::now();
        while collector.rest.len() < 100 {
            reactor
                .wait(Some(Duration::from_millis(5)), &mut collector)
                .unwrap();
            assert!(start.elapsed() < PATIENCE);
        }
        assert!(collector.own[&FIRST] == sent[..10_000_000]);
        assert!(collector.rest == sent[10_000_000..]);
        drop(writing.join().unwrap());
        reactor.close(FIRST, Close::Now);
    }
}

fn idle_costs_nothing(mut reactor: Reactor) {
    let mut peers = Vec::new();
    for slot in 0..50 {
        let (socket, peer) = pair(Family::Tcp);
        reactor.register(Token(slot, 0), socket).unwrap();
        peers.push(peer);
    }
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
    reactor.wait(Some(Duration::ZERO), &mut silent).unwrap();
    let (start, before) = (Instant::now(), cpu());
    let mut ticks = 0;
    while start.elapsed() < Duration::from_millis(200) {
        reactor
            .wait(Some(Duration::from_millis(100)), &mut silent)
            .unwrap();
        ticks += 1;
    }
    assert!(ticks <= 10, "{ticks} ticks");
    assert!(cpu() - before < Duration::from_millis(20));
}

fn registration(mut reactor: Reactor) {
    let (socket, _first) = pair(Family::Tcp);
    let number = socket.as_raw_fd();
    reactor.register(FIRST, socket).unwrap();
    assert_eq!(
        reactor.socket(FIRST).map(|socket| socket.as_raw_fd()),
        Some(number)
    );
    let (socket, mut second) = pair(Family::Tcp);
    let error = reactor
        .register(Token(FIRST.slot(), 99), socket)
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    second.expect_end();
    let (socket, _third) = pair(Family::Tcp);
    let error = reactor.register(Token(u32::MAX, 0), socket).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(reactor.len(), 1);
    assert!(size_of::<connection::Connection>() <= 64);
}

/// A reactor made here works on another thread.
fn moves_before_its_first_tick(mut reactor: Reactor) {
    let (socket, mut peer) = pair(Family::Tcp);
    reactor.register(FIRST, socket).unwrap();
    reactor.send(FIRST, Chunk::Bytes(b"hello".to_vec()));
    let worker = thread::spawn(move || {
        let drained = Rc::new(RefCell::new(false));
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| {
            *drained.borrow_mut() |= matches!(event, Event::Drained(_))
        });
        run(&mut reactor, &mut handler, || *drained.borrow());
    });
    peer.expect(b"hello");
    worker.join().unwrap();
    peer.expect_end();
}

fn check(kind: ReactorKind, case: fn(Reactor)) {
    match Reactor::new(kind, Options::default()) {
        Ok(reactor) => {
            assert!(reactor.kind() == kind);
            case(reactor);
        }
        Err(error) if kind == ReactorKind::IoUring => {
            eprintln!("skipped: this kernel offers no io_uring: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

macro_rules! cases {
    ($($case:ident)*) => {
        mod epoll {
            $(#[test] fn $case() { super::check(super::ReactorKind::Epoll, super::$case); })*
        }
        mod io_uring {
            $(#[test] fn $case() { super::check(super::ReactorKind::IoUring, super::$case); })*
        }
    };
}

cases! {
    echo_of_fragments
    slow_reader
    pause_and_resume
    pause_inside_a_flood
    close_now
    close_of_another
    close_after_flush
    lingering_is_bounded
    peer_resets
    peer_vanishes
    end_after_data
    many_connections
    wakers
    shared_chunks
    shared_chunks_outlive_a_close
    flood_starves_nobody
    large_argument
    idle_costs_nothing
    registration
    moves_before_its_first_tick
}

#[test]
fn auto_finds_a_backend() {
    let reactor = Reactor::new(ReactorKind::Auto, Options::default()).unwrap();
    assert_ne!(reactor.kind(), ReactorKind::Auto);
}
