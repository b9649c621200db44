//! The turns of a thread on its processor, as far as only the system call itself can say:
//! the one thing about threads that no safe library offers.
//!
//! A scheduler lets a running thread end its turn, milliseconds, before a thread that has
//! just become ready gets the processor; unless the turn that the running one asked for is
//! the longer. Whoever works for nobody in particular should ask for that: it gets its
//! share all the same, but a thread that serves clients never waits for its turn to end.

use std::io;
use std::time::Duration;

/// What those ask for who let others go first: longer than what a thread gets that does not ask. Not
/// much longer, as it is also how long a thread that holds an allocator's lock may have to
/// wait for its next turn.
const LONG_TURN: Duration = Duration::from_millis(10);

/// How much of a processor a thread gets where others want it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As much as a worker.
    Full,
    /// About a tenth of a worker's.
    Small,
}

impl Share {
    fn niceness(self) -> i32 {
        match self {
            Self::Full => 0,
            Self::Small => 10,
        }
    }
}

/// Makes the calling thread, and those it starts from now on, give way to every other
/// thread that becomes ready. Linux up to 6.11 heeds the share, not the longer turn.
///
/// # Errors
/// When the system refuses, or knows nothing of the sort.
#[cfg(target_os = "linux")]
pub fn give_way(share: Share) -> io::Result<()> {
    /// `struct sched_attr` of sched_setattr(2) in its first version.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    const { assert!(size_of::<Attributes>() == 48) };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice: share.niceness(),
        priority: 0,
        runtime_ns: LONG_TURN.as_nanos() as u64,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the kernel reads `size` bytes from the pointer, which leads to a live value
    // of that size and of the layout it expects; 0 is the calling thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// There is none of it elsewhere.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn give_way(_share: Share) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;
    use rustix::thread::gettid;

    #[test]
    fn a_thread_gives_way_with_those_it_starts() {
        std::thread::spawn(|| {
            give_way(Share::Small).unwrap();
            assert_eq!(getpriority_process(Some(gettid())).unwrap(), 10);
            let started = std::thread::spawn(|| getpriority_process(Some(gettid())).unwrap());
            assert_eq!(started.join().unwrap(), 10);
        })
        .join()
        .unwrap();
    }
}
