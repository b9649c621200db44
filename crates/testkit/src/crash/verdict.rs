//! Whether what was loaded may be.

use std::time::Instant;

use super::load::History;

/// What a policy allows to be loaded: for each client, from which step to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Where it comes from, for reports.
    pub why: String,
    /// By client: the earliest and the latest step that may have been its last.
    pub ranges: Vec<(u64, u64)>,
}

/// Checks the last step found for each client.
///
/// # Errors
/// Which promise was broken.
pub fn check(found: &[u64], allowed: &[Allowed], histories: &[History]) -> Result<(), String> {
    let fits = |allowed: &Allowed| {
        let mut ranges = found.iter().zip(&allowed.ranges);
        ranges.all(|(step, (from, to))| (from..=to).contains(&step))
    };
    if !allowed.iter().any(fits) {
        return Err(format!(
            "found the clients' steps {found:?}, allowed are {allowed:?}"
        ));
    }
    cut(found, histories)
}

/// A step that was acknowledged before another was sent must be there if the other is.
fn cut(found: &[u64], histories: &[History]) -> Result<(), String> {
    for (later, of_later) in histories.iter().enumerate() {
        let Some(sent) = last_sent(of_later, found[later]) else {
            continue;
        };
        for (earlier, of_earlier) in histories.iter().enumerate() {
            let expected = of_earlier.acknowledged_at(sent);
            if found[earlier] < expected && earlier != later {
                return Err(format!(
                    "step {} of client {later} was found, but only step {} of client {earlier}, \
                     whose step {expected} was acknowledged before the other was sent",
                    found[later], found[earlier]
                ));
            }
        }
    }
    Ok(())
}

/// When the last step found was sent, if that was in this life.
fn last_sent(history: &History, found: u64) -> Option<Instant> {
    let index = found.checked_sub(history.before + 1)?;
    history.sent.get(index as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Steps of 10 ms each, acknowledged when the next is sent.
    fn history(before: u64, start: Instant, offset_ms: u64) -> History {
        let at = |step: u64| start + Duration::from_millis(offset_ms + 10 * step);
        History {
            before,
            sent: (0..5).map(at).collect(),
            acknowledged: (1..5).map(at).collect(),
            synced: before,
        }
    }

    fn allow(ranges: &[(u64, u64)]) -> Vec<Allowed> {
        vec![Allowed {
            why: "test".into(),
            ranges: ranges.to_vec(),
        }]
    }

    #[test]
    fn every_client_must_be_in_the_range_of_the_same_promise() {
        let histories = [history(0, Instant::now(), 0), history(0, Instant::now(), 0)];
        let mut allowed = allow(&[(1, 2), (1, 2)]);
        assert!(check(&[1, 2], &allowed, &histories).is_ok());
        assert!(check(&[3, 3], &allowed, &histories).is_err());
        allowed.extend(allow(&[(3, 3), (3, 3)]));
        assert!(check(&[3, 3], &allowed, &histories).is_ok());
        assert!(check(&[2, 3], &allowed, &histories).is_err());
    }

    #[test]
    fn what_came_before_in_real_time_must_be_there() {
        let start = Instant::now();
        let histories = [history(7, start, 0), history(2, start, 5)];
        let allowed = allow(&[(0, 100), (0, 100)]);
        // The first client's step 10 was acknowledged at 30 ms; the second's step 6 was
        // sent at 35 ms.
        assert!(check(&[10, 6], &allowed, &histories).is_ok());
        assert!(check(&[9, 6], &allowed, &histories).is_err());
        // Nothing of this life was found: nothing is known.
        assert!(check(&[7, 2], &allowed, &histories).is_ok());
    }
}
