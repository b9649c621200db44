//! Many idle connections: what each costs, and what they cost the active ones; and the
//! longest wait of a prober while millions of keys are inserted.

use std::time::Duration;

use crate::compare::Experiment;
use crate::connection::Connection;
use crate::generator::{Fleet, Limit};
use crate::lab::{Failure, Lab, accepted};
use crate::process::Server;
use crate::report::{Budget, metric};
use crate::rows::{probed, stalled};

const IDLE: u64 = 10_000;

/// The experiments of this family.
pub fn experiments() -> Vec<Experiment> {
    vec![idle_memory(), idle_beside_active(), insertion()]
}

fn idle_memory() -> Experiment {
    let metrics =
        vec![metric("bytes", "RSS per idle connection", "B").within(Budget::AtMost(2048.0))];
    Experiment::new("idle-connections", metrics, |lab, server| {
        let before = lab.resting_memory(server)?;
        let idle = idle_connections(server, lab.count(IDLE))?;
        // Servers give back an idle client's buffers only after some seconds.
        std::thread::sleep(Duration::from_secs(4));
        let after = lab.resting_memory(server)?;
        Ok(vec![(
            "bytes",
            after.saturating_sub(before) as f64 / idle.len() as f64,
        )])
    })
    .fresh(1)
}

fn idle_beside_active() -> Experiment {
    let metrics = vec![
        metric(
            "kept",
            "throughput of 50 active kept with 10,000 idle",
            "share",
        )
        .within(Budget::AtLeast(0.95)),
        metric(
            "cpu_kept",
            "server CPU per operation with / without idle ones",
            "×",
        ),
        metric("alone", "throughput of 50 active alone", "op/s"),
        metric("beside", "throughput of 50 active with 10,000 idle", "op/s"),
    ];
    Experiment::new("active-beside-idle", metrics, |lab, server| {
        let mut load = lab.load(server, "GET key:{k:12}")?;
        load.connections = 50;
        let alone = lab.drive(server, &load, Limit::Time(lab.window()))?;
        let idle = idle_connections(server, lab.count(IDLE))?;
        let beside = lab.drive(server, &load, Limit::Time(lab.window()))?;
        drop(idle);
        let value = |readings: &[(&str, f64)], key| {
            readings
                .iter()
                .find(|(name, _)| *name == key)
                .map_or(f64::NAN, |(_, value)| *value)
        };
        Ok(vec![
            ("kept", value(&beside, "rate") / value(&alone, "rate")),
            (
                "cpu_kept",
                value(&beside, "cpu_us") / value(&alone, "cpu_us"),
            ),
            ("alone", value(&alone, "rate")),
            ("beside", value(&beside, "rate")),
        ])
    })
    .prepared(|lab, server| lab.fill(server, "SET key:{seq:12} {v:64}", lab.count(1_000_000)))
    .fresh(3)
}

/// Opens connections that have each been used once.
fn idle_connections(server: &Server, count: u64) -> Result<Vec<Connection>, Failure> {
    let mut buffer = [0; 256];
    let mut connections = Vec::new();
    for _ in 0..count {
        // One at a time, so that no listen queue overflows.
        let mut connection = Connection::open(server.address())?;
        connection
            .output()
            .extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
        connection.owed = 1;
        connection.flush()?;
        while connection.owed > 0 {
            await_readable(&connection)?;
            if let crate::connection::Received::Closed = connection.receive(&mut buffer)? {
                return Err(Failure::Unusable(format!(
                    "closed after {} connections",
                    connections.len()
                )));
            }
        }
        if connection.skipper.errors() > 0 {
            let error = connection
                .skipper
                .first_error()
                .unwrap_or("error")
                .to_owned();
            return Err(Failure::Refused(format!(
                "{error} after {} connections",
                connections.len()
            )));
        }
        connections.push(connection);
    }
    Ok(connections)
}

fn await_readable(connection: &Connection) -> Result<(), Failure> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let patience = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    match poll(
        &mut [PollFd::new(connection, PollFlags::IN)],
        Some(&patience),
    ) {
        Ok(0) => Err(Failure::Unusable(
            "no answer to PING within 10 s".to_owned(),
        )),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(std::io::Error::from(errno).into()),
    }
}

fn insertion() -> Experiment {
    let metrics = stalled(Budget::AtMost(2.0));
    Experiment::new("insert-10m", metrics, |lab, server| {
        probed(lab, server, Duration::from_millis(200), |server| {
            insert(lab, server)
        })
    })
    .prepared(|lab, server| lab.fill(server, "SET key:{seq:12} {v:32}", 1000))
    .fresh(3)
}

/// Batches are small, so that the prober waits for few of them: what it sees then is the
/// table's growth.
fn insert(lab: &Lab, server: &Server) -> Result<(), Failure> {
    let mut load = lab.load(server, "SET new:{seq:12} {v:32}")?;
    load.connections = 2;
    load.pipeline = 32;
    accepted(Fleet::connect(&load)?.run(Limit::Operations(lab.count(10_000_000)))?)?;
    Ok(())
}
