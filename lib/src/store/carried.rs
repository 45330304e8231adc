//! What a browser did before it signed up, carried over to the account.

use super::{Statement, Store, StoreError};

/// `$1` is the account's caller id, `$2` the anonymous one, `$3` the account, which must be there, `$4` when it was
/// made. A conversation whose answer is still coming stays where it is until the next sign-in.
const CARRY: [&str; 4] = [
    "insert into conversations (owner, id, title, created_ms, updated_ms) \
     select $1, id, title, created_ms, updated_ms from conversations where owner = $2 and created_ms < $4 \
     and exists (select 1 from users where id = $3) and not exists (select 1 from calls \
        where calls.owner = $2 and calls.conversation_id = conversations.id and calls.state = 'reserved') \
     on conflict (owner, id) do nothing",
    "update messages set owner = $1 where owner = $2 and exists (select 1 from users where id = $3) \
     and exists (select 1 from conversations old where old.owner = $2 and old.id = messages.conversation_id \
        and old.created_ms < $4) \
     and exists (select 1 from conversations where owner = $1 and id = messages.conversation_id)",
    "delete from conversations where owner = $2 and created_ms < $4 and exists (select 1 from users where id = $3) \
     and not exists (select 1 from messages where owner = $2 and conversation_id = conversations.id) \
     and exists (select 1 from conversations taken where taken.owner = $1 and taken.id = conversations.id)",
    "update calls set owner = $1 where owner = $2 and state = 'settled' and created_ms < $4 \
     and exists (select 1 from users where id = $3)",
];

/// Carries over what there is, once or again. What the browser does later as a guest is not the account's: somebody
/// else may sit there.
pub(super) fn over(user_id: &str, from: &str, before_ms: i64) -> [Statement; 4] {
    let to = format!("user:{user_id}");
    CARRY.map(|sql| Statement::new(sql, [to.as_str().into(), from.into(), user_id.into(), before_ms.into()]))
}

impl Store {
    /// The settled calls of an owner that were made from `since_ms` to before `until_ms`: their ids, and when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn calls_made_between(
        &self,
        owner: &str,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "select id, created_ms from calls where owner = $1 and state = 'settled' \
                   and created_ms >= $2 and created_ms < $3";
        let rows = self.rows(Statement::new(sql, [owner.into(), since_ms.into(), until_ms.into()])).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
    }
}
