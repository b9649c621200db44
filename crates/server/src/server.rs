//! The server as a whole: what its threads share, how it starts, how it ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ochre_journal::disk::{Disk, RealDisk};
use ochre_store::Store;
use parking_lot::Mutex;
use thiserror::Error;

use crate::alarm::Alarm;
use crate::blocking::Blocked;
use crate::clients::{Client, Clients};
use crate::commands;
use crate::commands::table::CommandTable;
use crate::config::Config;
use crate::config::choices::Reactor as ReactorChoice;
use crate::config::load::{Startup, StartupError};
use crate::configured_users::{check_user, user_line};
use crate::latency::LatencyMonitor;
use crate::live::Live;
use crate::log::{Level, Log};
use crate::memory::MemoryMeter;
use crate::monitor::Monitors;
use crate::net::listener::{self, Control, Listeners};
use crate::net::mail::{Mail, Mailbox};
use crate::net::reactor::{Options, Reactor, ReactorKind};
use crate::net::worker::Worker;
use crate::pause::{Pause, Paused};
use crate::persistence::{Persistence, aof, shutdown, start};
use crate::pubsub::PubSub;
use crate::reclaim;
use crate::restart::Restart;
use crate::script::{self, Aside, Functions, Paces, Scripts, aside};
use crate::slowlog::SlowLog;
use crate::stats::Stats;
use crate::steward;
use crate::threads::{self, Duty};
use crate::title::ProcessTitle;
use crate::tracking::Trackers;

pub use crate::stop::{AfterEnd, SaveAtEnd, StopRequest};

/// What all threads share. Split by concern: no lock here covers two of them.
pub struct Server {
    pub store: Arc<Store>,
    pub persistence: Persistence,
    pub commands: CommandTable,
    pub clients: Clients,
    pub stats: Stats,
    pub slowlog: SlowLog,
    pub pubsub: PubSub,
    pub monitors: Monitors,
    pub trackers: Trackers,
    pub scripts: Scripts,
    pub functions: Functions,
    /// The script that runs now.
    pub script: script::Running,
    /// Scripts that run, or wait to run, on a thread of their own.
    pub aside: Aside,
    pub paces: Paces,
    pub pause: Pause,
    pub log: Arc<Log>,
    pub started_at_ms: i64,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// Names the history of changes for replicas; DEBUG CHANGE-REPL-ID makes a new one.
    pub replication_id: Mutex<String>,
    /// The file CONFIG REWRITE writes, if the server was started with one.
    pub config_file: Option<PathBuf>,
    pub reactor_kind: ReactorKind,
    /// Of all workers; the last is the one that stands by.
    pub mailboxes: Vec<WorkerHandle>,
    /// The worker that is not counted in `io-threads`: it gets the connections that come
    /// while a script that takes too long occupies every other, so that the script can be
    /// killed.
    pub standby: usize,
    live: ArcSwap<Live>,
    generation: AtomicU64,
    /// One CONFIG SET at a time.
    pub config_lock: Mutex<()>,
    /// Changes since the last save.
    changes: AtomicU64,
    pub last_save_s: AtomicI64,
    stop: Mutex<Option<Stopping>>,
    stopped: std::sync::OnceLock<std::sync::mpsc::Sender<()>>,
    active_expire: AtomicBool,
    pub reclaimer: Alarm,
    pub steward: Alarm,
    pub switches: Switches,
    pub memory: MemoryMeter,
    pub latency: LatencyMonitor,
    /// The lines of users in the configuration, which CONFIG REWRITE keeps.
    pub configured_users: Vec<String>,
    /// The accepting thread, once there is one.
    pub listening: std::sync::OnceLock<Arc<Control>>,
    /// The title of the process, where it shows this server's.
    pub title: std::sync::OnceLock<Mutex<ProcessTitle>>,
    /// How the process was started, where it can be started again.
    pub restart: std::sync::OnceLock<Restart>,
}

/// A request to end, and the client that made it, if it was one.
struct Stopping {
    request: StopRequest,
    client: Option<Arc<Blocked>>,
}

/// Switches that are looked at where there is no configuration, and those that only tests
/// turn, by DEBUG.
#[derive(Debug, Default)]
pub struct Switches {
    /// Scripts may call commands that are denied to scripts.
    pub scripts_may_all: AtomicBool,
    /// Checksums of dumps and snapshots are not looked at.
    pub skip_checksums: AtomicBool,
    /// Microseconds that the append-only file waits before each write.
    pub aof_flush_sleep_us: AtomicU64,
    /// `crash-log-enabled`
    pub crash_log: AtomicBool,
    /// `use-exit-on-panic`
    pub exit_on_panic: AtomicBool,
}

impl Switches {
    fn of(config: &Config) -> Self {
        let switches = Self::default();
        switches.follow(config);
        switches
    }

    /// Turns the switches that the configuration has.
    fn follow(&self, config: &Config) {
        self.crash_log
            .store(config.logging.crash_log, Ordering::Relaxed);
        self.exit_on_panic
            .store(config.testing.use_exit_on_panic, Ordering::Relaxed);
    }
}

/// How others reach a worker, and how busy it is.
pub struct WorkerHandle {
    pub mailbox: Arc<Mailbox>,
    /// Whether it withholds replies until the disk gets on.
    pub waits_for_disk: AtomicBool,
    /// Whether it has commands that wait for the end of a script.
    pub has_deferred: AtomicBool,
    pub connections: std::sync::atomic::AtomicUsize,
}

/// Why the server could not start. The texts are what the log says.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("Failed listening on port {port} (tcp), aborting.")]
    Port { port: u16, reason: String },
    #[error("Failed opening Unix socket: {0}")]
    UnixSocket(String),
    #[error("Can't open the log file: {0}")]
    LogFile(std::io::Error),
    #[error("Can't start the reactor: {0}")]
    Reactor(std::io::Error),
    #[error("Can't start a thread: {0}")]
    Thread(std::io::Error),
    #[error("Can't load the dataset: {0}")]
    Loading(String),
    #[error(transparent)]
    Configuration(#[from] StartupError),
}

/// The stack of a worker: room for the deepest result of a script.
pub const WORKER_STACK_BYTES: usize = 16 * 1024 * 1024;

/// A server that runs. Dropping it stops it.
pub struct Running {
    server: Arc<Server>,
    /// Loads what is on disk; ends with the reason why that failed.
    loader: Option<JoinHandle<Result<(), String>>>,
    threads: Vec<JoinHandle<()>>,
    freeing: Option<JoinHandle<()>>,
    listeners: Option<Listeners>,
    addresses: Vec<SocketAddr>,
    stopped: std::sync::mpsc::Receiver<()>,
}

impl Server {
    /// Starts a server in this process. With port 0 the system chooses one:
    /// see [`Running::addresses`].
    ///
    /// # Errors
    /// Ports in use, unwritable log, threads that cannot be started.
    pub fn start(config: Config) -> Result<Running, StartError> {
        let startup = Startup {
            config,
            ..Startup::default()
        };
        let mut running = Self::launch(startup, Log::silent())?;
        running.loaded()?;
        Ok(running)
    }

    /// As [`Server::start`], with all that a configuration file says, and a log. What is
    /// on disk is loaded while clients are told to wait: see [`Running::loaded`].
    ///
    /// # Errors
    /// As [`Server::start`], and lines that name unknown commands or define users.
    pub fn launch(startup: Startup, log: Log) -> Result<Running, StartError> {
        Self::launch_on(startup, log, Arc::new(RealDisk))
    }

    /// As [`Server::launch`], with files on another disk: for tests.
    ///
    /// # Errors
    /// As [`Server::launch`].
    pub fn launch_on(
        startup: Startup,
        log: Log,
        disk: Arc<dyn Disk>,
    ) -> Result<Running, StartError> {
        let Startup {
            config,
            file: config_file,
            renames,
            users,
        } = startup;
        let mut commands = CommandTable::new(commands::FAMILIES);
        for rename in &renames {
            commands
                .rename(&rename.command, &rename.new_name)
                .map_err(|reason| rename.line.refuse(reason))?;
        }
        for user in &users {
            check_user(user)?;
        }
        let workers = config.threads.workers.max(1) as usize;
        let wanted = match config.threads.reactor {
            ReactorChoice::Auto => ReactorKind::Auto,
            ReactorChoice::IoUring => ReactorKind::IoUring,
            ReactorChoice::Epoll => ReactorKind::Epoll,
        };
        let reactors: Vec<Reactor> = (0..=workers)
            .map(|_| Reactor::new(wanted, Options::default()).map_err(StartError::Reactor))
            .collect::<Result<_, _>>()?;
        let bound = listener::bind(&config).inspect_err(|error| {
            if let StartError::Port { port, reason } = error {
                log.warning(&format!(
                    "Warning: Could not create server TCP listening socket *:{port}: {reason}"
                ));
            }
            log.warning(&error.to_string());
        })?;
        let log = Arc::new(log);
        let (store, freeing) = Store::start_with(
            config.threads.stripes.count() as usize,
            config
                .process
                .databases
                .min(ochre_store::DATABASES_MAX as u32) as usize,
            {
                let (config, log) = (config.clone(), log.clone());
                move || threads::begin(Duty::Background, &config, &log)
            },
        )
        .map_err(StartError::Thread)?;
        let now_ms = crate::clock::now_ms();
        let server = Arc::new(Self {
            store,
            persistence: Persistence::new(disk),
            clients: Clients::default(),
            stats: Stats::new(commands.len()),
            commands,
            slowlog: SlowLog::default(),
            pubsub: PubSub::default(),
            monitors: Monitors::default(),
            trackers: Trackers::default(),
            scripts: Scripts::default(),
            functions: Functions::default(),
            script: script::Running::default(),
            aside: Aside::default(),
            paces: Paces::default(),
            pause: Pause::default(),
            log,
            started_at_ms: now_ms,
            run_id: random_hex(20),
            replication_id: Mutex::new(random_hex(20)),
            config_file,
            reactor_kind: reactors[0].kind(),
            standby: workers,
            mailboxes: reactors
                .iter()
                .map(|reactor| WorkerHandle {
                    mailbox: Arc::new(Mailbox::new(reactor.waker())),
                    waits_for_disk: AtomicBool::new(false),
                    has_deferred: AtomicBool::new(false),
                    connections: Default::default(),
                })
                .collect(),
            switches: Switches::of(&config),
            live: ArcSwap::from_pointee(Live::new(config)),
            generation: AtomicU64::new(0),
            config_lock: Mutex::new(()),
            changes: AtomicU64::new(0),
            last_save_s: AtomicI64::new(now_ms / 1000),
            stop: Mutex::new(None),
            stopped: std::sync::OnceLock::new(),
            active_expire: AtomicBool::new(true),
            reclaimer: Alarm::default(),
            steward: Alarm::default(),
            memory: MemoryMeter::default(),
            latency: LatencyMonitor::default(),
            configured_users: users.iter().map(user_line).collect(),
            listening: std::sync::OnceLock::new(),
            title: std::sync::OnceLock::new(),
            restart: std::sync::OnceLock::new(),
        });
        server.memory.started();
        server.log.notice("Server initialized");
        let (stopped_sender, stopped) = std::sync::mpsc::channel();
        let _ = server.stopped.set(stopped_sender);
        server.persistence.loading.begin();
        let mut threads = vec![reclaim::start(server.clone()).map_err(StartError::Thread)?];
        for (index, reactor) in reactors.into_iter().enumerate() {
            let server = server.clone();
            let thread = std::thread::Builder::new()
                .name(format!("ochre-{index}"))
                .stack_size(WORKER_STACK_BYTES)
                .spawn(move || {
                    threads::begin(Duty::Serving, &server.live().config, &server.log);
                    Worker::new(server, index, reactor).run();
                })
                .map_err(StartError::Thread)?;
            threads.push(thread);
        }
        threads.push(aside::start(server.clone()).map_err(StartError::Thread)?);
        let addresses = bound.addresses();
        let listeners = Listeners::start(bound, server.clone()).map_err(StartError::Thread)?;
        let loader = start::spawn(server.clone()).map_err(StartError::Thread)?;
        threads.push(steward::start(server.clone()).map_err(StartError::Thread)?);
        Ok(Running {
            server,
            loader: Some(loader),
            threads,
            freeing: Some(freeing),
            listeners: Some(listeners),
            addresses,
            stopped,
        })
    }

    /// The configuration in force.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Counts up with each change of the configuration.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Takes over the configuration in force, where `live` is another: that of `generation`.
    #[inline]
    pub fn refresh(&self, generation: &mut u64, live: &mut Arc<Live>) {
        let now = self.generation();
        if now != *generation {
            *generation = now;
            *live = self.live();
        }
    }

    /// Puts a new configuration in force.
    pub fn set_config(&self, config: Config) {
        self.switches.follow(&config);
        self.live.store(Arc::new(Live::new(config)));
        aof::follow_policy(self);
        self.generation.fetch_add(1, Ordering::AcqRel);
        for worker in &self.mailboxes {
            worker.mailbox.put(Mail::ConfigChanged);
        }
    }

    /// Tells the workers that a pause began or ended.
    pub fn pause_changed(&self) {
        for worker in &self.mailboxes {
            worker.mailbox.put(Mail::PauseChanged);
        }
    }

    /// Whether waiting for a stripe should end with BUSY.
    pub fn is_busy(&self) -> bool {
        self.script.is_busy()
    }

    /// Has deferred commands run, where there are any, and `done` dropped after that;
    /// says whether there are. To be called when a script has released what it had.
    pub fn resume_deferred(&self, done: Option<std::sync::mpsc::Sender<()>>) -> bool {
        let mut are_there = false;
        for worker in &self.mailboxes {
            if worker.has_deferred.load(Ordering::SeqCst) {
                are_there = true;
                worker.mailbox.put(Mail::ResumeDeferred(done.clone()));
            }
        }
        are_there
    }

    /// The script that runs has taken too long: whoever waits for it is told so.
    pub fn script_became_busy(&self) {
        self.aside.refuse_waiting(self);
        self.resume_deferred(None);
    }

    /// Whether keys are removed when their deadline passes, looked at or not.
    pub fn is_active_expire(&self) -> bool {
        self.active_expire.load(Ordering::SeqCst)
    }

    /// Switches the removal of keys that nobody looks at off or on: DEBUG
    /// SET-ACTIVE-EXPIRE.
    pub fn set_active_expire(&self, active: bool) {
        self.active_expire.store(active, Ordering::SeqCst);
        self.reclaimer.ring();
    }

    /// Forgets the changes: what there is, is what was loaded.
    pub fn forget_changes(&self) {
        self.changes.store(0, Ordering::Relaxed);
    }

    /// Takes off changes that a snapshot has.
    pub fn uncount_changes(&self, changes: u64) {
        self.changes.fetch_sub(changes, Ordering::Relaxed);
    }

    #[inline]
    pub fn count_changes(&self, changes: u64) {
        self.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// Changes since the last save (`rdb_changes_since_last_save`).
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Notes that a client sent more than it may have pending.
    pub fn query_limit_exceeded(&self, client: &Client) {
        self.stats
            .counters
            .query_limit_disconnections
            .fetch_add(1, Ordering::Relaxed);
        self.log.warning(&format!(
            "Closing client that reached max query buffer length: {}",
            client.describe(crate::clock::now_ms(), &self.commands)
        ));
    }

    /// Notes that a client left more replies unread than it may.
    pub fn output_limit_exceeded(&self, client: &Client) {
        self.stats
            .counters
            .output_limit_disconnections
            .fetch_add(1, Ordering::Relaxed);
        self.log.warning(&format!(
            "Client {} closed for overcoming of output buffer limits.",
            client.describe(crate::clock::now_ms(), &self.commands)
        ));
    }

    /// Asks the server to end; whoever waits in [`Running::wait`] carries it out.
    /// A client that waits for it is answered if the server cannot end.
    pub fn request_stop(&self, request: StopRequest, client: Option<Arc<Blocked>>) {
        *self.stop.lock() = Some(Stopping { request, client });
        // What was loaded so far is not the dataset: nothing depends on it.
        self.persistence.loading.abort();
        if let Some(sender) = self.stopped.get() {
            // Nobody listens any more only when the server has ended already.
            let _ = sender.send(());
        }
    }

    /// The request to end, if there was one.
    pub fn stop_request(&self) -> Option<StopRequest> {
        self.stop.lock().as_ref().map(|stopping| stopping.request)
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stop.lock().is_some()
    }

    /// Lets commands run again after the server could not end, and says so to the client
    /// that asked for it.
    fn go_on(&self) {
        self.pause.end();
        self.pause_changed();
        if let Some(Stopping {
            request,
            client: Some(client),
        }) = self.stop.lock().take()
        {
            client.finish(format!("-{}\r\n", request.failure()).into_bytes());
        }
    }

    /// Holds back all commands from now on, and waits until those that run have ended.
    fn hold_back_commands(&self) {
        let now_ms = crate::clock::now_ms();
        self.pause.begin(Paused::All, i64::MAX, now_ms);
        self.await_workers();
    }

    /// Waits until the commands that run now have ended, for some seconds at most.
    pub fn await_workers(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let (sender, passed) = std::sync::mpsc::channel();
        for worker in &self.mailboxes {
            worker.mailbox.put(Mail::Pass(sender.clone()));
        }
        self.aside.pass(sender);
        let deadline = Instant::now() + PATIENCE;
        // Ends when all have passed: then nobody has the sender any more.
        while passed
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
    }
}

impl Running {
    /// The TCP addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until what is on disk is loaded, and says that clients may come.
    ///
    /// # Errors
    /// Why it could not be loaded.
    pub fn loaded(&mut self) -> Result<(), StartError> {
        let Some(loader) = self.loader.take() else {
            return Ok(());
        };
        match loader.join() {
            Ok(Ok(())) => {
                if let Some(listeners) = &self.listeners {
                    listeners.announce(&self.server.log);
                }
                Ok(())
            }
            Ok(Err(reason)) => Err(StartError::Loading(reason)),
            Err(_) => Err(StartError::Loading(
                "the loading thread panicked".to_owned(),
            )),
        }
    }

    /// What its threads share.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Waits until somebody asks the server to end; returns the exit status.
    pub fn wait(self) -> i32 {
        // An error means that the sender is gone, which the server itself holds.
        while self.stopped.recv().is_ok() {
            let Some(request) = self.server.stop_request() else {
                break;
            };
            if request.save == SaveAtEnd::No {
                self.server.script.abort();
            }
            self.server.hold_back_commands();
            if shutdown::prepare(&self.server, request).is_ok() || request.force {
                drop(self);
                return request.status;
            }
            self.server.log.warning(
                "Errors trying to shut down the server. Check the logs for more information.",
            );
            self.server.go_on();
        }
        drop(self);
        0
    }

    fn stop(&mut self) {
        drop(self.listeners.take());
        self.server.persistence.loading.abort();
        if let Some(loader) = self.loader.take() {
            // What it could not load no longer matters.
            let _ = loader.join();
        }
        for worker in &self.server.mailboxes {
            worker.mailbox.put(Mail::Stop);
        }
        self.server.aside.stop();
        // What it still does is not kept anywhere.
        self.server.script.abort();
        self.server.reclaimer.stop();
        self.server.steward.stop();
        for thread in self.threads.drain(..) {
            // A panic of a worker has been reported already.
            let _ = thread.join();
        }
        self.server.persistence.jobs.wait_until_idle();
        aof::stop(&self.server);
        // The freeing thread ends when the store is dropped, which it need not be yet.
        drop(self.freeing.take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `bytes` random bytes in hexadecimal.
pub fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    // The ids need to differ, not to be secret.
    if getrandom::fill(&mut random).is_err() {
        random = crate::clock::now_us()
            .to_le_bytes()
            .repeat(bytes.div_ceil(8));
        random.truncate(bytes);
    }
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The level of the log that the configuration asks for.
pub fn log_level(config: &Config) -> Level {
    use crate::config::choices::LogLevel;
    match config.logging.level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
        LogLevel::Nothing => Level::Nothing,
    }
}
