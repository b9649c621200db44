//! Which cores run what, and what runs first. On a small machine the generator and the
//! server compete for cores; rows about one server core give each its own.

use std::process::{Command, Stdio};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A set of cores, by number.
pub type Cores = Vec<usize>;

/// The cores that this process may run on, ascending.
pub fn available() -> Cores {
    let Ok(set) = sched_getaffinity(None) else {
        return vec![0];
    };
    (0..CpuSet::MAX_CPU)
        .filter(|&core| set.is_set(core))
        .collect()
}

/// Lets the calling thread, and what it starts from now on, run on `cores` only.
///
/// # Errors
/// When the kernel refuses, as for cores that do not exist.
pub fn pin_this_thread(cores: &[usize]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores.iter().filter(|core| **core < CpuSet::MAX_CPU) {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Lets the calling thread run before all ordinary ones of its cores (`SCHED_FIFO`), so that
/// what it times is not its own waiting; says whether the system allows that. The thread
/// must sleep nearly always. It is `chrt` that asks the kernel, a program of every Linux.
pub fn make_this_thread_urgent() -> bool {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let asked = Command::new("chrt")
        .args(["--fifo", "--pid", "10", &thread])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Runs `start` with the calling thread pinned to `cores`, so that a child process started
/// there inherits the pinning; the thread's own is put back.
///
/// # Errors
/// When the kernel refuses to pin.
pub fn inherited<T>(cores: Option<&Cores>, start: impl FnOnce() -> T) -> std::io::Result<T> {
    let Some(cores) = cores else {
        return Ok(start());
    };
    let own = available();
    pin_this_thread(cores)?;
    let started = start();
    pin_this_thread(&own)?;
    Ok(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinning_is_inherited_and_undone() {
        let all = available();
        let one = vec![all[0]];
        let inside = inherited(Some(&one), available).unwrap();
        assert_eq!(inside, one);
        assert_eq!(available(), all);
    }
}
