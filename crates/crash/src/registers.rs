//! The processor's registers as they were when a signal came.

use std::ffi::c_void;

/// A register's name and content.
pub type Register = (&'static str, u64);

/// The registers of an interrupted thread, from the context that its handler was given,
/// and the address of the instruction that it was running. Neither takes memory.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub struct Registers<'c>(&'c libc::ucontext_t);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Registers<'_> {
    /// # Safety
    /// `context` must be what the kernel gave to a handler with `SA_SIGINFO`, or null.
    pub unsafe fn of(context: *mut c_void) -> Option<Self> {
        // SAFETY: promised by the caller.
        unsafe { context.cast::<libc::ucontext_t>().as_ref() }.map(Self)
    }
}

#[cfg(target_arch = "x86_64")]
impl Registers<'_> {
    pub fn instruction(&self) -> u64 {
        self.0.uc_mcontext.gregs[libc::REG_RIP as usize] as u64
    }

    pub fn each(&self) -> impl Iterator<Item = Register> {
        const NAMES: [(&str, libc::c_int); 18] = [
            ("RAX", libc::REG_RAX),
            ("RBX", libc::REG_RBX),
            ("RCX", libc::REG_RCX),
            ("RDX", libc::REG_RDX),
            ("RDI", libc::REG_RDI),
            ("RSI", libc::REG_RSI),
            ("RBP", libc::REG_RBP),
            ("RSP", libc::REG_RSP),
            ("R8 ", libc::REG_R8),
            ("R9 ", libc::REG_R9),
            ("R10", libc::REG_R10),
            ("R11", libc::REG_R11),
            ("R12", libc::REG_R12),
            ("R13", libc::REG_R13),
            ("R14", libc::REG_R14),
            ("R15", libc::REG_R15),
            ("RIP", libc::REG_RIP),
            ("EFL", libc::REG_EFL),
        ];
        let contents = &self.0.uc_mcontext.gregs;
        NAMES
            .iter()
            .map(|&(name, index)| (name, contents[index as usize] as u64))
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers<'_> {
    pub fn instruction(&self) -> u64 {
        self.0.uc_mcontext.pc
    }

    pub fn each(&self) -> impl Iterator<Item = Register> {
        const NAMES: [&str; 31] = [
            "X0 ", "X1 ", "X2 ", "X3 ", "X4 ", "X5 ", "X6 ", "X7 ", "X8 ", "X9 ", "X10", "X11",
            "X12", "X13", "X14", "X15", "X16", "X17", "X18", "X19", "X20", "X21", "X22", "X23",
            "X24", "X25", "X26", "X27", "X28", "X29", "X30",
        ];
        let context = &self.0.uc_mcontext;
        let special = [
            ("PC ", context.pc),
            ("SP ", context.sp),
            ("PST", context.pstate),
        ];
        NAMES.into_iter().zip(context.regs).chain(special)
    }
}

/// Of other processors nothing is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub enum Registers {}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl Registers {
    /// # Safety
    /// None is needed here.
    pub unsafe fn of(_context: *mut c_void) -> Option<Self> {
        None
    }

    pub fn instruction(&self) -> u64 {
        match *self {}
    }

    pub fn each(&self) -> impl Iterator<Item = Register> {
        std::iter::empty()
    }
}
