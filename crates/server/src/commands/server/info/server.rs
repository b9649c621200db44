//! The sections Server, Clients, CPU, Modules and Cluster.

use std::sync::atomic::Ordering;

use super::{Facts, Page};
use crate::config::REDIS_VERSION;
use crate::config::choices::{Choice, Supervised};
use crate::net::reactor::ReactorKind;
use crate::process;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

pub fn server(facts: &Facts<'_>, page: &mut Page) {
    let server = facts.server;
    let uptime_s = (facts.now_ms - server.started_at_ms) / 1000;
    let path = |path: Option<std::path::PathBuf>| {
        path.map_or(String::new(), |path| path.display().to_string())
    };
    page.line("redis_version", REDIS_VERSION);
    page.line("ochre_version", env!("CARGO_PKG_VERSION"));
    page.line("redis_git_sha1", "00000000");
    page.line("redis_git_dirty", 0);
    page.line("redis_build_id", "0");
    page.line("redis_mode", "standalone");
    page.line("os", operating_system());
    page.line("arch_bits", usize::BITS);
    page.line("monotonic_clock", "POSIX clock_gettime");
    let reactor = match server.reactor_kind {
        ReactorKind::Epoll => "epoll",
        _ => "io_uring",
    };
    page.line("multiplexing_api", reactor);
    page.line("atomicvar_api", "rust-atomics");
    page.line("gcc_version", "0.0.0");
    page.line("process_id", std::process::id());
    let supervised = match facts.config.process.supervised {
        Supervised::No => "no",
        other => other.name(),
    };
    page.line("process_supervised", supervised);
    page.line("run_id", &server.run_id);
    let port = server.listening.get().map_or(0, |control| control.port());
    page.line("tcp_port", port);
    page.line("server_time_usec", crate::clock::now_us());
    page.line("uptime_in_seconds", uptime_s);
    page.line("uptime_in_days", uptime_s / SECONDS_PER_DAY);
    page.line("hz", facts.config.memory.hz);
    page.line("configured_hz", facts.config.memory.hz);
    page.line("lru_clock", (facts.now_ms / 1000) & 0x00ff_ffff);
    page.line("executable", path(std::env::current_exe().ok()));
    page.line("config_file", path(server.config_file.clone()));
    page.line("io_threads_active", u8::from(server.standby > 1));
}

fn operating_system() -> String {
    let uname = rustix::system::uname();
    format!(
        "{} {} {}",
        uname.sysname().to_string_lossy(),
        uname.release().to_string_lossy(),
        uname.machine().to_string_lossy()
    )
}

pub fn clients(facts: &Facts<'_>, page: &mut Page) {
    let mut blocked = 0;
    let mut timed = 0;
    let mut tracking = 0;
    let mut pubsub = 0;
    let mut watching = 0;
    let mut watched_keys = 0;
    let mut max_input = 0;
    let mut max_output = 0;
    let clients = facts.server.clients.all();
    for client in &clients {
        let wait = client.wait.lock().clone();
        timed += usize::from(wait.is_some_and(|wait| wait.deadline_ms.is_some()));
        let state = client.state.lock();
        blocked += usize::from(state.flags.blocked);
        tracking += usize::from(state.flags.tracking);
        let subscriptions =
            state.subscriptions + state.pattern_subscriptions + state.shard_subscriptions;
        pubsub += usize::from(subscriptions > 0);
        watching += usize::from(state.watched > 0);
        watched_keys += state.watched;
        max_input = max_input.max(client.query_bytes.load(Ordering::Relaxed));
        max_output = max_output.max(client.output_bytes.load(Ordering::Relaxed));
    }
    page.line("connected_clients", clients.len());
    page.line("cluster_connections", 0);
    page.line("maxclients", facts.config.clients.max_clients);
    page.line("client_recent_max_input_buffer", max_input);
    page.line("client_recent_max_output_buffer", max_output);
    page.line("blocked_clients", blocked);
    page.line("tracking_clients", tracking);
    page.line("pubsub_clients", pubsub);
    page.line("watching_clients", watching);
    page.line("clients_in_timeout_table", timed);
    page.line("total_watched_keys", watched_keys);
    page.line("total_blocking_keys", facts.blocking.keys);
    page.line(
        "total_blocking_keys_on_nokey",
        facts.blocking.keys_on_absence,
    );
}

pub fn cpu(_facts: &Facts<'_>, page: &mut Page) {
    let all = process::cpu_time();
    let main = process::main_thread_cpu_time();
    page.line("used_cpu_sys", format_args!("{:.6}", all.system_s));
    page.line("used_cpu_user", format_args!("{:.6}", all.user_s));
    page.line("used_cpu_sys_children", "0.000000");
    page.line("used_cpu_user_children", "0.000000");
    page.line(
        "used_cpu_sys_main_thread",
        format_args!("{:.6}", main.system_s),
    );
    page.line(
        "used_cpu_user_main_thread",
        format_args!("{:.6}", main.user_s),
    );
}

/// There are no modules.
pub fn nothing(_facts: &Facts<'_>, _page: &mut Page) {}

pub fn cluster(_facts: &Facts<'_>, page: &mut Page) {
    page.line("cluster_enabled", 0);
}
