//! Output that is withheld: it waits for its mark, in order, and is not lost.

use super::*;

fn quiet(event: Event<'_>) {
    assert!(matches!(event, Event::Drained(_)), "{event:?}");
}

fn expect_nothing(peer: &Peer) {
    peer.0.set_nonblocking(true).unwrap();
    let mut byte = [std::mem::MaybeUninit::new(0)];
    let error = peer.0.recv(&mut byte).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    peer.0.set_nonblocking(false).unwrap();
}

pub(super) fn withheld_output_waits_in_order(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        let (other_socket, mut other) = pair(family);
        let second = Token(1, 0);
        reactor.register(FIRST, socket).unwrap();
        reactor.register(second, other_socket).unwrap();
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| quiet(event));
        let send = |reactor: &mut Reactor, token, text: &[u8]| {
            reactor.send(token, Chunk::Bytes(text.to_vec()));
        };
        let short = Duration::from_millis(10);
        reactor.withhold(true);
        send(&mut reactor, FIRST, b"a");
        reactor.withhold_until(10);
        send(&mut reactor, FIRST, b"b");
        send(&mut reactor, second, b"B");
        reactor.withhold_until(20);
        assert_eq!(reactor.queued_bytes(FIRST), 2);
        assert!(reactor.release(9));
        run_for(&mut reactor, &mut handler, short);
        expect_nothing(&peer);
        assert!(reactor.release(19));
        run_for(&mut reactor, &mut handler, short);
        peer.expect(b"a");
        expect_nothing(&other);
        // No longer withheld, but behind what is.
        reactor.withhold(false);
        send(&mut reactor, FIRST, b"c");
        reactor.withhold_until(20);
        run_for(&mut reactor, &mut handler, short);
        expect_nothing(&peer);
        assert!(!reactor.release(20));
        send(&mut reactor, second, b"C");
        run_for(&mut reactor, &mut handler, short);
        peer.expect(b"bc");
        other.expect(b"BC");
        assert_eq!(reactor.queued_bytes(FIRST), 0);
        reactor.close(FIRST, Close::Now);
        reactor.close(second, Close::Now);
    }
}

pub(super) fn withheld_output_outlives_a_close(mut reactor: Reactor) {
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        let (other_socket, mut other) = pair(family);
        let second = Token(1, 0);
        reactor.register(FIRST, socket).unwrap();
        reactor.register(second, other_socket).unwrap();
        let mut handler = On(|_: &mut Reactor, event: Event<'_>| quiet(event));
        reactor.withhold(true);
        for token in [FIRST, second] {
            reactor.send(token, Chunk::Bytes(b"bye".to_vec()));
        }
        reactor.withhold_until(1);
        reactor.close(FIRST, Close::AfterFlush);
        reactor.close(second, Close::Now);
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        other.expect_end();
        expect_nothing(&peer);
        // The slot may be used again meanwhile.
        let (socket, mut third) = pair(family);
        let third_token = Token(0, 1);
        reactor.register(third_token, socket).unwrap();
        assert!(!reactor.release(1));
        reactor.withhold(false);
        reactor.send(third_token, Chunk::Bytes(b"hello".to_vec()));
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        peer.expect(b"bye");
        peer.expect_end();
        third.expect(b"hello");
        reactor.close(third_token, Close::Now);
    }
}

/// A slice of a long reply is drawn when the one before has left, and may be withheld: the
/// worker must come round to mark it, though nothing else happens.
pub(super) fn what_is_withheld_during_a_flush_ends_the_tick(mut reactor: Reactor) {
    let patience = Duration::from_secs(60);
    for family in FAMILIES {
        let (socket, mut peer) = pair(family);
        reactor.register(FIRST, socket).unwrap();
        let mut is_drawn = false;
        let mut handler = On(|reactor: &mut Reactor, event: Event<'_>| {
            quiet(event);
            if !std::mem::replace(&mut is_drawn, true) {
                reactor.send(FIRST, Chunk::Bytes(b" and second".to_vec()));
            }
        });
        reactor.send(FIRST, Chunk::Bytes(b"first".to_vec()));
        reactor.withhold(true);
        let start = Instant::now();
        while !reactor.withholds() {
            reactor.wait(Some(patience), &mut handler).unwrap();
        }
        assert!(start.elapsed() < patience, "the reactor slept");
        reactor.withhold_until(1);
        assert!(!reactor.release(1));
        run_for(&mut reactor, &mut handler, Duration::from_millis(10));
        peer.expect(b"first and second");
        reactor.withhold(false);
        reactor.close(FIRST, Close::Now);
    }
}
