//! Directives that take one of a few names.
//!
//! Invariant: the names are in the order in which Redis's error text lists them; where two names
//! mean the same, the first is the one shown.

/// A value with a fixed set of names.
pub trait Choice: Copy {
    /// All names, in order.
    const NAMES: &'static [&'static str];

    /// The name shown.
    fn name(self) -> &'static str;

    /// The value of a name, in any case.
    fn from_name(name: &str) -> Option<Self>;
}

macro_rules! choices {
    ($( $(#[$meta:meta])* $Name:ident { $( $(#[$doc:meta])* $Variant:ident = $name:literal $(| $other:literal)?, )* } )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Name { $( $(#[$doc])* $Variant, )* }

        impl Choice for $Name {
            const NAMES: &'static [&'static str] = &[ $( $name, $($other,)? )* ];

            fn name(self) -> &'static str {
                match self { $( $Name::$Variant => $name, )* }
            }

            fn from_name(name: &str) -> Option<Self> {
                $(
                    if name.eq_ignore_ascii_case($name) $(|| name.eq_ignore_ascii_case($other))? {
                        return Some($Name::$Variant);
                    }
                )*
                None
            }
        }
    )* };
}

choices! {
    /// What is evicted when `maxmemory` is reached.
    EvictionPolicy {
        /// The least recently used key that has a time to live.
        VolatileLru = "volatile-lru",
        /// The least frequently used key that has a time to live.
        VolatileLfu = "volatile-lfu",
        /// Any key that has a time to live.
        VolatileRandom = "volatile-random",
        /// The key that would expire first.
        VolatileTtl = "volatile-ttl",
        /// The least recently used key.
        AllKeysLru = "allkeys-lru",
        /// The least frequently used key.
        AllKeysLfu = "allkeys-lfu",
        /// Any key.
        AllKeysRandom = "allkeys-random",
        /// Nothing: writes that need memory are refused.
        NoEviction = "noeviction",
    }
    /// The syslog facility.
    SyslogFacility {
        /// LOG_USER.
        User = "user",
        /// LOG_LOCAL0.
        Local0 = "local0",
        /// LOG_LOCAL1.
        Local1 = "local1",
        /// LOG_LOCAL2.
        Local2 = "local2",
        /// LOG_LOCAL3.
        Local3 = "local3",
        /// LOG_LOCAL4.
        Local4 = "local4",
        /// LOG_LOCAL5.
        Local5 = "local5",
        /// LOG_LOCAL6.
        Local6 = "local6",
        /// LOG_LOCAL7.
        Local7 = "local7",
    }
    /// The least important log lines that are written.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Rarely useful detail.
        Verbose = "verbose",
        /// What a production log wants.
        Notice = "notice",
        /// Only what matters greatly.
        Warning = "warning",
        // Redis 7.2 adds `nothing`.
        /// Nothing at all.
        Nothing = "nothing",
    }
    /// How a supervisor is told that the server is ready.
    Supervised {
        /// By raising SIGSTOP.
        Upstart = "upstart",
        /// By a datagram to `$NOTIFY_SOCKET`.
        Systemd = "systemd",
        /// Whichever the environment calls for.
        Auto = "auto",
        /// Not at all.
        No = "no",
    }
    /// When the append-only file is forced to disk.
    AppendFsync {
        /// Once a second.
        EverySecond = "everysec",
        /// Before every reply to a write.
        Always = "always",
        /// When the kernel likes.
        No = "no",
    }
    /// How a replica loads a snapshot that arrives by socket.
    DisklessLoad {
        /// Through a file.
        Disabled = "disabled",
        /// From the socket, when it has no data to lose.
        OnEmptyDb = "on-empty-db",
        /// From the socket, beside the old data.
        SwapDb = "swapdb",
    }
    /// Whether TLS clients must show a certificate.
    TlsAuthClients {
        /// They need not.
        No = "no",
        /// They must.
        Yes = "yes",
        /// It is checked if they do.
        Optional = "optional",
    }
    /// Whether the kernel's OOM score is adjusted.
    OomScoreAdj {
        /// It is left alone.
        No = "no",
        /// By values relative to the score at start.
        Relative = "yes" | "relative",
        /// To absolute values.
        Absolute = "absolute",
    }
    /// Which channels a new ACL user may use.
    PubsubDefault {
        /// All.
        AllChannels = "allchannels",
        /// None.
        ResetChannels = "resetchannels",
    }
    /// How deeply payloads of RESTORE and of full syncs are checked.
    SanitizePayload {
        /// Only their frame.
        No = "no",
        /// Wholly.
        Yes = "yes",
        /// Wholly, when they come from ordinary clients.
        Clients = "clients",
    }
    /// Who may use a protected command or directive.
    ProtectedAction {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
    /// Under which name cluster nodes are shown to clients.
    EndpointType {
        /// Their address.
        Ip = "ip",
        /// Their announced host name.
        Hostname = "hostname",
        /// None: the client goes on using the address that it knows.
        UnknownEndpoint = "unknown-endpoint",
    }
    /// What happens when a command from the replication stream or the AOF fails.
    PropagationError {
        /// It is logged.
        Ignore = "ignore",
        /// The server stops.
        Panic = "panic",
        /// The server stops if it is a replica.
        PanicOnReplicas = "panic-on-replicas",
    }
    /// How workers wait for sockets.
    Reactor {
        /// io_uring where the kernel allows it, else epoll.
        Auto = "auto",
        /// io_uring, or refuse to start.
        IoUring = "io_uring",
        /// epoll.
        Epoll = "epoll",
    }
    /// The format version of snapshots that are written.
    RdbVersion {
        /// What Redis 7.2 reads.
        V11 = "11",
        /// What Redis 7.0 reads.
        V10 = "10",
    }
}
