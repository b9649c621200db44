//! What may differ between two right servers, declared by name with the reason.
//!
//! Three tables and nothing else decide it: [`RULES`] (per command: how replies are
//! compared), [`ERROR_CHANGES`] (error texts that changed between the reference's
//! version and 7.2) and [`ENCODING_CHANGES`]. A command that is in no table is compared
//! byte for byte.

/// How the replies to a command are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Byte for byte.
    Exact,
    /// As multisets of elements.
    Unordered,
    /// As multisets at every level.
    UnorderedThroughout,
    /// As multisets of pairs: a map, a flat array of pairs, or an array of pairs.
    UnorderedPairs,
    /// Exact when the command asks for an order, as multisets when it does not, by type
    /// when it asks for an arbitrary part.
    AsOrdered,
    /// One step of an iteration: when it starts from cursor 0, both servers are iterated
    /// to the end and the sets of what they returned are compared.
    Scan,
    /// A random choice: same shape, and every element a member.
    Members,
    /// A random removal: as `Members`; then the subject is made to have removed what the
    /// reference removed.
    Pop,
    /// Integers within a tolerance, when neither is negative.
    Within {
        /// The greatest difference allowed, in the command's unit.
        tolerance: i64,
    },
    /// Exact, save that two Unix times in milliseconds may be 10 s apart, and for fields
    /// named here: `dropped` ones are not compared, of `blurred` ones only the type is.
    Fields {
        /// Names of fields that need not exist.
        dropped: &'static [&'static str],
        /// Names of fields whose value is not compared.
        blurred: &'static [&'static str],
    },
    /// As `Fields`, for what is told of streams: before 7.2, a consumer to whom nothing
    /// could be given was not made, so those with nothing pending are not compared.
    StreamInfo {
        /// Names of fields that need not exist.
        dropped: &'static [&'static str],
        /// Names of fields whose value is not compared.
        blurred: &'static [&'static str],
    },
    /// The same type of reply, where the reference is older than 7.2.
    KindBefore72,
    /// [`ENCODING_CHANGES`] apply.
    Encoding,
    /// Every element of the reference's reply is in the subject's, in any order.
    Superset,
    /// Pairs that both have are equal; the subject has all names of the reference.
    SharedPairs {
        /// Names whose values are not compared.
        blurred: &'static [&'static str],
    },
    /// `[id, consumer, idle, deliveries]` entries, the idle time not compared.
    PendingEntries,
    /// A payload of DUMP: exact where the order of elements is defined and scores are not
    /// spelled out, else of the same type, and of the same length.
    Dump,
    /// The same type of reply.
    Kind,
}

/// One line of [`RULES`].
#[derive(Debug)]
pub struct RuleEntry {
    /// `COMMAND` or `COMMAND|SUBCOMMAND`, in upper case.
    pub command: &'static str,
    /// How its replies are compared.
    pub rule: Rule,
    /// Why not byte for byte.
    pub reason: &'static str,
}

const fn rule(command: &'static str, rule: Rule, reason: &'static str) -> RuleEntry {
    RuleEntry {
        command,
        rule,
        reason,
    }
}

const SET_ORDER: &str = "sets and hashes have no order";
const RANDOM: &str = "a random choice";
const CLOCK: &str = "depends on the clock";
const OWN: &str = "describes the server or the connection itself";

/// The normalisation rules.
pub const RULES: &[RuleEntry] = &[
    rule("SMEMBERS", Rule::Unordered, SET_ORDER),
    rule("SUNION", Rule::Unordered, SET_ORDER),
    rule("SINTER", Rule::Unordered, SET_ORDER),
    rule("SDIFF", Rule::Unordered, SET_ORDER),
    rule("HKEYS", Rule::Unordered, SET_ORDER),
    rule("HVALS", Rule::Unordered, SET_ORDER),
    rule("HGETALL", Rule::UnorderedPairs, SET_ORDER),
    rule("KEYS", Rule::Unordered, "the keyspace has no order"),
    rule(
        "FUNCTION|LIST",
        Rule::UnorderedThroughout,
        "libraries, functions and flags have no order",
    ),
    rule(
        "FUNCTION|DUMP",
        Rule::Kind,
        "the payload carries the RDB version",
    ),
    rule("FUNCTION|HELP", Rule::Kind, "help texts change"),
    rule("SCRIPT|HELP", Rule::Kind, "help texts change"),
    rule("PUBSUB|HELP", Rule::Kind, "help texts change"),
    rule("ACL|HELP", Rule::Kind, "help texts change"),
    rule("DEBUG|HELP", Rule::Kind, "help texts change"),
    rule("PUBSUB|CHANNELS", Rule::Unordered, SET_ORDER),
    rule("PUBSUB|SHARDCHANNELS", Rule::Unordered, SET_ORDER),
    rule(
        "SORT",
        Rule::AsOrdered,
        "BY a constant keeps the order of the source, which a set has not",
    ),
    rule("SORT_RO", Rule::AsOrdered, "as SORT"),
    rule(
        "GEORADIUS",
        Rule::AsOrdered,
        "unordered unless ASC, DESC or COUNT",
    ),
    rule("GEORADIUS_RO", Rule::AsOrdered, "as GEORADIUS"),
    rule("GEORADIUSBYMEMBER", Rule::AsOrdered, "as GEORADIUS"),
    rule("GEORADIUSBYMEMBER_RO", Rule::AsOrdered, "as GEORADIUS"),
    rule("GEOSEARCH", Rule::AsOrdered, "as GEORADIUS"),
    rule("SCAN", Rule::Scan, "cursors are the server's own"),
    rule("SSCAN", Rule::Scan, "cursors are the server's own"),
    rule("HSCAN", Rule::Scan, "cursors are the server's own"),
    rule("ZSCAN", Rule::Scan, "cursors are the server's own"),
    rule("RANDOMKEY", Rule::Members, RANDOM),
    rule("SRANDMEMBER", Rule::Members, RANDOM),
    rule("HRANDFIELD", Rule::Members, RANDOM),
    rule("ZRANDMEMBER", Rule::Members, RANDOM),
    rule("SPOP", Rule::Pop, RANDOM),
    rule("TTL", Rule::Within { tolerance: 5 }, CLOCK),
    rule("PTTL", Rule::Within { tolerance: 5_000 }, CLOCK),
    rule("EXPIRETIME", Rule::Within { tolerance: 5 }, CLOCK),
    rule("PEXPIRETIME", Rule::Within { tolerance: 5_000 }, CLOCK),
    rule("OBJECT|IDLETIME", Rule::Within { tolerance: 10 }, CLOCK),
    rule("DUMP", Rule::Dump, SET_ORDER),
    rule("OBJECT|FREQ", Rule::Kind, "a probabilistic counter"),
    rule(
        "OBJECT|REFCOUNT",
        Rule::Kind,
        "sharing of integers is the server's own affair",
    ),
    rule(
        "OBJECT|ENCODING",
        Rule::Encoding,
        "7.2 has encodings that 7.0 has not",
    ),
    rule("OBJECT|HELP", Rule::Kind, "help texts change"),
    rule("TIME", Rule::Kind, CLOCK),
    rule("LASTSAVE", Rule::Kind, CLOCK),
    rule("XPENDING", Rule::PendingEntries, CLOCK),
    rule(
        "XINFO",
        Rule::StreamInfo {
            dropped: &[
                "active-time",
                "inactive",
                "radix-tree-keys",
                "radix-tree-nodes",
            ],
            blurred: &["idle", "seen-time"],
        },
        "7.2 adds active-time and inactive; idle times depend on the clock; radix-tree figures on the structure",
    ),
    rule(
        "XGROUP|CREATECONSUMER",
        Rule::KindBefore72,
        "7.2 makes the consumer of a reading command even if there is nothing for it",
    ),
    rule(
        "HELLO",
        Rule::Fields {
            dropped: &["version", "server"],
            blurred: &["id"],
        },
        OWN,
    ),
    rule("INFO", Rule::Kind, OWN),
    rule("LOLWUT", Rule::Kind, OWN),
    rule("MEMORY|USAGE", Rule::Kind, OWN),
    rule("MEMORY", Rule::Kind, OWN),
    rule("DEBUG|OBJECT", Rule::Kind, OWN),
    rule("DEBUG|JMAP", Rule::Kind, OWN),
    rule("CLIENT|ID", Rule::Kind, OWN),
    rule("CLIENT|LIST", Rule::Kind, OWN),
    rule("CLIENT|INFO", Rule::Kind, OWN),
    rule("CLIENT|HELP", Rule::Kind, "help texts change"),
    rule("CONFIG|HELP", Rule::Kind, "help texts change"),
    rule("COMMAND|HELP", Rule::Kind, "help texts change"),
    rule("XINFO|HELP", Rule::Kind, "help texts change"),
    rule("XGROUP|HELP", Rule::Kind, "help texts change"),
    rule("SLOWLOG", Rule::Kind, CLOCK),
    rule("LATENCY", Rule::Kind, CLOCK),
    rule("COMMAND|COUNT", Rule::Kind, "7.2 has more commands"),
    rule("COMMAND|LIST", Rule::Superset, "7.2 has more commands"),
    rule(
        "COMMAND|DOCS",
        Rule::Kind,
        "documentation is reworded between versions",
    ),
    rule(
        "COMMAND|INFO",
        Rule::Kind,
        "flags, tips and subcommands change between versions",
    ),
    rule(
        "COMMAND|GETKEYSANDFLAGS",
        Rule::Exact,
        "listed for completeness",
    ),
    rule("COMMAND", Rule::Kind, "7.2 has more commands"),
    rule(
        "CONFIG|GET",
        Rule::SharedPairs {
            blurred: BLURRED_SETTINGS,
        },
        OWN,
    ),
    rule("ACL|LOG", Rule::Kind, CLOCK),
    rule("ACL|GENPASS", Rule::Kind, RANDOM),
    rule("ACL|CAT", Rule::Superset, "7.2 has more commands"),
];

/// Settings whose values name the process rather than its behaviour.
pub const BLURRED_SETTINGS: &[&str] = &[
    "port",
    "bind",
    "dir",
    "pidfile",
    "logfile",
    "unixsocket",
    "io-threads",
    "maxclients",
    "hz",
    "save",
    "tcp-backlog",
    "proc-title-template",
    "oom-score-adj-values",
    "shutdown-timeout",
    "bind-source-addr",
    "locale-collate",
    "set-proc-title",
    "always-show-logo",
];

/// An error text that is not the same in the reference and in 7.2.
#[derive(Debug)]
pub struct ErrorChange {
    /// The command in upper case, or `*`.
    pub command: &'static str,
    /// How the reference's text begins.
    pub reference: &'static str,
    /// How the subject's text begins.
    pub subject: &'static str,
    /// The version that changed it.
    pub since: (u32, u32),
    /// What changed.
    pub reason: &'static str,
}

/// Error texts changed between 7.0 and 7.2.
pub const ERROR_CHANGES: &[ErrorChange] = &[
    ErrorChange {
        command: "XREAD",
        reference: "ERR Unbalanced XREAD list of streams",
        subject: "ERR Unbalanced 'xread' list of streams",
        since: (7, 2),
        reason: "7.2 names the command as it is",
    },
    ErrorChange {
        command: "XSETID",
        reference: "ERR The ID specified in XSETID is smaller than the target stream top item",
        subject: "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        since: (7, 2),
        reason: "7.2 looks at what was deleted, first",
    },
    ErrorChange {
        command: "XREADGROUP",
        reference: "ERR Unbalanced XREAD list of streams",
        subject: "ERR Unbalanced 'xreadgroup' list of streams",
        since: (7, 2),
        reason: "7.2 names the command as it is",
    },
    ErrorChange {
        command: "HELLO",
        reference: "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                    the HELLO AUTH",
        subject: "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                  the HELLO <proto> AUTH",
        since: (7, 2),
        reason: "7.2 names the protocol version among the arguments",
    },
    ErrorChange {
        command: "*",
        reference: "ERR timeout is negative",
        subject: "ERR timeout is out of range",
        since: (7, 2),
        reason: "a timeout that overflowed looked negative before 7.2",
    },
    ErrorChange {
        command: "*",
        reference: "NOPERM this user has no permissions",
        subject: "NOPERM User ",
        since: (7, 2),
        reason: "7.2 names the user",
    },
    ErrorChange {
        command: "*",
        reference: "UNBLOCKED the stream key no longer exists",
        subject: "NOGROUP No such key",
        since: (7, 2),
        reason: "7.2 runs an unblocked XREADGROUP again instead of making up an error",
    },
    ErrorChange {
        command: "*",
        reference: "UNBLOCKED the stream key no longer exists",
        subject: "WRONGTYPE ",
        since: (7, 2),
        reason: "7.2 runs an unblocked XREADGROUP again instead of making up an error",
    },
    ErrorChange {
        command: "*",
        reference: "ERR timeout is negative",
        subject: "ERR timeout is out of range",
        since: (7, 2),
        reason: "7.0 overflows where a timeout is too large",
    },
    ErrorChange {
        command: "ZRANK",
        reference: "ERR wrong number of arguments",
        subject: "ERR syntax error",
        since: (7, 2),
        reason: "7.2 has the option WITHSCORE",
    },
    ErrorChange {
        command: "ZREVRANK",
        reference: "ERR wrong number of arguments",
        subject: "ERR syntax error",
        since: (7, 2),
        reason: "7.2 has the option WITHSCORE",
    },
    ErrorChange {
        command: "ZRANK",
        reference: "ERR Wrong number of args calling Redis command",
        subject: "ERR syntax error",
        since: (7, 2),
        reason: "7.2 has the option WITHSCORE",
    },
    ErrorChange {
        command: "ZREVRANK",
        reference: "ERR Wrong number of args calling Redis command",
        subject: "ERR syntax error",
        since: (7, 2),
        reason: "7.2 has the option WITHSCORE",
    },
    ErrorChange {
        command: "HELLO",
        reference: "WRONGPASS",
        subject: "ERR Syntax error in HELLO option",
        since: (7, 2),
        reason: "7.2 reads all options before it acts upon any",
    },
];

/// Encodings that 7.2 reports where the reference reports others.
#[derive(Debug)]
pub struct EncodingChange {
    /// What the reference reports.
    pub reference: &'static str,
    /// What the subject may report.
    pub subject: &'static str,
    /// The version that changed it.
    pub since: (u32, u32),
    /// What changed.
    pub reason: &'static str,
}

/// Encodings changed between 7.0 and 7.2.
pub const ENCODING_CHANGES: &[EncodingChange] = &[
    EncodingChange {
        reference: "hashtable",
        subject: "listpack",
        since: (7, 2),
        reason: "7.2 keeps small sets in listpacks",
    },
    EncodingChange {
        reference: "intset",
        subject: "listpack",
        since: (7, 2),
        reason: "7.2 stores the result of set algebra as a listpack when a source is one",
    },
    EncodingChange {
        reference: "intset",
        subject: "hashtable",
        since: (7, 2),
        reason: "7.2 makes a new set large enough for all arguments, equal ones too",
    },
    EncodingChange {
        reference: "listpack",
        subject: "hashtable",
        since: (7, 2),
        reason: "7.2 makes a hash large enough for all arguments of HSET, equal fields too",
    },
    EncodingChange {
        reference: "quicklist",
        subject: "listpack",
        since: (7, 2),
        reason: "7.2 keeps small lists in one listpack",
    },
];

/// Commands whose replies carry scores or distances. Before 7.2 these were printed with
/// 17 significant digits, since then with the fewest that round-trip, so they are
/// compared as numbers when the texts differ and the reference is older.
pub const DOUBLE_COMMANDS: &[&str] = &[
    "ZADD",
    "ZINCRBY",
    "ZSCORE",
    "ZMSCORE",
    "ZRANGE",
    "ZREVRANGE",
    "ZRANGEBYSCORE",
    "ZREVRANGEBYSCORE",
    "ZPOPMIN",
    "ZPOPMAX",
    "BZPOPMIN",
    "BZPOPMAX",
    "ZMPOP",
    "BZMPOP",
    "ZRANDMEMBER",
    "ZSCAN",
    "ZUNION",
    "ZINTER",
    "ZDIFF",
    "GEODIST",
    "GEOPOS",
    "GEORADIUS",
    "GEORADIUS_RO",
    "GEORADIUSBYMEMBER",
    "GEORADIUSBYMEMBER_RO",
    "GEOSEARCH",
    "EVAL",
    "EVALSHA",
    "EVAL_RO",
    "EVALSHA_RO",
    "FCALL",
    "FCALL_RO",
];

/// The command that is meant: a script that only calls its arguments stands for them.
pub fn meant(args: &[Vec<u8>]) -> &[Vec<u8>] {
    match args {
        [eval, body, count, inner @ ..]
            if eval.to_ascii_uppercase().starts_with(b"EVAL")
                && body.ends_with(b"call(unpack(ARGV))")
                && count == b"0"
                && !inner.is_empty() =>
        {
            inner
        }
        _ => args,
    }
}

/// The name of a command, in upper case.
pub fn name_of(args: &[Vec<u8>]) -> String {
    args.first()
        .map(|name| String::from_utf8_lossy(name).to_ascii_uppercase())
        .unwrap_or_default()
}

/// The rule for a command: by `COMMAND|SUBCOMMAND` first, then by `COMMAND`.
pub fn rule_for(args: &[Vec<u8>]) -> Rule {
    let name = name_of(args);
    let with_subcommand = format!("{name}|{}", name_of(args.get(1..).unwrap_or_default()));
    let find = |wanted: &str| RULES.iter().find(|entry| entry.command == wanted);
    find(&with_subcommand)
        .or_else(|| find(&name))
        .map_or(Rule::Exact, |entry| entry.rule)
}

/// For [`Rule::AsOrdered`]: what the options of this very command make of it.
pub fn rule_as_ordered(args: &[Vec<u8>]) -> Rule {
    let has = |token: &str| {
        args.iter()
            .skip(2)
            .any(|arg| arg.eq_ignore_ascii_case(token.as_bytes()))
    };
    if name_of(args).starts_with("SORT") {
        let by = args
            .iter()
            .skip(2)
            .position(|arg| arg.eq_ignore_ascii_case(b"BY"));
        let by = by.and_then(|at| args.get(at + 3));
        return match by {
            Some(pattern) if !pattern.contains(&b'*') && has("LIMIT") => Rule::Kind,
            Some(pattern) if !pattern.contains(&b'*') => Rule::Unordered,
            // Ties of ALPHA with BY are left to the sorting algorithm.
            Some(_) if has("ALPHA") && has("LIMIT") => Rule::Kind,
            Some(_) if has("ALPHA") => Rule::Unordered,
            _ => Rule::Exact,
        };
    }
    if has("ANY") {
        Rule::Kind
    } else if has("ASC") || has("DESC") || has("COUNT") {
        Rule::Exact
    } else {
        Rule::Unordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<Vec<u8>> {
        line.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn names_are_unique_upper_case_and_reasoned() {
        for (index, entry) in RULES.iter().enumerate() {
            assert_eq!(entry.command, entry.command.to_ascii_uppercase());
            assert!(!entry.reason.is_empty(), "{}", entry.command);
            assert!(
                RULES[..index]
                    .iter()
                    .all(|other| other.command != entry.command),
                "{}",
                entry.command
            );
        }
    }

    #[test]
    fn subcommand_rules_come_first() {
        assert_eq!(rule_for(&args("object encoding k")), Rule::Encoding);
        assert_eq!(rule_for(&args("GET k")), Rule::Exact);
        assert_eq!(rule_for(&args("smembers k")), Rule::Unordered);
    }

    #[test]
    fn order_depends_on_options() {
        assert_eq!(rule_as_ordered(&args("SORT k BY nosort")), Rule::Unordered);
        assert_eq!(rule_as_ordered(&args("SORT k BY w_* DESC")), Rule::Exact);
        assert_eq!(
            rule_as_ordered(&args("GEOSEARCH k FROMMEMBER m BYRADIUS 1 km asc")),
            Rule::Exact
        );
        assert_eq!(
            rule_as_ordered(&args("GEOSEARCH k FROMMEMBER m BYRADIUS 1 km")),
            Rule::Unordered
        );
    }
}
