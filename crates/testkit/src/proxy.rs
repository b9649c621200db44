//! A relay in front of a server that doctors what it answers: for testing the tests.
//!
//! It understands just enough of requests (arrays of bulk strings) to know which
//! command a reply belongs to, and runs in threads of its own until dropped.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::resp::{Connection, Frame, Reply, parse};
use crate::servers::Address;

/// Looks at a command and its true reply, and may change the bytes that the client gets.
pub type Doctor = Arc<dyn Fn(&[Vec<u8>], &Frame) -> Option<Vec<u8>> + Send + Sync>;

/// A running relay. Dropping it stops accepting and closes what is open.
pub struct Proxy {
    address: Address,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on a free port and relays to `server`, through `doctor`.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start(server: Address, doctor: Doctor) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = Address::Tcp(listener.local_addr()?);
        let stopped = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stopped);
        listener.set_nonblocking(true)?;
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => {
                        let (server, doctor, is_over) =
                            (server.clone(), Arc::clone(&doctor), Arc::clone(&is_over));
                        std::thread::spawn(move || relay(client, &server, &doctor, &is_over));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        Ok(Proxy { address, stopped })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// One request at a time: enough for a client that awaits each reply, or pipelines.
fn relay(mut client: TcpStream, server: &Address, doctor: &Doctor, is_over: &AtomicBool) {
    let Ok(mut upstream) = Connection::open(server) else {
        return;
    };
    if client.set_nonblocking(false).is_err() || client.set_nodelay(true).is_err() {
        return;
    }
    client
        .set_read_timeout(Some(Duration::from_millis(100)))
        .ok();
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while !is_over.load(Ordering::Relaxed) {
        while let Ok(Some((request, length))) = parse(&received) {
            let bytes: Vec<u8> = received.drain(..length).collect();
            let args: Vec<Vec<u8>> = request
                .elements()
                .unwrap_or_default()
                .iter()
                .filter_map(Reply::text)
                .map(Vec::from)
                .collect();
            if upstream.send_bytes(&bytes).is_err() {
                return;
            }
            let Ok(frame) = upstream.read_reply() else {
                client.shutdown(Shutdown::Both).ok();
                return;
            };
            let answer = doctor(&args, &frame).unwrap_or(frame.raw);
            if client.write_all(&answer).is_err() {
                return;
            }
        }
        match client.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&chunk[..count]),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
    }
}
