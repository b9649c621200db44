//! Why and how the server is to end.

/// A request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRequest {
    /// The exit status of the process.
    pub status: i32,
    pub save: SaveAtEnd,
    /// End even if something cannot be saved.
    pub force: bool,
    pub then: AfterEnd,
}

/// Whether the dataset is saved into the snapshot file before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveAtEnd {
    /// If there are save rules.
    ByRules,
    Yes,
    No,
}

/// What the process does when the server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterEnd {
    /// It ends, too.
    Exit,
    /// It begins again after so many milliseconds.
    Restart { delay_ms: u64 },
}

impl StopRequest {
    /// The end that a signal asks for.
    pub const BY_SIGNAL: Self = Self {
        status: 0,
        save: SaveAtEnd::ByRules,
        force: false,
        then: AfterEnd::Exit,
    };

    /// What a client is told who asked for an end that could not be.
    pub fn failure(&self) -> &'static str {
        match self.then {
            AfterEnd::Exit => "ERR Errors trying to SHUTDOWN. Check logs.",
            AfterEnd::Restart { .. } => "ERR failed to restart the server. Check server logs.",
        }
    }
}
