//! Sessions: opened by a password, kept alive by refresh tokens of which only hashes are stored.

use super::{Row, Statement, Store, StoreError, carried, guard::plan_in_force};

/// A session to be opened.
pub struct NewSession<'a> {
    /// Its id, made before.
    pub id: &'a str,
    /// The account.
    pub user_id: &'a str,
    /// The password's hash that was checked; where it is another one by now, no session is opened.
    pub password: &'a str,
    /// The hash that takes its place, where its parameters have changed.
    pub new_password: Option<&'a str>,
    /// The first refresh token's hash.
    pub token_hash: &'a str,
    /// What the browser or program calls itself.
    pub agent: &'a str,
    /// When.
    pub now_ms: i64,
    /// When it ends by itself.
    pub expires_ms: i64,
    /// The anonymous caller that the account takes over from, and until when: what was not done yet at the sign-up.
    pub carried: Option<(&'a str, i64)>,
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// What the browser or program called itself.
    pub agent: String,
    /// When it was opened.
    pub created_ms: i64,
    /// When it was last refreshed.
    pub rotated_ms: i64,
    /// When it ends by itself.
    pub expires_ms: i64,
}

/// A refresh.
pub struct Rotation<'a> {
    /// The session.
    pub session: &'a str,
    /// The hash of the token that was shown.
    pub shown_hash: &'a str,
    /// The hash of its successor.
    pub next_hash: &'a str,
    /// When.
    pub now_ms: i64,
    /// When the session ends by itself from here on.
    pub expires_ms: i64,
    /// A token that was replaced after this moment may be shown once more.
    pub grace_from_ms: i64,
}

/// How a refresh went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The session goes on.
    Fresh {
        /// The hash of the token that counts now.
        token_hash: String,
        /// The account.
        user_id: String,
        /// Its address.
        email: String,
        /// Its plan.
        plan: String,
    },
    /// A token was shown that had been replaced long ago: somebody has a copy. The session has been ended.
    Stolen {
        /// The account.
        user_id: String,
    },
    /// There is no such session, or it has ended.
    Ended,
}

/// Which sessions of an account.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// One.
    One(&'a str),
    /// All of them.
    All,
}

const OPEN: &str = "insert into sessions (id, user_id, token_hash, agent, created_ms, rotated_ms, expires_ms) \
    select $1, id, $3, $4, $5, $5, $6 from users where id = $2 and password = $7 \
    on conflict (id) do update set token_hash = excluded.token_hash returning id";

/// One statement, so that the row's lock puts simultaneous refreshes in order: the first moves on, the others find
/// its successor. `$2` is the token shown, `$3` its successor.
const ROTATE: &str = concat!(
    "update sessions set ",
    "previous_hash = case when token_hash = $2 then token_hash else previous_hash end, ",
    "rotated_ms = case when token_hash = $2 then $4 else rotated_ms end, ",
    "expires_ms = case when token_hash = $2 then $5 else expires_ms end, ",
    "ended_ms = case when token_hash = $2 or (previous_hash = $2 and rotated_ms > $6) then null else $4 end, ",
    "token_hash = case when token_hash = $2 then $3 else token_hash end ",
    "where id = $1 and ended_ms is null and expires_ms > $4 ",
    "returning token_hash, ended_ms, user_id, (select email from users where users.id = user_id), (select ",
    plan_in_force!("$4"),
    " from users u where u.id = user_id)"
);

/// `$1` is the account, `$2` now.
pub(super) const LIST: &str = "select id, agent, created_ms, rotated_ms, expires_ms from sessions \
    where user_id = $1 and ended_ms is null and expires_ms > $2 order by rotated_ms desc, id desc";

impl Store {
    /// Opens a session, and forgets those of the account that are over. `false` where the password has changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_session(&self, new: &NewSession<'_>) -> Result<bool, StoreError> {
        let mut statements = vec![
            Statement::new(
                "delete from sessions where user_id = $1 and (expires_ms <= $2 or ended_ms is not null)",
                [new.user_id.into(), new.now_ms.into()],
            ),
            Statement::new(
                OPEN,
                [
                    new.id.into(),
                    new.user_id.into(),
                    new.token_hash.into(),
                    new.agent.into(),
                    new.now_ms.into(),
                    new.expires_ms.into(),
                    new.password.into(),
                ],
            ),
        ];
        statements.extend(new.new_password.map(|password| {
            Statement::new(
                "update users set password = $3 where id = $1 and password = $2",
                [new.user_id.into(), new.password.into(), password.into()],
            )
        }));
        let carried = new.carried.into_iter().flat_map(|(from, before_ms)| carried::over(new.user_id, from, before_ms));
        statements.extend(carried);
        let rows = self.atomic(statements).await?;
        Ok(rows.get(1).is_some_and(|opened| !opened.is_empty()))
    }

    /// Moves a session on to its next refresh token.
    ///
    /// # Errors
    /// [`StoreError`]; the token that was shown can be shown again.
    pub async fn rotate_session(&self, rotation: &Rotation<'_>) -> Result<Rotated, StoreError> {
        let rows = self
            .rows(Statement::new(
                ROTATE,
                [
                    rotation.session.into(),
                    rotation.shown_hash.into(),
                    rotation.next_hash.into(),
                    rotation.now_ms.into(),
                    rotation.expires_ms.into(),
                    rotation.grace_from_ms.into(),
                ],
            ))
            .await?;
        let Some(row) = rows.first() else { return Ok(Rotated::Ended) };
        if row.int_opt(1)?.is_some() {
            return Ok(Rotated::Stolen { user_id: row.text(2)? });
        }
        Ok(Rotated::Fresh { token_hash: row.text(0)?, user_id: row.text(2)?, email: row.text(3)?, plan: row.text(4)? })
    }

    /// Ends sessions of an account; gives their ids.
    ///
    /// # Errors
    /// [`StoreError`]; ending them again is safe.
    pub async fn end_sessions(&self, user_id: &str, which: Which<'_>) -> Result<Vec<String>, StoreError> {
        let statement = match which {
            Which::One(id) => Statement::new(
                "delete from sessions where user_id = $1 and id = $2 returning id",
                [user_id.into(), id.into()],
            ),
            Which::All => Statement::new("delete from sessions where user_id = $1 returning id", [user_id.into()]),
        };
        self.rows(statement).await?.iter().map(|row| row.text(0)).collect()
    }

    /// Deletes sessions that are over, some of them: gives how many those were.
    ///
    /// # Errors
    /// [`StoreError`]; deleting again is safe.
    pub async fn forget_sessions(&self, now_ms: i64, most: i64) -> Result<u64, StoreError> {
        let sql = "delete from sessions where id in (select id from sessions \
                   where expires_ms <= $1 or ended_ms is not null limit $2) returning id";
        Ok(self.rows(Statement::new(sql, [now_ms.into(), most.into()])).await?.len() as u64)
    }

    /// The account whose session a refresh token belongs to, as long as the token or its successor counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_of_session(&self, session: &str, token_hash: &str) -> Result<Option<String>, StoreError> {
        let rows = self
            .rows(Statement::new(
                "select user_id from sessions where id = $1 and ended_ms is null \
                 and (token_hash = $2 or previous_hash = $2)",
                [session.into(), token_hash.into()],
            ))
            .await?;
        rows.first().map(|row| row.text(0)).transpose()
    }
}

pub(super) fn session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.text(0)?,
        agent: row.text(1)?,
        created_ms: row.int(2)?,
        rotated_ms: row.int(3)?,
        expires_ms: row.int(4)?,
    })
}
