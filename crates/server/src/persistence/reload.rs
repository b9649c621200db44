//! DEBUG RELOAD and LOADAOF: the dataset written, forgotten and loaded again, while the
//! server runs.

use std::sync::Arc;

use ochre_store::load::Existing;
use ochre_store::{KeyspaceView, Scope, view::Observed};

use super::aof;
use super::jobs::{self, Kind, Ticket};
use super::start;
use crate::blocking::Blocked;
use crate::server::Server;
use crate::threads::{self, Duty};
use crate::unit;

/// What is loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The snapshot.
    Snapshot {
        /// It is written before.
        save: bool,
        /// All keys are removed before it is loaded.
        flush: bool,
        /// Keys that are there give way.
        merge: bool,
    },
    /// The append-only file.
    AppendOnlyFile,
}

/// Does it on a thread of its own, and answers `client` when it is done.
pub fn spawn(server: &Arc<Server>, reload: Reload, client: Arc<Blocked>) {
    let own = server.clone();
    let answer = client.clone();
    let thread = std::thread::Builder::new()
        .name("ochre-reload".into())
        .stack_size(crate::server::WORKER_STACK_BYTES)
        .spawn(move || {
            threads::begin(Duty::Serving, &own.live().config, &own.log);
            let reply = match run(&own, reload) {
                Ok(()) => b"+OK\r\n".to_vec(),
                Err(error) => {
                    own.log.warning(&error);
                    format!("-ERR {}\r\n", failure(reload)).into_bytes()
                }
            };
            answer.finish(reply);
        });
    if let Err(error) = thread {
        client.finish(format!("-ERR {error}\r\n").into_bytes());
    }
}

fn failure(reload: Reload) -> &'static str {
    match reload {
        Reload::Snapshot { .. } => "Error trying to load the RDB dump, check server logs",
        Reload::AppendOnlyFile => "Error trying to load the AOF files, check server logs",
    }
}

fn run(server: &Arc<Server>, reload: Reload) -> Result<(), String> {
    let persistence = &server.persistence;
    if let Reload::Snapshot { save: true, .. } = reload {
        persistence.jobs.wait_until_idle();
        Ticket::take(server, Kind::Save)
            .map_err(|_| "another snapshot is being taken".to_owned())?
            .run()?;
    }
    if reload == Reload::AppendOnlyFile && !aof::flush(server) {
        return Err("the append-only file cannot be written".to_owned());
    }
    persistence.loading.begin();
    server.await_workers();
    // What is loaded is no change.
    let recording = persistence.is_recording();
    persistence.set_recording(false);
    let loaded = load(server, reload);
    persistence.set_recording(recording);
    server.forget_changes();
    persistence.loading.end();
    server.reclaimer.ring();
    loaded
}

fn load(server: &Arc<Server>, reload: Reload) -> Result<(), String> {
    match reload {
        Reload::Snapshot {
            flush: is_flushed,
            merge,
            ..
        } => {
            if is_flushed {
                flush(server);
            }
            let existing = if merge || !is_flushed {
                Existing::Replace
            } else {
                Existing::Refuse
            };
            let path = jobs::dump_path(&server.live().config);
            if start::load_rdb_file(server, &path, existing)? {
                server.log.warning("DB reloaded by DEBUG RELOAD");
                Ok(())
            } else {
                Err(format!("{} is not there", path.display()))
            }
        }
        Reload::AppendOnlyFile => {
            let folder = server.persistence.aof.folder.lock();
            let Some(folder) = &*folder else {
                return Err("there is no append-only file".to_owned());
            };
            flush(server);
            start::load_aof(server, folder)?;
            server
                .log
                .warning("Append Only File loaded by DEBUG LOADAOF");
            Ok(())
        }
    }
}

/// Removes all keys, unrecorded.
fn flush(server: &Arc<Server>) {
    let live = server.live();
    let scope = Scope {
        store: &server.store,
        settings: &live.settings,
        now_ms: crate::clock::now_ms(),
        touch: false,
        expire: false,
        observed: Observed::default(),
        named: None,
    };
    let mut effects = unit::effects(server, &live);
    let mut held = server.store.stripes.none();
    KeyspaceView::new(&scope, &mut held, 0, &mut effects).flush(None);
    drop(held);
    unit::settle(server, &mut effects);
}
