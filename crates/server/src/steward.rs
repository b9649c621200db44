//! The steward: a thread that looks after things about once a second: the save rules, the
//! growth of the append-only file, what was scheduled.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::persistence::jobs;
use crate::server::Server;
use crate::threads::{self, Duty};

const PERIOD: Duration = Duration::from_secs(1);
/// While the dataset is loaded, the log says every so often how far that is.
const LOADING_NOTE_PERIODS: u64 = 5;

/// Starts the thread.
///
/// # Errors
/// When there can be no thread.
pub fn start(server: Arc<Server>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("ochre-steward".into())
        .spawn(move || {
            threads::begin(Duty::Background, &server.live().config, &server.log);
            let mut periods = 0;
            while server.steward.sleep(Some(PERIOD)) {
                periods += 1;
                if server.persistence.loading.is_active() && periods % LOADING_NOTE_PERIODS == 0 {
                    server.log.notice(&server.persistence.loading.describe());
                }
                server.stats.look_at_ticks(crate::clock::now_ms());
                if !server.persistence.loading.is_active() && !server.is_stopping() {
                    jobs::look_after(&server);
                }
            }
        })
}
