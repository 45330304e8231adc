//! Recordings: a running answer as its client gets it, for another instance to give it once more from the beginning.
//!
//! What is written down here is what people said. So it is there only while somebody wants it: an answer that nobody
//! asks for stays in the memory of the process that makes it, a recording without its recorder is gone after
//! [`LIVE_MS`], and one that has ended after [`OVER_MS`].

mod redis;
#[cfg(sqlite)]
mod sqlite;

use std::fmt;

#[cfg(sqlite)]
pub use self::sqlite::SqliteRecordings;
use crate::{
    cache::{Cache, CacheError},
    ids::CallId,
};

/// How long a wish waits for its recorder, in milliseconds: no call runs for longer.
pub const WANTED_MS: u64 = 300_000;
/// How often one call's recording is asked for at most. Each reader costs a few commands a second to the end.
pub const READERS_MAX: i64 = 20;
/// How long a recording outlives its last sign of life.
pub const LIVE_MS: u64 = 30_000;
/// How long a recording stays that has ended: for readers who are behind.
pub const OVER_MS: u64 = 60_000;
/// Most bytes that are read at once.
pub const READ_BYTES_MAX: usize = 256 * 1_024;

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Perhaps.
    Live,
    /// The answer is whole.
    Over,
    /// No, and the answer is not whole.
    Broken,
}

/// A piece of a recording, on its way in.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The call.
    pub call_id: CallId,
    /// How much was written before, in bytes.
    pub at: usize,
    /// What is added; empty for a mere sign of life.
    pub text: String,
    /// Whether more is to come.
    pub stage: Stage,
    /// Different each time, so that a reader can tell that somebody is there.
    pub beat: u64,
}

/// What a reader finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// What is there from the reader's place on, at most [`READ_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// How long the whole was when its recorder last wrote, in bytes.
    pub length: usize,
    /// Whether more is to come.
    pub stage: Stage,
    /// The recorder's last sign of life.
    pub beat: u64,
}

/// Where recordings are. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Recordings {
    /// Redis of either kind.
    Redis(Cache),
    /// Two tables of the development file.
    #[cfg(sqlite)]
    Sqlite(SqliteRecordings),
}

impl Recordings {
    /// Recordings in a SQLite file; makes its tables (`recordings`, `recordings_wanted`) on first use.
    #[cfg(sqlite)]
    pub fn sqlite(db: crate::sqlite::Sqlite) -> Self {
        Self::Sqlite(SqliteRecordings::new(db))
    }

    /// Asks for the recording of a running call, for [`WANTED_MS`]. False where it has been asked for
    /// [`READERS_MAX`] times.
    ///
    /// # Errors
    /// Any [`RecordingError`].
    pub async fn want(&self, call_id: &CallId) -> Result<bool, RecordingError> {
        let asked = match self {
            Self::Redis(cache) => redis::want(cache, call_id).await?,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.want(call_id).await?,
        };
        Ok(asked <= READERS_MAX)
    }

    /// Whether somebody asks for it.
    ///
    /// # Errors
    /// Any [`RecordingError`].
    pub async fn is_wanted(&self, call_id: &CallId) -> Result<bool, RecordingError> {
        match self {
            Self::Redis(cache) => Ok(redis::is_wanted(cache, call_id).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.is_wanted(call_id).await?),
        }
    }

    /// Writes a piece and gives the length of the whole. Less than the piece's own place means that what was written
    /// before is lost, and that nothing was written now. Writing a piece again changes nothing.
    ///
    /// # Errors
    /// Any [`RecordingError`].
    pub async fn write(&self, piece: &Piece) -> Result<usize, RecordingError> {
        match self {
            Self::Redis(cache) => Ok(redis::write(cache, piece).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.write(piece).await?),
        }
    }

    /// What is there from a place on; none where nothing is recorded.
    ///
    /// # Errors
    /// Any [`RecordingError`].
    pub async fn read(&self, call_id: &CallId, from: usize) -> Result<Option<Glimpse>, RecordingError> {
        match self {
            Self::Redis(cache) => Ok(redis::read(cache, call_id, from).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.read(call_id, from).await?),
        }
    }
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Over => "over",
            Self::Broken => "broken",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Over, Self::Broken].into_iter().find(|stage| stage.as_str() == text)
    }
}

impl Piece {
    /// Length of the whole, stage and beat, as they stand beside the text.
    fn state(&self) -> String {
        format!("{} {} {}", self.at + self.text.len(), self.stage.as_str(), self.beat)
    }

    fn lives_ms(&self) -> u64 {
        if self.stage == Stage::Live { LIVE_MS } else { OVER_MS }
    }
}

impl Glimpse {
    fn parse(state: &str, bytes: Vec<u8>) -> Option<Self> {
        let mut words = state.split(' ');
        let length = words.next()?.parse().ok()?;
        let stage = Stage::parse(words.next()?)?;
        let beat = words.next()?.parse().ok()?;
        Some(Self { bytes, length, stage, beat })
    }
}

/// Why a recording was not written or read.
#[derive(Debug)]
pub enum RecordingError {
    /// Redis did not answer, or nonsense.
    Cache(CacheError),
    /// What SQLite says.
    #[cfg(sqlite)]
    Sqlite(rusqlite::Error),
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "recordings: {error}"),
            #[cfg(sqlite)]
            Self::Sqlite(error) => write!(f, "recordings: {error}"),
        }
    }
}

impl std::error::Error for RecordingError {}

impl From<CacheError> for RecordingError {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

#[cfg(sqlite)]
impl From<rusqlite::Error> for RecordingError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
