//! One publisher, a hundred subscribers: deliveries per second and what each costs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags};

use crate::affinity;
use crate::client::ClientError;
use crate::compare::Experiment;
use crate::connection::{Connection, Received};
use crate::generator::{Fleet, GeneratorError, Limit};
use crate::lab::{Failure, Lab, Readings, accepted};
use crate::measure;
use crate::process::Server;
use crate::report::{Budget, metric};

const SUBSCRIBERS: u64 = 100;
/// How long the subscribers may be silent before messages count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    let metrics = || {
        vec![
            metric("rate", "messages delivered to 100 subscribers", "1/s")
                .within(Budget::RatioAtLeast(1.5)),
            metric("cpu_us", "server CPU per delivery", "µs").within(Budget::RatioAtMost(0.7)),
        ]
    };
    let mut all_cores = Experiment::new("publish-100", metrics(), measure).on_all_cores();
    all_cores.rounds = 3;
    let mut one_core = Experiment::new("publish-100-1-worker", metrics(), measure);
    one_core.metrics[0].budget = None;
    one_core.rounds = 3;
    vec![all_cores, one_core]
}

fn measure(lab: &Lab, server: &mut Server) -> Result<Readings, Failure> {
    // A subscriber of ours that falls behind must not be cut off: it is not what is measured.
    let limits = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "pubsub 0 0 0",
    ];
    match lab.client(server)?.command(&limits) {
        Ok(_) | Err(ClientError::Refused { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let subscribers = subscribe(server.address())?;
    let published = lab.count(30_000);
    let awaited = published * SUBSCRIBERS;
    let cores = lab.generator_cores.clone();
    let reader = std::thread::spawn(move || {
        if let Some(cores) = &cores {
            affinity::pin_this_thread(cores)?;
        }
        read_all(subscribers, awaited)
    });
    let mut load = lab.load(server, "PUBLISH news {v:32}")?;
    load.pipeline = 8;
    let before = measure::cpu(server.process())?;
    let start = Instant::now();
    let outcome = Fleet::connect(&load)?.run(Limit::Operations(published));
    let read = reader
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let elapsed = start.elapsed();
    let used = measure::cpu(server.process())?.since(&before);
    accepted(outcome?)?;
    read?;
    Ok(vec![
        ("rate", awaited as f64 / elapsed.as_secs_f64()),
        ("cpu_us", used.as_secs_f64() * 1e6 / awaited as f64),
    ])
}

/// Connections that have been confirmed as subscribers.
fn subscribe(address: SocketAddr) -> Result<Vec<Connection>, Failure> {
    let mut connections = Vec::new();
    let mut buffer = [0; 4096];
    for _ in 0..SUBSCRIBERS {
        let mut connection = Connection::open(address)?;
        connection
            .output()
            .extend_from_slice(b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n");
        connection.flush()?;
        connection.owed = 1;
        let start = Instant::now();
        while connection.owed > 0 {
            if let Received::Closed = connection.receive(&mut buffer)? {
                return Err(Failure::Unusable("closed at SUBSCRIBE".to_owned()));
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::Unusable("SUBSCRIBE is not answered".to_owned()));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        if let Some(error) = connection.skipper.first_error() {
            return Err(Failure::Refused(error.to_owned()));
        }
        connections.push(connection);
    }
    Ok(connections)
}

/// Reads until `awaited` messages have come.
fn read_all(mut connections: Vec<Connection>, awaited: u64) -> Result<(), Failure> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(GeneratorError::from)?;
    for (index, connection) in connections.iter().enumerate() {
        let data = EventData::new_u64(index as u64);
        epoll::add(&epoll, connection, data, EventFlags::IN).map_err(GeneratorError::from)?;
    }
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    let mut events = Vec::with_capacity(128);
    let mut buffer = vec![0; 256 * 1024];
    let mut received = 0;
    while received < awaited {
        events.clear();
        match epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&patience),
        ) {
            Ok(0) => {
                return Err(Failure::Unusable(format!(
                    "{received} of {awaited} messages came"
                )));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(GeneratorError::from(errno).into()),
        }
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            match connection.receive(&mut buffer)? {
                Received::Replies(count) => received += count,
                Received::Closed => {
                    return Err(Failure::Unusable("a subscriber was cut off".to_owned()));
                }
            }
        }
    }
    Ok(())
}
