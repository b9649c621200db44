//! The purging thread: gives memory that nobody uses any more back to the system, little
//! by little.
//!
//! The allocator keeps freed pages for a while (`dirty_decay_ms`), as they may be used
//! again, and then returns them. Left to itself it does so in lots of milliseconds of work
//! a tenth of a second apart, on a thread of its own or on that which happens to free
//! something, which then keeps workers waiting; in steps of a few milliseconds the same
//! work comes in small pieces. There is one such thread in the process, as there is one
//! allocator, and while nothing happens it sleeps.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::alarm::Alarm;
use crate::scheduling::{self, Share};

/// Between two steps while commands run.
const STEP: Duration = Duration::from_millis(5);
/// While none run, steps come ever more seldom; beyond this there are none.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// There is no thread.
const ABSENT: u8 = 0;
/// Nothing has happened since the last step.
const QUIET: u8 = 1;
/// Something has.
const ACTIVE: u8 = 2;
/// Nothing has for long, and the thread waits to be woken.
const ASLEEP: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(ABSENT);
static THREAD: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);
static ALARM: Alarm = Alarm::new();

/// Has the thread go on: memory may have been freed. To be called once in a while by
/// whoever frees some.
#[inline]
pub fn note_activity() {
    match STATE.load(Ordering::Relaxed) {
        QUIET => STATE.store(ACTIVE, Ordering::Relaxed),
        ASLEEP => wake(),
        _ => {}
    }
}

#[cold]
fn wake() {
    STATE.store(ACTIVE, Ordering::Relaxed);
    ALARM.ring();
}

/// Starts the thread, or ends it: then memory is given back by those who free it.
pub fn switch(on: bool) {
    let mut running = THREAD.lock();
    match (on, running.is_some()) {
        (true, false) => {
            ALARM.reset();
            STATE.store(ACTIVE, Ordering::Relaxed);
            let thread = std::thread::Builder::new()
                .name("ochre-purge".to_owned())
                .spawn(run);
            match thread {
                Ok(thread) => *running = Some(thread),
                // It is given back all the same, in larger lots.
                Err(_) => STATE.store(ABSENT, Ordering::Relaxed),
            }
        }
        (false, true) => {
            STATE.store(ABSENT, Ordering::Relaxed);
            ALARM.stop();
            if let Some(thread) = running.take() {
                // It cannot have panicked in a way that was not reported.
                let _ = thread.join();
            }
        }
        _ => {}
    }
}

fn run() {
    ochre_crash::prepare_thread();
    // Where the system does not offer it, the thread takes its share, no more.
    let _ = scheduling::give_way(Share::Small);
    let mut step = STEP;
    while ALARM.sleep(Some(step)) {
        purge_a_little();
        if STATE
            .compare_exchange(ACTIVE, QUIET, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            step = STEP;
            continue;
        }
        step *= 2;
        if step > LONGEST_STEP {
            step = STEP;
            let is_asleep =
                STATE.compare_exchange(QUIET, ASLEEP, Ordering::Relaxed, Ordering::Relaxed);
            if is_asleep.is_ok() && !ALARM.sleep(None) {
                return;
            }
        }
    }
}

/// Returns the pages of all arenas whose time is up since the last call.
fn purge_a_little() {
    // 4096 stands for all arenas (MALLCTL_ARENAS_ALL).
    const DECAY: &std::ffi::CStr = c"arena.4096.decay";
    // SAFETY: the name is a C string, and this control neither reads nor writes a value,
    // as the null pointers say. Where the allocator does not know it, it says so, and
    // nothing happens.
    unsafe {
        tikv_jemalloc_sys::mallctl(
            DECAY.as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn await_state(wanted: u8) {
        for _ in 0..10_000 {
            if STATE.load(Ordering::Relaxed) == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the state does not come");
    }

    /// One test, as there is one thread in the process.
    #[test]
    fn it_sleeps_when_nothing_happens_and_ends_when_told() {
        note_activity();
        assert_eq!(STATE.load(Ordering::Relaxed), ABSENT);
        switch(true);
        switch(true);
        await_state(ASLEEP);
        note_activity();
        await_state(QUIET);
        switch(false);
        switch(false);
        note_activity();
        assert_eq!(STATE.load(Ordering::Relaxed), ABSENT);
        switch(true);
        await_state(QUIET);
        switch(false);
    }
}
