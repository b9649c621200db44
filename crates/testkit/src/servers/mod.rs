//! Server processes for tests: started on a free port or a Unix socket in a folder of
//! their own, awaited, watched, killed, restarted.
//!
//! Nothing here knows what is being tested: `redis-server` and `ochre` take the same
//! arguments. A server never outlives its handle, and a signal goes only to the child
//! that this handle started.

mod process;

pub use process::Server;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What kind of address a server is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// A free TCP port of 127.0.0.1.
    Tcp,
    /// A Unix socket in the server's folder.
    Unix,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The program.
    pub binary: PathBuf,
    /// Arguments after those that set the address and the folder.
    pub args: Vec<String>,
    /// What it listens on.
    pub listen: Listen,
    /// How long it may take until it answers PING, in milliseconds.
    pub ready_timeout_ms: u64,
    /// Configuration-file text; when there is some, the server is started with that file.
    pub config: Option<String>,
}

impl ServerSpec {
    /// The server under test: the `ochre` binary at `binary`, without persistence.
    pub fn ochre(binary: impl Into<PathBuf>) -> Self {
        ServerSpec {
            binary: binary.into(),
            args: ["--save", "", "--enable-debug-command", "yes"]
                .map(String::from)
                .to_vec(),
            listen: Listen::Tcp,
            ready_timeout_ms: 20_000,
            config: None,
        }
    }

    /// The reference: `$REDIS_SERVER`, or `redis-server` on the PATH, without persistence.
    ///
    /// # Errors
    /// [`ServerError::RedisMissing`] when there is none.
    pub fn redis() -> Result<Self, ServerError> {
        let binary = match std::env::var_os("REDIS_SERVER") {
            Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            None => std::env::var_os("PATH").and_then(|path| {
                std::env::split_paths(&path)
                    .map(|folder| folder.join("redis-server"))
                    .find(|path| path.is_file())
            }),
        };
        Ok(ServerSpec::ochre(binary.ok_or(ServerError::RedisMissing)?))
    }

    /// Adds arguments.
    pub fn with_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Replaces all arguments, the defaults too.
    pub fn with_only_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what it listens on.
    pub fn listening_on(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// Starts it from a configuration file with this text.
    pub fn with_config(mut self, text: impl Into<String>) -> Self {
        self.config = Some(text.into());
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// [`ServerError`], with the end of its log.
    pub fn start(&self) -> Result<Server, ServerError> {
        Server::start(self.clone())
    }
}

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no reference server to compare with.
    #[error(
        "\n*** redis-server was not found, neither in $REDIS_SERVER nor on the PATH. ***\n\
         The differential tests compare with a real one. Install Debian's package\n\
         `redis-server` (apt-get install redis-server), or set REDIS_SERVER to a 7.0+ binary."
    )]
    RedisMissing,
    /// The program could not be executed.
    #[error("cannot run {}: {error}", .binary.display())]
    Spawn {
        /// The program.
        binary: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It ended instead of becoming ready.
    #[error("{} ended at start with {status}; its log ends:\n{log}", .binary.display())]
    Ended {
        /// The program.
        binary: PathBuf,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines it logged.
        log: String,
    },
    /// It runs but does not answer PING.
    #[error("{} does not answer after {waited_ms} ms; its log ends:\n{log}", .binary.display())]
    NotReady {
        /// The program.
        binary: PathBuf,
        /// How long was waited.
        waited_ms: u64,
        /// The last lines it logged.
        log: String,
    },
    /// No free port was found in many attempts.
    #[error("every port that was free had been taken when {} tried it", .binary.display())]
    NoPort {
        /// The program.
        binary: PathBuf,
    },
    /// A folder or file of the test could not be made.
    #[error("the server's folder: {0}")]
    Folder(#[from] std::io::Error),
}
