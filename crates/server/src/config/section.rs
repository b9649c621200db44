//! Declaring a section of the configuration: one macro makes the typed struct, its defaults and
//! the directive table from one list.
//!
//! A line of a section reads
//!
//! ```text
//!   field: type = default, kind(limits), [FLAGS], Effect, "name" | "old-name" => "What it does.";
//! ```
//!
//! Invariant: within a section directives are sorted by name; over all sections every name and
//! alias is unique without regard to case (tests lint this).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::directive::Directive;
use super::sections;

/// A titled group of directives, as `ochre.conf` shows it.
pub struct Section {
    /// Heading.
    pub title: &'static str,
    /// Its directives, sorted by name.
    pub directives: &'static [Directive],
}

/// The sections in the order in which `ochre.conf` shows them.
pub fn sections() -> &'static [Section] {
    sections::ALL
}

/// Every directive, section by section.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    sections().iter().flat_map(|section| section.directives)
}

/// The directive of that name or alias (any case), with the name as the table spells it.
/// O(1).
pub fn find(name: &[u8]) -> Option<(&'static str, &'static Directive)> {
    static INDEX: LazyLock<HashMap<&'static str, &'static Directive>> = LazyLock::new(|| {
        directives()
            .flat_map(|directive| directive.names().map(move |name| (name, directive)))
            .collect()
    });
    let lower = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    INDEX
        .get_key_value(lower.as_str())
        .map(|(name, directive)| (*name, *directive))
}

/// Declares a section; see the module's text for the shape of a line.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $Struct:ident at $at:ident titled $title:literal {
            $( $field:ident : $ty:ty = $default:expr,
               $kind:ident $(($($limit:expr),*))?, [$($flag:ident)*], $effect:expr,
               $name:literal $(| $alias:literal)? $(valkey $valkey:literal)? => $summary:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Struct {
            $( #[doc = concat!("`", $name, "`: ", $summary)] pub $field: $ty, )*
        }

        impl Default for $Struct {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        pub(in crate::config) const SECTION: $crate::config::section::Section =
            $crate::config::section::Section {
                title: $title,
                directives: &[ $( $crate::config::directive::Directive {
                    name: $name,
                    alias: section!(@name $($alias)?),
                    valkey_name: section!(@name $($valkey)?),
                    kind: section!(@kind $at $field $ty, $kind $(($($limit),*))?),
                    flags: $crate::config::directive::Flags::NONE
                        $(.or($crate::config::directive::Flags::$flag))*,
                    effect: $effect,
                    summary: $summary,
                }, )* ],
            };
    };

    (@name) => { None };
    (@name $name:literal) => { Some($name) };

    (@field $at:ident $field:ident) => {
        $crate::config::directive::Field {
            of: |config| &config.$at.$field,
            of_mut: |config| &mut config.$at.$field,
        }
    };
    (@integer $at:ident $field:ident $ty:ty, $min:expr, $max:expr, $unit:ident) => {
        $crate::config::directive::Kind::Integer {
            field: $crate::config::directive::IntegerField {
                read: |config| config.$at.$field as i128,
                write: |config, value| config.$at.$field = value as $ty,
            },
            min: $min as i128,
            max: $max as i128,
            unit: $crate::config::directive::Unit::$unit,
        }
    };

    (@kind $at:ident $field:ident $ty:ty, yes_no) => {
        $crate::config::directive::Kind::YesNo(section!(@field $at $field))
    };
    (@kind $at:ident $field:ident $ty:ty, integer($min:expr, $max:expr)) => {
        section!(@integer $at $field $ty, $min, $max, Count)
    };
    (@kind $at:ident $field:ident $ty:ty, memory($min:expr, $max:expr)) => {
        section!(@integer $at $field $ty, $min, $max, Bytes)
    };
    (@kind $at:ident $field:ident $ty:ty, octal($min:expr, $max:expr)) => {
        section!(@integer $at $field $ty, $min, $max, Octal)
    };
    (@kind $at:ident $field:ident $ty:ty, memory_share) => {
        $crate::config::directive::Kind::MemoryShare(section!(@field $at $field))
    };
    (@kind $at:ident $field:ident $ty:ty, choice) => {
        $crate::config::directive::Kind::Choice {
            names: <$ty as $crate::config::choices::Choice>::NAMES,
            read: |config| $crate::config::choices::Choice::name(config.$at.$field),
            write: |config, name| {
                if let Some(value) = $crate::config::choices::Choice::from_name(name) {
                    config.$at.$field = value;
                }
            },
        }
    };
    // Text where the empty string is a value of its own.
    (@kind $at:ident $field:ident $ty:ty, text) => {
        $crate::config::directive::Kind::Text {
            field: section!(@field $at $field),
            empty: $crate::config::directive::Empty::IsAValue,
            check: |_| Ok(()),
        }
    };
    (@kind $at:ident $field:ident $ty:ty, text($check:expr)) => {
        $crate::config::directive::Kind::Text {
            field: section!(@field $at $field),
            empty: $crate::config::directive::Empty::IsAValue,
            check: $check,
        }
    };
    // Text where the empty string means "not set".
    (@kind $at:ident $field:ident $ty:ty, optional_text) => {
        $crate::config::directive::Kind::Text {
            field: section!(@field $at $field),
            empty: $crate::config::directive::Empty::IsUnset,
            check: |_| Ok(()),
        }
    };
    (@kind $at:ident $field:ident $ty:ty, optional_text($check:expr)) => {
        $crate::config::directive::Kind::Text {
            field: section!(@field $at $field),
            empty: $crate::config::directive::Empty::IsUnset,
            check: $check,
        }
    };
    (@kind $at:ident $field:ident $ty:ty, secret) => {
        $crate::config::directive::Kind::Secret(section!(@field $at $field))
    };
    // A type of its own, which reads and writes itself.
    (@kind $at:ident $field:ident $ty:ty, value) => {
        $crate::config::directive::Kind::Value {
            form: <$ty as $crate::config::values::Value>::FORM,
            read: |config| $crate::config::values::Value::text(&config.$at.$field),
            assign: |config, words, origin| {
                $crate::config::values::Value::assign(&mut config.$at.$field, words, origin)
            },
            lines: |config, default| {
                $crate::config::values::Value::lines(&config.$at.$field, &default.$at.$field)
            },
        }
    };
}
pub(in crate::config) use section;
