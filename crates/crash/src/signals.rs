//! The signals that a broken program is sent: handlers, stacks for them, and how the
//! process ends by the signal it was sent.
//!
//! ```text
//!   signal ──► on_signal ──► safe lines ──► SIGALRM set ──► trace, facts ──► default action
//!                                               │
//!                                 30 s later: on_alarm ──► default action
//! ```
//!
//! A handler runs on a stack of its own ([`prepare_thread`]), as the thread's may be what
//! has overflowed. Threads that were not prepared have the small one that the standard
//! library gives them, on which there is no room for a stack trace.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::registers::Registers;
use crate::report::{self, Report, Turn};
use crate::{ending, reporter};

/// Signals that end a process which does not handle them, sent for its own faults.
const FAULTS: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
];

/// A stack for a handler; only what is used of it takes memory.
const STACK_BYTES: usize = 512 << 10;
/// The least stack on which a trace is made.
const TRACE_STACK_BYTES: usize = 256 << 10;
/// A multiple of every size that pages have.
const PAGE_BYTES: usize = 64 << 10;
/// How long the parts of a report that may hang are given.
const PATIENCE_S: u32 = 30;

/// The signal by which the process ends.
static ENDS_BY: AtomicI32 = AtomicI32::new(libc::SIGABRT);

/// Sets the handlers.
///
/// # Errors
/// When the system refuses one.
pub fn handle() -> io::Result<()> {
    for signal in FAULTS {
        act(signal, Action::Report)?;
    }
    act(libc::SIGALRM, Action::GiveUp)
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Report,
    GiveUp,
    Default,
}

fn act(signal: c_int, action: Action) -> io::Result<()> {
    let handler = match action {
        Action::Report => {
            on_signal as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize
        }
        Action::GiveUp => on_alarm as extern "C" fn(c_int) as usize,
        Action::Default => libc::SIG_DFL,
    };
    // SAFETY: zero is a valid value of every field of the struct: no handler, no flags,
    // an empty mask.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = match action {
        Action::Report => libc::SA_SIGINFO | libc::SA_ONSTACK,
        Action::GiveUp => libc::SA_ONSTACK,
        Action::Default => 0,
    };
    // SAFETY: the struct is whole; the handler has the signature that its flags ask for.
    match unsafe { libc::sigaction(signal, &new, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends the process as if nobody handled `signal`.
pub fn end_by(signal: c_int) -> ! {
    // Where that fails, the exit status says the same below.
    let _ = act(signal, Action::Default);
    // SAFETY: all of these may be called in a handler. The set is made by `sigemptyset`
    // before it is read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

/// Has the process ended by `signal` if it has not ended by itself in a while.
pub fn end_soon_by(signal: c_int) {
    ENDS_BY.store(signal, Ordering::SeqCst);
    // SAFETY: sets a timer of the kernel's, nothing else.
    unsafe { libc::alarm(PATIENCE_S) };
}

/// Waits for the end that another thread is about to bring.
pub fn wait_for_the_end() -> ! {
    loop {
        // SAFETY: sleeps until a signal.
        unsafe { libc::pause() };
    }
}

extern "C" fn on_alarm(_signal: c_int) {
    if let Some(reporter) = reporter() {
        let mut report = Report::bare(reporter);
        report.page.put("\n(the report got stuck here)\n");
        report.end();
    }
    end_by(ENDS_BY.load(Ordering::SeqCst))
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(reporter) = reporter().filter(|reporter| reporter.is_wanted()) else {
        end_by(signal);
    };
    if ending::is_over() {
        end_by(signal);
    }
    match report::claim() {
        Turn::Ours => {}
        Turn::Again => end_by(signal),
        Turn::Others => wait_for_the_end(),
    }
    // SAFETY: the kernel gives a handler with SA_SIGINFO a valid struct.
    let info = unsafe { &*info };
    let mut report = Report::bare(reporter);
    report.begin();
    report.line(format_args!(
        "Redis {} crashed by signal: {signal}, si_code: {}",
        reporter.version(),
        info.si_code
    ));
    if info.si_code == libc::SI_USER || info.si_code == libc::SI_TKILL {
        // SAFETY: a signal that was sent by a process carries who sent it.
        let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
        report.line(format_args!("Killed by PID: {pid}, UID: {uid}"));
    } else {
        // SAFETY: a fault carries its address.
        let address = unsafe { info.si_addr() };
        report.line(format_args!("Accessing address: {address:p}"));
    }
    // SAFETY: the kernel gives a handler with SA_SIGINFO a valid context.
    let registers = unsafe { Registers::of(context) };
    if let Some(registers) = &registers {
        let address = registers.instruction();
        report.line(format_args!(
            "Crashed running the instruction at: {address:#x}"
        ));
        report.registers(registers.each());
    }
    // From here on memory may be taken, which hangs if the thread held the allocator's
    // lock, and crashes if the heap is in pieces.
    end_soon_by(signal);
    if has_room_for_trace() {
        report.stack_trace();
    } else {
        report.no_stack_trace();
    }
    report.facts();
    report.end();
    end_by(signal)
}

/// The calling thread's stack for handlers, as it is registered.
fn registered() -> libc::stack_t {
    let mut current = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: only asks. Where that fails, `current` is left as it is.
    unsafe { libc::sigaltstack(ptr::null(), &mut current) };
    current
}

/// Whether the handler that calls this has enough stack for a trace.
fn has_room_for_trace() -> bool {
    let current = registered();
    current.ss_flags & libc::SS_ONSTACK == 0 || current.ss_size >= TRACE_STACK_BYTES
}

thread_local! {
    static STACK: RefCell<Option<HandlerStack>> = const { RefCell::new(None) };
}

/// Gives the calling thread a stack for the handler that is large enough for a trace.
/// Without handlers there is nothing to do. Where there is no memory for it the thread
/// keeps what it has.
pub fn prepare_thread() {
    if reporter().is_some() {
        STACK.with_borrow_mut(|stack| {
            if stack.is_none() {
                *stack = HandlerStack::new();
            }
        });
    }
}

/// A stack for handlers, used by one thread while this is alive.
///
/// ```text
///   bottom ──► │ a page nobody may touch │ stack … │ ◄── top
/// ```
struct HandlerStack {
    bottom: *mut c_void,
    bytes: usize,
    /// The one of before, once this one is registered.
    before: Option<libc::stack_t>,
}

impl HandlerStack {
    fn new() -> Option<Self> {
        let bytes = PAGE_BYTES + STACK_BYTES;
        // SAFETY: asks for fresh memory wherever there is room.
        let bottom = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if bottom == libc::MAP_FAILED {
            return None;
        }
        let mut stack = Self {
            bottom,
            bytes,
            before: None,
        };
        let new = libc::stack_t {
            ss_sp: bottom.wrapping_byte_add(PAGE_BYTES),
            ss_flags: 0,
            ss_size: STACK_BYTES,
        };
        let before = registered();
        // SAFETY: the first page is this mapping's, and is not used. The rest of the
        // mapping is handed out as a stack, and stays mapped until it is taken back.
        let is_registered = unsafe {
            libc::mprotect(bottom, PAGE_BYTES, libc::PROT_NONE) == 0
                && libc::sigaltstack(&new, ptr::null_mut()) == 0
        };
        stack.before = is_registered.then_some(before);
        is_registered.then_some(stack)
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        // SAFETY: the stack of before is valid: whoever registered it outlives what was
        // put over it. Nobody runs on this one, as this is no handler; after the first
        // call the kernel does not know it any more.
        unsafe {
            if let Some(before) = &self.before {
                libc::sigaltstack(before, ptr::null_mut());
            }
            libc::munmap(self.bottom, self.bytes);
        }
    }
}

/// Crashes by a write to a page that may only be read.
pub fn fault() -> ! {
    // SAFETY: the write is to a mapping of our own. It never succeeds: the page is not
    // writable, or there is none (all bits set is no address).
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            PAGE_BYTES,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        page.cast::<u8>().write_volatile(b'x');
    }
    std::process::abort()
}
