//! The sections Persistence and Replication.

use std::sync::atomic::Ordering;

use super::{Facts, Page};

pub fn persistence(facts: &Facts<'_>, page: &mut Page) {
    let server = facts.server;
    for name in [
        "loading",
        "async_loading",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ] {
        page.line(name, 0);
    }
    page.line("current_fork_perc", "0.00");
    page.line("current_save_keys_processed", 0);
    page.line("current_save_keys_total", 0);
    page.line("rdb_changes_since_last_save", server.changes());
    page.line("rdb_bgsave_in_progress", 0);
    page.line(
        "rdb_last_save_time",
        server.last_save_s.load(Ordering::Relaxed),
    );
    page.line("rdb_last_bgsave_status", "ok");
    page.line("rdb_last_bgsave_time_sec", -1);
    page.line("rdb_current_bgsave_time_sec", -1);
    page.line("rdb_saves", 0);
    page.line("rdb_last_cow_size", 0);
    page.line("rdb_last_load_keys_expired", 0);
    page.line("rdb_last_load_keys_loaded", 0);
    page.line("aof_enabled", 0);
    page.line("aof_rewrite_in_progress", 0);
    page.line("aof_rewrite_scheduled", 0);
    page.line("aof_last_rewrite_time_sec", -1);
    page.line("aof_current_rewrite_time_sec", -1);
    page.line("aof_last_bgrewrite_status", "ok");
    page.line("aof_rewrites", 0);
    page.line("aof_rewrites_consecutive_failures", 0);
    page.line("aof_last_write_status", "ok");
    page.line("aof_last_cow_size", 0);
    page.line("module_fork_in_progress", 0);
    page.line("module_fork_last_cow_size", 0);
}

pub fn replication(facts: &Facts<'_>, page: &mut Page) {
    page.line("role", "master");
    page.line("connected_slaves", 0);
    page.line("master_failover_state", "no-failover");
    page.line("master_replid", facts.server.replication_id.lock());
    page.line("master_replid2", "0".repeat(40));
    page.line("master_repl_offset", 0);
    page.line("second_repl_offset", -1);
    page.line("repl_backlog_active", 0);
    page.line("repl_backlog_size", facts.config.replication.backlog_bytes);
    page.line("repl_backlog_first_byte_offset", 0);
    page.line("repl_backlog_histlen", 0);
}
