//! One suite for both backends: what a worker may rely on, seen from real sockets.
//!
//! Each case runs over TCP and Unix sockets where that makes a difference. Cases are listed
//! once, at the end; a backend that the kernel does not offer is skipped, loudly.

mod crowd;
mod ending;
mod exchange;
mod random;
mod withheld;

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

use crowd::*;
use ending::*;
use exchange::*;
use random::*;
use withheld::*;

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

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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

fn check(kind: ReactorKind, task_run: TaskRun, case: fn(Reactor)) {
    let options = Options {
        task_run,
        ..Options::default()
    };
    match Reactor::new(kind, options) {
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
            use super::{ReactorKind::Epoll, TaskRun::Cooperative, check};
            $(#[test] fn $case() { check(Epoll, Cooperative, super::$case); })*
        }
        mod io_uring {
            use super::{ReactorKind::IoUring, TaskRun::Cooperative, check};
            $(#[test] fn $case() { check(IoUring, Cooperative, super::$case); })*
        }
        mod io_uring_deferred {
            use super::{ReactorKind::IoUring, TaskRun::Deferred, check};
            $(#[test] fn $case() { check(IoUring, Deferred, super::$case); })*
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
    stuck_reader_costs_nothing
    shared_chunks
    shared_chunks_outlive_a_close
    flood_starves_nobody
    large_argument
    idle_costs_nothing
    registration
    random_actions
    moves_before_its_first_tick
    withheld_output_waits_in_order
    withheld_output_outlives_a_close
    what_is_withheld_during_a_flush_ends_the_tick
}

#[test]
fn auto_finds_a_backend() {
    let reactor = Reactor::new(ReactorKind::Auto, Options::default()).unwrap();
    assert_ne!(reactor.kind(), ReactorKind::Auto);
}
