//! The section Stats.

use std::sync::atomic::Ordering;

use super::{Facts, Page};
use crate::pubsub::Scope;

pub fn stats(facts: &Facts<'_>, page: &mut Page) {
    let stats = &facts.server.stats;
    let rates = &stats.rates;
    let counters = &stats.counters;
    macro_rules! count {
        ($line:literal, $field:ident) => {
            page.line($line, counters.$field.load(Ordering::Relaxed))
        };
    }
    let kilobytes =
        |rate: &crate::rates::Rate| format!("{:.2}", rate.per_second(facts.now_ms) / 1024.0);
    count!("total_connections_received", total_connections);
    count!("total_commands_processed", commands);
    page.line(
        "instantaneous_ops_per_sec",
        rates.commands.per_second(facts.now_ms) as u64,
    );
    count!("total_net_input_bytes", input_bytes);
    count!("total_net_output_bytes", output_bytes);
    page.line("total_net_repl_input_bytes", 0);
    page.line("total_net_repl_output_bytes", 0);
    page.line("instantaneous_input_kbps", kilobytes(&rates.input_bytes));
    page.line("instantaneous_output_kbps", kilobytes(&rates.output_bytes));
    page.line("instantaneous_input_repl_kbps", "0.00");
    page.line("instantaneous_output_repl_kbps", "0.00");
    count!("rejected_connections", rejected_connections);
    page.line("sync_full", 0);
    page.line("sync_partial_ok", 0);
    page.line("sync_partial_err", 0);
    count!("expired_keys", expired_keys);
    page.line("expired_stale_perc", "0.00");
    page.line("expired_time_cap_reached_count", 0);
    let expiring_us = counters.expire_microseconds.load(Ordering::Relaxed);
    page.line("expire_cycle_cpu_milliseconds", expiring_us / 1000);
    count!("evicted_keys", evicted_keys);
    count!("evicted_clients", evicted_clients);
    count!("evicted_scripts", evicted_scripts);
    page.line("total_eviction_exceeded_time", 0);
    page.line("current_eviction_exceeded_time", 0);
    count!("keyspace_hits", keyspace_hits);
    count!("keyspace_misses", keyspace_misses);
    let pubsub = &facts.server.pubsub;
    page.line("pubsub_channels", pubsub.channel_count(Scope::Channel));
    page.line("pubsub_patterns", pubsub.pattern_count());
    page.line("pubsubshard_channels", pubsub.channel_count(Scope::Shard));
    page.line("latest_fork_usec", 0);
    page.line("total_forks", 0);
    page.line("migrate_cached_sockets", 0);
    page.line("slave_expires_tracked_keys", 0);
    page.line("active_defrag_hits", 0);
    page.line("active_defrag_misses", 0);
    page.line("active_defrag_key_hits", 0);
    page.line("active_defrag_key_misses", 0);
    page.line("total_active_defrag_time", 0);
    page.line("current_active_defrag_time", 0);
    page.line("tracking_total_keys", facts.server.trackers.keys());
    page.line("tracking_total_items", facts.tracked_items);
    page.line("tracking_total_prefixes", facts.server.trackers.prefixes());
    count!("unexpected_error_replies", unexpected_errors);
    count!("total_error_replies", error_replies);
    page.line("dump_payload_sanitizations", 0);
    count!("total_reads_processed", reads);
    count!("total_writes_processed", writes);
    page.line("io_threaded_reads_processed", 0);
    page.line("io_threaded_writes_processed", 0);
    page.line("reply_buffer_shrinks", 0);
    page.line("reply_buffer_expands", 0);
    count!("eventloop_cycles", ticks);
    count!("eventloop_duration_sum", tick_microseconds);
    count!("eventloop_duration_cmd_sum", command_microseconds);
    let (ticks, tick_us) = stats.recent_ticks();
    page.line("instantaneous_eventloop_cycles_per_sec", ticks);
    page.line("instantaneous_eventloop_duration_usec", tick_us);
    count!("acl_access_denied_auth", acl_denied_auth);
    count!("acl_access_denied_cmd", acl_denied_command);
    count!("acl_access_denied_key", acl_denied_key);
    count!("acl_access_denied_channel", acl_denied_channel);
    count!(
        "client_query_buffer_limit_disconnections",
        query_limit_disconnections
    );
    count!(
        "client_output_buffer_limit_disconnections",
        output_limit_disconnections
    );
}
