//! Redis stops in the middle of calls and comes back empty: no budget is overspent, no call lost, nobody waits long.

use super::outage::{self, Fault};
use crate::prove::{findings::Findings, stage::Stage};

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    outage::run(stage, Fault::RedisStops).await
}
