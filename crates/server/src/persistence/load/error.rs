//! Why a file could not be loaded, and where.

use ochre_rdb::{RdbError, RdbErrorKind};

use crate::persistence::restore::RestoreError;

/// A failure to load, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{fault}, at byte {offset}")]
pub struct LoadError {
    /// Bytes from the start of the RDB: where the value starts that is wrong, or within it;
    /// of what is no entry, where the batch starts that it is in.
    pub offset: u64,
    pub fault: LoadFault,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFault {
    /// The bytes are no RDB, or could not be read.
    #[error("{kind}, reading {what}")]
    Rdb {
        /// What was being read.
        what: &'static str,
        #[source]
        kind: RdbErrorKind,
    },
    /// A value is well-formed, but impossible.
    #[error("{error}, in the value of key {}", .key.escape_ascii())]
    Value {
        /// The key, cut if it is long.
        key: Vec<u8>,
        #[source]
        error: RestoreError,
    },
    /// A key comes twice, or is there already.
    #[error("RDB has duplicated key '{}' in DB {database}", .key.escape_ascii())]
    DuplicateKey {
        /// The key's database.
        database: u32,
        /// The key, cut if it is long.
        key: Vec<u8>,
    },
    /// A key belongs to a database that this server has not got.
    #[error("key of database {database}, but there are {databases} databases")]
    Database {
        /// The key's database.
        database: u32,
        /// How many there are.
        databases: usize,
    },
    /// A function library cannot be loaded.
    #[error("function library: {0}")]
    Function(String),
    /// Data of a module.
    #[error("data of module {0}, which is not there")]
    ModuleAux(String),
    /// The load was ended from outside.
    #[error("aborted")]
    Aborted,
}

impl LoadError {
    pub(super) fn new(offset: u64, fault: LoadFault) -> Self {
        Self { offset, fault }
    }
}

impl From<RdbError> for LoadError {
    fn from(error: RdbError) -> Self {
        let RdbError { offset, what, kind } = error;
        Self::new(offset, LoadFault::Rdb { what, kind })
    }
}
