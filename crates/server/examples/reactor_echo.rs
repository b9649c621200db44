//! What a request costs the server's thread, in the reactor and the kernel alone: an echo
//! server on each backend, connections that each wait for their reply before they ask again.
//!
//! ```text
//! cargo run --release -p ochre-server --example reactor_echo -- [connections] [bytes] [tcp|unix]
//! ```
//!
//! Prints, for each variant, the median over rounds of the server thread's CPU time per
//! request (µs), the requests per tick, and the throughput. Variants take turns, so that a
//! busy machine disturbs all alike. The load comes from another thread of this process,
//! which runs the same code for every variant.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ochre_server::net::reactor::{
    Chunk, Ended, Handler, Options, Reactor, ReactorKind, TaskRun, Token,
};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(400);

#[derive(Default)]
struct Echo {
    requests: u64,
}

impl Handler for Echo {
    fn received(&mut self, reactor: &mut Reactor, token: Token, bytes: &[u8]) {
        self.requests += 1;
        let mut reply = reactor.recycled();
        reply.extend_from_slice(bytes);
        reactor.send(token, Chunk::Bytes(reply));
    }
    fn ended(&mut self, _: &mut Reactor, _: Token, why: Ended) {
        eprintln!("a connection ended: {why:?}");
    }
    fn drained(&mut self, _: &mut Reactor, _: Token) {}
    fn woken(&mut self, _: &mut Reactor) {}
}

struct Variant {
    name: &'static str,
    kind: ReactorKind,
    options: Options,
    costs: Vec<f64>,
    per_tick: Vec<f64>,
    rates: Vec<f64>,
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn pair(unix: bool) -> (OwnedFd, OwnedFd) {
    if unix {
        let (server, client) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        return (server.into(), client.into());
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for socket in [&server, &client] {
        socket.set_nonblocking(true).unwrap();
        socket.set_nodelay(true).unwrap();
    }
    (server.into(), client.into())
}

fn round(variant: &mut Variant, connections: u32, bytes: usize, unix: bool) {
    let mut server = Reactor::new(variant.kind, variant.options.clone()).unwrap();
    let mut client = Reactor::new(ReactorKind::Epoll, Options::default()).unwrap();
    for slot in 0..connections {
        let (ours, theirs) = pair(unix);
        server.register(Token(slot, 0), ours).unwrap();
        client.register(Token(slot, 0), theirs).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut asking = Echo::default();
            for slot in 0..connections {
                client.send(Token(slot, 0), Chunk::Bytes(vec![b'x'; bytes]));
            }
            while !stop.load(Ordering::Relaxed) {
                client
                    .wait(Some(Duration::from_millis(20)), &mut asking)
                    .unwrap();
            }
            client
        }
    });
    let mut echo = Echo::default();
    let tick = Some(Duration::from_millis(20));
    let warm = Instant::now();
    while warm.elapsed() < ROUND / 8 {
        server.wait(tick, &mut echo).unwrap();
    }
    let (start, cpu_before, requests_before) = (Instant::now(), cpu(), echo.requests);
    let mut ticks = 0u64;
    while start.elapsed() < ROUND {
        server.wait(tick, &mut echo).unwrap();
        ticks += 1;
    }
    let cost = cpu() - cpu_before;
    let requests = (echo.requests - requests_before) as f64;
    variant.costs.push(cost.as_secs_f64() * 1e6 / requests);
    variant.per_tick.push(requests / ticks as f64);
    variant.rates.push(requests / start.elapsed().as_secs_f64());
    stop.store(true, Ordering::Relaxed);
    drop(load.join().unwrap());
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| {
        arguments
            .get(at)
            .map_or(default, |text: &String| text.parse().expect("a number"))
    };
    let (connections, bytes) = (number(0, 50), number(1, 40));
    let unix = arguments.get(2).is_some_and(|family| family == "unix");
    let variant = |name, kind, options| Variant {
        name,
        kind,
        options,
        costs: Vec::new(),
        per_tick: Vec::new(),
        rates: Vec::new(),
    };
    let base = Options::default;
    let uring = ReactorKind::IoUring;
    let deferred = Options {
        task_run: TaskRun::Deferred,
        ..base()
    };
    let few = Options {
        provided_buffers: 32,
        ..base()
    };
    let small = Options {
        provided_buffer_bytes: 4096,
        ..base()
    };
    let mut variants = vec![
        variant("epoll", ReactorKind::Epoll, base()),
        variant("io_uring, cooperative", uring, base()),
        variant("io_uring, deferred", uring, deferred),
        variant("io_uring, 32 buffers", uring, few),
        variant("io_uring, 4 KB buffers", uring, small),
    ];
    variants.retain(|variant| {
        Reactor::new(variant.kind, variant.options.clone())
            .inspect_err(|error| eprintln!("without {}: {error}", variant.name))
            .is_ok()
    });
    for _ in 0..ROUNDS {
        for variant in &mut variants {
            round(variant, connections as u32, bytes, unix);
        }
    }
    println!(
        "{connections} connections, {bytes} bytes, {}",
        if unix { "unix" } else { "tcp" }
    );
    println!(
        "{:24} {:>10} {:>10} {:>10}",
        "", "µs/request", "per tick", "per second"
    );
    for variant in &mut variants {
        println!(
            "{:24} {:>10.2} {:>10.1} {:>10.0}",
            variant.name,
            median(&mut variant.costs),
            median(&mut variant.per_tick),
            median(&mut variant.rates)
        );
    }
}
