//! What concerns the worker as a whole: many connections, wake-ups, fairness, idleness, and
//! buffers that are shared with others.

use super::*;

pub(super) fn many_connections(mut reactor: Reactor) {
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

pub(super) fn wakers(mut reactor: Reactor) {
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

/// A peer that does not read costs no CPU while nothing can be sent to it.
pub(super) fn stuck_reader_costs_nothing(mut reactor: Reactor) {
    for (slot, family) in (0..).zip(FAMILIES) {
        let (socket, peer) = pair(family);
        let token = Token(slot, 0);
        reactor.register(token, socket).unwrap();
        reactor.send(token, Chunk::Bytes(vec![b'a'; 30_000_000]));
        let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
        run_for(&mut reactor, &mut silent, Duration::from_millis(50));
        let (before, queued) = (thread_cpu(), reactor.queued_bytes(token));
        let mut ticks = 0;
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            reactor
                .wait(Some(Duration::from_millis(100)), &mut silent)
                .unwrap();
            ticks += 1;
        }
        assert_eq!(reactor.queued_bytes(token), queued);
        assert!(ticks <= 10, "{ticks} ticks");
        assert!(thread_cpu() - before < Duration::from_millis(20));
        drop(peer);
        reactor.close(token, Close::Now);
    }
}

pub(super) fn shared_chunks(mut reactor: Reactor) {
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
pub(super) fn shared_chunks_outlive_a_close(mut reactor: Reactor) {
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

pub(super) fn flood_starves_nobody(mut reactor: Reactor) {
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

pub(super) fn large_argument(mut reactor: Reactor) {
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

pub(super) fn idle_costs_nothing(mut reactor: Reactor) {
    let mut peers = Vec::new();
    for slot in 0..50 {
        let (socket, peer) = pair(Family::Tcp);
        reactor.register(Token(slot, 0), socket).unwrap();
        peers.push(peer);
    }
    let mut silent = On(|_: &mut Reactor, event: Event<'_>| panic!("{event:?}"));
    reactor.wait(Some(Duration::ZERO), &mut silent).unwrap();
    let (start, before) = (Instant::now(), thread_cpu());
    let mut ticks = 0;
    while start.elapsed() < Duration::from_millis(200) {
        reactor
            .wait(Some(Duration::from_millis(100)), &mut silent)
            .unwrap();
        ticks += 1;
    }
    assert!(ticks <= 10, "{ticks} ticks");
    assert!(thread_cpu() - before < Duration::from_millis(20));
}

pub(super) fn registration(mut reactor: Reactor) {
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
pub(super) fn moves_before_its_first_tick(mut reactor: Reactor) {
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
