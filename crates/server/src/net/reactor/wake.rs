//! Ending a reactor's sleep from another thread.
//!
//! ```text
//!             wait() is about to sleep
//!      AWAKE ---------------------------> ASLEEP
//!        |  ^                               |
//! wake() |  | wait() returns, calls woken   | wake(), which alone writes the eventfd
//!        v  |                               v
//!      NOTIFIED <---------------------------+
//! ```
//!
//! A wake-up of a worker that is busy costs one atomic operation; of a sleeping one, one
//! system call, however many threads wake it. The eventfd is watched for edges and never
//! read.
//!
//! Invariant: whatever a thread did before `wake` is visible in the `woken` that follows.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{EventfdFlags, eventfd};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const NOTIFIED: u8 = 2;

struct Shared {
    state: AtomicU8,
    eventfd: OwnedFd,
}

/// Wakes one reactor. Cheap to clone; outlives the reactor harmlessly.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Makes the reactor call [`super::Handler::woken`] soon. Calls before that are one.
    pub fn wake(&self) {
        if self.0.state.swap(NOTIFIED, Ordering::AcqRel) == ASLEEP {
            let one = 1u64.to_ne_bytes();
            // EAGAIN means that the counter is full, after 2^64 - 2 sleeps: start it again.
            while let Err(error) = rustix::io::write(&self.0.eventfd, &one) {
                match error {
                    rustix::io::Errno::INTR => {}
                    rustix::io::Errno::AGAIN => {
                        let _ = rustix::io::read(&self.0.eventfd, &mut [0; 8]);
                    }
                    _ => return,
                }
            }
        }
    }
}

/// The reactor's end.
pub(super) struct WakeReceiver(Arc<Shared>);

impl WakeReceiver {
    pub fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(WakeReceiver(Arc::new(Shared {
            state: AtomicU8::new(AWAKE),
            eventfd,
        })))
    }

    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.0))
    }

    pub fn eventfd(&self) -> BorrowedFd<'_> {
        self.0.eventfd.as_fd()
    }

    /// To be called before sleeping. Whether sleep is allowed: nobody has called `wake`.
    pub fn may_sleep(&self) -> bool {
        self.0
            .state
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// To be called after sleeping. Whether somebody has called `wake`.
    pub fn was_woken(&self) -> bool {
        self.0.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }
}
