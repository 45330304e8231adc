//! What all scenarios of a run share.

use std::{path::PathBuf, sync::Arc};

use super::{backing::Backing, deployment::Deployment, dice::Dice};
use crate::serve::lines::Lines;

/// A run: its services, its binaries, its seed.
pub(super) struct Stage {
    pub(super) backing: Backing,
    /// The project's folder.
    pub(super) root: PathBuf,
    /// Where the functions' binaries are.
    pub(super) bin_dir: PathBuf,
    /// The functions that the project has.
    pub(super) functions: Vec<String>,
    /// Where sockets and other files of functions are.
    pub(super) sockets: PathBuf,
    pub(super) lines: Lines,
    pub(super) seed: u64,
    pub(super) is_short: bool,
    /// Optimised functions: they cannot be told to do wrong.
    pub(super) is_release: bool,
    /// The protection that is taken away, for the tests of the prover itself.
    pub(super) sabotage: Option<String>,
}

impl Stage {
    /// A scenario's own die.
    pub(super) fn dice(&self, scenario: &str) -> Dice {
        Dice::named(self.seed, scenario)
    }

    /// `full` of something, or `short` in a short run.
    pub(super) fn amount(&self, full: usize, short: usize) -> usize {
        if self.is_short { short } else { full }
    }

    /// A deployment of its own for a scenario, with variables of its own.
    pub(super) async fn deployment(&self, vars: &[(&str, &str)]) -> Result<Arc<Deployment>, String> {
        Deployment::create(self, vars).await.map(Arc::new)
    }
}
