//! Listening sockets, and the thread that accepts.

use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::mail::NewConnection;
use crate::config::Config;
use crate::log::Log;
use crate::server::{Server, StartError};
use crate::threads::{self, Duty};

/// Sockets that listen, not served yet.
pub struct Bound {
    tcp: Vec<Socket>,
    unix: Option<(Socket, PathBuf)>,
}

/// Opens the sockets that the configuration asks for.
///
/// # Errors
/// An address that cannot be bound, unless it is marked as optional.
pub fn bind(config: &Config) -> Result<Bound, StartError> {
    let network = &config.network;
    let mut bound = Bound {
        tcp: Vec::new(),
        unix: None,
    };
    if network.port != 0 || network.unix_socket.is_empty() {
        bound.tcp = bind_tcp(config, network.port)?;
    }
    if !network.unix_socket.is_empty() {
        let path = PathBuf::from(&network.unix_socket);
        let socket = bind_unix(&path, network.unix_socket_mode, network.tcp_backlog)
            .map_err(|error| StartError::UnixSocket(error.to_string()))?;
        bound.unix = Some((socket, path));
    }
    Ok(bound)
}

fn bind_tcp(config: &Config, port: u16) -> Result<Vec<Socket>, StartError> {
    let mut sockets: Vec<Socket> = Vec::new();
    let mut port = port;
    for address in &config.network.bind.0 {
        let (address, optional) = match address.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (address.as_str(), false),
        };
        let refuse = |reason: String| StartError::Port { port, reason };
        let host = match address {
            "*" => "0.0.0.0",
            "::*" => "::",
            other => other,
        };
        let target = (host, port)
            .to_socket_addrs()
            .map_err(|error| refuse(error.to_string()))?
            .next();
        let Some(target) = target else {
            continue;
        };
        match listen_on(target, config.network.tcp_backlog) {
            Ok(socket) => {
                // Port 0: the system's choice for the first address holds for all.
                if port == 0
                    && let Some(chosen) = socket.local_addr().ok().and_then(|a| a.as_socket())
                {
                    port = chosen.port();
                }
                sockets.push(socket);
            }
            Err(error)
                if optional
                    && matches!(
                        error.raw_os_error(),
                        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)
                    ) => {}
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
    Ok(sockets)
}

fn listen_on(address: SocketAddr, backlog: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_unix(path: &PathBuf, mode: u32, backlog: u32) -> io::Result<Socket> {
    // A file left by a server that is gone is replaced, as Redis does.
    let _ = std::fs::remove_file(path);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Bound {
    /// The TCP addresses bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp
            .iter()
            .filter_map(|socket| socket.local_addr().ok()?.as_socket())
            .collect()
    }
}

/// What other threads may tell the accepting thread.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    wake: OwnedFd,
    /// The TCP sockets in use. The thread looks at them again whenever it is woken.
    tcp: Mutex<Arc<Vec<Socket>>>,
}

impl Control {
    fn wake(&self) {
        // The counter of a new eventfd cannot be full.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// The TCP port listened on, or 0.
    pub fn port(&self) -> u16 {
        let tcp = self.tcp.lock();
        tcp.iter()
            .find_map(|socket| Some(socket.local_addr().ok()?.as_socket()?.port()))
            .unwrap_or(0)
    }
}

/// Listens where `config` says, instead of where the server listens now.
///
/// # Errors
/// An address that cannot be bound; then everything is as before.
pub fn change(server: &Server, config: &Config) -> Result<(), StartError> {
    let Some(control) = server.listening.get() else {
        return Ok(());
    };
    let old = control.tcp.lock().clone();
    // Old addresses may overlap the new ones: they are given up first, and resumed if
    // the new ones are not to be had. A socket that is shut down stays bound, but does
    // not stand in the way of others that share their addresses.
    for socket in old.iter() {
        let _ = socket.shutdown(Shutdown::Both);
    }
    let bound = if config.network.port == 0 {
        Ok(Vec::new())
    } else {
        bind_tcp(config, config.network.port)
    };
    match bound {
        Ok(sockets) => {
            *control.tcp.lock() = Arc::new(sockets);
            control.wake();
            Ok(())
        }
        Err(error) => {
            server.log.warning(&error.to_string());
            let backlog = i32::try_from(config.network.tcp_backlog).unwrap_or(i32::MAX);
            for socket in old.iter() {
                if let Err(error) = socket.listen(backlog) {
                    let text = format!("Failed to listen again on the old address: {error}");
                    server.log.warning(&text);
                }
            }
            control.wake();
            Err(error)
        }
    }
}

/// The accepting thread. Dropping it stops listening.
pub struct Listeners {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
    unix_path: Option<PathBuf>,
    has_tcp: bool,
}

impl Listeners {
    /// Starts accepting.
    ///
    /// # Errors
    /// When no thread or descriptor is to be had.
    pub fn start(bound: Bound, server: Arc<Server>) -> io::Result<Self> {
        let control = Arc::new(Control {
            stop: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            tcp: Mutex::new(Arc::new(bound.tcp)),
        });
        let _ = server.listening.set(control.clone());
        let has_tcp = !control.tcp.lock().is_empty();
        let unix_path = bound.unix.as_ref().map(|(_, path)| path.clone());
        let unix = bound.unix.map(|(socket, _)| socket);
        let thread = std::thread::Builder::new()
            .name("ochre-accept".into())
            .spawn({
                let control = control.clone();
                move || {
                    threads::begin(Duty::Serving, &server.live().config, &server.log);
                    accept_all(&control, unix.as_ref(), &server);
                }
            })?;
        Ok(Self {
            control,
            thread: Some(thread),
            unix_path,
            has_tcp,
        })
    }

    /// Logs that connections are accepted, in the words that tools wait for.
    pub fn announce(&self, log: &Log) {
        if self.has_tcp {
            log.notice("Ready to accept connections tcp");
        }
        if self.unix_path.is_some() {
            log.notice("Ready to accept connections unix");
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Release);
        self.control.wake();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported already.
            let _ = thread.join();
        }
        if let Some(path) = &self.unix_path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How long accepting rests when descriptors have run out.
const EXHAUSTED_REST: Duration = Duration::from_millis(50);
/// How long it rests while its sockets are being exchanged.
const CHANGE_REST: Duration = Duration::from_millis(1);

fn accept_all(control: &Control, unix: Option<&Socket>, server: &Server) {
    while !control.stop.load(Ordering::Acquire) {
        let tcp = control.tcp.lock().clone();
        let sockets: Vec<(&Socket, bool)> = tcp
            .iter()
            .map(|socket| (socket, false))
            .chain(unix.map(|socket| (socket, true)))
            .collect();
        accept_on(&sockets, control, server);
    }
}

/// Accepts on these sockets until woken.
fn accept_on(sockets: &[(&Socket, bool)], control: &Control, server: &Server) {
    loop {
        let mut polled: Vec<PollFd<'_>> = sockets
            .iter()
            .map(|(socket, _)| PollFd::new(*socket, PollFlags::IN))
            .collect();
        polled.push(PollFd::from_borrowed_fd(
            control.wake.as_fd(),
            PollFlags::IN,
        ));
        if poll(&mut polled, None).is_err() {
            continue;
        }
        if !polled[sockets.len()].revents().is_empty() {
            let mut count = [0; 8];
            // Woken is woken, whatever the counter says.
            let _ = rustix::io::read(&control.wake, &mut count);
            return;
        }
        for (index, &(socket, is_unix)) in sockets.iter().enumerate() {
            if polled[index].revents().is_empty() {
                continue;
            }
            loop {
                match socket.accept() {
                    Ok((accepted, peer)) => admit(server, accepted, &peer, is_unix),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // Shut down by a change of address that is under way.
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                        std::thread::sleep(CHANGE_REST);
                        break;
                    }
                    Err(error) => {
                        server
                            .log
                            .warning(&format!("Accepting client connection: {error}"));
                        std::thread::sleep(EXHAUSTED_REST);
                        break;
                    }
                }
            }
        }
    }
}

/// Sends a new connection to a worker, or sends it away.
fn admit(server: &Server, socket: Socket, peer: &socket2::SockAddr, is_unix: bool) {
    let live = server.live();
    let counters = &server.stats.counters;
    let reject = |text: &[u8]| {
        counters
            .rejected_connections
            .fetch_add(1, Ordering::Relaxed);
        // A peer that does not take it will notice the close.
        let _ = rustix::io::write(&socket, text);
    };
    let connected: usize = server
        .mailboxes
        .iter()
        .map(|worker| worker.connections.load(Ordering::Relaxed))
        .sum();
    if connected >= live.config.clients.max_clients as usize {
        return reject(b"-ERR max number of clients reached\r\n");
    }
    let peer_address = peer.as_socket();
    let is_loopback = peer_address.is_none_or(|address| address.ip().to_canonical().is_loopback());
    if live.config.network.protected_mode
        && live.config.security.password.is_empty()
        && !is_loopback
    {
        return reject(PROTECTED_MODE);
    }
    if socket.set_nonblocking(true).is_err() {
        return;
    }
    if !is_unix {
        // Latency matters more than packets; a socket that refuses still works.
        let _ = socket.set_tcp_nodelay(true);
        let seconds = u64::from(live.config.network.tcp_keepalive_seconds);
        if seconds > 0 {
            let keepalive = TcpKeepalive::new()
                .with_time(Duration::from_secs(seconds))
                .with_interval(Duration::from_secs((seconds / 3).max(1)))
                .with_retries(3);
            let _ = SockRef::from(&socket).set_tcp_keepalive(&keepalive);
        }
    }
    let path = live.config.network.unix_socket.clone();
    let (address, local_address) = if is_unix {
        (format!("{path}:0"), format!("{path}:0"))
    } else {
        let local = socket
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket());
        let text = |address: Option<SocketAddr>| address.map_or("?:0".into(), |a| a.to_string());
        (text(peer_address), text(local))
    };
    counters.total_connections.fetch_add(1, Ordering::Relaxed);
    let connection = NewConnection {
        socket: socket.into(),
        address,
        local_address,
        is_unix,
    };
    hand_out(server, connection);
}

/// Gives a new connection to a worker.
fn hand_out(server: &Server, connection: NewConnection) {
    if let Some(worker) = server.mailboxes.get(choose(server)) {
        worker.connections.fetch_add(1, Ordering::Relaxed);
        worker.mailbox.put_arrival(connection);
    }
}

/// Gives new connections that a worker has not come to serve to others: called by the
/// script that holds the worker up.
pub fn hand_over(server: &Server, worker: usize) {
    let Some(held_up) = server.mailboxes.get(worker) else {
        return;
    };
    while let Some(connection) = held_up.mailbox.take_arrival() {
        held_up.connections.fetch_sub(1, Ordering::Relaxed);
        hand_out(server, connection);
    }
}

/// The worker with the fewest connections, of those that no script holds up.
fn choose(server: &Server) -> usize {
    let now_ms = crate::clock::now_ms();
    (0..server.standby)
        .filter(|&worker| server.script.held_up(now_ms) != Some(worker))
        .min_by_key(|&worker| server.mailboxes[worker].connections.load(Ordering::Relaxed))
        .unwrap_or(server.standby)
}

const PROTECTED_MODE: &[u8] = b"-DENIED Redis is running in protected mode because protected mode \
is enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. If you want to connect from external computers to Redis you may adopt \
one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the \
server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. \
Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
protected mode by editing the Redis configuration file, and setting the protected mode option to \
'no', and then restarting the server. 3) If you started the server manually just for testing, \
restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the \
default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";
