//! Redis hangs in the middle of calls, and what was sent to it meanwhile runs when it goes on: nothing is taken twice.

use super::outage::{self, Fault};
use crate::prove::{findings::Findings, stage::Stage};

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    outage::run(stage, Fault::RedisHangs).await
}
