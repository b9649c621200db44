//! `notify-keyspace-events`: which changes of keys are published, as a string of flag letters.

use super::{Line, Origin, Value};
use crate::config::words::quoted;

/// A set of event classes and channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u16);

impl KeyspaceEvents {
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: KeyspaceEvents = KeyspaceEvents(1 << 0);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: KeyspaceEvents = KeyspaceEvents(1 << 1);
    /// `g`: commands on any type (DEL, EXPIRE, RENAME, …).
    pub const GENERIC: KeyspaceEvents = KeyspaceEvents(1 << 2);
    /// `$`: string commands.
    pub const STRING: KeyspaceEvents = KeyspaceEvents(1 << 3);
    /// `l`: list commands.
    pub const LIST: KeyspaceEvents = KeyspaceEvents(1 << 4);
    /// `s`: set commands.
    pub const SET: KeyspaceEvents = KeyspaceEvents(1 << 5);
    /// `h`: hash commands.
    pub const HASH: KeyspaceEvents = KeyspaceEvents(1 << 6);
    /// `z`: sorted-set commands.
    pub const SORTED_SET: KeyspaceEvents = KeyspaceEvents(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: KeyspaceEvents = KeyspaceEvents(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: KeyspaceEvents = KeyspaceEvents(1 << 9);
    /// `t`: stream commands.
    pub const STREAM: KeyspaceEvents = KeyspaceEvents(1 << 10);
    /// `m`: a read found no key. Not part of `A`.
    pub const KEY_MISS: KeyspaceEvents = KeyspaceEvents(1 << 11);
    /// `d`: types of modules.
    pub const MODULE: KeyspaceEvents = KeyspaceEvents(1 << 13);
    /// `n`: a key was made. Not part of `A`.
    pub const NEW: KeyspaceEvents = KeyspaceEvents(1 << 14);
    /// `A`: all of `g$lshzxetd`.
    pub const ALL: KeyspaceEvents = KeyspaceEvents(0b10_0111_1111_1100);

    /// The classes that `A` stands for, in the order of the normal form.
    const CLASSES: [(u8, KeyspaceEvents); 10] = [
        (b'g', KeyspaceEvents::GENERIC),
        (b'$', KeyspaceEvents::STRING),
        (b'l', KeyspaceEvents::LIST),
        (b's', KeyspaceEvents::SET),
        (b'h', KeyspaceEvents::HASH),
        (b'z', KeyspaceEvents::SORTED_SET),
        (b'x', KeyspaceEvents::EXPIRED),
        (b'e', KeyspaceEvents::EVICTED),
        (b't', KeyspaceEvents::STREAM),
        (b'd', KeyspaceEvents::MODULE),
    ];

    /// Whether all of `other` is in this set.
    pub const fn has(self, other: KeyspaceEvents) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn or(self, other: KeyspaceEvents) -> KeyspaceEvents {
        KeyspaceEvents(self.0 | other.0)
    }

    /// The set as bits: `K` is bit 0, `E` bit 1, the classes follow in Redis's order.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// No event at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn of_letter(letter: u8) -> Option<KeyspaceEvents> {
        Some(match letter {
            b'A' => KeyspaceEvents::ALL,
            b'K' => KeyspaceEvents::KEYSPACE,
            b'E' => KeyspaceEvents::KEYEVENT,
            b'm' => KeyspaceEvents::KEY_MISS,
            b'n' => KeyspaceEvents::NEW,
            letter => {
                KeyspaceEvents::CLASSES
                    .iter()
                    .find(|(name, _)| *name == letter)?
                    .1
            }
        })
    }
}

impl Value for KeyspaceEvents {
    const FORM: &'static str = "letters of Ag$lshzxeKEtmdn, or \"\" for none";

    /// The order is Redis's; unlike Redis, `n` next to `A` is shown, so that nothing is lost
    /// when the value is written to a file and read again.
    fn text(&self) -> String {
        let mut text = String::new();
        if self.has(Self::ALL) {
            text.push('A');
        } else {
            let classes = Self::CLASSES.iter().filter(|(_, class)| self.has(*class));
            text.extend(classes.map(|(letter, _)| char::from(*letter)));
        }
        for (letter, class) in [
            ('n', Self::NEW),
            ('K', Self::KEYSPACE),
            ('E', Self::KEYEVENT),
            ('m', Self::KEY_MISS),
        ] {
            if self.has(class) {
                text.push(letter);
            }
        }
        text
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let letters = words.iter().flat_map(|word| word.iter());
        let mut events = KeyspaceEvents::default();
        for letter in letters {
            let class = Self::of_letter(*letter)
                .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
            events = events.or(class);
        }
        *self = events;
        Ok(())
    }

    fn lines(&self, default: &Self) -> Vec<Line> {
        vec![Line::unless_default(
            quoted(self.text().as_bytes()),
            self == default,
        )]
    }
}
