//! Which cores run what. On a small machine the generator and the server compete for
//! them; rows about one server core give each its own.

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
