//! The steward: a thread that looks after things about once a second: the save rules, the
//! growth of the append-only file, what was scheduled.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::persistence::jobs;
use crate::server::Server;

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
            let mut periods = 0;
            while server.steward.sleep(Some(PERIOD)) {
                periods += 1;
                if server.persistence.loading.is_active() && periods % LOADING_NOTE_PERIODS == 0 {
                    server.log.notice(&server.persistence.loading.describe());
                }
                if !server.persistence.loading.is_active() && !server.is_stopping() {
                    jobs::look_after(&server);
                }
            }
        })
}
