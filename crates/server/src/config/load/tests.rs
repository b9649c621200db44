//! Start-up parsing: error shapes and texts as redis-server 7.0.15 prints them, and what
//! distinguishes lines from CONFIG SET.

use super::*;
use crate::config::values::Value as _;

fn from_text(text: &str) -> Result<Startup, StartupError> {
    let sources = Sources {
        options: text.into(),
        ..Sources::default()
    };
    load(&sources, io::empty())
}

/// The options begin on the second line: the first is the (empty) file.
fn refused(text: &str, number: usize, expected: &str) {
    match from_text(text) {
        Err(StartupError::Line { line, reason }) => {
            assert_eq!(
                (line.number - 1, reason.as_str()),
                (number, expected),
                "{text}"
            );
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn shows(text: &str, name: &str, expected: &str) {
    let startup = from_text(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let value = find(name.as_bytes()).unwrap().1.read(&startup.config);
    assert_eq!(String::from_utf8(value).unwrap(), expected, "{text}");
}

#[test]
fn the_error_names_line_and_reason() {
    let error = from_text("port 1\n\n  hz \"aa\"  ")
        .unwrap_err()
        .to_string();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        error,
        format!(
            "\n*** FATAL CONFIG FILE ERROR (Ochre {version}) ***\nReading the configuration file, at line 4\n>>> 'hz \"aa\"'\nargument couldn't be parsed into an integer"
        )
    );
}

#[test]
fn wrong_lines_are_refused_in_redis_words() {
    let bad = "Bad directive or wrong number of arguments";
    refused("foo bar", 1, bad);
    refused("port 1 2", 1, "wrong number of arguments");
    refused("port", 1, "wrong number of arguments");
    refused("hz \"10", 1, "Unbalanced quotes in configuration line");
    refused("# c\n\nsave 10", 3, "Invalid save parameters");
    refused("save \"10 1\" \"20 2\"", 1, "Invalid save parameters");
    for line in [
        "loadmodule",
        "rename-command GET",
        "user",
        "include",
        "include a b",
    ] {
        refused(line, 1, bad);
    }
    refused("replicaof a", 1, "wrong number of arguments");
    refused("replicaof a 70000", 1, "Invalid master port");
    refused(
        "sentinel foo bar",
        1,
        "sentinel directive while not in sentinel mode",
    );
    refused("DIR /nonexistent", 1, "No such file or directory");
    refused(
        "dbfilename a/b",
        1,
        "dbfilename can't be a path, just a filename",
    );
    refused("appendfilename ''", 1, "appendfilename can't be empty");
    refused(
        "appenddirname a/b",
        1,
        "appenddirname can't be a path, just a dirname",
    );
    refused(
        "unixsocketperm 999",
        1,
        "argument couldn't be parsed as an octal number",
    );
    refused(
        "unixsocketperm 1777",
        1,
        "argument must be between 0 and 777 inclusive",
    );
    refused(
        "stripes 1000",
        1,
        "argument must be a power of two between 1 and 65536",
    );
    refused("daemonize 3", 1, "argument must be 'yes' or 'no'");
    refused("foo.bar", 1, "Module config specified without value");
}

#[test]
fn what_this_server_cannot_do_is_refused_with_a_reason() {
    for line in [
        "loadmodule x.so",
        "sentinel",
        "tls-port 6380",
        "tls-replication yes",
    ] {
        assert!(from_text(line).is_err(), "{line}");
    }
}

#[test]
fn contradictions_are_refused_as_a_whole() {
    let error = from_text("cluster-enabled yes\nreplicaof a 1").unwrap_err();
    assert_eq!(
        error,
        StartupError::Whole("replicaof directive not allowed in cluster mode".into())
    );
    let error = from_text("logfile /nonexistent/x").unwrap_err();
    assert_eq!(
        error,
        StartupError::Whole("Can't open the log file: No such file or directory".into())
    );
}

#[test]
fn save_lines_accumulate_and_the_rest_is_replaced() {
    shows("", "save", "3600 1 300 100 60 10000");
    shows("save 10 1 20 2", "save", "10 1 20 2");
    shows("save \"10 1 20 2\"\nsave 5 5", "save", "10 1 20 2 5 5");
    shows("save 5 5\nsave \"\"\nsave 6 6", "save", "6 6");
    shows("save ''", "save", "");
    shows("bind 127.0.0.1 ::1\nbind 127.0.0.1", "bind", "127.0.0.1");
    shows(
        "client-output-buffer-limit slave 1mb 1mb 1 normal 5 5 5\nclient-output-buffer-limit pubsub 6 6 6",
        "client-output-buffer-limit",
        "normal 5 5 5 slave 1048576 1048576 1 pubsub 6 6 6",
    );
    shows("slaveof no one", "replicaof", "");
    shows("replicaof 127.0.0.1 6380", "slaveof", "127.0.0.1 6380");
    shows("hz 0", "hz", "1");
    shows(
        "list-max-ziplist-entries 5\nlua-replicate-commands no\nPort 7",
        "port",
        "7",
    );
    shows("primaryauth 's e'", "masterauth", "s e");
}

#[test]
fn users_and_renames_keep_their_lines() {
    let startup = from_text("user bob on >x ~*\nrename-command FLUSHALL ''").unwrap();
    assert_eq!(
        startup.users[0].rules,
        [b"on".to_vec(), b">x".to_vec(), b"~*".to_vec()]
    );
    assert!(startup.renames[0].new_name.is_empty());
    let error = startup.renames[0]
        .line
        .refuse("No such command in rename-command")
        .to_string();
    assert!(
        error.contains("at line 3\n>>> 'rename-command FLUSHALL '''\nNo such command"),
        "{error}"
    );
}

#[test]
fn files_include_others_and_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("conf.d")).unwrap();
    fs::write(at("conf.d/a.conf"), "hz 20\nport 5\n").unwrap();
    fs::write(at("conf.d/b.conf"), "port 6\n").unwrap();
    fs::write(at("conf.d/c.txt"), "port 7\n").unwrap();
    let root = folder.path().display();
    let main = format!("port 4\ninclude {root}/conf.d/*.conf\ninclude {root}/none*\ntimeout 9\n");
    fs::write(at("main.conf"), main).unwrap();
    let sources = Sources {
        file: Some(at("main.conf")),
        stdin: Stdin::Read,
        options: b"databases 3".to_vec(),
    };
    let startup = load(&sources, &b"tcp-backlog 8\ntimeout 10"[..]).unwrap();
    let config = &startup.config;
    assert_eq!(
        (
            config.network.port,
            config.memory.hz,
            config.network.tcp_backlog
        ),
        (6, 20, 8)
    );
    assert_eq!(
        (
            config.clients.idle_timeout_seconds,
            config.process.databases
        ),
        (10, 3)
    );
    assert_eq!(startup.file, Some(at("main.conf")));

    fs::write(at("loop.conf"), format!("include {root}/loop.conf\n")).unwrap();
    let sources = Sources {
        file: Some(at("loop.conf")),
        ..Sources::default()
    };
    let error = load(&sources, io::empty()).unwrap_err().to_string();
    assert!(
        error.ends_with("Files include each other too deeply"),
        "{error}"
    );

    let sources = Sources {
        file: Some(at("missing.conf")),
        ..Sources::default()
    };
    let error = load(&sources, io::empty()).unwrap_err().to_string();
    let expected = format!(
        "Fatal error, can't open config file '{root}/missing.conf': No such file or directory"
    );
    assert_eq!(error, expected);
}

#[test]
fn dir_is_absolute_and_relative_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    let startup = from_text(&format!("dir {}\ndir sub", root.display())).unwrap();
    assert_eq!(
        startup.config.persistence.dir.text(),
        root.join("sub").display().to_string()
    );
    fs::write(root.join("file"), "").unwrap();
    refused(
        &format!("dir {}/file", root.display()),
        1,
        "Not a directory",
    );
}

proptest::proptest! {
    #[test]
    fn any_text_loads_or_is_refused(text in "(port|save|bind|user|dir|hz|.)[ -~\\n\"']{0,60}") {
        let mut loader = Loader::default();
        let _ = loader.text(text.as_bytes(), MAX_INCLUDE_DEPTH);
    }
}
