//! The process: databases, daemon, pid file, title, CPU and OOM settings.

use crate::config::choices::{OomScoreAdj, Supervised};
use crate::config::directive::Effect::{AtStart, Inert, Live};
use crate::config::section::section;
use crate::config::sections::names;
use crate::config::values::OomScores;

section! {
    /// The process: databases, daemon, pid file, title, CPU and OOM settings.
    Process at process titled "PROCESS" {
        always_show_logo: bool = false, yes_no, [IMMUTABLE], AtStart,
            "always-show-logo" =>
            "Whether the start is announced with the logo even in a log file.";
        aof_rewrite_cpus: String = String::new(), optional_text(names::cpu_list), [IMMUTABLE], AtStart,
            "aof_rewrite_cpulist" valkey "aof-rewrite-cpulist" =>
            "The cores for rewrites of the append-only file, such as 0-3,8.";
        bgsave_cpus: String = String::new(), optional_text(names::cpu_list), [IMMUTABLE], AtStart,
            "bgsave_cpulist" valkey "bgsave-cpulist" =>
            "The cores for snapshots, such as 0-3,8.";
        background_cpus: String = String::new(), optional_text(names::cpu_list), [IMMUTABLE], AtStart,
            "bio_cpulist" valkey "bio-cpulist" =>
            "The cores for background threads, such as 0-3,8.";
        daemonize: bool = false, yes_no, [IMMUTABLE], AtStart,
            "daemonize" =>
            "Whether the server goes to the background.";
        databases: u32 = 16, integer(1, i32::MAX), [IMMUTABLE], AtStart,
            "databases" =>
            "How many databases SELECT can choose from.";
        disable_thp: bool = true, yes_no, [IMMUTABLE], AtStart,
            "disable-thp" =>
            "Whether transparent huge pages are turned off for the process.";
        ignore_warnings: String = String::new(), text, [], Inert("no warning ends the start"),
            "ignore-warnings" =>
            "Names of warnings that do not end the start.";
        locale_collate: String = String::new(), text, [], Live,
            "locale-collate" =>
            "The locale by which SORT ALPHA compares; the environment's if empty.";
        oom_score_adj: OomScoreAdj = OomScoreAdj::No, choice, [], Live,
            "oom-score-adj" =>
            "Whether the kernel's OOM killer is told which process to prefer, by role.";
        oom_score_adj_values: OomScores = OomScores::default(), value, [MULTI], Live,
            "oom-score-adj-values" =>
            "The scores for a primary, a replica and a background process.";
        pid_file: String = String::new(), optional_text, [IMMUTABLE], AtStart,
            "pidfile" =>
            "The file that holds the process id while the server runs; a daemon has one even if none is named.";
        title_template: String = "{title} {listen-addr} {server-mode}".into(), text(names::title_template), [], Live,
            "proc-title-template" =>
            "The title that ps and top show, with {title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} {config-file}.";
        server_cpus: String = String::new(), optional_text(names::cpu_list), [IMMUTABLE], AtStart,
            "server_cpulist" valkey "server-cpulist" =>
            "The cores for the worker threads, such as 0-7:2.";
        set_title: bool = true, yes_no, [IMMUTABLE], AtStart,
            "set-proc-title" =>
            "Whether the process's title is set.";
        supervised: Supervised = Supervised::No, choice, [IMMUTABLE], AtStart,
            "supervised" =>
            "How a supervisor is told that the server is ready.";
    }
}
