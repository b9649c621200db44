//! Servers as processes: started on a free port in a folder of their own, waited for,
//! stopped. Both servers are started with the same directives in redis.conf's vocabulary.
//!
//! Invariant: a server process never outlives its [`Server`]. Servers stay in this process's
//! group, so that an interrupt from the keyboard ends them as well.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::affinity::{self, Cores};
use crate::machine;

/// How long a server may take from its start to its port.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may then take to load its data.
const LOAD_LIMIT: Duration = Duration::from_secs(600);

/// The Unix socket in a server's folder.
const UNIX_SOCKET: &str = "socket";

/// Which directives a program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// redis-server's.
    Redis,
    /// redis-server's, and Ochre's own.
    Ochre,
    /// The echo server of this crate: a port, and nothing else.
    Echo,
}

/// A program that can be started as a server.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What it understands.
    pub dialect: Dialect,
}

impl Program {
    /// A server program; asks it for its version to learn what it understands.
    pub fn of(path: PathBuf) -> Self {
        let version = machine::version(&path);
        let redis = ["Redis server", "Valkey server"]
            .iter()
            .any(|name| version.starts_with(name));
        Self {
            path,
            dialect: if redis {
                Dialect::Redis
            } else {
                Dialect::Ochre
            },
        }
    }
}

/// How a server is to be started.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Worker threads of Ochre; its default (all cores) when `None`.
    pub workers: Option<usize>,
    /// Ochre's `reactor` directive; its default when `None`.
    pub reactor: Option<&'static str>,
    /// Further directives, as `["--appendonly", "yes"]`.
    pub directives: Vec<&'static str>,
    /// The cores the server may run on.
    pub cores: Option<Cores>,
}

/// Why a server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be run, or a file or port failed.
    #[error("cannot start {program}: {error}")]
    Io {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It ended by itself.
    #[error("{program} ended at its start: {log}")]
    Ended {
        /// The program.
        program: String,
        /// The end of what it printed.
        log: String,
    },
    /// It did not answer in time.
    #[error("{program} does not answer")]
    Silent {
        /// The program.
        program: String,
    },
}

/// A running server; stopped when dropped.
pub struct Server {
    program: Program,
    settings: Settings,
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// Starts a server in a new folder within `data` and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer.
    pub fn start(program: &Program, settings: &Settings, data: &Path) -> Result<Self, StartError> {
        let failed = |error| io_error(program, error);
        std::fs::create_dir_all(data).map_err(failed)?;
        let folder = tempfile::tempdir_in(data).map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let child = spawn(program, settings, folder.path(), port).map_err(failed)?;
        let mut server = Self {
            program: program.clone(),
            settings: settings.clone(),
            folder,
            port,
            child,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Kills the process and starts it anew on the same folder and port, with `directives`
    /// in place of the earlier ones; returns the time from the start to the first answer
    /// that is not `-LOADING`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self, directives: Vec<&'static str>) -> Result<Duration, StartError> {
        self.stop();
        self.settings.directives = directives;
        let start = Instant::now();
        self.child = spawn(&self.program, &self.settings, self.folder.path(), self.port)
            .map_err(|error| io_error(&self.program, error))?;
        self.wait_until_ready()?;
        Ok(start.elapsed())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its Unix socket.
    pub fn unix_socket(&self) -> PathBuf {
        self.folder.path().join(UNIX_SOCKET)
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn wait_until_ready(&mut self) -> Result<(), StartError> {
        let start = Instant::now();
        let mut limit = START_LIMIT;
        while start.elapsed() < limit {
            match self.answer() {
                Answer::Ready => return Ok(()),
                Answer::Loading => limit = LOAD_LIMIT,
                Answer::None => {}
            }
            if let Ok(Some(_)) = self.child.try_wait() {
                return Err(StartError::Ended {
                    program: self.program.path.display().to_string(),
                    log: self.end_of_log(),
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(StartError::Silent {
            program: self.program.path.display().to_string(),
        })
    }

    fn answer(&self) -> Answer {
        let Ok(mut stream) = TcpStream::connect(self.address()) else {
            return Answer::None;
        };
        let patience = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut buffer = [0; 64];
        if patience.is_err() || stream.write_all(b"*1\r\n$4\r\nPING\r\n").is_err() {
            return Answer::None;
        }
        match stream.read(&mut buffer) {
            Ok(count) if buffer[..count].starts_with(b"-LOADING") => Answer::Loading,
            Ok(1..) => Answer::Ready,
            _ => Answer::None,
        }
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    fn stop(&mut self) {
        // A process that has ended already is what is wanted, not an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Answer {
    Ready,
    Loading,
    None,
}

fn io_error(program: &Program, error: io::Error) -> StartError {
    StartError::Io {
        program: program.path.display().to_string(),
        error,
    }
}

/// A port that was free a moment ago, which is all that can be promised.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn spawn(program: &Program, settings: &Settings, folder: &Path, port: u16) -> io::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    let mut command = Command::new(&program.path);
    command.args(arguments(program.dialect, settings, port));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    affinity::inherited(settings.cores.as_ref(), || command.spawn())?
}

fn arguments(dialect: Dialect, settings: &Settings, port: u16) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    let mut push = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
    if dialect == Dialect::Echo {
        push("echo", "--port");
        arguments.push(port.to_string());
        return arguments;
    }
    push("--port", &port.to_string());
    push("--bind", "127.0.0.1");
    push("--unixsocket", UNIX_SOCKET);
    push("--save", "");
    push("--dir", ".");
    push("--maxclients", "15000");
    if dialect == Dialect::Ochre {
        if let Some(workers) = settings.workers {
            push("--io-threads", &workers.to_string());
        }
        if let Some(reactor) = settings.reactor {
            push("--reactor", reactor);
        }
    }
    arguments.extend(settings.directives.iter().map(|word| (*word).to_owned()));
    arguments
}

/// Raises this process's limit of open files, which its servers inherit, to the hard limit.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it is refused, the rows with many connections say so themselves.
    let _ = setrlimit(Resource::Nofile, raised);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_by_dialect() {
        let settings = Settings {
            workers: Some(1),
            reactor: Some("epoll"),
            directives: vec!["--appendonly", "yes"],
            cores: None,
        };
        let redis = arguments(Dialect::Redis, &settings, 7).join(" ");
        assert!(
            redis.starts_with("--port 7 ") && redis.ends_with("--appendonly yes"),
            "{redis}"
        );
        assert!(!redis.contains("reactor") && !redis.contains("io-threads"));
        let ochre = arguments(Dialect::Ochre, &settings, 7).join(" ");
        assert!(ochre.contains("--io-threads 1 --reactor epoll"), "{ochre}");
        assert_eq!(
            arguments(Dialect::Echo, &settings, 7),
            ["echo", "--port", "7"]
        );
    }

    #[test]
    fn a_program_that_ends_or_is_missing_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        let missing = Program {
            path: "/nonexistent/server".into(),
            dialect: Dialect::Ochre,
        };
        let outcome = Server::start(&missing, &Settings::default(), data.path());
        assert!(matches!(outcome, Err(StartError::Io { .. })));
        let ends = Program {
            path: "/bin/false".into(),
            dialect: Dialect::Ochre,
        };
        let outcome = Server::start(&ends, &Settings::default(), data.path());
        assert!(matches!(outcome, Err(StartError::Ended { .. })));
    }
}
