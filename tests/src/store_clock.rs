//! The store's clock of one deployment, moved at will: debug builds of the functions read it from a file.

use std::path::PathBuf;

use crate::{deployment::Deployment, services};

/// The clock; it runs on from wherever it is set.
pub struct StoreClock(PathBuf);

impl StoreClock {
    /// Gives a deployment's functions a clock that says `at_ms` now. Before any of them starts.
    ///
    /// # Panics
    /// Where there is no folder for temporary files.
    pub fn of(deployment: &mut Deployment, at_ms: i64) -> Self {
        let clock = Self(std::env::temp_dir().join(services::unique("clock")));
        clock.set(at_ms);
        deployment.set("PURSER_STORE_CLOCK", clock.0.to_str().unwrap());
        clock
    }

    /// Lets it say this now.
    ///
    /// # Panics
    /// Where its file cannot be written.
    pub fn set(&self, at_ms: i64) {
        // Renamed into place: nobody reads half of it.
        let new = self.0.with_extension("new");
        std::fs::write(&new, (at_ms - purser::clock::now_ms()).to_string()).unwrap();
        std::fs::rename(&new, &self.0).unwrap();
    }
}

impl Drop for StoreClock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
