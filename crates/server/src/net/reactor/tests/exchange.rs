//! Bytes in both directions: fragments, back-pressure, pauses.
//!
//! Not here: how a connection ends.

use super::*;

pub(super) fn echo(reactor: &mut Reactor, event: Event<'_>, ends: &mut usize) {
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

pub(super) fn echo_of_fragments(mut reactor: Reactor) {
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

pub(super) fn slow_reader(mut reactor: Reactor) {
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

pub(super) fn pause_and_resume(mut reactor: Reactor) {
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
pub(super) fn pause_inside_a_flood(mut reactor: Reactor) {
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
