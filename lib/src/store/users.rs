//! Accounts.

use super::{Row, Session, Statement, Store, StoreError, StoredKey, api_keys, carried, guard::plan_in_force, sessions};
use crate::clock;

/// An account.
#[derive(Clone)]
pub struct User {
    /// Its id: the subject of its tokens.
    pub id: String,
    /// Its address, normalised.
    pub email: String,
    /// The password's hash, a PHC string.
    pub password: String,
    /// The plan in force.
    pub plan: String,
    /// When it was made.
    pub created_ms: i64,
    /// The anonymous caller that the browser was when it signed up.
    pub carried_from: Option<String>,
}

/// An account with all that belongs to signing in.
pub struct Profile {
    /// The account.
    pub user: User,
    /// Its open sessions, the last used first.
    pub sessions: Vec<Session>,
    /// Its API keys, the newest first.
    pub keys: Vec<StoredKey>,
}

/// An account to be made.
pub struct NewUser<'a> {
    /// Its id, made before.
    pub id: &'a str,
    /// Its address, normalised.
    pub email: &'a str,
    /// The password's hash.
    pub password: &'a str,
    /// When.
    pub created_ms: i64,
    /// The anonymous caller whose conversations and settled calls it takes over, if the browser has one.
    pub carried_from: Option<&'a str>,
}

/// What changes on an account.
pub struct UserChange<'a> {
    /// The hash that was checked; where it is another one by now, nothing changes.
    pub old_password: &'a str,
    /// The new hash.
    pub new_password: Option<&'a str>,
    /// The new address, normalised.
    pub new_email: Option<&'a str>,
    /// The session that stays where the password changes.
    pub session: &'a str,
    /// When.
    pub now_ms: i64,
}

/// How the owners begin that deleted accounts leave their calls to. They lead to nobody.
pub const GONE: &str = "gone:";

/// Where the address is taken, its row is written as it is: a transaction that writes nothing is not flushed to the
/// disk, which a stranger could tell by the clock.
const INSERT: &str = "insert into users (id, email, password, plan, created_ms, updated_ms, carried_from) \
    values ($1, $2, $3, 'free', $4, $4, $5) on conflict (email) do update set updated_ms = users.updated_ms";
const BY_EMAIL: &str = concat!(
    "select u.id, u.email, u.password, ",
    plan_in_force!("$2"),
    ", u.created_ms, u.carried_from from users u where u.email = $1"
);
const BY_ID: &str = concat!(
    "select u.id, u.email, u.password, ",
    plan_in_force!("$2"),
    ", u.created_ms, u.carried_from from users u where u.id = $1"
);

impl Store {
    /// Makes an account, unless its address is taken: then nothing changes, and nothing tells. One round trip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_user(&self, new: &NewUser<'_>) -> Result<(), StoreError> {
        let insert =
            [new.id.into(), new.email.into(), new.password.into(), new.created_ms.into(), new.carried_from.into()];
        let mut statements = vec![Statement::new(INSERT, insert)];
        statements.extend(new.carried_from.into_iter().flat_map(|from| carried::over(new.id, from, new.created_ms)));
        self.atomic(statements).await.map(drop)
    }

    /// The account with an address.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.rows(Statement::new(BY_EMAIL, [email.into(), clock::now_ms().into()])).await?.first().map(user).transpose()
    }

    /// An account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        self.rows(Statement::new(BY_ID, [id.into(), clock::now_ms().into()])).await?.first().map(user).transpose()
    }

    /// An account with its sessions and keys: one round trip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn profile(&self, id: &str, now_ms: i64) -> Result<Option<Profile>, StoreError> {
        let statements = vec![
            Statement::new(BY_ID, [id.into(), now_ms.into()]),
            Statement::new(sessions::LIST, [id.into(), now_ms.into()]),
            Statement::new(api_keys::LIST, [id.into()]),
        ];
        let rows = self.atomic(statements).await?;
        let [users, open, keys] = rows.as_slice() else {
            return Err(StoreError::Failed("three statements have three answers".to_owned()));
        };
        let Some(row) = users.first() else { return Ok(None) };
        Ok(Some(Profile {
            user: user(row)?,
            sessions: open.iter().map(sessions::session).collect::<Result<_, _>>()?,
            keys: keys.iter().map(api_keys::key).collect::<Result<_, _>>()?,
        }))
    }

    /// Changes an account; with the password go all sessions but one. `None` where the password is another one by
    /// now, else the sessions that ended.
    ///
    /// # Errors
    /// [`StoreError`]; `Refused(Unique)` where the address is taken.
    pub async fn change_user(&self, id: &str, change: &UserChange<'_>) -> Result<Option<Vec<String>>, StoreError> {
        let mut statements = vec![Statement::new(
            "update users set password = coalesce($3, password), email = coalesce($4, email), updated_ms = $5 \
             where id = $1 and password = $2 returning id",
            [
                id.into(),
                change.old_password.into(),
                change.new_password.into(),
                change.new_email.into(),
                change.now_ms.into(),
            ],
        )];
        if let Some(new) = change.new_password {
            statements.push(Statement::new(
                "delete from sessions where user_id = $1 and id <> $2 \
                 and exists (select 1 from users where id = $1 and password = $3) returning id",
                [id.into(), change.session.into(), new.into()],
            ));
        }
        let rows = self.atomic(statements).await?;
        if rows.first().is_none_or(Vec::is_empty) {
            return Ok(None);
        }
        rows.iter().skip(1).flatten().map(|row| row.text(0)).collect::<Result<_, _>>().map(Some)
    }

    /// Deletes an account and all that is personal: sessions, keys, conversations. What its calls cost stays in the
    /// ledger under `anonymous_owner`, also that of calls which are running: what they hold says whose they were until
    /// they are settled and booked. `false` where the password is another one by now.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is deleted then.
    pub async fn delete_user(&self, id: &str, password: &str, anonymous_owner: &str) -> Result<bool, StoreError> {
        let owner = format!("user:{id}");
        let rows = self
            .atomic(vec![
                Statement::new(
                    "update calls set owner = $4, subject = $4, conversation_id = null, \
                     hold = case when booked_ms is null then hold else '[]' end where owner = $3 \
                     and exists (select 1 from users where id = $1 and password = $2)",
                    [id.into(), password.into(), owner.as_str().into(), anonymous_owner.into()],
                ),
                Statement::new(
                    "delete from conversations where owner = $3 \
                     and exists (select 1 from users where id = $1 and password = $2)",
                    [id.into(), password.into(), owner.as_str().into()],
                ),
                Statement::new(
                    "delete from users where id = $1 and password = $2 returning id",
                    [id.into(), password.into()],
                ),
            ])
            .await?;
        Ok(rows.last().is_some_and(|deleted| !deleted.is_empty()))
    }
}

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.text(0)?,
        email: row.text(1)?,
        password: row.text(2)?,
        plan: row.text(3)?,
        created_ms: row.int(4)?,
        carried_from: row.text_opt(5)?,
    })
}
