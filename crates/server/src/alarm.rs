//! A thread's sleep that others can end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Wakes the one thread that sleeps by it.
#[derive(Debug, Default)]
pub struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct AlarmState {
    rung: bool,
    stop: bool,
}

impl Alarm {
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(AlarmState {
                rung: false,
                stop: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Forgets that it was rung or stopped.
    pub fn reset(&self) {
        *self.state.lock() = AlarmState::default();
    }

    pub fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_one();
    }

    pub fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_one();
    }

    /// Sleeps until rung or for `at_most`; returns whether to go on.
    pub fn sleep(&self, at_most: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if !state.rung && !state.stop {
            match at_most {
                Some(Duration::ZERO) => {}
                Some(at_most) => {
                    self.changed.wait_for(&mut state, at_most);
                }
                None => self.changed.wait(&mut state),
            }
        }
        state.rung = false;
        !state.stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rung_before_is_heard() {
        let alarm = Alarm::default();
        alarm.ring();
        assert!(alarm.sleep(None));
        assert!(alarm.sleep(Some(Duration::from_millis(1))));
        alarm.stop();
        assert!(!alarm.sleep(None));
        assert!(!alarm.sleep(Some(Duration::ZERO)));
    }
}
