//! What a directive is: its names, the kind of its value, its flags, and how its value is read
//! from and written to a [`Config`].
//!
//! The error texts here are what clients of CONFIG SET and readers of start-up errors see; they
//! are Redis's, verbatim.

use super::Config;
use super::numbers::{self, MemoryShare};
use super::values::{Line, Origin};
use super::words::quoted;

/// One configuration directive.
pub struct Directive {
    /// The name that CONFIG REWRITE writes.
    pub name: &'static str,
    /// Redis's older name, which every command accepts and CONFIG GET also shows.
    pub alias: Option<&'static str>,
    /// Valkey's name: accepted everywhere, shown by CONFIG GET only when asked for exactly.
    pub valkey_name: Option<&'static str>,
    /// The value's kind, limits and place in [`Config`].
    pub kind: Kind,
    /// When and by whom it may be set or seen.
    pub flags: Flags,
    /// What setting it does in this server.
    pub effect: Effect,
    /// What it is for, in one or two sentences.
    pub summary: &'static str,
}

/// Takes the words of a line or of a CONFIG SET value.
pub type Assign = fn(&mut Config, &[&[u8]], Origin) -> Result<(), String>;

/// A place in [`Config`].
pub struct Field<T: 'static> {
    /// Reads it.
    pub of: fn(&Config) -> &T,
    /// Changes it.
    pub of_mut: fn(&mut Config) -> &mut T,
}

/// A place in [`Config`] that holds some integer type, seen as `i128`.
pub struct IntegerField {
    /// Reads it.
    pub read: fn(&Config) -> i128,
    /// Writes it; the value is within the directive's limits, which the type can hold.
    pub write: fn(&mut Config, i128),
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain decimal number.
    Count,
    /// Bytes, with the units of redis.conf (`1k` is 1000, `1kb` is 1024, …).
    Bytes,
    /// An octal number (file modes).
    Octal,
}

/// What an empty text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Just that: CONFIG REWRITE writes `name ""`.
    IsAValue,
    /// Not set: CONFIG REWRITE removes the line.
    IsUnset,
}

/// The kind of a directive's value.
pub enum Kind {
    /// `yes` or `no`.
    YesNo(Field<bool>),
    /// An integer between two limits (both included).
    Integer {
        /// Where it is.
        field: IntegerField,
        /// Smallest value.
        min: i128,
        /// Largest value.
        max: i128,
        /// How it is written.
        unit: Unit,
    },
    /// Bytes, or a percentage of `maxmemory`.
    MemoryShare(Field<MemoryShare>),
    /// One of a fixed set of names.
    Choice {
        /// The names, in the order of the error text.
        names: &'static [&'static str],
        /// The current name.
        read: fn(&Config) -> &'static str,
        /// Sets it; the name is one of `names`.
        write: fn(&mut Config, &str),
    },
    /// Text in UTF-8.
    Text {
        /// Where it is.
        field: Field<String>,
        /// What an empty text means.
        empty: Empty,
        /// Refuses values with a reason.
        check: fn(&str) -> Result<(), &'static str>,
    },
    /// A password or the like: any bytes; empty means not set.
    Secret(Field<Vec<u8>>),
    /// A value with a syntax of its own.
    Value {
        /// The syntax, for the reference file.
        form: &'static str,
        /// The normal form that CONFIG GET shows.
        read: fn(&Config) -> String,
        /// Takes the words of a line or of a CONFIG SET value.
        assign: Assign,
        /// The lines that CONFIG REWRITE writes, given the defaults.
        lines: fn(&Config, &Config) -> Vec<Line>,
    },
}

/// A set of properties of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No property.
    pub const NONE: Flags = Flags(0);
    /// Only the configuration file and the command line can set it.
    pub const IMMUTABLE: Flags = Flags(1);
    /// CONFIG GET shows it only when its exact name is given.
    pub const HIDDEN: Flags = Flags(2);
    /// Its value is a secret: logs and MONITOR must not show it.
    pub const SENSITIVE: Flags = Flags(4);
    /// Takes several words.
    pub const MULTI: Flags = Flags(8);
    /// CONFIG SET needs `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(16);
    /// CONFIG SET refuses it while a data set is being loaded.
    pub const DENY_LOADING: Flags = Flags(32);

    /// Both sets together.
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether every property of `other` is in this set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What setting a directive does in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Heeded at once.
    Live,
    /// Heeded when the server starts.
    AtStart,
    /// Accepted and kept, without effect, for the reason given.
    Inert(&'static str),
    /// Any value but the default is refused, for the reason given.
    Refused(&'static str),
}

impl Directive {
    /// Its name, Redis's older name, and Valkey's.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias, self.valkey_name]
            .into_iter()
            .flatten()
    }

    /// The value in the normal form of CONFIG GET.
    pub fn read(&self, config: &Config) -> Vec<u8> {
        match &self.kind {
            Kind::YesNo(field) => yes_no(*(field.of)(config)).into(),
            Kind::Integer {
                field,
                unit: Unit::Octal,
                ..
            } => format!("{:o}", (field.read)(config)).into(),
            Kind::Integer { field, .. } => (field.read)(config).to_string().into(),
            Kind::MemoryShare(field) => (field.of)(config).to_string().into(),
            Kind::Choice { read, .. } => read(config).into(),
            Kind::Text { field, .. } => (field.of)(config).clone().into(),
            Kind::Secret(field) => (field.of)(config).clone(),
            Kind::Value { read, .. } => read(config).into(),
        }
    }

    /// Writes the value that `words` spell. On an error `config` may be changed in part by a
    /// many-valued directive: write to a copy.
    ///
    /// # Errors
    /// Redis's text for what is wrong with the words.
    pub fn write(
        &self,
        config: &mut Config,
        words: &[&[u8]],
        origin: Origin,
    ) -> Result<(), String> {
        if let Kind::Value { assign, .. } = &self.kind
            && self.flags.has(Flags::MULTI)
        {
            assign(config, words, origin)?;
        } else {
            let &[word] = words else {
                return Err("wrong number of arguments".into());
            };
            self.write_word(config, word, origin)?;
        }
        match self.effect {
            Effect::Refused(reason) if !self.same_in(config, &Config::default()) => {
                Err(reason.into())
            }
            _ => Ok(()),
        }
    }

    fn write_word(&self, config: &mut Config, word: &[u8], origin: Origin) -> Result<(), String> {
        match &self.kind {
            Kind::YesNo(field) => {
                *(field.of_mut)(config) = match word {
                    word if word.eq_ignore_ascii_case(b"yes") => true,
                    word if word.eq_ignore_ascii_case(b"no") => false,
                    _ => return Err("argument must be 'yes' or 'no'".into()),
                };
            }
            Kind::Integer {
                field,
                min,
                max,
                unit,
            } => {
                let value = numbers::parse(word, *unit)?;
                numbers::check(value, *min, *max, *unit)?;
                (field.write)(config, value);
            }
            Kind::MemoryShare(field) => *(field.of_mut)(config) = MemoryShare::parse(word)?,
            Kind::Choice { names, write, .. } => {
                let Some(name) = names
                    .iter()
                    .find(|name| name.as_bytes().eq_ignore_ascii_case(word))
                else {
                    return Err(not_one_of(names));
                };
                write(config, name);
            }
            Kind::Text { field, check, .. } => {
                let text = std::str::from_utf8(word).map_err(|_| "argument must be valid UTF-8")?;
                check(text)?;
                *(field.of_mut)(config) = text.into();
            }
            Kind::Secret(field) => *(field.of_mut)(config) = word.into(),
            Kind::Value { assign, .. } => assign(config, &[word], origin)?,
        }
        Ok(())
    }

    /// Whether the value is the same in both.
    pub fn same_in(&self, one: &Config, other: &Config) -> bool {
        self.read(one) == self.read(other)
    }

    /// The lines that CONFIG REWRITE writes for it. None means that a line of the old file that
    /// names the directive is removed.
    pub fn lines(&self, config: &Config, default: &Config) -> Vec<Line> {
        let text = match &self.kind {
            Kind::Value { lines, .. } => {
                let named = |line: Line| Line {
                    text: format!("{} {}", self.name, line.text),
                    ..line
                };
                return lines(config, default).into_iter().map(named).collect();
            }
            Kind::Integer {
                field,
                unit: Unit::Bytes,
                ..
            } => numbers::with_largest_unit((field.read)(config)),
            Kind::MemoryShare(field) => match *(field.of)(config) {
                MemoryShare::Bytes(bytes) => numbers::with_largest_unit(bytes.into()),
                share => share.to_string(),
            },
            Kind::Text {
                field,
                empty: Empty::IsUnset,
                ..
            } if (field.of)(config).is_empty() => {
                return Vec::new();
            }
            Kind::Secret(field) if (field.of)(config).is_empty() => return Vec::new(),
            Kind::Text { .. } | Kind::Secret(_) => quoted(&self.read(config)),
            _ => String::from_utf8_lossy(&self.read(config)).into_owned(),
        };
        let text = format!("{} {text}", self.name);
        vec![Line::unless_default(text, self.same_in(config, default))]
    }
}

/// Redis's error text for a name that is not among the choices.
pub(super) fn not_one_of(names: &[&str]) -> String {
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
