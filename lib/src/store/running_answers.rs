//! Answers that are on their way.

use super::{Statement, Store, StoreError};
use crate::ids::CallId;

/// A chat call that has not been settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningAnswer {
    /// The call.
    pub call_id: CallId,
    /// The plan that it was made under.
    pub plan: String,
}

impl Store {
    /// The newest chat call of the owner's in a conversation that has not been settled, among those made after a time.
    /// Its process may be dead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn running_answer(
        &self,
        owner: &str,
        conversation_id: &str,
        since_ms: i64,
    ) -> Result<Option<RunningAnswer>, StoreError> {
        const SQL: &str = "select id, plan from calls where owner = $1 and created_ms > $3 and conversation_id = $2 \
            and state = 'reserved' and route = 'chat' order by created_ms desc, id desc limit 1";
        let rows = self.rows(Statement::new(SQL, [owner.into(), conversation_id.into(), since_ms.into()])).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(RunningAnswer { call_id: CallId(row.text(0)?), plan: row.text(1)? }))
    }
}
