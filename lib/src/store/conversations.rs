//! Conversations of one owner.

use super::{Row, Statement, Store, StoreError};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id, unique for its owner.
    pub id: String,
    /// Its title.
    pub title: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
}

/// Where a page of a list begins: behind this entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The entry's time.
    pub at_ms: i64,
    /// The entry's id, which decides between equal times.
    pub id: String,
}

impl Cursor {
    /// As text for clients.
    pub fn encode(&self) -> String {
        format!("{}.{}", self.at_ms, self.id)
    }

    /// From a client's text.
    pub fn decode(text: &str) -> Option<Self> {
        let (at_ms, id) = text.split_once('.')?;
        Some(Self { at_ms: at_ms.parse().ok()?, id: id.to_owned() })
    }
}

impl Store {
    /// A new conversation; `false` where the owner has one with this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_conversation(&self, owner: &str, new: &Conversation) -> Result<bool, StoreError> {
        let rows = self
            .rows(Statement::new(
                "insert into conversations (owner, id, title, created_ms, updated_ms) values ($1, $2, $3, $4, $5) \
                 on conflict (owner, id) do nothing returning id",
                [
                    owner.into(),
                    new.id.as_str().into(),
                    new.title.as_str().into(),
                    new.created_ms.into(),
                    new.updated_ms.into(),
                ],
            ))
            .await?;
        Ok(!rows.is_empty())
    }

    /// The owner's conversations, last changed first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_conversations(
        &self,
        owner: &str,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        let (at_ms, id) = after.map_or((i64::MAX, ""), |cursor| (cursor.at_ms, cursor.id.as_str()));
        let rows = self
            .rows(Statement::new(
                "select id, title, created_ms, updated_ms from conversations \
                 where owner = $1 and (updated_ms < $2 or (updated_ms = $2 and id < $3)) \
                 order by updated_ms desc, id desc limit $4",
                [owner.into(), at_ms.into(), id.into(), i64::from(limit).into()],
            ))
            .await?;
        rows.iter().map(conversation).collect()
    }

    /// One conversation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn conversation(&self, owner: &str, id: &str) -> Result<Option<Conversation>, StoreError> {
        let rows = self
            .rows(Statement::new(
                "select id, title, created_ms, updated_ms from conversations where owner = $1 and id = $2",
                [owner.into(), id.into()],
            ))
            .await?;
        rows.first().map(conversation).transpose()
    }

    /// Gives a conversation another title; `None` where there is no such conversation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rename_conversation(
        &self,
        owner: &str,
        id: &str,
        title: &str,
        now_ms: i64,
    ) -> Result<Option<Conversation>, StoreError> {
        let rows = self
            .rows(Statement::new(
                "update conversations set title = $3, updated_ms = $4 where owner = $1 and id = $2 \
                 returning id, title, created_ms, updated_ms",
                [owner.into(), id.into(), title.into(), now_ms.into()],
            ))
            .await?;
        rows.first().map(conversation).transpose()
    }

    /// Deletes a conversation with its messages; the ledger stays. `false` where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_conversation(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let rows = self
            .rows(Statement::new(
                "delete from conversations where owner = $1 and id = $2 returning id",
                [owner.into(), id.into()],
            ))
            .await?;
        Ok(!rows.is_empty())
    }
}

fn conversation(row: &Row) -> Result<Conversation, StoreError> {
    Ok(Conversation { id: row.text(0)?, title: row.text(1)?, created_ms: row.int(2)?, updated_ms: row.int(3)? })
}
