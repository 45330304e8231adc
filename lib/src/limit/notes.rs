//! What one process has noted about identities.

use std::collections::HashMap;

use super::{
    Identity, LimitError,
    identity::{Note, Noted, Refusal},
};

/// Values by key, each until its time.
#[derive(Debug, Default)]
pub(super) struct Notes(HashMap<String, (String, i64)>);

impl Notes {
    /// Whether the holder of a token may not go on as it says.
    pub(super) fn refusal(&self, identity: Option<Identity<'_>>, now_ms: i64) -> Option<Refusal> {
        let claim = identity?.claim();
        let noted = |key: &String| {
            let (value, until_ms) = self.0.get(key)?;
            (*until_ms > now_ms).then(|| value.clone())
        };
        let is_session_over = claim.session_key.as_ref().and_then(noted).is_some();
        claim.refusal(&Noted { plan: noted(&claim.plan_key), before: noted(&claim.before_key), is_session_over })
    }

    /// Notes something, and forgets what is over.
    pub(super) fn note(&mut self, note: Note, most: usize, now_ms: i64) -> Result<(), LimitError> {
        self.0.retain(|_, (_, until_ms)| *until_ms > now_ms);
        let (known, until_ms) = self.0.get(&note.key).cloned().unzip();
        if known.is_none() && self.0.len() >= most {
            return Err(LimitError::Full);
        }
        let value = known.filter(|known| note.yields_to(known)).unwrap_or(note.value);
        let lives_until_ms = now_ms.saturating_add(i64::try_from(note.ttl_ms).unwrap_or(i64::MAX));
        self.0.insert(note.key, (value, lives_until_ms.max(until_ms.unwrap_or(0))));
        Ok(())
    }
}
