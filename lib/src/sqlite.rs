//! One SQLite file for development: opened once a process, shared by processes through WAL and a busy timeout.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

/// A connection that any task may use; work runs on a blocking thread, one piece at a time.
#[derive(Clone)]
pub struct Sqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens or creates the file (and its folder).
    ///
    /// # Errors
    /// What SQLite says, or that the folder cannot be made.
    pub fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
        }
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs a piece of work with the connection, off the async threads.
    ///
    /// # Errors
    /// What the work returns; `InvalidQuery` if it panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T, rusqlite::Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let connection = self.connection.clone();
        tokio::task::spawn_blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}
