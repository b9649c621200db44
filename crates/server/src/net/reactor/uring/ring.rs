//! The kernel's side of the io_uring backend: submissions, completions, and the memory that
//! the kernel reads and writes on its own. **The only unsafe code of the reactor**, because
//! the kernel knows nothing of borrows.
//!
//! ```text
//! Pool   entries (shared with the kernel, page-aligned)     buffers
//!        [addr len bid | tail][addr len bid] ...            [16 KB][16 KB] ...
//!                                kernel takes at its head, fills, names it in a completion
//!                                          -> Filled -> bytes() -> recycle() at the tail
//! Ring   in_flight[key]: Sending { output, slices }         owns what the kernel is sending
//! ```
//!
//! Not here: what completions mean for a connection (`uring`).
//!
//! Invariants:
//! - A buffer is either the kernel's (between `recycle` and its completion) or ours (while
//!   its `Filled` exists); a `Filled` is made only from a completion, and cannot be copied.
//! - An output that was submitted stays in `in_flight`, untouched, until its completion.
//! - Neither is freed while the kernel might use it: `Drop` cancels all requests and waits
//!   for them, and leaks the memory if that fails.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use io_uring::types::{BufRingEntry, CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::super::output::Output;
use super::super::{Options, TaskRun};

const SUBMISSIONS: u32 = 1024;
const COMPLETIONS: u32 = 4096;

/// The one group of provided buffers.
const GROUP: u16 = 0;

/// Provided buffers that the kernel is offered at first.
const FIRST_OFFERED: u16 = 4;

/// Slices in one send.
const SLICES_MAX: usize = 64;

/// Bytes in one send; the field is a signed 32-bit result.
const SEND_BYTES_MAX: usize = 1 << 30;

/// What the kernel requires of the entries' address.
const PAGE_BYTES: usize = 4096;

/// How long `Drop` waits for the kernel to let go of our memory.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a request was for, in the upper byte of its user data; the rest is an index.
mod request {
    pub const RECEIVE: u64 = 1 << 56;
    pub const SEND: u64 = 2 << 56;
    pub const CANCEL: u64 = 3 << 56;
    pub const WAKE: u64 = 4 << 56;
    pub const MASK: u64 = 0xff << 56;
}

/// Something the kernel finished.
pub(super) enum Completion {
    /// Of a connection's receive request. Unless `more`, the request is over.
    Received {
        connection: u32,
        outcome: Received,
        more: bool,
    },
    /// Of a send request: how many bytes of the output went out.
    Sent {
        connection: u32,
        output: Box<Output>,
        outcome: io::Result<usize>,
    },
    /// The eventfd was written to. Unless `more`, it is no longer watched.
    Wake { more: bool },
    /// Of a connection's cancellation. If it has `missed`, the request was between two
    /// states and may live on; else the request completes on its own.
    Cancelled { connection: u32, missed: bool },
}

pub(super) enum Received {
    Bytes(Filled),
    Eof,
    /// Out of buffers, cancelled, or interrupted: the request may be made again.
    Nothing,
    Error(io::Error),
}

/// A provided buffer with bytes in it, ours until it is recycled.
pub(super) struct Filled {
    buffer: u16,
    length: usize,
}

/// A send that the kernel is working on.
struct Sending {
    connection: u32,
    output: Box<Output>,
    /// If the output is of several pieces.
    _parts: Option<Box<Parts>>,
}

/// A vectored send as the kernel wants it described.
struct Parts {
    header: libc::msghdr,
    slices: [libc::iovec; SLICES_MAX],
}

impl Parts {
    fn new(output: &Output) -> Box<Parts> {
        // SAFETY: all-zero is a `msghdr` without address, slices and control data, and an
        // array of empty `iovec`s.
        let mut parts: Box<Parts> = Box::new(unsafe { std::mem::zeroed() });
        let mut count = 0;
        for (place, slice) in parts.slices.iter_mut().zip(output.slices()) {
            place.iov_base = slice.as_ptr() as *mut _;
            place.iov_len = slice.len();
            count += 1;
        }
        parts.header.msg_iov = parts.slices.as_mut_ptr();
        parts.header.msg_iovlen = count as _;
        parts
    }
}

pub(super) struct Ring {
    uring: IoUring,
    /// Whether the ring has found its thread; before, the kernel accepts no submission.
    enabled: bool,
    /// Submissions for which the queue had no room.
    waiting: VecDeque<squeue::Entry>,
    /// Requests submitted (or about to be) whose last completion has not been seen.
    pending: usize,
    in_flight: Vec<Option<Sending>>,
    free: Vec<u32>,
    /// Absent while the completions of a tick are handled, and after a handler panicked.
    pool: Option<Pool>,
}

// SAFETY: the pointers in `Sending` lead to heap memory that the same `Sending` owns (its
// output and parts), which moves to another thread with the ring.
unsafe impl Send for Ring {}

impl Ring {
    /// # Errors
    /// The kernel's: `ENOSYS` or `EPERM` where io_uring is missing or forbidden, `EINVAL`
    /// where it is older than Linux 6.0.
    pub fn new(options: &Options) -> io::Result<Ring> {
        let build = |task_run| {
            let mut builder = IoUring::builder();
            // A single issuer exists since 6.0, as does the multishot receive we need.
            builder
                .setup_single_issuer()
                .setup_r_disabled()
                .setup_cqsize(COMPLETIONS);
            match task_run {
                TaskRun::Cooperative => builder.setup_coop_taskrun(),
                TaskRun::Deferred => builder.setup_defer_taskrun(),
            };
            builder.build(SUBMISSIONS)
        };
        let uring = match build(options.task_run) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                build(TaskRun::Cooperative)?
            }
            built => built?,
        };
        if !uring.params().is_feature_ext_arg() || !uring.params().is_feature_nodrop() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let pool = Pool::new(options.provided_buffers, options.provided_buffer_bytes)?;
        // SAFETY: the entries are page-aligned, as many as said, and are freed only by
        // `Drop`, after the ring has no request left that could use them, or never.
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                pool.entries.as_ptr() as u64,
                pool.count,
                GROUP,
                0,
            )?;
        }
        Ok(Ring {
            uring,
            enabled: false,
            waiting: VecDeque::new(),
            pending: 0,
            in_flight: Vec::new(),
            free: Vec::new(),
            pool: Some(pool),
        })
    }

    /// The buffers, to look at while completions are handled; to be put back.
    pub fn take_pool(&mut self) -> Option<Pool> {
        self.pool.take()
    }

    pub fn put_back(&mut self, pool: Pool) {
        self.pool = Some(pool);
    }

    /// Receives from a socket until the end, an error, a lack of buffers or a cancellation.
    /// The socket must stay open until then.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, connection: u32) {
        let entry = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), GROUP)
            .build()
            .user_data(request::RECEIVE | u64::from(connection));
        // SAFETY: the buffers it fills are the registered pool's.
        unsafe { self.push(entry) };
    }

    /// Ends the receive request of a connection.
    pub fn cancel_receive(&mut self, connection: u32) {
        let entry = opcode::AsyncCancel::new(request::RECEIVE | u64::from(connection))
            .build()
            .user_data(request::CANCEL | u64::from(connection));
        // SAFETY: it refers to no memory.
        unsafe { self.push(entry) };
    }

    /// Watches an eventfd for writes. It must stay open as long as the ring.
    pub fn watch(&mut self, eventfd: BorrowedFd<'_>) {
        let entry = opcode::PollAdd::new(Fd(eventfd.as_raw_fd()), libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(request::WAKE);
        // SAFETY: it refers to no memory.
        unsafe { self.push(entry) };
    }

    /// Sends an output, or a first part of it. The output comes back with its completion;
    /// the socket must stay open until then.
    pub fn send(&mut self, socket: BorrowedFd<'_>, connection: u32, output: Box<Output>) {
        let key = self.free.pop().unwrap_or_else(|| {
            self.in_flight.push(None);
            (self.in_flight.len() - 1) as u32
        });
        let socket = Fd(socket.as_raw_fd());
        let (entry, parts) = if output.pieces() == 1 {
            let slice = output.slices().next().unwrap_or_default();
            let length = slice.len().min(SEND_BYTES_MAX) as u32;
            let entry = opcode::Send::new(socket, slice.as_ptr(), length);
            (entry.flags(libc::MSG_NOSIGNAL).build(), None)
        } else {
            let parts = Parts::new(&output);
            let entry = opcode::SendMsg::new(socket, &raw const parts.header);
            (entry.flags(libc::MSG_NOSIGNAL as u32).build(), Some(parts))
        };
        self.in_flight[key as usize] = Some(Sending {
            connection,
            output,
            _parts: parts,
        });
        // SAFETY: bytes, slices and header are on the heap, owned by the `Sending`, which
        // stays in `in_flight`, unchanged, until `next` sees the completion (or is leaked).
        // The kernel only reads them.
        unsafe { self.push(entry.user_data(request::SEND | u64::from(key))) };
    }

    /// # Safety
    /// Memory that the request refers to must stay valid, and untouched if the kernel writes
    /// to it, until the request's last completion has been taken by [`Self::next`].
    unsafe fn push(&mut self, entry: squeue::Entry) {
        self.pending += 1;
        self.waiting.push_back(entry);
        self.fill_queue();
        if !self.waiting.is_empty() && self.enabled {
            // Errors show again when the tick enters the kernel.
            let _ = self.uring.submit();
            self.fill_queue();
        }
    }

    fn fill_queue(&mut self) {
        let mut queue = self.uring.submission();
        while let Some(entry) = self.waiting.front() {
            // SAFETY: promised by the caller of `push`.
            if unsafe { queue.push(entry) }.is_err() {
                break;
            }
            self.waiting.pop_front();
        }
    }

    /// Submits, and waits until there is a completion or `timeout` is over.
    ///
    /// # Errors
    /// The kernel's, if the ring is unusable, for instance on another thread than before.
    pub fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.enabled {
            self.uring.submitter().register_enable_rings()?;
            self.enabled = true;
        }
        self.fill_queue();
        let entered = match timeout {
            None => self.uring.submitter().submit_and_wait(1),
            Some(timeout) => {
                let timespec = Timespec::from(timeout);
                self.uring
                    .submitter()
                    .submit_with_args(1, &SubmitArgs::new().timespec(&timespec))
            }
        };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Time is over; a signal; completions must be taken first; memory is short.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// How many completions are there now.
    pub fn completions(&mut self) -> usize {
        self.uring.completion().len()
    }

    /// The next completion.
    pub fn next(&mut self) -> Option<Completion> {
        let entry = self.uring.completion().next()?;
        let more = cqueue::more(entry.flags());
        if !more {
            self.pending -= 1;
        }
        let index = entry.user_data() as u32;
        let result = entry.result();
        Some(match entry.user_data() & request::MASK {
            request::RECEIVE => {
                let buffer = cqueue::buffer_select(entry.flags());
                let outcome = match (result, buffer) {
                    (0.., Some(buffer)) if result > 0 => Received::Bytes(Filled {
                        buffer,
                        length: result as usize,
                    }),
                    (0.., buffer) => {
                        // An end of stream needs no buffer, but may come with one.
                        if let (Some(buffer), Some(pool)) = (buffer, &mut self.pool) {
                            pool.recycle(Filled { buffer, length: 0 });
                        }
                        Received::Eof
                    }
                    _ => match -result {
                        libc::ENOBUFS => {
                            if let Some(pool) = &mut self.pool {
                                pool.offer_more();
                            }
                            Received::Nothing
                        }
                        libc::ECANCELED | libc::EAGAIN | libc::EINTR => Received::Nothing,
                        errno => Received::Error(io::Error::from_raw_os_error(errno)),
                    },
                };
                Completion::Received {
                    connection: index,
                    outcome,
                    more,
                }
            }
            request::SEND => {
                let sending = self.in_flight.get_mut(index as usize)?.take()?;
                self.free.push(index);
                let Sending {
                    connection, output, ..
                } = sending;
                let outcome = match result {
                    0.. => Ok(result as usize),
                    _ => Err(io::Error::from_raw_os_error(-result)),
                };
                Completion::Sent {
                    connection,
                    output,
                    outcome,
                }
            }
            request::WAKE => Completion::Wake { more },
            _ => Completion::Cancelled {
                connection: index,
                missed: result < 0,
            },
        })
    }

    /// Ends all requests. Whether the kernel is done with our memory.
    fn cancel_all(&mut self) -> bool {
        if !self.enabled {
            // Nothing was ever submitted.
            return true;
        }
        let deadline = Instant::now() + FAREWELL;
        self.pending -= self.waiting.len();
        self.waiting.clear();
        while self.pending > 0 && Instant::now() < deadline {
            if self.uring.submit().is_err() {
                return false;
            }
            let _ = self
                .uring
                .submitter()
                .register_sync_cancel(Some(Timespec::from(FAREWELL)), CancelBuilder::any().all());
            if self.enter(Some(Duration::from_millis(10))).is_err() {
                return false;
            }
            while self.next().is_some() {}
        }
        self.pending == 0
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.cancel_all() {
            if let Some(pool) = self.pool.take() {
                let _ = self.uring.submitter().unregister_buf_ring(GROUP);
                // SAFETY: no request is left that could write to the buffers, none can be
                // made any more, and no `Filled` outlives the handling of a tick.
                unsafe { pool.free() };
            }
        } else {
            std::mem::forget(std::mem::take(&mut self.in_flight));
        }
    }
}

/// The provided buffers. Dropping it frees nothing: see [`Pool::free`].
///
/// The kernel fills them in turn, so each one that it is offered is soon memory in use, and
/// out of the cache when its turn comes again. It is offered few, and more when it runs out.
pub(super) struct Pool {
    entries: NonNull<BufRingEntry>,
    buffers: NonNull<u8>,
    count: u16,
    /// How many of the buffers were ever offered: the first ones.
    offered: u16,
    size: usize,
    /// Our copy of the tail that the kernel reads.
    tail: u16,
}

// SAFETY: a pool owns its memory; only the kernel shares it, by the protocol above.
unsafe impl Send for Pool {}

impl Pool {
    fn layouts(count: u16, size: usize) -> io::Result<(Layout, Layout)> {
        let entries = usize::from(count) * size_of::<BufRingEntry>();
        let layout = |bytes| {
            Layout::from_size_align(bytes, PAGE_BYTES)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
        };
        Ok((
            layout(entries)?,
            layout(usize::from(count).saturating_mul(size))?,
        ))
    }

    /// Buffers, the first of which belong to the kernel as soon as they are registered.
    fn new(count: u16, size: usize) -> io::Result<Pool> {
        let count = count.clamp(1, 1 << 15).next_power_of_two();
        let size = size.clamp(1, 1 << 30);
        let (entries_layout, buffers_layout) = Pool::layouts(count, size)?;
        // SAFETY: neither layout is of size zero.
        let (entries, buffers) =
            unsafe { (alloc_zeroed(entries_layout), alloc_zeroed(buffers_layout)) };
        let Some(entries) = NonNull::new(entries) else {
            handle_alloc_error(entries_layout)
        };
        let Some(buffers) = NonNull::new(buffers) else {
            handle_alloc_error(buffers_layout)
        };
        let mut pool = Pool {
            entries: entries.cast(),
            buffers,
            count,
            offered: 0,
            size,
            tail: 0,
        };
        pool.offer_more();
        Ok(pool)
    }

    /// Offers the kernel twice as many buffers, if there are any left.
    fn offer_more(&mut self) {
        let wanted = self.offered.saturating_mul(2).max(FIRST_OFFERED);
        let offered = self.offered;
        self.offered = wanted.min(self.count);
        for buffer in offered..self.offered {
            self.recycle(Filled { buffer, length: 0 });
        }
    }

    /// The bytes that the kernel put there.
    pub fn bytes<'a>(&'a self, filled: &'a Filled) -> &'a [u8] {
        assert!(filled.buffer < self.count && filled.length <= self.size);
        let start = usize::from(filled.buffer) * self.size;
        // SAFETY: within the buffers, by the assertion; initialised, as they were zeroed;
        // and the kernel does not write there, because the buffer is ours while its
        // `Filled` exists, which the result borrows.
        unsafe { std::slice::from_raw_parts(self.buffers.add(start).as_ptr(), filled.length) }
    }

    /// Hands a buffer back to the kernel.
    pub fn recycle(&mut self, filled: Filled) {
        assert!(filled.buffer < self.count);
        let start = usize::from(filled.buffer) * self.size;
        let place = usize::from(self.tail & (self.count - 1));
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `place` is within the entries. The kernel does not read this entry before
        // the tail has passed it: there are as many entries as buffers, and this buffer is
        // not among those between head and tail. Entries are plain integers, which the
        // zeroed memory initialised; the setters leave the tail alone, which lies in the
        // first entry's unused field. The tail is aligned, shared with the kernel, and
        // accessed by us only here.
        unsafe {
            let entry = &mut *self.entries.add(place).as_ptr();
            entry.set_addr(self.buffers.add(start).as_ptr() as u64);
            entry.set_len(self.size as u32);
            entry.set_bid(filled.buffer);
            let tail = BufRingEntry::tail(self.entries.as_ptr()) as *mut u16;
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    /// # Safety
    /// The kernel must be unable to use the memory, and no `Filled` may be left.
    unsafe fn free(self) {
        if let Ok((entries, buffers)) = Pool::layouts(self.count, self.size) {
            // SAFETY: allocated in `new` with these layouts.
            unsafe {
                dealloc(self.entries.as_ptr().cast(), entries);
                dealloc(self.buffers.as_ptr(), buffers);
            }
        }
    }
}
