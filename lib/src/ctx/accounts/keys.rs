//! Personal API keys: made, shown once, revoked.

use serde_json::{Value, json};

use super::{super::Ctx, SignedIn, profile::key_json};
use crate::{
    Code, Error,
    account::NewKey,
    auth::{ApiKey, Caller},
    clock,
    store::{KEYS_MAX, StoredKey},
};

/// How long the limiter refuses a revoked key by itself; the store refuses it for ever.
const REVOKED_TTL_MS: u64 = 86_400_000;

impl Ctx {
    /// A new key. Its text is in this answer and nowhere else.
    ///
    /// # Errors
    /// `forbidden`, `conflict` where there are too many, `session_revoked`, `store_unavailable`.
    pub async fn create_key(&self, caller: &Caller, new: NewKey) -> Result<Value, Error> {
        let who = SignedIn::of(caller)?;
        let key = ApiKey::new(who.user_id).ok_or_else(|| Error::internal("no key can be made"))?;
        let stored = StoredKey { id: key.id(), name: new.name, created_ms: clock::now_ms(), used_ms: None };
        let store = self.store_of(caller).await?;
        if !self.time("store", store.create_key(who.user_id, &stored, &key.hash())).await? {
            let detail = format!("You have {KEYS_MAX} keys, which is as many as there may be. Revoke one first.");
            return Err(Error::new(Code::Conflict, detail));
        }
        let mut answer = key_json(&stored);
        answer["key"] = json!(key.encode(&self.config().auth.keys));
        Ok(answer)
    }

    /// Revokes a key, from the next request on.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `session_revoked`, `store_unavailable`.
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let who = SignedIn::of(caller)?;
        let store = self.store_of(caller).await?;
        if !self.time("store", store.revoke_key(who.user_id, id)).await? {
            return Err(Error::new(Code::NotFound, "You have no key with this id."));
        }
        if let Err(error) = self.limiter()?.revoke_session(id, REVOKED_TTL_MS).await {
            // The store refuses it in every round trip; the limiter only sooner.
            self.warn("revocation_not_noted", &crate::books::unavailable(error));
        }
        Ok(())
    }
}
