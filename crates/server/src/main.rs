//! The `ochre` binary: arguments and configuration to a running server.

use std::process::ExitCode;

use ochre_server::config::command_line::{self, Invocation};
use ochre_server::config::load;
use ochre_server::log::Log;
use ochre_server::server::{Server, StopRequest, log_level};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let sources = match command_line::parse(std::env::args_os().skip(1)) {
        Invocation::Serve(sources) => sources,
        other => return other.answer(),
    };
    let startup = match load::load(&sources, std::io::stdin()) {
        Ok(startup) => startup,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let log = match Log::open(&startup.config.logging.file, log_level(&startup.config)) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("Can't open the log file: {error}");
            return ExitCode::FAILURE;
        }
    };
    log.notice(&format!("PID: {}", std::process::id()));
    let running = match Server::start_with(startup.config, startup.file, log) {
        Ok(running) => running,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let server = running.server().clone();
    if let Ok(mut signals) = Signals::new([SIGTERM, SIGINT]) {
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                server.log.warning(&format!("Received {name} scheduling shutdown..."));
                server.request_stop(StopRequest { status: 0 });
            }
        });
    }
    ExitCode::from(running.wait() as u8)
}
