//! Finding a command by its name, and its keys by its specifications.

use std::collections::HashMap;

use super::names::Names;
use super::spec::{Begin, Command, Find, Flags, KeyFlags};

/// A command as it is looked up: its declaration and what is derived from it once.
#[derive(Debug)]
pub struct Known {
    pub command: &'static Command,
    /// Index for statistics; dense over all commands and subcommands.
    pub id: u16,
    /// `config|set`, or the name itself.
    pub full_name: String,
    pub flags: Flags,
    pub plan: KeyPlan,
    is_protected: bool,
    is_subcommand: bool,
    /// Ids of the subcommands.
    pub subcommands: Vec<u16>,
}

/// How the keys of an invocation are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlan {
    None,
    /// Exactly one, at this index.
    One(usize),
    /// By the specifications, or by the command's own function.
    Many,
}

impl KeyPlan {
    /// The key, where there is exactly one and the arguments reach it.
    #[inline]
    pub fn only_key<'a>(self, argv: &[&'a [u8]]) -> Option<&'a [u8]> {
        match self {
            Self::One(index) => argv.get(index).copied(),
            Self::None | Self::Many => None,
        }
    }
}

/// The longest name a command can have or be given.
const NAME_BYTES_MAX: usize = 64;

/// All commands.
#[derive(Debug)]
pub struct CommandTable {
    known: Vec<Known>,
    by_name: HashMap<Box<[u8]>, u16>,
    /// What requests look up: `by_name` in another form.
    names: Names,
}

impl CommandTable {
    pub fn new(families: &[&[&'static Command]]) -> Self {
        let mut table = Self {
            known: Vec::new(),
            by_name: HashMap::new(),
            names: Names::default(),
        };
        for command in families.iter().copied().flatten() {
            let id = table.add(command, command.name.to_owned());
            let previous = table.by_name.insert(command.name.as_bytes().into(), id);
            assert!(previous.is_none(), "{} is declared twice", command.name);
        }
        table.index_names();
        table
    }

    /// Gives a command another name, or takes it away where `new_name` is empty
    /// (`rename-command`).
    ///
    /// # Errors
    /// No command has the one name, or one has the other.
    pub fn rename(&mut self, name: &[u8], new_name: &[u8]) -> Result<(), &'static str> {
        let id = self
            .by_name
            .remove(name.to_ascii_lowercase().as_slice())
            .ok_or("No such command in rename-command")?;
        if new_name.is_empty() {
            self.index_names();
            return Ok(());
        }
        if new_name.len() > NAME_BYTES_MAX {
            return Err("Target command name is longer than 64 bytes");
        }
        let new_name = new_name.to_ascii_lowercase();
        let displaced = self.by_name.insert(new_name.into(), id);
        self.index_names();
        match displaced {
            None => Ok(()),
            Some(_) => Err("Target command name already exists"),
        }
    }

    fn index_names(&mut self) {
        self.names = Names::new(self.by_name.iter().map(|(name, &id)| (&**name, id)));
    }

    fn add(&mut self, command: &'static Command, full_name: String) -> u16 {
        let id = self.known.len() as u16;
        let plan = match command.keys {
            _ if command.find_keys.is_some() => KeyPlan::Many,
            [] => KeyPlan::None,
            [only] => match (only.begin, only.find) {
                (Begin::Index(index), Find::Range { last: 0, .. })
                    if !only.flags.has(KeyFlags::NOT_KEY) =>
                {
                    KeyPlan::One(index)
                }
                _ => KeyPlan::Many,
            },
            _ => KeyPlan::Many,
        };
        self.known.push(Known {
            command,
            id,
            full_name: full_name.clone(),
            flags: command.all_flags(),
            plan,
            is_protected: ["debug", "module|load", "module|loadex", "module|unload"]
                .contains(&full_name.as_str()),
            is_subcommand: full_name.contains('|'),
            subcommands: Vec::new(),
        });
        let subcommands: Vec<u16> = command
            .subcommands
            .iter()
            .map(|sub| self.add(sub, format!("{full_name}|{}", sub.name)))
            .collect();
        self.known[usize::from(id)].subcommands = subcommands;
        id
    }

    /// The command of this name, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&Known> {
        let id = self.names.find(name)?;
        Some(&self.known[usize::from(id)])
    }

    /// The subcommand of this name, in any case.
    pub fn find_subcommand(&self, of: &Known, name: &[u8]) -> Option<&Known> {
        of.subcommands
            .iter()
            .map(|&id| &self.known[usize::from(id)])
            .find(|sub| sub.command.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// A command by its full name (`config|set`), in any case.
    pub fn find_full(&self, full_name: &[u8]) -> Option<&Known> {
        let mut words = full_name.splitn(2, |&byte| byte == b'|');
        let known = self.find(words.next()?)?;
        match words.next() {
            Some(sub) => self.find_subcommand(known, sub),
            None => Some(known),
        }
    }

    pub fn get(&self, id: u16) -> &Known {
        &self.known[usize::from(id)]
    }

    /// Commands and subcommands.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All commands and subcommands, a container before its subcommands.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.iter()
    }

    /// The commands proper.
    pub fn top_level(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|known| !known.is_subcommand)
    }
}

impl Known {
    /// Whether `count` arguments, the name included, are acceptable.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        let arity = self.command.arity;
        if arity >= 0 {
            count == arity as usize
        } else {
            count >= arity.unsigned_abs() as usize
        }
    }

    /// Whether this only leads to subcommands.
    pub fn is_container(&self) -> bool {
        !self.subcommands.is_empty()
    }

    /// The positions of the keys among `argv` with what is done to them, or `None`
    /// where the arguments make no sense. Words that are not keys but route as if
    /// (shard channels) are left out.
    pub fn keys(&self, argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
        if let Some(find) = self.command.find_keys {
            return find(argv);
        }
        let mut keys = Vec::new();
        for spec in self.command.keys {
            if spec.flags.has(KeyFlags::NOT_KEY) {
                continue;
            }
            let Some(start) = start_of(spec.begin, argv) else {
                continue;
            };
            let flags = match self.command.vary_key_flags {
                Some(vary) if spec.flags.has(KeyFlags::VARIABLE_FLAGS) => vary(argv),
                _ => spec.flags,
            };
            match spec.find {
                Find::Unknown => {}
                Find::Range { last, step, limit } => {
                    let last = if last >= 0 {
                        start + last as usize
                    } else {
                        let rest = argv.len() - start;
                        let rest = if limit > 1 { rest / limit } else { rest };
                        match (start + rest).checked_sub(last.unsigned_abs() as usize) {
                            Some(last) => last,
                            None => continue,
                        }
                    };
                    if last >= argv.len() {
                        return None;
                    }
                    keys.extend((start..=last).step_by(step.max(1)).map(|at| (at, flags)));
                }
                Find::Count { count, first, step } => {
                    let count = ochre_structures::number::parse_i64(argv.get(start + count)?)?;
                    let count = usize::try_from(count).ok()?;
                    let first = start + first;
                    let last = count
                        .checked_sub(1)
                        .and_then(|n| n.checked_mul(step.max(1)))
                        .and_then(|n| n.checked_add(first));
                    match last {
                        Some(last) if last < argv.len() => {
                            keys.extend((first..=last).step_by(step.max(1)).map(|at| (at, flags)));
                        }
                        // No key, or more than there are arguments.
                        _ => return None,
                    }
                }
            }
        }
        Some(keys)
    }

    /// How many words name it: two for a subcommand.
    #[inline]
    pub fn name_words(&self) -> usize {
        1 + usize::from(self.is_subcommand)
    }

    /// Whether the configuration must allow it (DEBUG, MODULE).
    pub fn is_protected(&self) -> bool {
        self.is_protected
    }
}

fn start_of(begin: Begin, argv: &[&[u8]]) -> Option<usize> {
    match begin {
        Begin::Unknown => None,
        Begin::Index(index) => (index < argv.len()).then_some(index),
        Begin::Keyword(word, from) => {
            let is_word = |&at: &usize| argv[at].eq_ignore_ascii_case(word.as_bytes());
            let found = if from >= 0 {
                (from as usize..argv.len()).find(is_word)
            } else {
                let end = argv.len().checked_sub(from.unsigned_abs() as usize)?;
                (1..=end).rev().find(is_word)
            };
            found.map(|at| at + 1).filter(|&at| at < argv.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::FAMILIES;

    #[test]
    fn renamed_commands_answer_to_their_new_name_alone() {
        let mut table = CommandTable::new(FAMILIES);
        table.rename(b"PING", b"Knock").unwrap();
        assert!(table.find(b"ping").is_none());
        assert_eq!(table.find(b"KNOCK").unwrap().full_name, "ping");
        table.rename(b"config", b"").unwrap();
        assert!(table.find(b"config").is_none());
        assert!(table.rename(b"config", b"x").is_err());
        assert!(table.rename(b"get", b"set").is_err());
        assert!(table.rename(b"info", &[b'x'; 65]).is_err());
    }
}
