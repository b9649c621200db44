//! `stripes`: into how many parts the keyspace is divided.

use super::{Origin, Value};
use crate::config::numbers;

/// Most stripes: more than that only costs memory.
const MAX: u32 = 1 << 16;

/// A power of two from 1 to 65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeCount(u32);

impl StripeCount {
    /// The number.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl Default for StripeCount {
    fn default() -> Self {
        StripeCount(1024)
    }
}

impl Value for StripeCount {
    const FORM: &'static str = "<a power of two from 1 to 65536>";

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let count = match words {
            [word] => numbers::decimal(word),
            _ => None,
        };
        self.0 = count
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| *count <= MAX && count.is_power_of_two())
            .ok_or("argument must be a power of two between 1 and 65536")?;
        Ok(())
    }
}
