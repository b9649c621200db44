//! `client-output-buffer-limit`: how much unread output a client of each class may pile up.

use super::{Line, Origin, Value, loose_decimal};
use crate::config::numbers;

/// The limits of one class of clients; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// At which the client is closed at once.
    pub hard_bytes: u64,
    /// At which it is closed when it stays above for `soft_seconds`.
    pub soft_bytes: u64,
    /// How long it may stay above the soft limit.
    pub soft_seconds: u32,
}

/// A class of clients with output limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// Ordinary clients and MONITOR.
    Normal,
    /// Replicas.
    Replica,
    /// Clients with subscriptions.
    Pubsub,
}

/// The limits of the three classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputBufferLimits {
    /// Ordinary clients.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients with subscriptions.
    pub pubsub: BufferLimit,
}

impl Default for OutputBufferLimits {
    fn default() -> Self {
        OutputBufferLimits {
            normal: BufferLimit::default(),
            replica: BufferLimit {
                hard_bytes: 256 << 20,
                soft_bytes: 64 << 20,
                soft_seconds: 60,
            },
            pubsub: BufferLimit {
                hard_bytes: 32 << 20,
                soft_bytes: 8 << 20,
                soft_seconds: 60,
            },
        }
    }
}

impl OutputBufferLimits {
    /// The limits of a class.
    pub fn of(&self, class: ClientClass) -> &BufferLimit {
        match class {
            ClientClass::Normal => &self.normal,
            ClientClass::Replica => &self.replica,
            ClientClass::Pubsub => &self.pubsub,
        }
    }
}

impl Value for OutputBufferLimits {
    const FORM: &'static str =
        "<normal|replica|pubsub> <hard bytes> <soft bytes> <soft seconds> [<class> ...]";

    fn text(&self) -> String {
        let limit = |name: &str, limit: &BufferLimit| {
            format!(
                "{name} {} {} {}",
                limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )
        };
        // "slave" is what CONFIG GET shows to this day.
        [
            limit("normal", &self.normal),
            limit("slave", &self.replica),
            limit("pubsub", &self.pubsub),
        ]
        .join(" ")
    }

    /// Classes that the words do not name keep their limits.
    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        const BAD_NUMBER: &str =
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        for group in words.chunks_exact(4) {
            let limit = match group[0].to_ascii_lowercase().as_slice() {
                b"normal" => &mut self.normal,
                b"slave" | b"replica" => &mut self.replica,
                b"pubsub" => &mut self.pubsub,
                _ => {
                    return Err(
                        "Invalid client class specified in buffer limit configuration.".into(),
                    );
                }
            };
            *limit = BufferLimit {
                hard_bytes: numbers::memory(group[1]).ok_or(BAD_NUMBER)?,
                soft_bytes: numbers::memory(group[2]).ok_or(BAD_NUMBER)?,
                soft_seconds: loose_decimal(group[3])
                    .and_then(|seconds| u32::try_from(seconds).ok())
                    .ok_or(BAD_NUMBER)?,
            };
        }
        Ok(())
    }

    fn lines(&self, default: &Self) -> Vec<Line> {
        let line = |name: &str, limit: &BufferLimit, default: &BufferLimit| {
            let hard = numbers::with_largest_unit(limit.hard_bytes.into());
            let soft = numbers::with_largest_unit(limit.soft_bytes.into());
            let text = format!("{name} {hard} {soft} {}", limit.soft_seconds);
            Line::unless_default(text, limit == default)
        };
        vec![
            line("normal", &self.normal, &default.normal),
            line("replica", &self.replica, &default.replica),
            line("pubsub", &self.pubsub, &default.pubsub),
        ]
    }
}
