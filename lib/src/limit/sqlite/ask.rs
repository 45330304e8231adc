//! An ask on its way to SQLite's thread.

use crate::{
    ids::CallId,
    limit::{Ask, Policy, identity::Claim},
};

/// An ask that another thread can take.
pub(super) struct OwnedAsk {
    call_id: CallId,
    pub(super) claim: Option<Claim>,
    policies: Vec<Policy>,
    hold_nanousd: i64,
    slot_ttl_ms: u64,
    hold_ttl_ms: u64,
}

impl From<&Ask<'_>> for OwnedAsk {
    fn from(ask: &Ask<'_>) -> Self {
        Self {
            call_id: ask.call_id.clone(),
            claim: ask.identity.map(|identity| identity.claim()),
            policies: ask.policies.to_vec(),
            hold_nanousd: ask.hold_nanousd,
            slot_ttl_ms: ask.slot_ttl_ms,
            hold_ttl_ms: ask.hold_ttl_ms,
        }
    }
}

impl OwnedAsk {
    pub(super) fn borrow(&self) -> Ask<'_> {
        Ask {
            call_id: &self.call_id,
            identity: None,
            policies: &self.policies,
            hold_nanousd: self.hold_nanousd,
            slot_ttl_ms: self.slot_ttl_ms,
            hold_ttl_ms: self.hold_ttl_ms,
        }
    }
}
