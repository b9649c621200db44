//! MONITOR: clients that are shown every command that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::clients::Client;
use crate::commands::spec::Flags;
use crate::commands::table::Known;
use crate::execute::Call;
use crate::net::mail::Mail;

/// The clients that monitor.
#[derive(Debug, Default)]
pub struct Monitors {
    clients: RwLock<Vec<Arc<Client>>>,
    any: AtomicBool,
}

impl Monitors {
    /// Whether nobody monitors.
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    pub fn add(&self, client: &Arc<Client>) {
        let mut clients = self.clients.write();
        if !clients.iter().any(|other| other.id == client.id) {
            clients.push(client.clone());
        }
        self.any.store(true, Ordering::Relaxed);
    }

    pub fn remove(&self, id: u64) {
        if self.is_empty() {
            return;
        }
        let mut clients = self.clients.write();
        clients.retain(|client| client.id != id);
        self.any.store(!clients.is_empty(), Ordering::Relaxed);
    }

    /// Shows a command that is about to run, unless it is one that must not be shown.
    #[cold]
    pub fn show(&self, call: &Call<'_>, known: &Known, argv: &[&[u8]]) {
        // SKIP_MONITOR says that Redis shows a script from within its command, so that it
        // comes before what it calls; here that is so of every command.
        if known.flags.has(Flags::ADMIN) {
            return;
        }
        let shown = crate::slowlog::redacted(known, argv);
        self.show_line(&line(call.session.db, &call.session.client.address, &shown));
    }

    /// Shows a command that a script runs.
    #[cold]
    pub fn show_scripted(&self, db: u16, argv: &[&[u8]]) {
        self.show_line(&line(db, "lua", argv));
    }

    fn show_line(&self, line: &Arc<Vec<u8>>) {
        for client in self.clients.read().iter() {
            client.send(Mail::Message {
                to: client.token,
                bytes: line.clone(),
            });
        }
    }
}

/// `+SECONDS.MICROSECONDS [DB ADDRESS] "ARGUMENT" …`
fn line(db: u16, address: &str, argv: &[&[u8]]) -> Arc<Vec<u8>> {
    let now_us = crate::clock::now_us();
    let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
    let mut line = format!("+{seconds}.{micros:06} [{db} {address}]").into_bytes();
    for argument in argv {
        line.push(b' ');
        quote(argument, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    Arc::new(line)
}

/// Appends `bytes` in double quotes, with what is not printable escaped as redis-cli
/// reads it.
pub fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}
