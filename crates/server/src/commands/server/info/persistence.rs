//! The sections Persistence and Replication.

use std::sync::atomic::Ordering;

use super::{Facts, Page};
use crate::persistence::aof::Phase;
use crate::persistence::jobs::{Job, Kind};

pub fn persistence(facts: &Facts<'_>, page: &mut Page) {
    let server = facts.server;
    let persistence = &server.persistence;
    let loading = &persistence.loading;
    let status = persistence.jobs.status();
    let is_loading = loading.is_active();
    page.line("loading", u8::from(is_loading));
    page.line("async_loading", 0);
    // Nothing is forked: there is no copy on write.
    for name in [
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ] {
        page.line(name, 0);
    }
    let (done, total) = status.running.as_ref().map_or((0, 0), |job| {
        (
            job.progress.keys_done.load(Ordering::Relaxed),
            job.progress.keys_total.load(Ordering::Relaxed),
        )
    });
    let percent = if total > 0 {
        done as f64 * 100.0 / total as f64
    } else {
        0.0
    };
    page.line("current_fork_perc", format_args!("{percent:.2}"));
    page.line("current_save_keys_processed", done);
    page.line("current_save_keys_total", total);
    let running = |kinds: &[Kind]| {
        let job = status.running.as_ref();
        job.filter(|job| kinds.contains(&job.kind))
    };
    let save = running(&[Kind::BackgroundSave, Kind::Save]);
    page.line("rdb_changes_since_last_save", server.changes());
    page.line("rdb_bgsave_in_progress", u8::from(save.is_some()));
    page.line(
        "rdb_last_save_time",
        server.last_save_s.load(Ordering::Relaxed),
    );
    page.line("rdb_last_bgsave_status", outcome(status.last_save_failed));
    page.line(
        "rdb_last_bgsave_time_sec",
        seconds(status.last_background_save_seconds),
    );
    page.line("rdb_current_bgsave_time_sec", seconds_of(save));
    page.line("rdb_saves", status.saves);
    page.line("rdb_last_cow_size", 0);
    page.line(
        "rdb_last_load_keys_expired",
        loading.keys_expired.load(Ordering::Relaxed),
    );
    page.line(
        "rdb_last_load_keys_loaded",
        loading.keys_loaded.load(Ordering::Relaxed),
    );
    let aof = &persistence.aof;
    let rewrite = running(&[Kind::Rewrite]);
    page.line("aof_enabled", u8::from(aof.phase() != Phase::Off));
    page.line("aof_rewrite_in_progress", u8::from(rewrite.is_some()));
    page.line("aof_rewrite_scheduled", u8::from(status.rewrite_scheduled));
    page.line(
        "aof_last_rewrite_time_sec",
        seconds(status.last_rewrite_seconds),
    );
    page.line("aof_current_rewrite_time_sec", seconds_of(rewrite));
    page.line(
        "aof_last_bgrewrite_status",
        outcome(status.last_rewrite_failed),
    );
    page.line("aof_rewrites", status.rewrites);
    page.line(
        "aof_rewrites_consecutive_failures",
        status.rewrite_failures_in_a_row,
    );
    page.line("aof_last_write_status", outcome(aof.is_failing()));
    page.line("aof_last_cow_size", 0);
    page.line("module_fork_in_progress", 0);
    page.line("module_fork_last_cow_size", 0);
    if aof.phase() != Phase::Off {
        let unwritten = persistence.journal.end().saturating_sub(aof.synced());
        page.line("aof_current_size", aof.current_bytes());
        page.line("aof_base_size", aof.base_bytes());
        page.line("aof_pending_rewrite", 0);
        page.line("aof_buffer_length", persistence.journal.kept_bytes());
        page.line("aof_pending_bio_fsync", u8::from(unwritten > 0));
        page.line(
            "aof_delayed_fsync",
            aof.delayed_syncs.load(Ordering::Relaxed),
        );
    }
    if is_loading {
        let (loaded, total) = (
            loading.loaded_bytes(),
            loading.total_bytes.load(Ordering::Relaxed),
        );
        let started_s = loading.started_s.load(Ordering::Relaxed);
        let passed_s = (facts.now_ms / 1000 - started_s).max(0) as u64;
        // As in Redis: without any progress yet, one second.
        let left_s = match loaded {
            0 => 1,
            _ => passed_s.saturating_mul(total.saturating_sub(loaded)) / loaded,
        };
        page.line("loading_start_time", started_s);
        page.line("loading_total_bytes", total);
        page.line("loading_rdb_used_mem", 0);
        page.line("loading_loaded_bytes", loaded);
        let percent = loaded as f64 * 100.0 / total.max(1) as f64;
        page.line("loading_loaded_perc", format_args!("{percent:.2}"));
        page.line("loading_eta_seconds", left_s);
    }
}

fn outcome(failed: bool) -> &'static str {
    if failed { "err" } else { "ok" }
}

fn seconds(seconds: Option<u64>) -> i64 {
    seconds.map_or(-1, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn seconds_of(job: Option<&Job>) -> i64 {
    seconds(job.map(|job| job.started.elapsed().as_secs()))
}

pub fn replication(facts: &Facts<'_>, page: &mut Page) {
    page.line("role", "master");
    page.line("connected_slaves", 0);
    page.line("master_failover_state", "no-failover");
    page.line("master_replid", facts.server.replication_id.lock());
    page.line("master_replid2", "0".repeat(40));
    page.line("master_repl_offset", facts.server.persistence.journal.end());
    page.line("second_repl_offset", -1);
    page.line("repl_backlog_active", 0);
    page.line("repl_backlog_size", facts.config.replication.backlog_bytes);
    page.line("repl_backlog_first_byte_offset", 0);
    page.line("repl_backlog_histlen", 0);
}
