//! Personal API keys, of which only hashes are stored.

use super::{Row, Statement, Store, StoreError};

/// Most keys of an account.
pub const KEYS_MAX: i64 = 20;

/// A key as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last used, to the minute.
    pub used_ms: Option<i64>,
}

/// `$1` is the account.
pub(super) const LIST: &str =
    "select id, name, created_ms, used_ms from api_keys where user_id = $1 order by created_ms desc, id desc";

impl Store {
    /// Keeps a new key; `false` where the account has as many as it may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_key(&self, user_id: &str, key: &StoredKey, secret_hash: &str) -> Result<bool, StoreError> {
        let rows = self
            .rows(Statement::new(
                "insert into api_keys (id, user_id, name, secret_hash, created_ms) select $2, $1, $3, $4, $5 \
                 where (select count(*) from api_keys where user_id = $1) < $6 \
                 on conflict (id) do update set name = excluded.name returning id",
                [
                    user_id.into(),
                    key.id.as_str().into(),
                    key.name.as_str().into(),
                    secret_hash.into(),
                    key.created_ms.into(),
                    KEYS_MAX.into(),
                ],
            ))
            .await?;
        Ok(!rows.is_empty())
    }

    /// Revokes a key; `false` where the account has none with this id.
    ///
    /// # Errors
    /// [`StoreError`]; revoking it again is safe.
    pub async fn revoke_key(&self, user_id: &str, id: &str) -> Result<bool, StoreError> {
        let rows = self
            .rows(Statement::new(
                "delete from api_keys where user_id = $1 and id = $2 returning id",
                [user_id.into(), id.into()],
            ))
            .await?;
        Ok(!rows.is_empty())
    }
}

pub(super) fn key(row: &Row) -> Result<StoredKey, StoreError> {
    Ok(StoredKey { id: row.text(0)?, name: row.text(1)?, created_ms: row.int(2)?, used_ms: row.int_opt(3)? })
}
