//! Scripts aside: a script that is not known to be short runs on a thread of its own, so
//! that its worker goes on serving its other clients.
//!
//! ```text
//!   worker: EVAL ──► Errand ──► queue ──► this thread: unit of the kind Script
//!     ▲                                        │ reply
//!     └───────────── Mail::Served ◄────────────┘
//! ```
//!
//! The client waits as a blocked one does, except that CLIENT UNBLOCK does not concern
//! it. Scripts exclude each other, so one thread is enough for all.
//!
//! While a script runs here, it reserves the keys that it touches (`unit`). A command
//! that needs one of those, or the global lock, is *deferred*: its connection waits and
//! its worker goes on; it is run when the script has ended, before the next one begins,
//! or answered BUSY when the script has taken too long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ochre_resp::Reply;
use ochre_store::effects::Ready;
use parking_lot::{Condvar, Mutex};

use crate::blocking::{self, Blocked};
use crate::commands::spec::{TimeoutReply, Until, Wait};
use crate::commands::table::Known;
use crate::execute::{self, Call, Local, Role, write_error};
use crate::gates;
use crate::scheduling::{self, Share};
use crate::server::{Server, WORKER_STACK_BYTES};
use crate::session::{Session, Tracking};
use crate::threads::{self, Duty};

/// How long the next script lets those go first that the one before has held up.
const COURTESY: Duration = Duration::from_millis(100);

/// A script to run, for a client that waits for it.
pub struct Errand {
    blocked: Arc<Blocked>,
    tracking: Option<Box<Tracking>>,
    no_touch: bool,
}

enum Task {
    Run(Errand),
    /// Say that this was passed: what came before is done.
    Pass(Sender<()>),
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    stops: bool,
}

/// What waits to be run aside.
#[derive(Default)]
pub struct Aside {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Keys whose waiters need what the script that runs has reserved.
    postponed: Mutex<Vec<Ready>>,
}

impl Aside {
    fn put(&self, task: Task) {
        self.queue.lock().tasks.push_back(task);
        self.arrived.notify_one();
    }

    /// Has `sender` dropped when what was put before is done.
    pub fn pass(&self, sender: Sender<()>) {
        self.put(Task::Pass(sender));
    }

    /// Ends the thread, after the script that runs.
    pub fn stop(&self) {
        self.queue.lock().stops = true;
        self.arrived.notify_one();
    }

    /// Has the waiters on a key served after the script that runs. Called under the
    /// lock of a stripe where that has reserved keys.
    pub fn postpone(&self, ready: Ready) {
        self.postponed.lock().push(ready);
    }

    /// Answers BUSY to those whose scripts wait behind one that takes too long.
    pub fn refuse_waiting(&self, server: &Server) {
        let waiting = std::mem::take(&mut self.queue.lock().tasks);
        let (refused, kept): (VecDeque<Task>, _) = waiting
            .into_iter()
            .partition(|task| matches!(task, Task::Run(_)));
        self.queue.lock().tasks.extend(kept);
        for task in refused {
            if let Task::Run(errand) = task {
                let mut out = Reply::new(errand.blocked.protocol());
                write_error(server, &gates::busy(server), &mut out);
                errand.blocked.finish(out.into_bytes());
            }
        }
    }

    fn next(&self) -> Option<Task> {
        let mut queue = self.queue.lock();
        loop {
            if queue.stops {
                return None;
            }
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            self.arrived.wait(&mut queue);
        }
    }
}

/// Sends the current command of the session away to be run aside.
pub fn send(call: &mut Call<'_>, known: &Known, argv: &[&[u8]]) -> Arc<Blocked> {
    call.local.waits += 1;
    let wait = Wait::until(Until::KeysReady, None, TimeoutReply::Null);
    let blocked = Arc::new(Blocked::new(call, known.id, argv, *wait, call.local.waits));
    call.server.aside.put(Task::Run(Errand {
        blocked: blocked.clone(),
        tracking: call.session.tracking.clone(),
        no_touch: call.session.no_touch,
    }));
    blocked
}

/// Starts the thread.
///
/// # Errors
/// When the system gives none.
pub fn start(server: Arc<Server>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("ochre-scripts".to_owned())
        .stack_size(WORKER_STACK_BYTES)
        .spawn(move || {
            threads::begin(Duty::Serving, &server.live().config, &server.log);
            // It matters to the one client only that a script takes long. What the system
            // does not offer costs the others some waiting.
            let _ = scheduling::give_way(Share::Full);
            let mut local = Local::new(server.commands.len());
            local.role = Role::Aside;
            while let Some(task) = server.aside.next() {
                match task {
                    Task::Run(errand) => {
                        run(&server, &mut local, errand);
                        let_others_go_first(&server);
                    }
                    Task::Pass(sender) => drop(sender),
                }
            }
        })
}

/// Runs a script and sends its reply.
fn run(server: &Arc<Server>, local: &mut Local, errand: Errand) {
    let blocked = errand.blocked;
    let live = server.live();
    local.now_ms = crate::clock::now_ms();
    local.measured_at = None;
    let mut session = Session::deputy(blocked.client.clone(), blocked.db(), blocked.protocol());
    session.tracking = errand.tracking;
    session.no_touch = errand.no_touch;
    let mut call = Call {
        server,
        live: &live,
        session: &mut session,
        local,
        named: None,
    };
    let mut out = Reply::new(blocked.protocol());
    execute::run_aside(&mut call, &blocked, &mut out);
    for ready in std::mem::take(&mut *server.aside.postponed.lock()) {
        blocking::serve_key_again(&mut call, ready);
    }
    if std::mem::take(&mut local.has_recorded) {
        server.persistence.journal.wake();
    }
    local.stats.merge_into(server, local.now_ms);
    // Even an error may tell of changes made before it.
    blocked.finish_with(out.into_bytes(), true);
    server.persistence.throttle();
}

/// Has deferred commands run now, and waits for that: the next script might take what
/// they need again.
fn let_others_go_first(server: &Server) {
    let (sender, gone) = channel();
    if server.resume_deferred(Some(sender)) {
        let deadline = Instant::now() + COURTESY;
        // Ends when nobody has the sender any more.
        while gone
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
    }
}
