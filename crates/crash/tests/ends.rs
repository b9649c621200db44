//! Processes that end in every way, and what they leave behind: the report, and the
//! status that tells the signal. Each test runs this very program again, as the child
//! that ends.

use std::fmt::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use ochre_crash::{AfterPanic, Cause, Page, Reporter, Title};

/// Names the way to end; set for children only.
const WAY: &str = "OCHRE_CRASH_TEST";

struct Plain {
    file: std::fs::File,
    wanted: bool,
    after: AfterPanic,
    facts: fn(&mut Page),
}

impl Reporter for Plain {
    fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    fn version(&self) -> &str {
        "7.2.x"
    }

    fn is_wanted(&self) -> bool {
        self.wanted
    }

    fn after_panic(&self) -> AfterPanic {
        self.after
    }

    fn begin_line(&self, page: &mut Page) {
        page.put("# ");
    }

    fn facts(&self, page: &mut Page) {
        (self.facts)(page);
    }
}

/// The child. In a run of the tests it does nothing.
#[test]
fn child() {
    let Ok(way) = std::env::var(WAY) else {
        return;
    };
    let (way, path) = way.split_once(' ').unwrap();
    let installs = |wanted, after, facts| {
        let file = std::fs::File::create(path).unwrap();
        ochre_crash::install(Arc::new(Plain {
            file,
            wanted,
            after,
            facts,
        }))
        .unwrap();
        ochre_crash::prepare_thread();
    };
    let facts: fn(&mut Page) = |page| {
        let _ = write!(page, "{}", format_args!("facts of {}\n", 42));
    };
    let raise = |signal| {
        let pid = rustix::process::getpid();
        rustix::process::kill_process(pid, signal).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(20));
    };
    match way {
        "fault" => {
            installs(true, AfterPanic::Abort, facts);
            ochre_crash::fault();
        }
        "fault-unwanted" => {
            installs(false, AfterPanic::Abort, facts);
            ochre_crash::fault();
        }
        "fault-twice" => {
            installs(true, AfterPanic::Abort, |_| ochre_crash::fault());
            ochre_crash::fault();
        }
        "overflow" => {
            installs(true, AfterPanic::Abort, facts);
            println!("{}", deep(1));
        }
        "unprepared" => {
            installs(true, AfterPanic::Abort, facts);
            let _ = std::thread::spawn(|| ochre_crash::fault()).join();
        }
        "killed" => {
            installs(true, AfterPanic::Abort, facts);
            raise(rustix::process::Signal::FPE);
        }
        "abort" => {
            installs(true, AfterPanic::Abort, facts);
            std::process::abort();
        }
        "panic" => {
            installs(true, AfterPanic::Abort, facts);
            let _ = std::thread::spawn(|| panic!("out of {}", "order")).join();
        }
        "panic-unwanted" => {
            installs(false, AfterPanic::Abort, facts);
            panic!("out of order");
        }
        "panic-exit" => {
            installs(true, AfterPanic::Exit, facts);
            panic!("out of order");
        }
        "panic-contained" => {
            installs(true, AfterPanic::Abort, facts);
            assert!(ochre_crash::contained("ends.rs", || panic!("harmless")).is_none());
            std::process::exit(5);
        }
        "panic-elsewhere" => {
            installs(true, AfterPanic::Abort, facts);
            ochre_crash::contained("other.rs", || panic!("not harmless"));
        }
        "panic-in-facts" => {
            installs(true, AfterPanic::Abort, |_| panic!("in the report"));
            panic!("out of order");
        }
        "assertion" => {
            installs(true, AfterPanic::Abort, facts);
            ochre_crash::end(Cause::Assertion("1 == 2"));
        }
        "memory" => {
            installs(true, AfterPanic::Abort, facts);
            ochre_crash::end(Cause::OutOfMemory { bytes: 99 });
        }
        other => panic!("{other}"),
    }
}

#[allow(unconditional_recursion, reason = "until the stack ends")]
fn deep(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    deep(depth + 1) + room[(depth % 64) as usize]
}

fn run(way: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(WAY, format!("{way} {}", path.display()))
        .output()
        .unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    (output.status, log)
}

/// Runs a child to its end; the report must hold these texts in this order.
fn check(way: &str, signal: Option<i32>, texts: &[&str]) -> String {
    let (status, log) = run(way);
    assert_eq!(status.signal(), signal, "{way}: {status}\n{log}");
    let mut rest = log.as_str();
    for text in texts {
        let (_, after) = rest
            .split_once(text)
            .unwrap_or_else(|| panic!("{way}: no {text:?} where it should be in\n{log}"));
        rest = after;
    }
    log
}

const SEGV: Option<i32> = Some(libc_signal::SEGV);
const ABRT: Option<i32> = Some(libc_signal::ABRT);

mod libc_signal {
    pub const ABRT: i32 = 6;
    pub const FPE: i32 = 8;
    pub const SEGV: i32 = 11;
}

#[test]
fn a_fault_is_reported_and_is_the_end() {
    let log = check(
        "fault",
        SEGV,
        &[
            "\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n",
            "# Redis 7.2.x crashed by signal: 11, si_code: 2\n",
            "# Accessing address: 0x",
            "# Crashed running the instruction at: 0x",
            "------ REGISTERS ------",
            #[cfg(target_arch = "x86_64")]
            "R12:",
            "------ STACK TRACE ------",
            "Backtrace:",
            "ends::child",
            "facts of 42",
            "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n",
        ],
    );
    assert_eq!(log.matches("REPORT START").count(), 1);
}

#[test]
fn where_nobody_wants_a_report_only_the_signal_tells() {
    let log = check("fault-unwanted", SEGV, &[]);
    assert_eq!(log, "");
}

#[test]
fn a_fault_within_the_report_ends_it() {
    let log = check(
        "fault-twice",
        SEGV,
        &["crashed by signal: 11", "STACK TRACE"],
    );
    assert_eq!(log.matches("crashed by").count(), 1);
}

#[test]
fn an_overflow_of_the_stack_is_reported() {
    check(
        "overflow",
        SEGV,
        &[
            "crashed by signal: 11",
            "Backtrace:",
            "deep",
            "(and so on)",
            "REPORT END",
        ],
    );
}

#[test]
fn a_thread_without_room_for_a_trace_says_so() {
    check(
        "unprepared",
        SEGV,
        &[
            "crashed by signal: 11",
            "no room for one",
            "facts of 42",
            "REPORT END",
        ],
    );
}

#[test]
fn who_killed_it_is_told() {
    check(
        "killed",
        Some(libc_signal::FPE),
        &["crashed by signal: 8", "Killed by PID: ", "REPORT END"],
    );
}

#[test]
fn an_abort_is_reported() {
    check(
        "abort",
        ABRT,
        &["crashed by signal: 6", "facts", "REPORT END"],
    );
}

#[test]
fn a_panic_in_any_thread_is_the_end() {
    let log = check(
        "panic",
        ABRT,
        &[
            "REPORT START",
            "# ------------------------------------------------\n",
            "# !!! Software Failure. Press left mouse button to continue\n",
            "# Guru Meditation: out of order #ends.rs:",
            "Backtrace:",
            "facts of 42",
            "REPORT END",
        ],
    );
    assert!(!log.contains("crashed by signal"), "{log}");
}

#[test]
fn a_panic_says_what_it_is_even_if_nobody_wants_a_report() {
    let log = check("panic-unwanted", ABRT, &["Guru Meditation: out of order"]);
    assert!(!log.contains("STACK TRACE"), "{log}");
}

#[test]
fn a_panic_may_exit_instead() {
    let (status, log) = run("panic-exit");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("Guru Meditation"), "{log}");
}

#[test]
fn harmless_panics_are_contained_and_others_are_not() {
    let (status, log) = run("panic-contained");
    assert_eq!((status.code(), log.as_str()), (Some(5), ""));
    check("panic-elsewhere", ABRT, &["Guru Meditation: not harmless"]);
}

#[test]
fn a_panic_within_the_report_is_the_end() {
    check("panic-in-facts", ABRT, &["Guru Meditation: out of order"]);
}

#[test]
fn assertions_and_want_of_memory_have_their_words() {
    check(
        "assertion",
        ABRT,
        &[
            "=== ASSERTION FAILED ===",
            "==> ends.rs:",
            "'1 == 2' is not true",
        ],
    );
    check(
        "memory",
        ABRT,
        &[
            "Out Of Memory allocating 99 bytes!",
            "REPORT START",
            "Guru Meditation: Redis aborting for OUT OF MEMORY. Allocating 99 bytes!",
        ],
    );
}

#[test]
fn there_is_no_title_for_a_program_with_threads() {
    assert!(Title::claim().is_none());
}
