//! What a command is: declared once as a const [`Command`], from which everything else
//! derives: arity, flags, ACL categories, key positions and hence the stripes it locks,
//! and the answers of COMMAND.

use ochre_resp::Reply;
use ochre_store::value::list::Side;
use ochre_store::{KeyspaceView, ReadView, Settings, WriteView};

use super::args::Args;
use crate::error::Error;
use crate::execute::Call;
use crate::persistence::jobs;
use crate::persistence::reload::Reload;
use crate::server::StopRequest;
use crate::unit::Unit;

/// What a handler hands back.
pub type Outcome = Result<Flow, Error>;

/// How a command that did not fail goes on.
#[derive(Debug)]
pub enum Flow {
    /// The reply is written.
    Done,
    /// Nothing to answer yet: wait on the keys. Within a transaction or script the
    /// reply of a timeout is given at once instead.
    Block(Box<Wait>),
    /// Nothing was done: the command is to run on the thread of scripts.
    Aside,
    /// Nothing was done: the command is to run again, when a script that has what it
    /// needs has ended.
    Deferred,
}

/// What a blocked client waits for.
#[derive(Debug)]
pub struct Wait {
    /// The keys, any of which may end the wait.
    pub keys: Vec<Vec<u8>>,
    /// Milliseconds from now, or `None` to wait for ever.
    pub timeout_ms: Option<u64>,
    /// What a timeout answers.
    pub on_timeout: TimeoutReply,
    /// Whether the command is asked again also when a key goes or changes its type, as
    /// XREADGROUP is, to answer with an error.
    pub unblock_on_missing: bool,
    /// The arguments with which the command is run again, the name first, where they
    /// mean something else later (`$` of XREAD); `None` for those that came. The keys
    /// among them stay what and where they are.
    pub argv: Option<Vec<Vec<u8>>>,
    /// What ends the wait besides its time.
    pub until: Until,
}

/// What ends the wait of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// A change of one of its keys.
    KeysReady,
    /// The moment that the snapshot shows which it asked for.
    Begun(jobs::Kind),
    /// The end of the SAVE that it began.
    Saved,
    /// The disk has the journal up to this offset.
    OnDisk(u64),
    /// The dataset was loaded again.
    Reloaded(Reload),
    /// The server has ended, or could not.
    Ended(StopRequest),
}

impl Wait {
    /// A wait that no key ends.
    pub fn until(until: Until, timeout_ms: Option<u64>, on_timeout: TimeoutReply) -> Box<Self> {
        Box::new(Self {
            keys: Vec::new(),
            timeout_ms,
            on_timeout,
            unblock_on_missing: false,
            argv: None,
            until,
        })
    }
}

/// The reply of a blocking command whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutReply {
    Null,
    NullArray,
    /// Null where nobody may wait (transactions), else a null array: BLMOVE.
    NullOrNullArray,
    /// The integer 0.
    Zero,
    /// How many copies there are on this disk and on those of replicas: WAITAOF.
    Copies,
}

/// The function of a command. The variant decides the view and hence the locks: the
/// keys' stripes for `Read`, `Write` and `Prepared`, any or all stripes for `Keyspace`, none for
/// `Session`.
#[derive(Clone, Copy)]
pub enum Run {
    Read(fn(&ReadView<'_>, &mut Args<'_>, &mut Reply) -> Outcome),
    Write(fn(&mut WriteView<'_, '_>, &mut Args<'_>, &mut Reply) -> Outcome),
    /// As `Write`, for a command whose work on its own arguments may take long: that comes
    /// before its keys are locked, unless a transaction or script holds them already.
    Prepared(Prepare),
    Keyspace(fn(&mut KeyspaceCall<'_, '_, '_, '_>, &mut Args<'_>, &mut Reply) -> Outcome),
    Session(fn(&mut Call<'_>, &mut Args<'_>, &mut Reply) -> Outcome),
    /// Runs others within its unit of execution: EXEC, scripts; locks as it needs.
    Unit(UnitHandler),
    /// A name that only leads to its subcommands.
    Container,
}

/// Reads a command's arguments and says what is to be done to its keys.
pub type Prepare = for<'a> fn(&Settings, &mut Args<'a>) -> Result<Prepared<'a>, Error>;

/// What a command does to its keys, for which all that needs none of them is done.
pub type Prepared<'a> = Box<dyn FnOnce(&mut WriteView<'_, '_>, &mut Reply) -> Outcome + 'a>;

/// The function of a command that works on its unit of execution.
pub type UnitHandler =
    for<'c> fn(&mut Call<'c>, &mut Unit<'c>, &mut Args<'_>, &mut Reply) -> Outcome;

/// What a command of the whole keyspace works with.
pub struct KeyspaceCall<'k, 'a, 's, 'c> {
    pub view: &'k mut KeyspaceView<'a, 's>,
    pub call: &'k mut Call<'c>,
}

/// The family a command belongs to, as COMMAND DOCS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    String,
    Bitmap,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    HyperLogLog,
    Geo,
    Generic,
    Connection,
    Server,
    PubSub,
    Transactions,
    Scripting,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bitmap => "bitmap",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::HyperLogLog => "hyperloglog",
            Self::Geo => "geo",
            Self::Generic => "generic",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::PubSub => "pubsub",
            Self::Transactions => "transactions",
            Self::Scripting => "scripting",
        }
    }

    fn category(self) -> Categories {
        match self {
            Self::String => Categories::STRING,
            Self::Bitmap => Categories::BITMAP,
            Self::List => Categories::LIST,
            Self::Set => Categories::SET,
            Self::SortedSet => Categories::SORTEDSET,
            Self::Hash => Categories::HASH,
            Self::Stream => Categories::STREAM,
            Self::HyperLogLog => Categories::HYPERLOGLOG,
            Self::Geo => Categories::GEO,
            Self::Generic => Categories::KEYSPACE,
            Self::Connection => Categories::CONNECTION,
            Self::Transactions => Categories::TRANSACTION,
            Self::Scripting => Categories::SCRIPTING,
            Self::Server | Self::PubSub => Categories::NONE,
        }
    }
}

/// Declares a set of bits with names.
macro_rules! bits {
    ($(#[$doc:meta])* $type:ident: $repr:ty { $($(#[$bit_doc:meta])* $name:ident = $bit:expr, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $type(pub $repr);

        impl $type {
            pub const NONE: Self = Self(0);
            $($(#[$bit_doc])* pub const $name: Self = Self(1 << $bit);)*
            /// Every bit with its name, in the order COMMAND INFO lists them.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether all bits of `other` are set.
            #[inline]
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The names of the bits set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMED.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
            }
        }
    };
}

bits! {
    /// A command's flags. WRITE and READONLY follow from [`Run::Write`] and
    /// [`Run::Read`]; MOVABLEKEYS from the key specifications.
    Flags: u32 {
        WRITE = 0, "write";
        READONLY = 1, "readonly";
        DENYOOM = 2, "denyoom";
        ADMIN = 4, "admin";
        PUBSUB = 5, "pubsub";
        NOSCRIPT = 6, "noscript";
        BLOCKING = 8, "blocking";
        LOADING = 9, "loading";
        STALE = 10, "stale";
        SKIP_MONITOR = 11, "skip_monitor";
        SKIP_SLOWLOG = 12, "skip_slowlog";
        ASKING = 13, "asking";
        FAST = 14, "fast";
        NO_AUTH = 15, "no_auth";
        MAY_REPLICATE = 16, "may_replicate";
        NO_MANDATORY_KEYS = 3, "no_mandatory_keys";
        NO_ASYNC_LOADING = 23, "no_async_loading";
        NO_MULTI = 24, "no_multi";
        MOVABLEKEYS = 18, "movablekeys";
        ALLOW_BUSY = 26, "allow_busy";
        /// Keys beyond the arguments are read or written (SORT BY, scripts): the
        /// command takes exclusive access.
        TOUCHES_ARBITRARY_KEYS = 25, "touches_arbitrary_keys";
    }
}

bits! {
    /// ACL categories.
    Categories: u32 {
        KEYSPACE = 0, "keyspace";
        READ = 1, "read";
        WRITE = 2, "write";
        SET = 3, "set";
        SORTEDSET = 4, "sortedset";
        LIST = 5, "list";
        HASH = 6, "hash";
        STRING = 7, "string";
        BITMAP = 8, "bitmap";
        HYPERLOGLOG = 9, "hyperloglog";
        GEO = 10, "geo";
        STREAM = 11, "stream";
        PUBSUB = 12, "pubsub";
        ADMIN = 13, "admin";
        FAST = 14, "fast";
        SLOW = 15, "slow";
        BLOCKING = 16, "blocking";
        DANGEROUS = 17, "dangerous";
        CONNECTION = 18, "connection";
        TRANSACTION = 19, "transaction";
        SCRIPTING = 20, "scripting";
    }
}

bits! {
    /// What a command does with the keys of one specification.
    KeyFlags: u16 {
        RO = 0, "RO";
        RW = 1, "RW";
        OW = 2, "OW";
        RM = 3, "RM";
        ACCESS = 4, "access";
        UPDATE = 5, "update";
        INSERT = 6, "insert";
        DELETE = 7, "delete";
        NOT_KEY = 8, "not_key";
        INCOMPLETE = 9, "incomplete";
        VARIABLE_FLAGS = 10, "variable_flags";
    }
}

/// Where keys are among the arguments ("key specifications" of Redis 7.0).
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    pub flags: KeyFlags,
    pub begin: Begin,
    pub find: Find,
    pub notes: &'static str,
}

/// Where the search for keys starts.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At this argument; the command's name is 0.
    Index(usize),
    /// Behind this word, searched from this argument on (backwards from the end where
    /// negative).
    Keyword(&'static str, i32),
    Unknown,
}

/// Which arguments from the start on are keys.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// Up to `last` (relative to the start, or to the end where negative), every
    /// `step`; of the rest only one in `limit`, where that is 2 or more.
    Range {
        last: i32,
        step: usize,
        limit: usize,
    },
    /// As many as the argument `count` (relative to the start) says, from `first` on.
    Count {
        count: usize,
        first: usize,
        step: usize,
    },
    Unknown,
}

impl KeySpec {
    /// One key at `index`.
    pub const fn one(index: usize, flags: KeyFlags) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// All arguments from `index` on.
    pub const fn rest(index: usize, flags: KeyFlags) -> Self {
        Self::range(index, -1, 1, flags)
    }

    pub const fn range(index: usize, last: i32, step: usize, flags: KeyFlags) -> Self {
        Self {
            flags,
            begin: Begin::Index(index),
            find: Find::Range {
                last,
                step,
                limit: 0,
            },
            notes: "",
        }
    }

    /// A remark for COMMAND INFO.
    pub const fn noted(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }

    /// A count at `index` and as many keys behind it.
    pub const fn counted(index: usize, flags: KeyFlags) -> Self {
        Self {
            flags,
            begin: Begin::Index(index),
            find: Find::Count {
                count: 0,
                first: 1,
                step: 1,
            },
            notes: "",
        }
    }

    /// One key behind the word `keyword`, searched from argument `from` on.
    pub const fn behind(keyword: &'static str, from: i32, flags: KeyFlags) -> Self {
        Self {
            flags,
            begin: Begin::Keyword(keyword, from),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            notes: "",
        }
    }
}

/// Common key flags.
pub const RO_ACCESS: KeyFlags = KeyFlags::RO.or(KeyFlags::ACCESS);
pub const RO: KeyFlags = KeyFlags::RO;
pub const RW_UPDATE: KeyFlags = KeyFlags::RW.or(KeyFlags::UPDATE);
pub const RW_INSERT: KeyFlags = KeyFlags::RW.or(KeyFlags::INSERT);
pub const RW_DELETE: KeyFlags = KeyFlags::RW.or(KeyFlags::DELETE);
pub const RW_ACCESS_UPDATE: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
pub const RW_ACCESS_DELETE: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);
pub const OW_UPDATE: KeyFlags = KeyFlags::OW.or(KeyFlags::UPDATE);
pub const OW_INSERT: KeyFlags = KeyFlags::OW.or(KeyFlags::INSERT);
pub const RM_DELETE: KeyFlags = KeyFlags::RM.or(KeyFlags::DELETE);

/// The type of an argument, as COMMAND DOCS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

/// An argument of a command, for COMMAND DOCS.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    pub name: &'static str,
    pub kind: ArgType,
    pub token: Option<&'static str>,
    pub key_spec: Option<usize>,
    pub since: Option<&'static str>,
    pub deprecated_since: Option<&'static str>,
    pub optional: bool,
    pub multiple: bool,
    pub multiple_token: bool,
    pub parts: &'static [Arg],
}

impl Arg {
    /// The argument may be left out.
    pub const fn opt(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    /// The argument may be repeated.
    pub const fn many(self) -> Self {
        Self {
            multiple: true,
            ..self
        }
    }

    /// The argument may be repeated, its token with it.
    pub const fn many_tokens(self) -> Self {
        Self {
            multiple: true,
            multiple_token: true,
            ..self
        }
    }

    /// The word in front of the argument.
    pub const fn after(self, token: &'static str) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    pub const fn since(self, version: &'static str) -> Self {
        Self {
            since: Some(version),
            ..self
        }
    }

    pub const fn deprecated(self, version: &'static str) -> Self {
        Self {
            deprecated_since: Some(version),
            ..self
        }
    }

    /// Belongs to the key specification of this index (0 where not said).
    pub const fn spec(self, index: usize) -> Self {
        Self {
            key_spec: Some(index),
            ..self
        }
    }
}

const fn arg(name: &'static str, kind: ArgType) -> Arg {
    Arg {
        name,
        kind,
        token: None,
        key_spec: None,
        since: None,
        deprecated_since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        parts: &[],
    }
}

pub const fn key(name: &'static str) -> Arg {
    arg(name, ArgType::Key).spec(0)
}

pub const fn string(name: &'static str) -> Arg {
    arg(name, ArgType::String)
}

pub const fn integer(name: &'static str) -> Arg {
    arg(name, ArgType::Integer)
}

pub const fn double(name: &'static str) -> Arg {
    arg(name, ArgType::Double)
}

pub const fn pattern(name: &'static str) -> Arg {
    arg(name, ArgType::Pattern)
}

pub const fn unix_time(name: &'static str) -> Arg {
    arg(name, ArgType::UnixTime)
}

/// A word that stands for itself.
pub const fn token(name: &'static str, word: &'static str) -> Arg {
    arg(name, ArgType::PureToken).after(word)
}

pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Arg {
    Arg {
        parts,
        ..arg(name, ArgType::OneOf)
    }
}

pub const fn block(name: &'static str, parts: &'static [Arg]) -> Arg {
    Arg {
        parts,
        ..arg(name, ArgType::Block)
    }
}

/// Finds the keys of an invocation where specifications cannot say it: positions of
/// arguments and what is done with each.
pub type FindKeys = fn(&[&[u8]]) -> Option<Vec<(usize, KeyFlags)>>;

/// Tells what this invocation does with the keys of a specification that is marked
/// [`KeyFlags::VARIABLE_FLAGS`].
pub type VaryKeyFlags = fn(&[&[u8]]) -> KeyFlags;

/// A command. See [`command`] for the usual values of what a declaration leaves out.
#[derive(Clone, Copy)]
pub struct Command {
    /// In lower case; of a subcommand its own word (`set` of CONFIG SET).
    pub name: &'static str,
    pub group: Group,
    pub summary: &'static str,
    pub since: &'static str,
    pub complexity: &'static str,
    /// The number of arguments, the name included; at least as many where negative.
    pub arity: i32,
    /// Beyond those that follow from `run`.
    pub flags: Flags,
    /// ACL categories beyond those that follow from group and flags.
    pub categories: Categories,
    /// ACL categories that follow but do not apply.
    pub not_categories: Categories,
    pub keys: &'static [KeySpec],
    pub find_keys: Option<FindKeys>,
    pub vary_key_flags: Option<VaryKeyFlags>,
    pub args: &'static [Arg],
    pub history: &'static [(&'static str, &'static str)],
    pub tips: &'static [&'static str],
    pub deprecated_since: Option<&'static str>,
    pub replaced_by: Option<&'static str>,
    pub subcommands: &'static [&'static Command],
    /// The end of a list at which the command works, if it is about one: a hint.
    pub list_end: Side,
    pub run: Run,
}

/// A command with nothing special about it, to be completed by struct update.
pub const fn command(name: &'static str, group: Group, arity: i32, run: Run) -> Command {
    Command {
        name,
        group,
        summary: "",
        since: "1.0.0",
        complexity: "O(1)",
        arity,
        flags: Flags::NONE,
        categories: Categories::NONE,
        not_categories: Categories::NONE,
        keys: &[],
        find_keys: None,
        vary_key_flags: None,
        args: &[],
        history: &[],
        tips: &[],
        deprecated_since: None,
        replaced_by: None,
        subcommands: &[],
        list_end: Side::Front,
        run,
    }
}

impl Command {
    /// All flags, those that follow from the function included. A command may declare
    /// itself READONLY although its function writes: what it changes (a cached estimate)
    /// is no change in a client's eyes.
    pub const fn all_flags(&self) -> Flags {
        let derived = match self.run {
            Run::Write(_) if self.flags.has(Flags::READONLY) => Flags::NONE,
            Run::Read(_) => Flags::READONLY,
            Run::Write(_) | Run::Prepared(_) => Flags::WRITE,
            _ => Flags::NONE,
        };
        let movable = if self.find_keys.is_some() || self.has_movable_keys() {
            Flags::MOVABLEKEYS
        } else {
            Flags::NONE
        };
        self.flags.or(derived).or(movable)
    }

    /// Whether some key's place depends on other arguments than their number.
    const fn has_movable_keys(&self) -> bool {
        let mut index = 0;
        while index < self.keys.len() {
            let spec = &self.keys[index];
            if !matches!(
                (&spec.begin, &spec.find),
                (Begin::Index(_), Find::Range { .. })
            ) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// All ACL categories, by Redis's rules of implication.
    pub fn all_categories(&self) -> Categories {
        let flags = self.all_flags();
        let mut all = self.categories.or(self.group.category());
        let scripting = self.group == Group::Scripting;
        for (flag, category) in [
            (Flags::WRITE, Categories::WRITE),
            (Flags::ADMIN, Categories::ADMIN.or(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ] {
            if flags.has(flag) {
                all = all.or(category);
            }
        }
        if flags.has(Flags::READONLY) && !scripting {
            all = all.or(Categories::READ);
        }
        if !flags.has(Flags::FAST) {
            all = all.or(Categories::SLOW);
        }
        all.without(self.not_categories)
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
