//! `ochre check` on files of a real redis-server, whole and damaged, and side by side
//! with redis-check-aof and redis-check-rdb.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ochre_server::check::{Request, Terminal, Tool, run};
use ochre_testkit::servers::ServerSpec;

/// Runs the check as `ochre check ARGUMENTS PATH`; the verdict and the lines.
fn check(path: &Path, arguments: &[&str], answer: &str) -> (bool, String) {
    let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    all.push(path.into());
    run_request(Request::parse(&all), answer)
}

/// Runs it as the tool of Redis.
fn as_tool(tool: Tool, path: &Path) -> (bool, String) {
    run_request(tool.request(&[path.into()]), "")
}

fn run_request(request: Result<Request, String>, answer: &str) -> (bool, String) {
    let mut output = Vec::new();
    let mut input = answer.as_bytes();
    let mut terminal = Terminal {
        output: &mut output,
        input: &mut input,
    };
    let is_well = run(&request.unwrap(), &mut terminal);
    (is_well, String::from_utf8(output).unwrap())
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

/// What a redis-server left in its folder: a dump and an append-only file.
fn redis_files() -> Option<tempfile::TempDir> {
    let Ok(spec) = ServerSpec::redis() else {
        eprintln!("\n# NOT RUN: redis-server is not installed, nothing was checked\n");
        return None;
    };
    let spec = spec.with_args([
        "--appendonly",
        "yes",
        "--aof-timestamp-enabled",
        "yes",
        "--auto-aof-rewrite-percentage",
        "0",
    ]);
    let mut server = spec.start().unwrap();
    let mut client = server.connect().unwrap();
    let mut command = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        client.command(&words).unwrap();
    };
    for line in [
        "SET string value",
        "SET expiring value PXAT 4102444800123",
        "RPUSH list a b c",
        "SADD set a b",
        "ZADD zset 1 a",
        "HSET hash f v",
        "XADD stream 1-1 f v",
        "SELECT 3",
        "SET other 1",
        "SAVE",
        "BGREWRITEAOF",
    ] {
        command(line);
    }
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", 10_000));
    for line in ["MULTI", "SET string 2", "INCR other", "EXEC", "DEL list"] {
        command(line);
    }
    let folder = tempfile::tempdir().unwrap();
    server.stop();
    let from = server.folder();
    fs::copy(from.join("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
    let inner = folder.path().join("appendonlydir");
    fs::create_dir(&inner).unwrap();
    for entry in fs::read_dir(from.join("appendonlydir")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), inner.join(entry.file_name())).unwrap();
    }
    Some(folder)
}

fn file_with(folder: &Path, ending: &str) -> PathBuf {
    let names = fs::read_dir(folder.join("appendonlydir")).unwrap();
    let mut paths: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(ending)));
    assert_eq!(paths.len(), 1, "{ending}: {paths:?}");
    paths.remove(0)
}

fn append(path: &Path, bytes: &[u8]) {
    let mut all = fs::read(path).unwrap();
    all.extend_from_slice(bytes);
    fs::write(path, all).unwrap();
}

#[test]
fn files_of_redis_are_whole() {
    let Some(folder) = redis_files() else { return };
    let (is_well, text) = check(folder.path(), &[], "");
    assert!(is_well, "{text}");
    contains(
        &text,
        &[
            "[info] 8 keys read",
            "[info] 1 expires",
            "[info] 0 already expired",
            "[info] 3 strings",
            "[info] 1 lists",
            "[info] 1 streams",
            "Selecting DB ID 3",
            "Checksum OK",
            "\\o/ RDB looks OK! \\o/",
            "Start checking Multi Part AOF",
            "Start to check BASE AOF (RDB format).",
            "RDB preamble is OK, proceeding with AOF tail...",
            "is valid",
            "Start to check INCR files.",
            "All AOF files and manifest are valid",
        ],
    );
    let manifest = file_with(folder.path(), ".manifest");
    for path in [manifest.parent().unwrap(), &manifest] {
        assert!(check(path, &[], "").0);
    }
    assert!(as_tool(Tool::CheckAof, &manifest).0);
    assert!(as_tool(Tool::CheckRdb, &folder.path().join("dump.rdb")).0);
    assert!(!check(&folder.path().join("nothing"), &[], "").0);
    let empty = tempfile::tempdir().unwrap();
    let (is_well, text) = check(empty.path(), &[], "");
    assert!(!is_well);
    contains(&text, &["There is nothing to check"]);
}

/// Redis refuses to load such a file, although its checker does not mind.
#[test]
fn a_key_that_is_there_twice_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.rdb");
    // "12" is stored as text and as a number; "a" is in two databases.
    let mut bytes = b"REDIS0010\xfe\x00\x00\x0212\x01x\x00\x01a\x01x".to_vec();
    bytes.extend_from_slice(b"\x00\xc0\x0c\x01y\xfe\x01\x00\x01a\x01y\xff");
    bytes.extend_from_slice(&[0; 8]);
    fs::write(&path, &bytes).unwrap();
    let (is_well, text) = check(&path, &[], "");
    assert!(!is_well, "{text}");
    contains(
        &text,
        &[
            "--- RDB ERROR DETECTED ---\n[offset 25] ",
            "RDB has duplicated key '12' in DB 0, the first at offset 15",
            "[info] 4 keys read",
            "[info] 1 entries are broken",
        ],
    );
    assert!(!text.contains("key 'a'"), "{text}");
    // The same file is refused by both servers; Redis panics.
    fs::rename(&path, folder.path().join("dump.rdb")).unwrap();
    let place = ["--dir", &folder.path().display().to_string()];
    let refusal = |spec: ServerSpec| match spec.with_args(place).start() {
        Ok(_) => panic!("the file was loaded"),
        Err(error) => error.to_string(),
    };
    let text = refusal(ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre")));
    contains(&text, &["RDB has duplicated key '12' in DB 0, at byte 25"]);
    if let Ok(redis) = ServerSpec::redis() {
        refusal(redis);
    }
}

/// Cut anywhere, or with any byte changed, an RDB is never taken for whole.
#[test]
fn a_damaged_rdb_is_found_out() {
    let Some(folder) = redis_files() else { return };
    let bytes = fs::read(folder.path().join("dump.rdb")).unwrap();
    let path = folder.path().join("damaged.rdb");
    for at in 0..bytes.len() {
        fs::write(&path, &bytes[..at]).unwrap();
        let (is_well, text) = as_tool(Tool::CheckRdb, &path);
        assert!(!is_well, "cut at {at}: {text}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        fs::write(&path, &changed).unwrap();
        let (is_well, text) = as_tool(Tool::CheckRdb, &path);
        assert!(!is_well, "changed at {at}: {text}");
        contains(
            &text,
            &["--- RDB ERROR DETECTED ---", "[offset ", " keys read"],
        );
    }
    // Each broken value is told of, with its key, and what follows is read.
    let mut changed = bytes.clone();
    let mut broken = 1;
    let place = |text: &[u8]| bytes.windows(text.len()).position(|bytes| bytes == text);
    let hash = place(b"\x04hash").unwrap();
    changed[hash + 6] ^= 1;
    let set = place(b"\x03set").unwrap();
    // A set whose members are stored one by one, as up to Redis 7.0: "a" and "a".
    let is_plain = bytes[set - 1] == 2;
    if is_plain {
        changed[set + 8] = changed[set + 6];
        broken += 1;
    }
    fs::write(&path, &changed).unwrap();
    let (_, text) = check(&path, &[], "");
    contains(&text, &["Reading key 'hash'", "RDB CRC error"]);
    contains(
        &text,
        &[
            &format!("[info] {broken} entries are broken"),
            "[info] 8 keys read",
        ],
    );
    assert!(!is_plain || text.contains("Reading key 'set'"), "{text}");
    // In a list that is cut off, the key is told.
    let list = bytes
        .windows(5)
        .position(|bytes| bytes == b"\x04list")
        .unwrap();
    fs::write(&path, &bytes[..list + 9]).unwrap();
    let (_, text) = check(&path, &[], "");
    contains(
        &text,
        &[
            "Unexpected EOF reading RDB file",
            "Reading key 'list'",
            "Reading type 18 (ListQuicklist2)",
        ],
    );
}

#[test]
fn a_torn_tail_is_cut_off_after_asking() {
    let Some(folder) = redis_files() else { return };
    let manifest = file_with(folder.path(), ".manifest");
    let increment = file_with(folder.path(), ".incr.aof");
    let whole = fs::read(&increment).unwrap();
    append(
        &increment,
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$9\r\nabc",
    );
    let torn = fs::read(&increment).unwrap();
    let (is_well, text) = check(&manifest, &[], "");
    assert!(!is_well);
    let size = torn.len();
    let end = whole.len();
    contains(
        &text,
        &[
            "Expected to read 11 bytes, got 3 bytes",
            &format!("size={size}, ok_up_to={end}, ok_up_to_line="),
            &format!("diff={}", size - end),
            "is not valid. Use the --fix option to try fixing it.",
        ],
    );
    for (arguments, answer) in [
        (&["--fix"][..], "n\n"),
        (&["--fix"], ""),
        (&["--yes"], "y\n"),
    ] {
        assert!(!check(&manifest, arguments, answer).0);
        assert_eq!(fs::read(&increment).unwrap(), torn);
    }
    let (is_well, text) = check(&manifest, &["--fix"], "y\n");
    assert!(is_well, "{text}");
    contains(
        &text,
        &[
            "This will shrink the AOF",
            "Continue? [y/N]: Successfully truncated AOF",
        ],
    );
    assert_eq!(fs::read(&increment).unwrap(), whole);
    append(&increment, b"*1\r\n");
    assert!(check(folder.path(), &["--fix", "--yes"], "").0);
    assert_eq!(fs::read(&increment).unwrap(), whole);
}

#[test]
fn only_the_last_file_is_cut_off() {
    let Some(folder) = redis_files() else { return };
    let manifest = file_with(folder.path(), ".manifest");
    let increment = file_with(folder.path(), ".incr.aof");
    append(&increment, b"*1\r\n");
    let next = folder.path().join("appendonlydir/next.incr.aof");
    append(&manifest, b"file next.incr.aof seq 99 type i\n");
    fs::write(&next, b"*1\r\n$4\r\nPING\r\n*").unwrap();
    let before = fs::read(&increment).unwrap();
    let (is_well, text) = check(&manifest, &["--fix", "--yes"], "");
    assert!(!is_well);
    contains(
        &text,
        &["Failed to truncate AOF", "because it is not the last file"],
    );
    assert_eq!(fs::read(&increment).unwrap(), before);
    assert_eq!(fs::read(&next).unwrap().len(), 15);
    // Without --fix, both are told of.
    let (_, text) = check(&manifest, &[], "");
    assert_eq!(text.matches("AOF analyzed: ").count(), 3, "{text}");
    // Without any bytes, the next one is no reason to refuse.
    fs::write(&next, b"").unwrap();
    assert!(check(&manifest, &["--fix", "--yes"], "").0);
    fs::remove_file(&next).unwrap();
    let (is_well, text) = check(&manifest, &[], "");
    assert!(!is_well);
    contains(
        &text,
        &["Cannot open file", "No such file or directory, aborting..."],
    );
    fs::write(&manifest, b"file a seq 1 type x\n").unwrap();
    let (is_well, text) = check(&manifest, &[], "");
    assert!(!is_well);
    contains(
        &text,
        &[
            "*** FATAL AOF MANIFEST FILE ERROR ***",
            "Reading the manifest file, at line 1",
            ">>> 'file a seq 1 type x'",
            "Unknown AOF file type",
        ],
    );
}

#[test]
fn what_came_after_a_time_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    let head = b"#TS:1000\r\n*1\r\n$4\r\nPING\r\n";
    let tail = b"#TS:2000\r\n*1\r\n$4\r\nPONG\r\n";
    fs::write(&path, [head.as_slice(), tail].concat()).unwrap();
    let (is_well, text) = check(&path, &["--truncate-to-timestamp", "2000"], "");
    assert!(is_well);
    contains(&text, &["Truncate nothing in AOF", "to timestamp 2000"]);
    let (is_well, text) = check(&path, &["--truncate-to-timestamp", "999"], "");
    assert!(!is_well);
    contains(&text, &["has nothing before timestamp 999, aborting..."]);
    let (is_well, text) = check(&path, &["--truncate-to-timestamp", "1999"], "");
    assert!(is_well);
    contains(&text, &["Successfully truncated AOF", "to timestamp 1999"]);
    assert_eq!(fs::read(&path).unwrap(), head);
}

/// The annotations of a server say when its commands were executed, however late they are
/// written: what either tool leaves of them is what had happened by then.
#[test]
fn a_server_on_a_slow_disk_is_cut_off_at_a_time() {
    let arguments = [
        "--appendonly",
        "yes",
        "--aof-timestamp-enabled",
        "yes",
        "--rdb-version",
        "10",
    ];
    let mut server = ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(arguments)
        .start()
        .unwrap();
    let mut client = server.connect().unwrap();
    let mut ask = |words: &[&str]| client.command(words).unwrap();
    assert!(
        ask(&["DEBUG", "AOF-FLUSH-SLEEP", "700000"])
            .error()
            .is_none()
    );
    let mut done: Vec<(u64, u64)> = Vec::new();
    let mut now = || match ask(&["TIME"]).elements() {
        Some([second, _]) => String::from_utf8_lossy(second.text().unwrap())
            .parse()
            .unwrap(),
        other => panic!("{other:?}"),
    };
    let mut other = server.connect().unwrap();
    while done.first().is_none_or(|first| now() < first.0 + 3) {
        let before = now();
        let key = format!("k{}", done.len());
        assert!(
            other
                .command(&["SET", &key, "v"])
                .unwrap()
                .error()
                .is_none()
        );
        done.push((before, now()));
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
    server.stop();
    let time = done[0].0 + 1;
    let increment = server
        .folder()
        .join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&increment).unwrap();
    let argument = ["--truncate-to-timestamp", &time.to_string()];
    let (is_well, text) = check(&increment, &argument, "");
    assert!(is_well, "{text}");
    let ours = fs::read(&increment).unwrap();
    let left = String::from_utf8_lossy(&ours);
    for (number, &(before, after)) in done.iter().enumerate() {
        let is_left = left.contains(&format!("\r\nk{number}\r\n"));
        assert!(is_left || after > time, "{number} is lost");
        assert!(!is_left || before <= time, "{number} is left");
    }
    assert!(left.matches("#TS:").count() >= 2 && ours.len() < whole.len());

    fs::write(&increment, &whole).unwrap();
    let manifest = server
        .folder()
        .join("appendonlydir/appendonly.aof.manifest");
    match Command::new("redis-check-aof")
        .args(argument)
        .arg(&manifest)
        .output()
    {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            assert!(fs::read(&increment).unwrap() == ours);
        }
        Err(_) => eprintln!("\n# NOT RUN: redis-check-aof is not installed\n"),
    }
}

/// The binary itself: its subcommand, and links by which it stands in for other tools.
#[test]
fn the_binary_checks_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    fs::write(&path, b"*1\r\n$4\r\nping\r\n*").unwrap();
    let binary = env!("CARGO_BIN_EXE_ochre");
    let status = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let file = path.to_str().unwrap();
    let (code, text) = status(Path::new(binary), &["check", file]);
    assert_eq!(code, Some(1));
    contains(&text, &["AOF analyzed: ", "ok_up_to=14", "diff=1"]);
    for name in ["redis-check-aof", "redis-check-rdb"] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(binary, &link).unwrap();
        assert_eq!(status(&link, &[file]).0, Some(1));
        assert_eq!(status(&link, &[]).0, Some(1));
        let (code, text) = status(&link, &["-v"]);
        assert_eq!(code, Some(0));
        assert!(text.starts_with(name), "{text}");
    }
    // Nobody answers: nothing is cut off.
    assert_eq!(
        status(Path::new(binary), &["check", "--fix", file]).0,
        Some(1)
    );
    assert_eq!(fs::read(&path).unwrap().len(), 15);
    assert_eq!(
        status(Path::new(binary), &["check", "--fix", "--yes", file]).0,
        Some(0)
    );
    assert_eq!(fs::read(&path).unwrap().len(), 14);
    assert_eq!(status(Path::new(binary), &["check", file]).0, Some(0));
}

/// Whoever loads the file may know the command by that name: it is no fault of the file.
#[test]
fn unknown_commands_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    fs::write(&path, b"*1\r\n$4\r\nping\r\n*1\r\n$4\r\nN\0PE\r\n").unwrap();
    let (is_well, text) = check(&path, &[], "");
    assert!(is_well);
    contains(
        &text,
        &[
            "[warning] at byte 14: unknown command 'N\\x00PE'",
            "is valid",
        ],
    );
}

/// The tools of Redis say the same of the same files: the exit status, and where the
/// file is good up to.
#[test]
fn verdicts_are_those_of_the_tools_of_redis() {
    let Some(folder) = redis_files() else { return };
    if Command::new("redis-check-aof").output().is_err() {
        eprintln!("\n# NOT RUN: redis-check-aof is not installed\n");
        return;
    }
    let increment = file_with(folder.path(), ".incr.aof");
    let path = folder.path().join("case.aof");
    let whole = fs::read(&increment).unwrap();
    let mut cases: Vec<Vec<u8>> = (0..whole.len())
        .step_by(7)
        .map(|cut| whole[..cut].to_vec())
        .collect();
    for text in [
        "*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n",
        "*1\r\n$4\r\nEXEC\r\n",
        "*1\r\n$4\r\nPING\r\n!!!",
        "*1\r\n$-1\r\n",
        "*1\r\n$4\r\nPINGxx",
        "*1\r\n*1\r\n",
        "#hello\r\n*1\r\n$4\r\nping\r\n",
    ] {
        cases.push(text.into());
    }
    for case in cases {
        fs::write(&path, &case).unwrap();
        let theirs = Command::new("redis-check-aof").arg(&path).output().unwrap();
        let their_text = String::from_utf8_lossy(&theirs.stdout).into_owned();
        let (is_well, text) = as_tool(Tool::CheckAof, &path);
        // An annotation without its end is passed over by theirs, but what is written
        // after it would become a part of it.
        if text.contains("within an annotation") {
            assert!(!is_well);
            continue;
        }
        assert_eq!(is_well, theirs.status.success(), "{text}\n{their_text}");
        let analyzed = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("AOF analyzed"));
            line.map(str::to_owned)
        };
        // A line that is cut off within its end is counted there, and not here.
        let up_to = |line: Option<String>| {
            line.map(|line| line.split(", ok_up_to_line").next().map(str::to_owned))
        };
        assert_eq!(
            up_to(analyzed(&text)),
            up_to(analyzed(&their_text)),
            "{text}\n{their_text}"
        );
    }
}

/// What a power failure left of a server with `appendfsync always`, in a folder of its own:
/// the second of two commands is in the commit log alone.
fn with_lost_tail() -> tempfile::TempDir {
    use ochre_journal::aof::{AofFolder, AofPlace, CommitLog, append_command};
    use ochre_journal::disk::{Disk, FaultyDisk};

    let disk = FaultyDisk::new(1);
    let place = AofPlace {
        dir: "/".into(),
        appenddirname: "appendonlydir".into(),
        appendfilename: "appendonly.aof".into(),
    };
    let (mut aof, _) = AofFolder::open(Arc::new(disk.clone()), place.clone()).unwrap();
    let mut increment = aof.start_increment().unwrap();
    let mut first = b"#TS:1000\r\n".to_vec();
    append_command(&mut first, &["SET", "first", "1"]);
    std::io::Write::write_all(&mut increment.file, &first).unwrap();
    increment.file.sync_data().unwrap();
    let mut second = b"#TS:2000\r\n".to_vec();
    append_command(&mut second, &["SET", "second", "2"]);
    let (log, length) = (place.commit_log(), first.len() as u64);
    let mut log = CommitLog::begin(Arc::new(disk.clone()), log, 1, length).unwrap();
    log.note(&second);
    log.commit().unwrap();
    assert_eq!(disk.len(&increment.path).unwrap(), length);
    let folder = tempfile::tempdir().unwrap();
    disk.crash().write_to(folder.path()).unwrap();
    folder
}

#[test]
fn a_lost_tail_is_told_and_given_back() {
    let folder = with_lost_tail();
    let inner = folder.path().join("appendonlydir");
    let increment = || fs::read(inner.join("appendonly.aof.1.incr.aof")).unwrap();
    let log = inner.join("appendonly.aof.commits");
    let (is_well, text) = check(folder.path(), &[], "");
    assert!(is_well, "{text}");
    contains(
        &text,
        &[
            "was not wholly on disk: it lacks its last 42 bytes, which the commit log has",
            "The server's next start, or --fix, adds them.",
        ],
    );
    let (is_well, text) = check(folder.path(), &["--fix"], "n\n");
    assert!(!is_well);
    contains(&text, &["Add them? [y/N]: Aborting..."]);
    assert!(log.exists() && !increment().ends_with(b"second\r\n$1\r\n2\r\n"));
    let (is_well, text) = check(folder.path(), &["--fix"], "y\n");
    assert!(is_well, "{text}");
    assert!(!log.exists() && increment().ends_with(b"second\r\n$1\r\n2\r\n"));
    let (is_well, text) = check(folder.path(), &[], "");
    assert!(is_well && !text.contains("lacks"), "{text}");
}

/// What is cut off on purpose does not come back from the log.
#[test]
fn a_lost_tail_is_not_kept_from_being_cut_off() {
    let folder = with_lost_tail();
    let inner = folder.path().join("appendonlydir");
    let (is_well, text) = check(folder.path(), &["--truncate-to-timestamp", "1500"], "");
    assert!(is_well, "{text}");
    contains(&text, &["lacks its last", "to timestamp 1500"]);
    let increment = fs::read(inner.join("appendonly.aof.1.incr.aof")).unwrap();
    assert!(increment.ends_with(b"first\r\n$1\r\n1\r\n"));
    assert!(!inner.join("appendonly.aof.commits").exists());
}
