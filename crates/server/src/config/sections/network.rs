//! Listening sockets and the options of connections.

use crate::config::directive::Effect::{AtStart, Inert, Live};
use crate::config::section::section;
use crate::config::values::BindAddresses;

section! {
    /// Listening sockets and connection options.
    Network at network titled "NETWORK" {
        bind: BindAddresses = BindAddresses::default(), value, [MULTI], Live,
            "bind" =>
            "The local addresses to listen on; all of them by default. A leading - marks an address that may be missing on this machine.";
        bind_source_address: String = String::new(), optional_text, [], Live,
            "bind-source-addr" =>
            "The local address from which connections to other servers are made.";
        new_connections_per_tick: u32 = 10, integer(1, 1000), [HIDDEN], Inert("new connections are spread over the workers by an acceptor of their own"),
            "max-new-connections-per-cycle" =>
            "How many new connections are accepted at a time.";
        new_tls_connections_per_tick: u32 = 1, integer(1, 1000), [HIDDEN], Inert("new connections are spread over the workers by an acceptor of their own"),
            "max-new-tls-connections-per-cycle" =>
            "How many new TLS connections are accepted at a time.";
        port: u16 = 6379, integer(0, 65535), [], Live,
            "port" =>
            "The TCP port to listen on; 0 turns TCP off.";
        protected_mode: bool = true, yes_no, [], Live,
            "protected-mode" =>
            "While no password is set, refuse connections from other machines.";
        socket_mark_id: u32 = 0, integer(0, u32::MAX), [IMMUTABLE], AtStart,
            "socket-mark-id" =>
            "A mark for the listening sockets, for routing and filtering by the kernel; 0 is none.";
        tcp_backlog: u32 = 511, integer(0, i32::MAX), [IMMUTABLE], AtStart,
            "tcp-backlog" =>
            "How many connections may wait to be accepted; the kernel's own limit also applies.";
        tcp_keepalive_seconds: u32 = 300, integer(0, i32::MAX), [], Live,
            "tcp-keepalive" =>
            "Seconds between keepalive probes on idle connections; 0 sends none.";
        unix_socket: String = String::new(), optional_text, [IMMUTABLE], AtStart,
            "unixsocket" =>
            "The path of a Unix socket to listen on; none if empty.";
        unix_socket_mode: u32 = 0, octal(0, 0o777), [IMMUTABLE], AtStart,
            "unixsocketperm" =>
            "The mode of the Unix socket, in octal; 0 leaves it to the umask.";
    }
}
