//! Whether a session or API key still counts, asked in the very round trip that it is used in.

use super::{Constraint, Row, Statement, Store, StoreError};

/// How stale the last use of a key may be told: so seldom is it written.
const USED_STEP_MS: i64 = 60_000;

/// What must be so when a statement runs; where it is not, nothing runs.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What has been shown.
    pub shown: Shown,
    /// Its id.
    pub id: String,
    /// The account that it must belong to.
    pub user_id: String,
    /// The plan that must be in force; any, where it does not matter.
    pub plan: Option<&'static str>,
    /// Now.
    pub now_ms: i64,
}

/// What has been shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// An access token of a session.
    Session,
    /// An API key.
    Key {
        /// Its hash.
        secret_hash: String,
    },
}

/// The plan of a user `u` at a time: one that is paid for until a certain moment, such as the end of a grace, is over
/// then, whether or not somebody has noticed.
macro_rules! plan_in_force {
    ($now:literal) => {
        concat!(
            "case when exists (select 1 from billing_accounts b where b.user_id = u.id and b.ends_ms <= ",
            $now,
            ") then 'free' else u.plan end"
        )
    };
}
pub(super) use plan_in_force;

/// The insert is refused where the condition fails, which undoes the whole transaction.
const SESSION: &str = concat!(
    "insert into credential_checks (passes) select 0 where not exists (select 1 from sessions s ",
    "join users u on u.id = s.user_id where s.id = $1 and u.id = $2 and s.ended_ms is null and s.expires_ms > $4 ",
    "and ($3 = '' or $3 = ",
    plan_in_force!("$4"),
    "))"
);
const KEY: &str = concat!(
    "insert into credential_checks (passes) select 0 where not exists (select 1 from api_keys k ",
    "join users u on u.id = k.user_id where k.id = $1 and u.id = $2 and k.secret_hash = $5 and ($3 = '' or $3 = ",
    plan_in_force!("$4"),
    "))"
);
const OF_SESSION: &str = concat!(
    "select ",
    plan_in_force!("$3"),
    " from sessions s join users u on u.id = s.user_id ",
    "where s.id = $1 and u.id = $2 and s.ended_ms is null and s.expires_ms > $3"
);
const OF_KEY: &str = concat!(
    "select ",
    plan_in_force!("$3"),
    " from api_keys k join users u on u.id = k.user_id where k.id = $1 and u.id = $2 and k.secret_hash = $4"
);
const USED: &str = "update api_keys set used_ms = $2 where id = $1 and (used_ms is null or used_ms < $3)";

impl Store {
    /// The same store for one caller: what runs through it runs only while the guard holds, in one transaction with
    /// it and at the price of no further round trip.
    #[must_use]
    pub fn guarded(&self, guard: Guard) -> Self {
        Self::Guarded(Box::new((self.clone(), guard)))
    }

    /// The plan of the account that a session or key belongs to; `None` where it does not count any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_of(&self, guard: &Guard) -> Result<Option<String>, StoreError> {
        let (id, user, now_ms) = (guard.id.as_str().into(), guard.user_id.as_str().into(), guard.now_ms.into());
        let statement = match &guard.shown {
            Shown::Session => Statement::new(OF_SESSION, [id, user, now_ms]),
            Shown::Key { secret_hash } => Statement::new(OF_KEY, [id, user, now_ms, secret_hash.as_str().into()]),
        };
        self.rows(statement).await?.first().map(|row| row.text(0)).transpose()
    }
}

/// Runs statements behind a guard.
pub(super) async fn run(store: &Store, guard: &Guard, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
    let mut all = guard.statements();
    let own = all.len();
    all.extend(statements);
    // Boxed: a guarded store holds a store.
    match Box::pin(store.atomic(all)).await {
        Ok(mut rows) => Ok(rows.split_off(own)),
        Err(StoreError::Refused(Constraint::Check)) => Err(StoreError::Ended),
        Err(error) => Err(error),
    }
}

impl Guard {
    fn statements(&self) -> Vec<Statement> {
        let [id, user, plan] = [&*self.id, &*self.user_id, self.plan.unwrap_or_default()].map(Into::into);
        match &self.shown {
            Shown::Session => vec![Statement::new(SESSION, [id, user, plan, self.now_ms.into()])],
            Shown::Key { secret_hash } => vec![
                Statement::new(KEY, [id, user, plan, self.now_ms.into(), secret_hash.as_str().into()]),
                Statement::new(
                    USED,
                    [self.id.as_str().into(), self.now_ms.into(), (self.now_ms - USED_STEP_MS).into()],
                ),
            ],
        }
    }
}
