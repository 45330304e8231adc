//! Redis forgets everything in the middle of calls: the ledger still knows what is spent.

use super::outage::{self, Fault};
use crate::prove::{findings::Findings, stage::Stage};

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    outage::run(stage, Fault::RedisIsEmptied).await
}
