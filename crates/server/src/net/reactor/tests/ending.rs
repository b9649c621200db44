//! Every way in which a connection ends: closed by us, by the peer, politely or not.

use super::*;

pub(super) fn close_now(mut reactor: Reactor) {
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
pub(super) fn close_of_another(mut reactor: Reactor) {
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

pub(super) fn close_after_flush(mut reactor: Reactor) {
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

pub(super) fn lingering_is_bounded(mut reactor: Reactor) {
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

pub(super) fn peer_resets(mut reactor: Reactor) {
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
pub(super) fn peer_vanishes(mut reactor: Reactor) {
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

pub(super) fn end_after_data(mut reactor: Reactor) {
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
