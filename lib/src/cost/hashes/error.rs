//! Why a hash was not written or read.

use std::fmt;

use crate::cache::CacheError;

/// Why a hash was not written or read.
#[derive(Debug)]
pub enum HashesError {
    /// Redis did not answer, or nonsense.
    Cache(CacheError),
    /// What SQLite says.
    #[cfg(sqlite)]
    Sqlite(rusqlite::Error),
}

impl fmt::Display for HashesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "usage hashes: {error}"),
            #[cfg(sqlite)]
            Self::Sqlite(error) => write!(f, "usage hashes: {error}"),
        }
    }
}

impl std::error::Error for HashesError {}

impl From<CacheError> for HashesError {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

#[cfg(sqlite)]
impl From<rusqlite::Error> for HashesError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
