//! The append-only file rewritten, switched on and switched off.
//!
//! ```text
//!   before   base 1 | incr 1 ················ S
//!   from S                                    | incr 2 ·········
//!   after    base 2 (the keyspace at S)       | incr 2 ·········      base 1, incr 1 removed
//! ```
//!
//! A rewrite is a snapshot at offset S of the journal. What comes from S on goes to a new
//! increment, so that nothing is written twice and nobody waits; the chain of files is
//! whole at every moment. Switching on is the same with no chain before: until its base
//! is there, the increment is a provisional one.
//!
//! Not here: the files' names and manifest (`ochre_journal::aof`), who asks (`jobs`).

use std::io;
use std::path::Path;
use std::sync::Arc;

use ochre_journal::aof::{AofFolder, AofPlace, BaseFormat, Increment};

use super::aof::{self, Phase};
use super::jobs::{self, Kind, Ticket};
use super::snapshot::{Form, Progress};
use crate::config::Config;
use crate::server::Server;

/// Where the append-only file of the configuration is.
pub fn place(config: &Config) -> AofPlace {
    let persistence = &config.persistence;
    AofPlace {
        dir: persistence.dir.path().to_path_buf(),
        appenddirname: persistence.append_dirname.clone(),
        appendfilename: persistence.append_filename.clone(),
    }
}

/// By how many percent the files have grown since the last rewrite, if that is reason
/// enough for the next one.
pub fn growth_percent(server: &Server) -> Option<u64> {
    let live = server.live();
    let persistence = &live.config.persistence;
    let aof = &server.persistence.aof;
    let current = aof.current_bytes();
    let limit = u64::from(persistence.auto_aof_rewrite_percent);
    if aof.phase() != Phase::On || limit == 0 || current <= persistence.auto_aof_rewrite_min_bytes {
        return None;
    }
    let base = aof.base_bytes().max(1);
    let growth = (u128::from(current) * 100 / u128::from(base)).saturating_sub(100);
    let growth = u64::try_from(growth).unwrap_or(u64::MAX);
    (growth >= limit).then_some(growth)
}

/// Switches the append-only file on: CONFIG SET appendonly yes.
///
/// # Errors
/// When the folder cannot be used; it has been logged.
pub fn switch_on(server: &Arc<Server>) -> Result<(), String> {
    let aof = &server.persistence.aof;
    if aof.phase() != Phase::Off {
        return Ok(());
    }
    open_folder(server, &server.live().config).map_err(|error| {
        server.log.warning(&error);
        "Unable to turn on AOF. Check server logs.".to_owned()
    })?;
    aof.set_phase(Phase::WaitsForRewrite);
    match Ticket::take(server, Kind::Rewrite) {
        Ok(ticket) => {
            server
                .log
                .notice("AOF is enabled: a background rewrite writes its first base.");
            ticket.run_in_background();
        }
        Err(_) => {
            server.persistence.jobs.schedule_rewrite();
            server.log.warning(
                "AOF was enabled but there is already another background operation. An AOF \
                 background was scheduled to start when possible.",
            );
        }
    }
    Ok(())
}

/// Switches the append-only file off: CONFIG SET appendonly no. What was recorded is
/// brought to disk.
pub fn switch_off(server: &Arc<Server>) {
    let aof = &server.persistence.aof;
    if aof.phase() == Phase::Off {
        return;
    }
    end(server);
    *aof.folder.lock() = None;
}

/// Ends recording and the writing thread. A unit that runs meanwhile is recorded wholly
/// or not at all.
fn end(server: &Server) {
    server.persistence.set_recording(false);
    aof::stop(server);
}

/// Opens the folder, unless that has been done.
fn open_folder(server: &Server, config: &Config) -> Result<(), String> {
    let mut folder = server.persistence.aof.folder.lock();
    if folder.is_none() {
        let disk = server.persistence.disk.clone();
        let (opened, _) =
            AofFolder::open(disk, place(config)).map_err(|error| error.to_string())?;
        *folder = Some(opened);
    }
    Ok(())
}

/// Rewrites the append-only file. The text of an error has been logged.
///
/// # Errors
/// What failed. The chain of files is whole all the same.
pub fn run(server: &Arc<Server>, progress: &Progress) -> Result<(), String> {
    let phase = server.persistence.aof.phase();
    let result = rewrite(server, progress, phase);
    match &result {
        Ok(()) => {
            if phase == Phase::WaitsForRewrite {
                server.persistence.aof.set_phase(Phase::On);
            }
            server
                .log
                .notice("Background AOF rewrite terminated with success");
            server
                .log
                .notice("Background AOF rewrite finished successfully");
        }
        Err(error) => {
            server
                .log
                .warning(&format!("Background AOF rewrite failed: {error}"));
            if phase == Phase::WaitsForRewrite {
                // It is tried again: see `jobs::look_after`.
                end(server);
                if let Some(folder) = &mut *server.persistence.aof.folder.lock() {
                    // The file is forgotten, and removed at the next start.
                    let _ = folder.discard_provisional_increment();
                }
                server.persistence.aof.set_phase(Phase::WaitsForRewrite);
            }
        }
    }
    result
}

fn rewrite(server: &Arc<Server>, progress: &Progress, phase: Phase) -> Result<(), String> {
    let live = server.live();
    let config = &live.config;
    open_folder(server, config)?;
    let (increment, temporary) = with_folder(server, |folder| {
        let increment = match phase {
            Phase::WaitsForRewrite => folder.start_provisional_increment(),
            Phase::Off | Phase::On => folder.start_increment(),
        };
        increment.map(|increment| (increment, folder.temporary_base()))
    })?;
    let sequence = increment.sequence;
    let (form, format) = base_form(config);
    let (mut failure, mut start) = (None, 0);
    let at_start = |offset| {
        start = offset;
        match phase {
            Phase::On => server.persistence.aof.switch(offset, increment),
            Phase::WaitsForRewrite => {
                failure = follow(server, increment).err();
            }
            Phase::Off => {}
        }
    };
    let written = jobs::write_snapshot(server, &temporary, form, progress, at_start)
        .map_err(|error| format!("cannot write {}: {error}", temporary.display()));
    let written = match failure {
        Some(error) => Err(format!("cannot write the append-only file: {error}")),
        None => written,
    };
    if let Err(error) = written {
        // What is left of it is of no use.
        let _ = server.persistence.disk.remove(&temporary);
        return Err(error);
    }
    install(server, &temporary, format, sequence)?;
    aof::rebased(server, start);
    Ok(())
}

/// In what form a base is written.
fn base_form(config: &Config) -> (Form, BaseFormat) {
    if config.persistence.aof_use_rdb_preamble {
        (jobs::rdb_form(config, true), BaseFormat::Rdb)
    } else {
        (Form::Commands, BaseFormat::Commands)
    }
}

/// Begins to record and to write what is recorded to `increment`. All locks are held, or
/// nobody else is there yet.
///
/// # Errors
/// When there can be no thread.
fn follow(server: &Arc<Server>, increment: Increment) -> io::Result<()> {
    let cursor = server.persistence.journal.follow();
    aof::start(server, cursor, increment)?;
    server.persistence.set_recording(true);
    Ok(())
}

/// Puts a new base in front of the increment `sequence`, and removes what came before.
fn install(
    server: &Server,
    temporary: &Path,
    format: BaseFormat,
    sequence: u64,
) -> Result<(), String> {
    let keeps_history = server.live().config.persistence.aof_disable_auto_gc;
    with_folder(server, |folder| {
        folder.install_base(temporary, format, sequence)?;
        if !keeps_history {
            folder.remove_history()?;
        }
        let sizes = folder.sizes()?;
        let bytes = sizes.base_bytes + sizes.increments_bytes;
        server.persistence.aof.measured(bytes);
        Ok(())
    })
}

/// Works on the folder, which must be open.
fn with_folder<R>(
    server: &Server,
    work: impl FnOnce(&mut AofFolder) -> Result<R, ochre_journal::aof::FolderError>,
) -> Result<R, String> {
    match &mut *server.persistence.aof.folder.lock() {
        Some(folder) => work(folder).map_err(|error| error.to_string()),
        None => Err("the append-only file was switched off".to_owned()),
    }
}

/// Goes on with the files that were loaded at the start, or begins new ones. Nobody else
/// is there yet.
///
/// # Errors
/// What failed.
pub fn resume(server: &Arc<Server>, mut folder: AofFolder) -> Result<(), String> {
    let live = server.live();
    let text = |error: ochre_journal::aof::FolderError| error.to_string();
    let is_new = folder.manifest().is_empty();
    let increment = folder.resume().map_err(text)?;
    let aof = &server.persistence.aof;
    let sequence = increment.sequence;
    let temporary = folder.temporary_base();
    *aof.folder.lock() = Some(folder);
    if is_new {
        // As Redis does: a chain of files begins with a base, be it empty.
        server.log.notice("Creating AOF base file on server start");
        let (form, format) = base_form(&live.config);
        jobs::write_snapshot(server, &temporary, form, &Progress::default(), |_| {})
            .map_err(|error| format!("cannot write {}: {error}", temporary.display()))?;
        install(server, &temporary, format, sequence)?;
    }
    let sizes = with_folder(server, |folder| folder.sizes())?;
    let bytes = sizes.base_bytes + sizes.increments_bytes;
    aof.measured(bytes);
    aof.set_phase(Phase::On);
    follow(server, increment).map_err(|error| error.to_string())
}
