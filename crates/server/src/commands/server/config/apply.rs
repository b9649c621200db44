//! What must happen at once when a directive changes. Most take effect by being read
//! from the new configuration; these few have something outside to be told.

use std::sync::Arc;

use crate::config::{Config, Directive};
use crate::net::listener;
use crate::persistence::rewrite;
use crate::process;
use crate::purging;
use crate::server::{Server, log_level};

/// Puts the directive's value in `config` into force.
///
/// # Errors
/// A veto, in the words that CONFIG SET answers.
pub fn apply(server: &Arc<Server>, directive: &Directive, config: &Config) -> Result<(), String> {
    match directive.name {
        "loglevel" => server.log.set_threshold(log_level(config)),
        "maxclients" => {
            let wanted = config.clients.max_clients;
            let possible = process::raise_descriptor_limit(wanted);
            if possible < wanted {
                return Err(format!(
                    "The operating system is not able to handle the specified number of \
                     clients, try with {possible}"
                ));
            }
        }
        "maxmemory" => warn_if_above(server, config.memory.maxmemory_bytes),
        "proc-title-template" => show_title(server, config),
        "port" => listener::change(server, config)
            .map(|_| show_title(server, config))
            .map_err(|_| "Unable to listen on this port. Check server logs.")?,
        "appendonly" => {
            if config.persistence.append_only {
                rewrite::switch_on(server)?;
            } else {
                rewrite::switch_off(server);
            }
        }
        "bind" => listener::change(server, config)
            .map(|_| show_title(server, config))
            .map_err(|_| "Failed to bind to specified addresses.")?,
        "oom-score-adj" | "oom-score-adj-values" => process::adjust_oom_score(config)
            .map_err(|error| format!("Failed to apply new oom_score_adj configuration: {error}"))?,
        "jemalloc-bg-thread" => {
            purging::switch(config.memory.jemalloc_background_thread);
        }
        _ => {}
    }
    Ok(())
}

/// Shows the title that the configuration asks for, if this process has one.
fn show_title(server: &Server, config: &Config) {
    if let Some(title) = server.title.get() {
        title.lock().show(config);
    }
}

/// Says that the new limit is exceeded already.
fn warn_if_above(server: &Server, limit: u64) {
    if limit > 0 && server.memory.measure().allocated_bytes > limit {
        server.log.warning(
            "WARNING: the new maxmemory value set via CONFIG SET is smaller than the current \
             memory usage. This will result in key eviction and/or the inability to accept new \
             write commands depending on the maxmemory-policy.",
        );
    }
}
