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
        other => return answer(&other),
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
                let name = if signal == SIGINT {
                    "SIGINT"
                } else {
                    "SIGTERM"
                };
                server
                    .log
                    .warning(&format!("Received {name} scheduling shutdown..."));
                server.request_stop(StopRequest { status: 0 });
            }
        });
    }
    ExitCode::from(running.wait() as u8)
}

/// Answers an invocation that does not ask for a server.
fn answer(invocation: &Invocation) -> ExitCode {
    match invocation {
        Invocation::Serve(_) => ExitCode::SUCCESS,
        Invocation::Version => {
            println!("{}", command_line::version_text());
            ExitCode::SUCCESS
        }
        Invocation::Help => {
            eprint!("{}", command_line::usage_text());
            ExitCode::FAILURE
        }
        Invocation::TestMemory { megabytes } => test_memory(*megabytes),
        Invocation::CheckSystem => {
            println!("[ok] nothing to check: the server neither forks nor depends on huge pages");
            ExitCode::SUCCESS
        }
        Invocation::Wrong(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Fills memory with a pattern and reads it back.
fn test_memory(megabytes: usize) -> ExitCode {
    const WORDS_PER_MEGABYTE: usize = (1 << 20) / size_of::<u64>();
    let mut words = Vec::new();
    if words
        .try_reserve_exact(megabytes.saturating_mul(WORDS_PER_MEGABYTE))
        .is_err()
    {
        eprintln!("Unable to allocate {megabytes} megabytes");
        return ExitCode::FAILURE;
    }
    for pattern in [0, u64::MAX, 0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa] {
        words.clear();
        words.extend((0..megabytes * WORDS_PER_MEGABYTE).map(|index| index as u64 ^ pattern));
        let wrong = std::hint::black_box(&words)
            .iter()
            .enumerate()
            .position(|(index, &word)| word != index as u64 ^ pattern);
        if let Some(index) = wrong {
            eprintln!(
                "*** MEMORY ERROR DETECTED at word {index} of {}",
                words.len()
            );
            return ExitCode::FAILURE;
        }
    }
    println!("Your memory passed this test.");
    ExitCode::SUCCESS
}
