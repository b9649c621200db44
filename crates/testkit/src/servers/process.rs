//! One child process, from spawn to reaping.
//!
//! ```text
//! target/testkit/NAME-xxxxxx/     the server's dir: dump.rdb, appendonlydir, …
//!                  server.log     stdout and stderr of every run, appended
//!                  server.conf    when the spec has configuration text
//!                  s.sock         when it listens on a Unix socket
//! ```
//! The folder goes with the handle, unless the thread is panicking: then it stays, so
//! that the log of a failed test can be read.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Address, Listen, ServerError, ServerSpec};
use crate::resp::{Connection, Protocol, Reply, WireError};

/// How many ports are tried before giving up.
const PORT_ATTEMPTS: usize = 20;
/// How long SIGTERM may take before SIGKILL follows, in milliseconds.
const TERM_TIMEOUT_MS: u64 = 5_000;
/// How long a server that ends by itself may take, in milliseconds.
const END_TIMEOUT_MS: u64 = 60_000;
/// How much of a log goes into an error.
const LOG_LINES_IN_ERROR: usize = 30;

/// A running (or stopped, or killed) server process and its folder.
pub struct Server {
    spec: ServerSpec,
    folder: Option<TempDir>,
    address: Address,
    child: Option<Child>,
}

impl Server {
    pub(super) fn start(spec: ServerSpec) -> Result<Self, ServerError> {
        let folder = new_folder(&spec)?;
        let attempts = match spec.listen {
            Listen::Tcp => PORT_ATTEMPTS,
            Listen::Unix => 1,
        };
        let binary = spec.binary.clone();
        let address = Address::Unix(folder.path().join("s.sock"));
        let mut server = Server {
            spec,
            folder: Some(folder),
            address,
            child: None,
        };
        for _ in 0..attempts {
            if server.spec.listen == Listen::Tcp {
                // Somebody else may take the port between this drop and the server's
                // bind; that is what the loop is for.
                let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                server.address = Address::Tcp(probe.local_addr()?);
            }
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(ServerError::Ended { log, .. }) if says_address_in_use(&log) => {
                    std::fs::write(server.log_path(), "")?;
                }
                Err(other) => return Err(other),
            }
        }
        Err(ServerError::NoPort { binary })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The TCP port; 0 when it listens on a Unix socket only.
    pub fn port(&self) -> u16 {
        match &self.address {
            Address::Tcp(address) => address.port(),
            Address::Unix(_) => 0,
        }
    }

    /// Its working folder.
    pub fn folder(&self) -> &Path {
        self.folder
            .as_ref()
            .map_or(Path::new("."), |folder| folder.path())
    }

    /// Kills it and has its folder stay when the handle goes; returns where that is.
    pub fn keep_folder(&mut self) -> PathBuf {
        self.kill_hard();
        match self.folder.take() {
            Some(folder) => folder.keep(),
            None => PathBuf::from("."),
        }
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => false,
        }
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn connect(&self) -> Result<Connection, WireError> {
        Connection::open(&self.address)
    }

    /// A new connection that speaks `protocol`.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn connect_with(&self, protocol: Protocol) -> Result<Connection, WireError> {
        Connection::open_with(&self.address, protocol)
    }

    /// All it has logged, over all its runs.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until its log contains `text`; false when it does not within `timeout_ms`.
    pub fn wait_for_log(&self, text: &str, timeout_ms: u64) -> bool {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms);
        loop {
            if self.log().contains(text) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGTERM, waits, and sends SIGKILL only when that was ignored. The exit status,
    /// or `None` when it was not running.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + Duration::from_millis(TERM_TIMEOUT_MS);
        let child = self.child.as_mut()?;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Ok(None) | Err(_) => {
                    child.kill().ok();
                    break child.wait().ok();
                }
            }
        };
        self.child = None;
        status
    }

    /// Waits for it to end by itself, and kills it when that takes too long. The exit
    /// status, or `None` when it was not running.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_millis(END_TIMEOUT_MS);
        let mut child = self.child.take()?;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().ok();
        child.wait().ok()
    }

    /// `kill -9`, as a crash or a power cut would: nothing is flushed, nothing is saved.
    pub fn kill_hard(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Sends a signal to the process, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child
            && let Some(pid) = Pid::from_raw(child.id() as i32)
        {
            // It may have ended a moment ago; until it is reaped its id is not reused.
            kill_process(pid, signal).ok();
        }
    }

    /// Starts it again in the same folder, on the same address, with the same arguments.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.kill_hard();
        self.launch()
    }

    /// As [`Server::restart`], with other arguments from now on.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn restart_with<S: Into<String>>(
        &mut self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<(), ServerError> {
        self.spec.args = args.into_iter().map(Into::into).collect();
        self.restart()
    }

    fn log_path(&self) -> PathBuf {
        self.folder().join("server.log")
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let log = open_log(&self.log_path())?;
        let mut command = Command::new(&self.spec.binary);
        if let Some(text) = &self.spec.config {
            let path = self.folder().join("server.conf");
            std::fs::write(&path, text)?;
            command.arg(path);
        }
        match &self.address {
            Address::Tcp(address) => {
                command.args([
                    "--bind",
                    &address.ip().to_string(),
                    "--port",
                    &address.port().to_string(),
                ]);
            }
            Address::Unix(path) => {
                command.args(["--port", "0", "--unixsocket"]).arg(path);
            }
        }
        command
            .arg("--dir")
            .arg(self.folder())
            .args(&self.spec.args);
        command
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn().map_err(|error| ServerError::Spawn {
            binary: self.spec.binary.clone(),
            error,
        })?;
        self.child = Some(child);
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let started = Instant::now();
        loop {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                self.child = None;
                return Err(ServerError::Ended {
                    binary: self.spec.binary.clone(),
                    status,
                    log: self.log_end(),
                });
            }
            if self.answers() && self.is_running() {
                return Ok(());
            }
            let waited_ms = started.elapsed().as_millis() as u64;
            if waited_ms > self.spec.ready_timeout_ms {
                self.kill_hard();
                return Err(ServerError::NotReady {
                    binary: self.spec.binary.clone(),
                    waited_ms,
                    log: self.log_end(),
                });
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Whether the one that answers PING is our child and not a stranger who was faster to
    /// take the port. A server that reports no process id is believed.
    fn answers(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.address) else {
            return false;
        };
        connection.set_reply_timeout(Duration::from_millis(1_000));
        match connection.command(&["PING"]) {
            // An answer, but not yet of a server that serves.
            Ok(Reply::Error(text)) if text.starts_with(b"LOADING") => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
        let info = match connection.command(&["INFO", "server"]) {
            Ok(Reply::Bulk(info)) => String::from_utf8_lossy(&info).into_owned(),
            Ok(_) => return true,
            Err(_) => return false,
        };
        match info
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"))
        {
            Some(pid) => pid.trim().parse().ok() == self.pid(),
            None => true,
        }
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_IN_ERROR)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_hard();
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the server's folder is kept: {}", folder.keep().display());
        }
    }
}

fn says_address_in_use(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("Failed listening on port")
}

fn open_log(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The folder `target/testkit`, below which tests keep what they make.
pub(crate) fn scratch_root() -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    };
    let root = target.join("testkit");
    std::fs::create_dir_all(&root).ok();
    root.canonicalize().unwrap_or(root)
}

fn new_folder(spec: &ServerSpec) -> std::io::Result<TempDir> {
    let name = spec
        .binary
        .file_name()
        .map_or("server".into(), |name| name.to_string_lossy().into_owned());
    let root = scratch_root();
    // The path of a Unix socket has room for 107 bytes.
    let root = match spec.listen {
        Listen::Unix if root.as_os_str().len() > 70 => std::env::temp_dir(),
        _ => root,
    };
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(root)
}
