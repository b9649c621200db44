//! What surrounds a start: the first lines of the log, the process id's file, going to
//! the background, and telling a supervisor.
//!
//! Going to the background is done by starting this program again: the second process
//! has no terminal, and the first ends. A fork would do, too, but not safely.

use std::io::{self, IsTerminal, Write};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::choices::Supervised;
use crate::config::{Config, REDIS_VERSION};
use crate::log::Log;
use crate::process;
use crate::purging;

/// Tells the second process that it is the one that stays.
const DAEMON_MARK: &str = "OCHRE_IS_DAEMON";

/// The file for the id of a daemon that names none.
const DAEMON_PID_FILE: &str = "/var/run/redis.pid";

/// Which of the two processes of a daemon this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The one that was called: it should hand over and end.
    HandOver,
    /// The one that stays; or there is only one.
    Stay,
}

/// Which process this is. The one that stays leaves its terminal here.
pub fn stage(config: &Config) -> Stage {
    if !config.process.daemonize || supervision(config).is_some() {
        return Stage::Stay;
    }
    if std::env::var_os(DAEMON_MARK).is_none() {
        return Stage::HandOver;
    }
    // Fails where the process leads a session already, which is all that is wanted.
    let _ = rustix::process::setsid();
    Stage::Stay
}

/// Starts the process that stays, with the same arguments and what the standard input
/// held.
///
/// # Errors
/// When it cannot be started.
pub fn hand_over(stdin: &[u8]) -> io::Result<()> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "ochre".into());
    let mut child = Command::new(std::env::current_exe()?)
        .arg0(name)
        .args(arguments)
        .env(DAEMON_MARK, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    match child.stdin.take() {
        Some(mut pipe) => pipe.write_all(stdin),
        None => Ok(()),
    }
}

/// A supervisor that wants to know when the server is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supervisor {
    /// Listens on this socket; a name that begins with `@` is abstract.
    Systemd(PathBuf),
    /// Waits for the process to stop itself.
    Upstart,
}

/// Who supervises the process, by the configuration and the environment.
pub fn supervision(config: &Config) -> Option<Supervisor> {
    let systemd = || {
        let socket = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        Some(Supervisor::Systemd(socket.into()))
    };
    let upstart = || std::env::var_os("UPSTART_JOB").map(|_| Supervisor::Upstart);
    match config.process.supervised {
        Supervised::No => None,
        Supervised::Systemd => systemd(),
        Supervised::Upstart => upstart(),
        Supervised::Auto => upstart().or_else(systemd),
    }
}

impl Supervisor {
    /// Says that the server is ready.
    pub fn ready(&self, log: &Log) {
        match self {
            Self::Systemd(socket) => {
                let message = b"STATUS=Ready to accept connections\nREADY=1\n";
                if let Err(error) = notify(socket, message) {
                    log.warning(&format!("Can't notify systemd: {error}"));
                }
            }
            Self::Upstart => {
                log.notice("supervised by upstart, will stop to signal readiness");
                let stopped = rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::STOP,
                );
                if let Err(error) = stopped {
                    log.warning(&format!("Can't stop for upstart: {error}"));
                }
            }
        }
    }

    /// Says that the server is about to end.
    pub fn stopping(&self) {
        if let Self::Systemd(socket) = self {
            // A supervisor that does not listen will see the end itself.
            let _ = notify(socket, b"STOPPING=1\n");
        }
    }
}

fn notify(socket: &Path, message: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    let address = match socket.as_os_str().as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sent = UnixDatagram::unbound()?.send_to_addr(message, &address)?;
    if sent == message.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// The file that holds the process id; removed when this is dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file that the configuration asks for, if it does. That it cannot be
    /// written is only logged, as in Redis.
    pub fn write(config: &Config, log: &Log) -> Option<Self> {
        let named = &config.process.pid_file;
        let name = if !named.is_empty() {
            named.as_str()
        } else if config.process.daemonize {
            DAEMON_PID_FILE
        } else {
            return None;
        };
        let path = config.persistence.dir.join(name);
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                log.warning(&format!("Failed to write PID file: {error}"));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Logs who starts, and with which configuration.
pub fn announce(config: &Config, file: Option<&Path>, program: &str, log: &Log) {
    let pid = std::process::id();
    log.notice("oO0OoO0OoO0Oo Ochre is starting oO0OoO0OoO0Oo");
    log.notice(&format!(
        "Redis version={REDIS_VERSION}, ochre version={}, bits={}, pid={pid}, just started",
        env!("CARGO_PKG_VERSION"),
        usize::BITS
    ));
    match file {
        Some(file) => log.notice(&format!("Configuration loaded from {}", file.display())),
        None => log.warning(&format!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use {program} /path/to/redis.conf"
        )),
    }
    log.notice(&format!("PID: {pid}"));
    let to_terminal = config.logging.file.is_empty() && io::stdout().is_terminal();
    let port = config.network.port;
    if config.process.always_show_logo || to_terminal {
        for line in LOGO.lines() {
            log.notice(line);
        }
    }
    log.notice(&format!("Running mode=standalone, port={port}."));
}

const LOGO: &str = r"
      ______
   .-'      '-.      Ochre
  /  .-====-.  \     red earth, all cores
 |  /        \  |
 |  \        /  |    speaks Redis
  \  '-.__.-'  /
   '-.______.-'
";

/// Fits limits and scores of the process to the configuration, which may have to give
/// in: fewer clients than it asks for.
pub fn fit_process(config: &mut Config, log: &Log) {
    let wanted = config.clients.max_clients;
    let before = process::descriptor_limit();
    let possible = process::raise_descriptor_limit(wanted);
    let after = process::descriptor_limit();
    if possible < wanted {
        log.warning(&format!(
            "You requested maxclients of {wanted} requiring at least {} max file descriptors.",
            u64::from(wanted) + process::RESERVED_DESCRIPTORS
        ));
        log.warning(&format!(
            "Current maximum open files is {after}. maxclients has been reduced to {possible} to \
             compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
        ));
        config.clients.max_clients = possible.max(1);
    } else if after > before {
        log.notice(&format!(
            "Increased maximum number of open files to {after} (it was originally set to \
             {before})."
        ));
    }
    if let Err(error) = process::adjust_oom_score(config) {
        log.warning(&format!("Unable to write oom_score_adj: {error}"));
    }
    if config.process.disable_thp
        && let Err(error) = rustix::thread::disable_transparent_huge_pages(true)
    {
        log.warning(&format!("Can't disable transparent huge pages: {error}"));
    }
    purging::switch(config.memory.jemalloc_background_thread);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_holds_the_id_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.pid");
        let mut config = Config::default();
        config.process.pid_file = path.to_string_lossy().into_owned();
        let file = PidFile::write(&config, &Log::silent()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        config.process.pid_file.clear();
        assert!(PidFile::write(&config, &Log::silent()).is_none());
    }

    #[test]
    fn systemd_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Supervisor::Systemd(path).ready(&Log::silent());
        let mut message = [0; 100];
        let length = socket.recv(&mut message).unwrap();
        assert!(message[..length].ends_with(b"READY=1\n"));
    }
}
