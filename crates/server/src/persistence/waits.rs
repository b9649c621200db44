//! Clients that wait until their changes are on disk: WAITAOF.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::blocking::Blocked;
use crate::server::Server;

/// A client, and the offset of the journal that the disk must reach.
#[derive(Debug)]
struct DurabilityWait {
    offset: u64,
    client: Arc<Blocked>,
}

/// All that wait.
#[derive(Debug, Default)]
pub struct Waits {
    waiting: Mutex<Vec<DurabilityWait>>,
}

impl Waits {
    /// Answers `client` when the disk has the journal up to `offset`.
    pub fn add(&self, server: &Server, offset: u64, client: Arc<Blocked>) {
        self.waiting.lock().push(DurabilityWait { offset, client });
        // It may have been reached before the client was in line.
        self.serve(server);
    }

    /// Tells all that there is no append-only file any more.
    pub fn fail(&self) {
        for wait in self.waiting.lock().drain(..) {
            wait.client.finish(
                b"-ERR WAITAOF cannot be used when numlocal is set but appendonly is \
                  disabled.\r\n"
                    .to_vec(),
            );
        }
    }

    /// Answers those whose changes are on disk, and forgets those that wait no longer.
    pub fn serve(&self, server: &Server) {
        let durable = server.persistence.aof.durable();
        let mut waiting = self.waiting.lock();
        waiting.retain(|wait| {
            if wait.offset <= durable {
                // One local copy, no replica.
                wait.client.finish(b"*2\r\n:1\r\n:0\r\n".to_vec());
                return false;
            }
            !wait.client.is_over()
        });
    }
}
