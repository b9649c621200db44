//! The end of the server: what is still to be saved, and what stands against ending.

use std::sync::Arc;

use super::aof::{self, Phase};
use super::jobs::{Kind, Ticket};
use crate::server::{SaveAtEnd, Server, StopRequest};

/// Brings everything to disk that the request and the configuration ask for. Writes must
/// have ended.
///
/// # Errors
/// When something could not be brought to disk; all of it has been logged.
pub(crate) fn prepare(server: &Arc<Server>, request: StopRequest) -> Result<(), ()> {
    let persistence = &server.persistence;
    if persistence.jobs.is_running() {
        server
            .log
            .warning("There is a child saving an .rdb. Waiting for it!");
        persistence.jobs.wait_until_idle();
    }
    let mut flushed = Ok(());
    if persistence.aof.phase() != Phase::Off {
        if persistence.aof.phase() == Phase::WaitsForRewrite && !request.force {
            server.log.warning("Writing initial AOF, can't exit.");
            return Err(());
        }
        server.log.notice("Calling fsync() on the AOF file.");
        if !aof::flush(server) {
            server
                .log
                .warning("Fail to fsync the AOF file: the latest changes are not on disk.");
            flushed = Err(());
        }
    }
    let rules = !server.live().config.persistence.save.0.is_empty();
    let saves = match request.save {
        SaveAtEnd::ByRules => rules,
        SaveAtEnd::Yes => true,
        SaveAtEnd::No => false,
    };
    if !saves {
        return flushed;
    }
    server
        .log
        .notice("Saving the final RDB snapshot before exiting.");
    let saved = match Ticket::take(server, Kind::Save) {
        Ok(ticket) => ticket.run().map_err(drop),
        // Somebody was faster by a moment: what he saves may lack the last changes.
        Err(_) => Err(()),
    };
    if saved.is_err() {
        server
            .log
            .warning("Error trying to save the DB, can't exit.");
    }
    saved.and(flushed)
}
