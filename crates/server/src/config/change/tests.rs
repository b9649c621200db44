//! CONFIG SET: error texts per kind (compared by hand with redis-server 7.0.15), all or nothing,
//! vetoes. `tests/config_against_redis.rs` asks the real server the same questions.

use super::*;

const RIGHTS: Rights = Rights {
    protected: ProtectedConfigs::Refused,
    phase: Phase::Serving,
};

fn try_set(arguments: &[&str], rights: Rights) -> Result<Change, ChangeError> {
    let arguments: Vec<&[u8]> = arguments
        .iter()
        .map(|argument| argument.as_bytes())
        .collect();
    set(&Config::default(), &arguments, rights)
}

fn fails(arguments: &[&str], expected: &str) {
    let error = try_set(arguments, RIGHTS)
        .err()
        .unwrap_or_else(|| panic!("{arguments:?} succeeds"));
    assert_eq!(error.to_string(), expected, "{arguments:?}");
}

/// The reason for one wrong value.
fn reason(name: &str, value: &str, expected: &str) {
    fails(
        &[name, value],
        &format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {expected}"),
    );
}

fn gives(name: &str, value: &str, expected: &str) {
    let change =
        try_set(&[name, value], RIGHTS).unwrap_or_else(|error| panic!("{name} {value}: {error}"));
    let shown = find(name.as_bytes()).unwrap().1.read(&change.config);
    assert_eq!(
        String::from_utf8(shown).unwrap(),
        expected,
        "{name} {value}"
    );
}

#[test]
fn each_kind_has_its_error_text() {
    reason("appendonly", "maybe", "argument must be 'yes' or 'no'");
    for value in ["abc", "0x10", " 10", "10.0", ""] {
        reason("hz", value, "argument couldn't be parsed into an integer");
    }
    reason(
        "port",
        "65536",
        "argument must be between 0 and 65535 inclusive",
    );
    reason(
        "maxclients",
        "0",
        "argument must be between 1 and 4294967295 inclusive",
    );
    reason(
        "slowlog-max-len",
        "-1",
        "argument must be between 0 and 9223372036854775807 inclusive",
    );
    reason(
        "proto-max-bulk-len",
        "1",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    );
    for value in ["foo", "-1", "1.5gb"] {
        reason("maxmemory", value, "argument must be a memory value");
    }
    reason(
        "maxmemory-clients",
        "x",
        "argument must be a memory or percent value",
    );
    reason(
        "maxmemory-clients",
        "7x%",
        "argument must be a memory or percent value",
    );
    reason(
        "maxmemory-clients",
        "101%",
        "percentage argument must be less or equal to 100",
    );
    reason(
        "appendfsync",
        "foo",
        "argument(s) must be one of the following: everysec, always, no",
    );
    reason("dir", "/", "can't set protected config");
    reason("unixsocketperm", "999", "can't set immutable config");
}

#[test]
fn values_with_a_syntax_have_theirs() {
    for value in ["10", "a b", "10 -1", "0 1", "10 1 20 3 "] {
        reason("save", value, "Invalid save parameters");
    }
    let limits = "client-output-buffer-limit";
    reason(
        limits,
        "normal 1 2",
        "Wrong number of arguments in buffer limit configuration.",
    );
    reason(
        limits,
        "normal 1 2 x",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    );
    reason(
        limits,
        "master 1 2 3",
        "Invalid client class specified in buffer limit configuration.",
    );
    reason("oom-score-adj-values", "1 2", "wrong number of arguments");
    for value in ["1 2 3000", "a 2 1"] {
        reason(
            "oom-score-adj-values",
            value,
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        );
    }
    reason(
        "notify-keyspace-events",
        "Q",
        "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    );
    let percentiles = "latency-tracking-info-percentiles";
    reason(
        percentiles,
        "a",
        "Invalid latency-tracking-info-percentiles parameters",
    );
    reason(
        percentiles,
        "101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    );
    reason(
        "bind",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "Too many bind addresses specified.",
    );
    reason(
        "shutdown-on-sigterm",
        "nosave save",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    );
    reason(
        "shutdown-on-sigterm",
        "zz",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    );
    reason(
        "proc-title-template",
        "{foo}",
        "template format is invalid or contains unknown variables",
    );
    reason(
        "cluster-announce-hostname",
        "_x",
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    );
}

#[test]
fn values_are_shown_in_normal_form() {
    gives("maxmemory", "1kB", "1024");
    gives("maxmemory", "18446744073709551615", "18446744073709551615");
    gives("maxmemory-clients", "5%", "5%");
    gives("maxmemory-clients", "0%", "0");
    gives("hz", "1000", "500");
    gives("save", "", "");
    gives("save", "10 1 20 2", "10 1 20 2");
    gives("bind", "", "");
    gives(
        "client-output-buffer-limit",
        "replica 1mb 2k 3",
        "normal 0 0 0 slave 1048576 2000 3 pubsub 33554432 8388608 60",
    );
    gives("notify-keyspace-events", "KEA", "AKE");
    gives("notify-keyspace-events", "Kxg$mnE", "g$xnKEm");
    gives("notify-keyspace-events", "g$lshzxetdKE", "AKE");
    gives(
        "latency-tracking-info-percentiles",
        "50 99.99 0.1",
        "50 99.99 0.1",
    );
    gives("latency-tracking-info-percentiles", "", "");
    gives("shutdown-on-sigterm", "now NOSAVE", "nosave now");
    gives("oom-score-adj", "relative", "yes");
    gives("lua-time-limit", "77", "77");
}

#[test]
fn the_command_itself_is_checked_first() {
    fails(
        &["hz", "10", "zork", "11"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'zork'",
    );
    fails(
        &["rename-command", "x"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'rename-command'",
    );
    fails(&["hz", "1", "x"], "ERR syntax error");
    fails(&[], "ERR syntax error");
    fails(
        &["hz", "10", "HZ", "20"],
        "ERR CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter",
    );
    fails(
        &["hz", "10", "daemonize", "yes"],
        "ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config",
    );
    fails(
        &["hz", "11", "lfu-log-factor", "a"],
        "ERR CONFIG SET failed (possibly related to argument 'lfu-log-factor') - argument couldn't be parsed into an integer",
    );
}

#[test]
fn rights_open_protected_directives_and_loading_closes_some() {
    let allowed = Rights {
        protected: ProtectedConfigs::Allowed,
        ..RIGHTS
    };
    assert!(try_set(&["dir", "/"], allowed).is_ok());
    let error = try_set(&["dir", "/nonexistent"], allowed)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.ends_with("'dir') - No such file or directory"),
        "{error}"
    );
    let error = try_set(&["dbfilename", "a/b"], allowed)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.ends_with("dbfilename can't be a path, just a filename"),
        "{error}"
    );
    let loading = Rights {
        phase: Phase::Loading,
        ..RIGHTS
    };
    let error = try_set(&["hz", "20", "appendonly", "yes"], loading)
        .err()
        .unwrap()
        .to_string();
    assert_eq!(error, "LOADING Redis is loading the dataset in memory");
}

#[test]
fn the_last_alias_wins_and_only_real_changes_count() {
    let change = try_set(
        &[
            "list-max-listpack-size",
            "5",
            "list-max-ziplist-size",
            "6",
            "port",
            "6379",
            "hz",
            "11",
        ],
        RIGHTS,
    )
    .unwrap();
    assert_eq!(change.config.encodings.list_max_listpack_size, 6);
    let changed: Vec<&str> = change
        .changed
        .iter()
        .map(|directive| directive.name)
        .collect();
    assert_eq!(changed, ["list-max-listpack-size", "hz"]);
}

#[test]
fn a_veto_takes_back_what_was_applied() {
    let current = Config::default();
    let change = try_set(&["port", "1", "hz", "20", "timeout", "3"], RIGHTS).unwrap();
    let mut applied = Vec::new();
    let result = change.commit(&current, |directive, config| {
        let value = String::from_utf8(directive.read(config)).unwrap();
        applied.push(format!("{} {value}", directive.name));
        if directive.name == "timeout" {
            Err("no".into())
        } else {
            Ok(())
        }
    });
    let expected = "ERR CONFIG SET failed (possibly related to argument 'timeout') - no";
    assert_eq!(result.unwrap_err().to_string(), expected);
    assert_eq!(
        applied,
        ["port 1", "hz 20", "timeout 3", "hz 10", "port 6379"]
    );
}

#[test]
fn secrets_are_found_in_any_arguments() {
    let arguments: [&[u8]; 7] = [
        b"hz",
        b"1",
        b"REQUIREPASS",
        b"x",
        b"zork",
        b"y",
        b"primaryauth",
    ];
    assert_eq!(secret_positions(&arguments).collect::<Vec<_>>(), [3]);
}
