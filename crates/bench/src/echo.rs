//! An epoll echo server: one thread, one read and one write per ready connection. It is the
//! floor of the comparison: what the kernel alone costs a server that does nothing.
//!
//! It sends back what it gets. A request is a RESP array, and so is its echo: the load
//! generator takes it for one reply.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::event::epoll;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags};

/// The listener's number among the events; connections have their slot's.
const LISTENER: u64 = u64::MAX;

/// Serves on `listener` for ever.
///
/// # Errors
/// When epoll or the listener fails; a failing connection is only closed.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        listener.as_fd(),
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut connections: Vec<Option<Echo>> = Vec::new();
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let slot = connections
                        .iter()
                        .position(Option::is_none)
                        .unwrap_or(connections.len());
                    epoll::add(
                        &epoll,
                        &stream,
                        EventData::new_u64(slot as u64),
                        EventFlags::IN,
                    )?;
                    let echo = Echo {
                        stream,
                        unsent: Vec::new(),
                    };
                    if slot == connections.len() {
                        connections.push(Some(echo));
                    } else {
                        connections[slot] = Some(echo);
                    }
                }
                continue;
            }
            let slot = &mut connections[number as usize];
            let Some(echo) = slot else { continue };
            match echo.turn(&mut buffer) {
                // Reads only when all was sent: the peer's window is the limit of `unsent`.
                Ok(unsent) => {
                    let flags = if unsent {
                        EventFlags::OUT
                    } else {
                        EventFlags::IN
                    };
                    let was_full = { event.flags }.contains(EventFlags::OUT);
                    if unsent || was_full {
                        epoll::modify(&epoll, &echo.stream, EventData::new_u64(number), flags)?;
                    }
                }
                Err(_) => *slot = None,
            }
        }
    }
}

/// Starts an echo server on a thread that lives as long as the process; for tests.
///
/// # Errors
/// When no port can be had.
pub fn spawn() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || serve(&listener));
    Ok(address)
}

struct Echo {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Echo {
    /// One read and one write; `true` when something is left to be sent.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if self.unsent.is_empty() {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            let sent = self.write(&buffer[..count])?;
            self.unsent.extend_from_slice(&buffer[sent..count]);
        } else {
            let unsent = std::mem::take(&mut self.unsent);
            let sent = self.write(&unsent)?;
            self.unsent.extend_from_slice(&unsent[sent..]);
        }
        Ok(!self.unsent.is_empty())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        }
    }
}
