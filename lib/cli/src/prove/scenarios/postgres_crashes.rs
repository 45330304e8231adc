//! Postgres crashes in the middle of calls: none starts that could not be written down, and none that runs is lost.

use super::outage::{self, Fault};
use crate::prove::{findings::Findings, stage::Stage};

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    outage::run(stage, Fault::PostgresCrashes).await
}
