//! The section Memory, from the allocator's own figures.

use super::{Facts, Page, human};
use crate::config::choices::Choice;
use crate::process;

/// `part` of `whole`, as a ratio; 0 where there is no whole.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

pub fn memory(facts: &Facts<'_>, page: &mut Page) {
    let server = facts.server;
    let reading = server.memory.measure();
    let used = reading.allocated_bytes;
    let peak = server.memory.peak_bytes().max(used);
    let resident = process::resident_bytes();
    let startup = server.memory.startup_bytes();
    let clients: u64 = server.clients.all().iter().map(|c| c.memory_bytes()).sum();
    let overhead = startup + clients;
    let dataset = used.saturating_sub(overhead);
    let signed = |more: u64, less: u64| more as i64 - less as i64;
    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", resident);
    page.bytes("used_memory_peak", peak);
    page.line(
        "used_memory_peak_perc",
        format_args!("{:.2}%", ratio(used, peak) * 100.0),
    );
    page.line("used_memory_overhead", overhead.min(used));
    page.line("used_memory_startup", startup);
    page.line("used_memory_dataset", dataset);
    page.line(
        "used_memory_dataset_perc",
        format_args!(
            "{:.2}%",
            ratio(dataset, used.saturating_sub(startup)).min(1.0) * 100.0
        ),
    );
    page.line("allocator_allocated", used);
    page.line("allocator_active", reading.active_bytes);
    page.line("allocator_resident", reading.resident_bytes);
    page.bytes("total_system_memory", process::total_memory_bytes());
    // Every interpreter runs scripts and functions alike.
    let interpreters = server.scripts.interpreter_bytes() as u64;
    let scripts = server.scripts.bytes() as u64;
    let shelf = server.functions.shelf();
    let functions = shelf.bytes() as u64;
    page.line("used_memory_lua", interpreters);
    page.line("used_memory_vm_eval", interpreters);
    page.line("used_memory_lua_human", human(interpreters));
    page.line("used_memory_scripts_eval", scripts);
    page.line("number_of_cached_scripts", server.scripts.len());
    page.line("number_of_functions", shelf.function_count());
    page.line("number_of_libraries", shelf.libraries().count());
    page.line("used_memory_vm_functions", 0);
    page.line("used_memory_vm_total", interpreters);
    page.line("used_memory_vm_total_human", human(interpreters));
    page.line("used_memory_functions", functions);
    page.bytes("used_memory_scripts", scripts + functions);
    page.bytes("maxmemory", facts.config.memory.maxmemory_bytes);
    page.line(
        "maxmemory_policy",
        facts.config.memory.maxmemory_policy.name(),
    );
    let two = |value: f64| format!("{value:.2}");
    page.line(
        "allocator_frag_ratio",
        two(ratio(reading.active_bytes, used)),
    );
    page.line("allocator_frag_bytes", signed(reading.active_bytes, used));
    page.line(
        "allocator_rss_ratio",
        two(ratio(reading.resident_bytes, reading.active_bytes)),
    );
    page.line(
        "allocator_rss_bytes",
        signed(reading.resident_bytes, reading.active_bytes),
    );
    page.line(
        "rss_overhead_ratio",
        two(ratio(resident, reading.resident_bytes)),
    );
    page.line(
        "rss_overhead_bytes",
        signed(resident, reading.resident_bytes),
    );
    page.line("mem_fragmentation_ratio", two(ratio(resident, used)));
    page.line("mem_fragmentation_bytes", signed(resident, used));
    page.line("mem_not_counted_for_evict", 0);
    page.line("mem_replication_backlog", 0);
    page.line("mem_total_replication_buffers", 0);
    page.line("mem_clients_slaves", 0);
    page.line("mem_clients_normal", clients);
    page.line("mem_cluster_links", 0);
    page.line("mem_aof_buffer", server.persistence.journal.kept_bytes());
    page.line("mem_allocator", "jemalloc-5.3.0");
    page.line("active_defrag_running", 0);
    page.line("lazyfree_pending_objects", server.store.freer.pending());
    page.line("lazyfreed_objects", server.store.freer.freed());
}
