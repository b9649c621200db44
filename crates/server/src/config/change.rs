//! CONFIG SET: several directives at once, all or nothing.
//!
//! ```text
//!   set(current, pairs, rights) ──► Change { config, changed }
//!                                     │ commit(current, |directive, config| side effect)
//!                                     ▼
//!                              the new Config, or the veto's error after every side effect
//!                              done so far has been done again with the old values
//! ```
//!
//! Invariant: the current configuration is never touched; an error leaves nothing changed.

use thiserror::Error;

use super::Config;
use super::directive::{Directive, Flags};
use super::section::find;
use super::values::Origin;

/// Why CONFIG SET is refused. The text is what the client sees, error code included.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// A name without a value.
    #[error("ERR syntax error")]
    Syntax,
    /// No such directive.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// A directive that cannot be set while a data set is loaded.
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    /// A value, a flag or a side effect stands against it.
    #[error("ERR CONFIG SET failed (possibly related to argument '{argument}') - {reason}")]
    Failed {
        /// The directive.
        argument: String,
        /// What is wrong.
        reason: String,
    },
}

/// What the asking client may do, and what the server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Whether `enable-protected-configs` allows this client to set protected directives.
    pub protected: ProtectedConfigs,
    /// Whether a data set is being loaded.
    pub phase: Phase,
}

/// Whether protected directives may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectedConfigs {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// What the server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Serving.
    Serving,
    /// Loading a data set.
    Loading,
}

/// A checked change that is not in force yet.
pub struct Change {
    /// The configuration with the new values.
    pub config: Config,
    /// The directives whose value differs now, in the order of the command.
    pub changed: Vec<&'static Directive>,
}

/// Checks the `name value` arguments of CONFIG SET and makes the new configuration.
///
/// # Errors
/// In Redis's order: loading, an unknown name, a flag or a duplicate, a wrong value.
pub fn set(current: &Config, arguments: &[&[u8]], rights: Rights) -> Result<Change, ChangeError> {
    if arguments.is_empty() || !arguments.len().is_multiple_of(2) {
        return Err(ChangeError::Syntax);
    }
    let mut named: Vec<(&'static str, &'static Directive, &[u8])> = Vec::new();
    for pair in arguments.chunks_exact(2) {
        let Some((name, directive)) = find(pair[0]) else {
            return Err(ChangeError::Unknown(
                String::from_utf8_lossy(pair[0]).into_owned(),
            ));
        };
        check_flags(pair[0], directive, rights)?;
        if named.iter().any(|(known, ..)| *known == name) {
            return Err(failed(pair[0], "duplicate parameter"));
        }
        named.push((name, directive, pair[1]));
    }
    let mut config = current.clone();
    for (name, directive, value) in &named {
        let result = if directive.flags.has(Flags::MULTI) {
            let words: Vec<&[u8]> = match value {
                [] => Vec::new(),
                value => value.split(|byte| *byte == b' ').collect(),
            };
            directive.write(&mut config, &words, Origin::Set)
        } else {
            directive.write(&mut config, &[value], Origin::Set)
        };
        result.map_err(|reason| failed(name.as_bytes(), &reason))?;
    }
    config.normalize();
    let mut changed: Vec<&'static Directive> = Vec::new();
    for (_, directive, _) in named {
        let known = changed.iter().any(|other| std::ptr::eq(*other, directive));
        if !known && !directive.same_in(&config, current) {
            changed.push(directive);
        }
    }
    Ok(Change { config, changed })
}

/// The value arguments of a CONFIG SET command that logs and MONITOR must not show, as indices
/// into the `name value` arguments. Meant for any arguments, also wrong ones.
pub fn secret_positions(arguments: &[&[u8]]) -> impl Iterator<Item = usize> {
    let pairs = arguments.chunks(2).enumerate();
    pairs.filter_map(|(index, pair)| {
        let sensitive = find(pair[0])?.1.flags.has(Flags::SENSITIVE);
        (sensitive && pair.len() == 2).then_some(2 * index + 1)
    })
}

impl Change {
    /// Does the side effect of every changed directive, then gives the configuration to swap in.
    /// `apply` gets the directive and the configuration whose value it is to put into force.
    ///
    /// # Errors
    /// The first veto; what was applied before it is applied again with `current`'s values.
    pub fn commit(
        self,
        current: &Config,
        mut apply: impl FnMut(&'static Directive, &Config) -> Result<(), String>,
    ) -> Result<Config, ChangeError> {
        for (index, directive) in self.changed.iter().enumerate() {
            if let Err(reason) = apply(directive, &self.config) {
                for directive in self.changed[..index].iter().rev() {
                    // The old value was in force a moment ago; when even that fails now there is
                    // nothing better to fall back to, and the veto is what the client must see.
                    let _ = apply(directive, current);
                }
                return Err(failed(directive.name.as_bytes(), &reason));
            }
        }
        Ok(self.config)
    }
}

fn check_flags(name: &[u8], directive: &Directive, rights: Rights) -> Result<(), ChangeError> {
    if directive.flags.has(Flags::IMMUTABLE) {
        return Err(failed(name, "can't set immutable config"));
    }
    if directive.flags.has(Flags::PROTECTED) && rights.protected == ProtectedConfigs::Refused {
        return Err(failed(name, "can't set protected config"));
    }
    if directive.flags.has(Flags::DENY_LOADING) && rights.phase == Phase::Loading {
        return Err(ChangeError::Loading);
    }
    Ok(())
}

fn failed(argument: &[u8], reason: &str) -> ChangeError {
    ChangeError::Failed {
        argument: String::from_utf8_lossy(argument).into_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
