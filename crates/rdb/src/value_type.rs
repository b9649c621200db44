//! The types of values, and the grammar of each: of what parts its bytes consist.
//!
//! The grammar is enough to find the end of a value without understanding it. What
//! the parts mean is the business of `decode`.

/// A part of a value's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// A string in any encoding.
    Text,
    /// A length or number.
    Length,
    /// So many bytes.
    Bytes(u8),
    /// A double in ASCII.
    AsciiDouble,
    /// A length, and so many times these parts.
    Counted(&'static [Part]),
    /// Opcodes with operands, up to that which says it is the last.
    ModuleData,
}

use Part::{AsciiDouble, Bytes, Counted, Length, ModuleData, Text};

const ID: Part = Bytes(16);
const TIME: Part = Bytes(8);
const NODES: Part = Counted(&[Text, Text]);
const PENDING: Part = Counted(&[ID, TIME, Length]);
const CONSUMERS: Part = Counted(&[Text, TIME, Counted(&[ID])]);
const CONSUMERS_3: Part = Counted(&[Text, TIME, TIME, Counted(&[ID])]);

/// How a value is stored. The numbers are those of the files; the names follow
/// those of Redis, "2" and "3" being later forms of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the grammar says what each is")]
pub enum ValueType {
    String = 0,
    List = 1,
    Set = 2,
    SortedSet = 3,
    Hash = 4,
    SortedSet2 = 5,
    ModulePreRelease = 6,
    Module2 = 7,
    HashZipmap = 9,
    ListZiplist = 10,
    SetIntset = 11,
    SortedSetZiplist = 12,
    HashZiplist = 13,
    ListQuicklist = 14,
    StreamListpacks = 15,
    HashListpack = 16,
    SortedSetListpack = 17,
    ListQuicklist2 = 18,
    StreamListpacks2 = 19,
    SetListpack = 20,
    StreamListpacks3 = 21,
    HashExpiringPreRelease = 22,
    HashExpiringListpackPreRelease = 23,
    HashExpiring = 24,
    HashExpiringListpack = 25,
}

impl ValueType {
    /// All types, by number.
    pub const ALL: [ValueType; 25] = [
        ValueType::String,
        ValueType::List,
        ValueType::Set,
        ValueType::SortedSet,
        ValueType::Hash,
        ValueType::SortedSet2,
        ValueType::ModulePreRelease,
        ValueType::Module2,
        ValueType::HashZipmap,
        ValueType::ListZiplist,
        ValueType::SetIntset,
        ValueType::SortedSetZiplist,
        ValueType::HashZiplist,
        ValueType::ListQuicklist,
        ValueType::StreamListpacks,
        ValueType::HashListpack,
        ValueType::SortedSetListpack,
        ValueType::ListQuicklist2,
        ValueType::StreamListpacks2,
        ValueType::SetListpack,
        ValueType::StreamListpacks3,
        ValueType::HashExpiringPreRelease,
        ValueType::HashExpiringListpackPreRelease,
        ValueType::HashExpiring,
        ValueType::HashExpiringListpack,
    ];

    /// The type with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        // There is no type 8.
        let index = match code {
            0..=7 => code,
            8 => return None,
            _ => code - 1,
        };
        Self::ALL.get(usize::from(index)).copied()
    }

    /// The number of the type.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The parts of a value of this type. `None` if they do not tell its end.
    pub(crate) fn grammar(self) -> Option<&'static [Part]> {
        Some(match self {
            ValueType::String
            | ValueType::HashZipmap
            | ValueType::ListZiplist
            | ValueType::SetIntset
            | ValueType::SortedSetZiplist
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::SortedSetListpack
            | ValueType::SetListpack
            | ValueType::HashExpiringListpackPreRelease => &[Text],
            ValueType::List | ValueType::Set | ValueType::ListQuicklist => &[Counted(&[Text])],
            ValueType::Hash => &[Counted(&[Text, Text])],
            ValueType::SortedSet => &[Counted(&[Text, AsciiDouble])],
            ValueType::SortedSet2 => &[Counted(&[Text, Bytes(8)])],
            // Whether the node is a listpack or one element, and the node.
            ValueType::ListQuicklist2 => &[Counted(&[Length, Text])],
            // The field's deadline, if any: after the earliest, or absolute.
            ValueType::HashExpiringPreRelease => &[Counted(&[Length, Text, Text])],
            ValueType::HashExpiring => &[TIME, Counted(&[Length, Text, Text])],
            ValueType::HashExpiringListpack => &[TIME, Text],
            // Nodes, length, last ID; groups: name, last ID, pending, consumers.
            ValueType::StreamListpacks => &[
                NODES,
                Length,
                Length,
                Length,
                Counted(&[Text, Length, Length, PENDING, CONSUMERS]),
            ],
            // Also first ID, greatest deleted ID, entries added; a group's entries read.
            ValueType::StreamListpacks2 => &[
                NODES,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Counted(&[Text, Length, Length, Length, PENDING, CONSUMERS]),
            ],
            // Also a consumer's last activity.
            ValueType::StreamListpacks3 => &[
                NODES,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Length,
                Counted(&[Text, Length, Length, Length, PENDING, CONSUMERS_3]),
            ],
            ValueType::Module2 => &[Length, ModuleData],
            ValueType::ModulePreRelease => return None,
        })
    }

    /// What a value of this type is called in errors.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::List
            | ValueType::ListZiplist
            | ValueType::ListQuicklist
            | ValueType::ListQuicklist2 => "list",
            ValueType::Set | ValueType::SetIntset | ValueType::SetListpack => "set",
            ValueType::SortedSet
            | ValueType::SortedSet2
            | ValueType::SortedSetZiplist
            | ValueType::SortedSetListpack => "sorted set",
            ValueType::Hash
            | ValueType::HashZipmap
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::HashExpiringPreRelease
            | ValueType::HashExpiringListpackPreRelease
            | ValueType::HashExpiring
            | ValueType::HashExpiringListpack => "hash",
            ValueType::StreamListpacks
            | ValueType::StreamListpacks2
            | ValueType::StreamListpacks3 => "stream",
            ValueType::ModulePreRelease | ValueType::Module2 => "module value",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ValueType;

    #[test]
    fn codes_lead_back_to_types() {
        for value_type in ValueType::ALL {
            assert_eq!(ValueType::from_code(value_type.code()), Some(value_type));
        }
        assert_eq!(ValueType::from_code(8), None);
        assert_eq!(ValueType::from_code(26), None);
    }
}
