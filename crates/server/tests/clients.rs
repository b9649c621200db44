//! Real client libraries: redis-py, in a virtual environment that the test makes once
//! under `target/`, and redis-rs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ochre_testkit::servers::{Server, ServerSpec};

/// The redis-py that is tried. Pinned, so that a new release is met on purpose.
const REDIS_PY: &str = "redis==8.1.0";

fn ochre() -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The interpreter of the virtual environment; made at its first use.
static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("redis-py");
    let python = folder.join("bin/python");
    let marker = folder.join(REDIS_PY);
    if marker.exists() {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        REDIS_PY,
    ]))?;
    std::fs::write(&marker, "").map_err(|error| error.to_string())?;
    Ok(python)
});

fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "{command:?}: {}\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

fn check_redis_py(section: &str) {
    let python = PYTHON.as_ref().unwrap_or_else(|error| {
        panic!("*** redis-py cannot be installed; python3 with venv and pip, and PyPI, are needed ***\n{error}")
    });
    let server = ochre();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/smoke.py");
    let port = server.port().to_string();
    for protocol in ["2", "3"] {
        let outcome = run(Command::new(python)
            .arg(&script)
            .args([section, &port, protocol]));
        let printed = outcome
            .unwrap_or_else(|error| panic!("RESP{protocol}: {error}\nthe log:\n{}", server.log()));
        assert!(printed.contains("all fine"), "{printed}");
    }
}

#[test]
fn redis_py_strings_keys_and_expiry() {
    check_redis_py("strings");
}

#[test]
fn redis_py_collections() {
    check_redis_py("collections");
}

#[test]
fn redis_py_transactions_scripts_and_messages() {
    check_redis_py("transactions");
}

#[test]
fn redis_rs_commands_pipelines_and_errors() {
    let server = ochre();
    for suffix in ["", "?protocol=resp3"] {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/{suffix}", server.port()))
            .expect("a url");
        let mut connection = client.get_connection().expect("a connection");
        redis::cmd("FLUSHALL")
            .exec(&mut connection)
            .expect("FLUSHALL");
        redis::cmd("SET")
            .arg("k")
            .arg("v\0\r\n")
            .arg("EX")
            .arg(100)
            .exec(&mut connection)
            .expect("SET");
        let value: Vec<u8> = redis::cmd("GET")
            .arg("k")
            .query(&mut connection)
            .expect("GET");
        assert_eq!(value, b"v\0\r\n");
        let missing: Option<String> = redis::cmd("GET")
            .arg("missing")
            .query(&mut connection)
            .expect("GET");
        assert_eq!(missing, None);
        let ttl: i64 = redis::cmd("TTL")
            .arg("k")
            .query(&mut connection)
            .expect("TTL");
        assert!((90..=100).contains(&ttl), "{ttl}");

        let (first, second): (i64, i64) = redis::pipe()
            .cmd("INCRBY")
            .arg("n")
            .arg(5)
            .cmd("DECR")
            .arg("n")
            .query(&mut connection)
            .expect("a pipeline");
        assert_eq!((first, second), (5, 4));
        let many: Vec<Option<i64>> = redis::cmd("MGET")
            .arg("n")
            .arg("missing")
            .query(&mut connection)
            .expect("MGET");
        assert_eq!(many, [Some(4), None]);

        let error = redis::cmd("INCR")
            .arg("k")
            .exec(&mut connection)
            .expect_err("no number");
        assert!(error.to_string().contains("not an integer"), "{error}");
        let error = redis::cmd("NOSUCH")
            .exec(&mut connection)
            .expect_err("no command");
        assert!(error.to_string().contains("unknown command"), "{error}");
        let keys: i64 = redis::cmd("DBSIZE").query(&mut connection).expect("DBSIZE");
        assert_eq!(keys, 2);
    }
}

#[test]
fn redis_rs_transactions() {
    let server = ochre();
    let client =
        redis::Client::open(format!("redis://127.0.0.1:{}/", server.port())).expect("a url");
    let mut connection = client.get_connection().expect("a connection");
    let (a, b): (i64, String) = redis::pipe()
        .atomic()
        .cmd("INCR")
        .arg("n")
        .cmd("SET")
        .arg("s")
        .arg("x")
        .ignore()
        .cmd("GET")
        .arg("s")
        .query(&mut connection)
        .expect("a transaction");
    assert_eq!((a, b.as_str()), (1, "x"));
}
