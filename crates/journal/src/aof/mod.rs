//! The append-only file: its bytes, its files, and the folder that holds them.
//!
//! ```text
//!   folder      appendonlydir: which files there are, in a manifest; every step safe
//!     │         against a crash
//!   manifest    NAME.manifest, the list of files, as text
//!   commit      NAME.commits: what of the last increment need not be synced itself
//!   reader      the commands in a file, one by one or in batches
//!   encode      commands as bytes
//! ```
//!
//! The format is that of Redis 7: one base (an RDB, or commands), and increments of
//! commands that were appended one after the other. What the commands mean is not
//! known here.

mod commit;
mod encode;
mod folder;

mod manifest;
mod reader;

pub use commit::{CommitLog, Committed, LostTail};
pub use encode::{EXEC, MULTI, append_command, append_select, append_timestamp};
pub use folder::{AofFolder, AofPlace, AofSizes, BaseFormat, FolderError, Increment, Opened, Part};

pub use manifest::{AofFile, FileKind, Manifest, ManifestError, ManifestFault};
pub use reader::{AofReader, Command, CommandBatch, FormatFault, ReadError, Torn};
