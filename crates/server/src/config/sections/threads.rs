//! Worker threads, the reactor and the stripes of the keyspace.

use crate::config::choices::Reactor;
use crate::config::directive::Effect::{AtStart, Inert};
use crate::config::section::section;
use crate::config::values::StripeCount;

section! {
    /// Worker threads, the reactor and the stripes of the keyspace.
    Threads at threads titled "THREADS" {
        workers: u32 = cores(), integer(1, 1024), [IMMUTABLE], AtStart,
            "io-threads" =>
            "Worker threads, each of which reads, executes and answers commands. The default is the number of cores that the server may run on.";
        workers_read: bool = false, yes_no, [IMMUTABLE], Inert("every worker reads"),
            "io-threads-do-reads" =>
            "Whether threads also read; kept for the files that say so.";
        reactor: Reactor = Reactor::Auto, choice, [IMMUTABLE], AtStart,
            "reactor" =>
            "How workers wait for sockets: io_uring where the kernel allows it (auto), or one of the two for certain.";
        stripes: StripeCount = StripeCount::default(), value, [IMMUTABLE], AtStart,
            "stripes" =>
            "Into how many independently locked parts the keyspace is divided; a power of two.";
    }
}

/// The number of cores that this process may run on, at most the limit of `io-threads`.
fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(1024) as u32)
}
