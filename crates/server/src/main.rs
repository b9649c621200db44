//! The `ochre` binary: arguments and configuration to a running server.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ochre_server::StartError;
use ochre_server::check::{self, Request, Terminal, Tool};
use ochre_server::config::REDIS_VERSION;
use ochre_server::config::command_line::{self, Invocation, Sources, Stdin};
use ochre_server::config::load;
use ochre_server::crash_report::CrashReport;
use ochre_server::log::Log;
use ochre_server::restart::Restart;
use ochre_server::server::{AfterEnd, Server, StopRequest, log_level};
use ochre_server::startup::{self, PidFile, Stage};
use ochre_server::syslog::Syslog;
use ochre_server::title::ProcessTitle;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    if let Some(tool) = Tool::named(&program) {
        return stand_in(tool, &arguments.collect::<Vec<_>>());
    }
    let sources = match command_line::parse(arguments) {
        Invocation::Serve(sources) => sources,
        Invocation::CheckFiles(arguments) => return check_files(Request::parse(&arguments)),
        other => return answer(&other),
    };
    match serve(&sources) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a server to its end; returns the exit status.
fn serve(sources: &Sources) -> Result<i32, Box<dyn std::error::Error>> {
    let mut stdin = Vec::new();
    if sources.stdin == Stdin::Read {
        std::io::stdin().read_to_end(&mut stdin)?;
    }
    let mut launch = load::load(sources, stdin.as_slice())?;
    if startup::stage(&launch.config) == Stage::HandOver {
        startup::hand_over(&stdin)?;
        return Ok(0);
    }
    let config = &mut launch.config;
    let log_file = match config.logging.file.as_str() {
        "" => PathBuf::new(),
        file => config.persistence.dir.join(file),
    };
    let log = Log::open(&log_file, log_level(config))
        .map_err(StartError::LogFile)?
        .with_syslog(Syslog::open(config));
    let program = std::env::args().next().unwrap_or_else(|| "ochre".into());
    startup::announce(config, launch.file.as_deref(), &program, &log);
    // Before the title takes the place of the arguments. What came by the standard input
    // would not come again.
    let restart = Restart::of_this_process().ok();
    let restart = restart.filter(|_| sources.stdin != Stdin::Read);
    let title = ProcessTitle::claim(config, &program, launch.file.as_deref());
    let crash_report = Arc::new(CrashReport::new(config, &log));
    if let Err(error) = ochre_crash::install(crash_report.clone()) {
        log.warning(&format!("Crashes will not be reported: {error}"));
    }
    startup::fit_process(config, &log);
    let pid_file = PidFile::write(config, &log);
    let supervisor = startup::supervision(config);
    let mut running = Server::launch(launch, log)?;
    let server = running.server().clone();
    crash_report.of(server.clone());
    adopt_process(&server, title, restart);
    heed_signals(server.clone())?;
    if let Err(error) = running.loaded()
        && server.stop_request().is_none()
    {
        server.log.warning(&format!("{error}"));
        return Err(error.into());
    }
    if let Some(supervisor) = &supervisor {
        supervisor.ready(&server.log);
    }
    let status = running.wait();
    if let Some(AfterEnd::Restart { delay_ms }) = server.stop_request().map(|stop| stop.then)
        && let Some(restart) = server.restart.get()
    {
        drop(pid_file);
        server.log.notice("Restarting the server...");
        return Err(restart.run(Duration::from_millis(delay_ms)).into());
    }
    if let Some(supervisor) = &supervisor {
        supervisor.stopping();
    }
    if pid_file.is_some() {
        server.log.notice("Removing the pid file.");
    }
    drop(pid_file);
    server.log.warning("Ochre is now ready to exit, bye bye...");
    Ok(status)
}

/// Gives the server what it may do with its process.
fn adopt_process(server: &Server, title: Option<ProcessTitle>, restart: Option<Restart>) {
    // It is new: nobody has given it any of this.
    if let Some(title) = title {
        let _ = server.title.set(Mutex::new(title));
    }
    if let Some(restart) = restart {
        let _ = server.restart.set(restart);
    }
}

/// Ends the server on SIGTERM and SIGINT, at once on a second SIGINT. The end of a
/// terminal is no reason.
fn heed_signals(server: Arc<Server>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let name = match signal {
                SIGHUP => continue,
                SIGINT => "SIGINT",
                _ => "SIGTERM",
            };
            if signal == SIGINT && server.stop_request().is_some() {
                server.log.warning("You insist... exiting now.");
                std::process::exit(1);
            }
            let text = format!("Received {name} scheduling shutdown...");
            server.log.warning(&text);
            server.request_stop(StopRequest::BY_SIGNAL, None);
        }
    });
    Ok(())
}

/// Does what the tool of this name does.
fn stand_in(tool: Tool, arguments: &[OsString]) -> ExitCode {
    let asks_version = |word: &OsString| word == "-v" || word == "--version";
    if arguments.len() == 1 && arguments.iter().any(asks_version) {
        println!("{} {}", tool.name(), REDIS_VERSION);
        return ExitCode::SUCCESS;
    }
    check_files(tool.request(arguments))
}

/// Checks files; exits with 1 if anything is wrong.
fn check_files(request: Result<Request, String>) -> ExitCode {
    let request = match request {
        Ok(request) => request,
        Err(text) => {
            eprint!("{text}");
            return ExitCode::FAILURE;
        }
    };
    let mut terminal = Terminal {
        output: &mut std::io::stdout().lock(),
        input: &mut std::io::stdin().lock(),
    };
    if check::run(&request, &mut terminal) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Answers an invocation that does not ask for a server.
fn answer(invocation: &Invocation) -> ExitCode {
    match invocation {
        Invocation::Serve(_) | Invocation::CheckFiles(_) => ExitCode::SUCCESS,
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
