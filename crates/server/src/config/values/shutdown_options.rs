//! `shutdown-on-sigint` and `shutdown-on-sigterm`: how a signal ends the server.

use super::{Origin, Value};
use crate::config::directive::not_one_of;

/// Options of SHUTDOWN; none is `default` (save when there are save rules).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions(u8);

impl ShutdownOptions {
    /// Save when there are save rules.
    pub const DEFAULT: ShutdownOptions = ShutdownOptions(0);
    /// Save even without save rules.
    pub const SAVE: ShutdownOptions = ShutdownOptions(1);
    /// Do not save.
    pub const NOSAVE: ShutdownOptions = ShutdownOptions(2);
    /// Do not wait for replicas that lag.
    pub const NOW: ShutdownOptions = ShutdownOptions(4);
    /// Exit even if saving fails.
    pub const FORCE: ShutdownOptions = ShutdownOptions(8);

    const NAMES: [(&'static str, ShutdownOptions); 5] = [
        ("default", ShutdownOptions::DEFAULT),
        ("save", ShutdownOptions::SAVE),
        ("nosave", ShutdownOptions::NOSAVE),
        ("now", ShutdownOptions::NOW),
        ("force", ShutdownOptions::FORCE),
    ];

    /// Whether all of `other` is in this set.
    pub const fn has(self, other: ShutdownOptions) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Value for ShutdownOptions {
    const FORM: &'static str = "default, or some of: save|nosave now force";

    fn text(&self) -> String {
        if *self == Self::DEFAULT {
            return "default".into();
        }
        let set = Self::NAMES
            .iter()
            .filter(|(_, option)| option.0 != 0 && self.has(*option));
        set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let mut options = Self::DEFAULT;
        for word in words {
            let option = Self::NAMES
                .iter()
                .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
            let Some((_, option)) = option else {
                return Err(not_one_of(&Self::NAMES.map(|(name, _)| name)));
            };
            options.0 |= option.0;
        }
        if words.is_empty() {
            return Err(not_one_of(&Self::NAMES.map(|(name, _)| name)));
        }
        if options.has(Self::SAVE) && options.has(Self::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = options;
        Ok(())
    }
}
