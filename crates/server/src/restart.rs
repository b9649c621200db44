//! The same program in the same process, from the beginning: DEBUG RESTART and
//! CRASH-AND-RECOVER.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Access, access};

/// How this process was started.
#[derive(Debug, Clone)]
pub struct Restart {
    executable: PathBuf,
    /// The program's name, then its arguments.
    words: Vec<OsString>,
}

impl Restart {
    /// How this process was started; to be asked before its title is set, which takes the
    /// arguments' place.
    ///
    /// # Errors
    /// When the system does not say where the program is.
    pub fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            executable: std::env::current_exe()?,
            words: std::env::args_os().collect(),
        })
    }

    /// Whether the program may be executed.
    ///
    /// # Errors
    /// Why not, as the log says it.
    pub fn check(&self) -> Result<(), String> {
        access(&self.executable, Access::EXEC_OK).map_err(|_| {
            format!(
                "Can't restart: this process has no permissions to execute {}",
                self.executable.display()
            )
        })
    }

    /// Starts the program again, in this process, after `delay`. All other threads end,
    /// all files are closed. Returns only the reason why that failed.
    pub fn run(&self, delay: Duration) -> io::Error {
        std::thread::sleep(delay);
        let mut words = self.words.iter();
        let mut command = Command::new(&self.executable);
        if let Some(name) = words.next() {
            command.arg0(name);
        }
        command.args(words).exec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_gone_cannot_be_restarted() {
        let own = Restart::of_this_process().unwrap();
        assert_eq!(own.check(), Ok(()));
        let gone = Restart {
            executable: "/nonexistent/ochre".into(),
            words: Vec::new(),
        };
        assert_eq!(
            gone.check().unwrap_err(),
            "Can't restart: this process has no permissions to execute /nonexistent/ochre"
        );
        assert_eq!(gone.run(Duration::ZERO).kind(), io::ErrorKind::NotFound);
    }
}
