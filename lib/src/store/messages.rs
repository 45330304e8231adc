//! Messages of a conversation.

use super::{Row, Statement, Store, StoreError};

/// A message in force: none that an edit has replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Our id.
    pub id: String,
    /// The client's id of it, if it gave one.
    pub client_id: Option<String>,
    /// Its place in the conversation, increasing.
    pub position: i64,
    /// `user` or `assistant`.
    pub role: String,
    /// Claude's content blocks, as JSON.
    pub content: String,
    /// When it was written.
    pub created_ms: i64,
    /// The answer that it continues, as the client knows it.
    pub answer_id: Option<String>,
}

impl Store {
    /// Messages behind a position, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn messages(
        &self,
        owner: &str,
        conversation_id: &str,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let rows = self
            .rows(Statement::new(
                "select id, client_id, position, role, content, created_ms, answer_id from messages \
                 where owner = $1 and conversation_id = $2 and position > $3 and superseded_by is null \
                 order by position limit $4",
                [owner.into(), conversation_id.into(), after_position.into(), i64::from(limit).into()],
            ))
            .await?;
        rows.iter().map(message).collect()
    }
}

fn message(row: &Row) -> Result<Message, StoreError> {
    Ok(Message {
        id: row.text(0)?,
        client_id: row.text_opt(1)?,
        position: row.int(2)?,
        role: row.text(3)?,
        content: row.text(4)?,
        created_ms: row.int(5)?,
        answer_id: row.text_opt(6)?,
    })
}
