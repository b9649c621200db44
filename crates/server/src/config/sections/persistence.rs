//! Snapshots, the append-only file, and where both live.

use crate::config::choices::{AppendFsync, RdbVersion, SanitizePayload};
use crate::config::directive::Effect::{AtStart, Inert, Live};
use crate::config::section::section;
use crate::config::sections::names;
use crate::config::values::{Directory, SaveRules};

section! {
    /// Snapshots, the append-only file and where both live.
    Persistence at persistence titled "PERSISTENCE" {
        aof_commit_log: bool = true, yes_no, [], Live,
            "aof-commit-log" =>
            "Whether, with appendfsync always, changes are first forced to disk in a file that is written over and over, which is faster, and the append-only file itself every second. After a power failure the next start, or ochre check --fix, adds to the append-only file what only that file has.";
        aof_disable_auto_gc: bool = false, yes_no, [], Live,
            "aof-disable-auto-gc" =>
            "Whether files that a rewrite has made needless are kept instead of deleted.";
        aof_load_truncated: bool = true, yes_no, [], Live,
            "aof-load-truncated" =>
            "Whether an append-only file with an unfinished last command is cut and loaded, instead of ending the start.";
        aof_rewrite_incremental_fsync: bool = true, yes_no, [], Live,
            "aof-rewrite-incremental-fsync" =>
            "Whether a rewrite forces its file to disk bit by bit.";
        aof_timestamp_enabled: bool = false, yes_no, [], Live,
            "aof-timestamp-enabled" =>
            "Whether the append-only file notes the time, so that it can be cut at a moment.";
        aof_use_rdb_preamble: bool = true, yes_no, [], Live,
            "aof-use-rdb-preamble" =>
            "Whether a rewrite's base file is a snapshot, which is smaller and loads faster, instead of commands.";
        append_dirname: String = "appendonlydir".into(), text(names::folder), [IMMUTABLE], AtStart,
            "appenddirname" =>
            "The folder of the append-only files, inside dir.";
        append_filename: String = "appendonly.aof".into(), text(names::append_file), [IMMUTABLE], AtStart,
            "appendfilename" =>
            "What the names of the append-only files begin with.";
        append_fsync: AppendFsync = AppendFsync::EverySecond, choice, [], Live,
            "appendfsync" =>
            "When the append-only file is forced to disk: before each reply (always, by groups), once a second, or when the kernel likes (no).";
        append_only: bool = false, yes_no, [DENY_LOADING], Live,
            "appendonly" =>
            "Whether every change is written to the append-only file.";
        auto_aof_rewrite_min_bytes: u64 = 64 << 20, memory(0, i64::MAX), [], Live,
            "auto-aof-rewrite-min-size" =>
            "Below this size the append-only file is not rewritten on its own.";
        auto_aof_rewrite_percent: u32 = 100, integer(0, i32::MAX), [], Live,
            "auto-aof-rewrite-percentage" =>
            "By how many percent the append-only file must have grown since its last rewrite to be rewritten; 0 turns that off.";
        db_filename: String = "dump.rdb".into(), text(names::dump_file), [PROTECTED], Live,
            "dbfilename" =>
            "The snapshot's file name, inside dir.";
        dir: Directory = Directory::default(), value, [PROTECTED DENY_LOADING], Live,
            "dir" =>
            "The folder of the snapshot, the append-only files and whatever else is named without a folder. The default is where the server is started.";
        no_append_fsync_on_rewrite: bool = false, yes_no, [], Live,
            "no-appendfsync-on-rewrite" =>
            "Whether the append-only file is not forced to disk while a snapshot or a rewrite is running.";
        rdb_delete_sync_files: bool = false, yes_no, [], Live,
            "rdb-del-sync-files" =>
            "Whether snapshots that only replication needed are deleted after use.";
        rdb_save_incremental_fsync: bool = true, yes_no, [], Live,
            "rdb-save-incremental-fsync" =>
            "Whether a snapshot is forced to disk bit by bit.";
        rdb_version: RdbVersion = RdbVersion::V11, choice, [], Live,
            "rdb-version" =>
            "The format of snapshots, full syncs and DUMP: 11 is what Redis 7.2 reads, 10 what Redis 7.0 reads. Every version from 1 to 12 is read.";
        rdb_checksum: bool = true, yes_no, [IMMUTABLE], AtStart,
            "rdbchecksum" =>
            "Whether snapshots end with a checksum, and are checked by it.";
        rdb_compression: bool = true, yes_no, [], Live,
            "rdbcompression" =>
            "Whether strings in snapshots are compressed.";
        sanitize_dump_payload: SanitizePayload = SanitizePayload::No, choice, [], Inert("every payload is checked wholly before it is used"),
            "sanitize-dump-payload" =>
            "How deeply payloads of RESTORE and of full syncs are checked.";
        save: SaveRules = SaveRules::default(), value, [MULTI], Live,
            "save" =>
            "Takes a snapshot after so many seconds if there were so many changes; several pairs may be given, on one line or more.";
        stop_writes_on_bgsave_error: bool = true, yes_no, [], Live,
            "stop-writes-on-bgsave-error" =>
            "Whether writes are refused after a snapshot by a save rule has failed, until one succeeds.";
    }
}
