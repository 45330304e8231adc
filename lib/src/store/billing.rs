//! Who goes to Checkout: the customer at Stripe, once a user, and the session that is open.

use super::{Row, Statement, Store, StoreError};

/// A user who goes to Checkout or into the billing portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingAccount {
    /// The user.
    pub user_id: String,
    /// For Stripe's receipts.
    pub email: Option<String>,
    /// Stripe's customer, once there is one.
    pub customer_id: Option<String>,
    /// The Checkout session that was opened last.
    pub session_id: Option<String>,
    /// A digest of what it was opened with.
    pub session_for: Option<String>,
    /// Part of idempotency keys.
    pub attempt: i64,
}

const OPEN: &str = "insert into billing_accounts (user_id, attempt, ticket, applied, plan) \
    select id, 0, 0, 0, plan from users where id = $1 on conflict (user_id) do nothing";
const ACCOUNT: &str = "select users.email, customer_id, session_id, session_for, attempt \
    from users join billing_accounts on user_id = users.id where users.id = $1";
const ADOPT: &str = "insert into billing_accounts (user_id, customer_id, attempt, ticket, applied, plan) \
    select id, $2, 0, 0, 0, plan from users where id = $1 \
    on conflict (user_id) do update set customer_id = excluded.customer_id \
    where billing_accounts.customer_id is null returning user_id";

impl Store {
    /// The user's billing account, made where there is none; `None` where there is no such user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn billing_account(&self, user_id: &str) -> Result<Option<BillingAccount>, StoreError> {
        let at_user = |sql| Statement::new(sql, [user_id.into()]);
        let rows = self.atomic(vec![at_user(OPEN), at_user(ACCOUNT)]).await?;
        let account = |row: &Row| {
            Ok(BillingAccount {
                user_id: user_id.to_owned(),
                email: row.text_opt(0)?,
                customer_id: row.text_opt(1)?,
                session_id: row.text_opt(2)?,
                session_for: row.text_opt(3)?,
                attempt: row.int(4)?,
            })
        };
        rows.last().and_then(|found| found.first()).map(account).transpose()
    }

    /// Keeps the customer that was made for a user; where another request was first, its customer stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_customer(&self, user_id: &str, customer_id: &str) -> Result<(), StoreError> {
        let sql = "update billing_accounts set customer_id = $2, attempt = attempt + 1 \
                   where user_id = $1 and customer_id is null";
        self.rows(Statement::new(sql, [user_id.into(), customer_id.into()])).await.map(drop)
    }

    /// Takes over a customer that names the user at Stripe; `false` where there is no such user, or one with another
    /// customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adopt_customer(&self, user_id: &str, customer_id: &str) -> Result<bool, StoreError> {
        let rows = self.rows(Statement::new(ADOPT, [user_id.into(), customer_id.into()])).await?;
        Ok(!rows.is_empty())
    }

    /// Moves on to the next idempotency keys, unless another request has done so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_attempt(&self, user_id: &str, attempt: i64) -> Result<(), StoreError> {
        let sql = "update billing_accounts set attempt = attempt + 1 where user_id = $1 and attempt = $2";
        self.rows(Statement::new(sql, [user_id.into(), attempt.into()])).await.map(drop)
    }

    /// Keeps the Checkout session that an attempt opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_session(
        &self,
        account: &BillingAccount,
        session_id: &str,
        session_for: &str,
        check_ms: i64,
    ) -> Result<(), StoreError> {
        let sql = "update billing_accounts set session_id = $3, session_for = $4, next_check_ms = $5, \
                   check_ms = case when check_ms < $5 then check_ms else $5 end, attempt = attempt + 1 \
                   where user_id = $1 and attempt = $2";
        let user_id = account.user_id.as_str();
        let params = [user_id.into(), account.attempt.into(), session_id.into(), session_for.into(), check_ms.into()];
        self.rows(Statement::new(sql, params)).await.map(drop)
    }

    /// Forgets a Checkout session that is over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_session(&self, user_id: &str, session_id: &str) -> Result<(), StoreError> {
        let sql = "update billing_accounts set session_id = null, session_for = null \
                   where user_id = $1 and session_id = $2";
        self.rows(Statement::new(sql, [user_id.into(), session_id.into()])).await.map(drop)
    }

    /// The status of the subscription that decides about the user's plan, and when the plan ends, where that is certain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn subscription_of(&self, user_id: &str) -> Result<Option<(String, Option<i64>)>, StoreError> {
        let sql = "select status, ends_ms from billing_accounts where user_id = $1 and status is not null";
        let rows = self.rows(Statement::new(sql, [user_id.into()])).await?;
        rows.first().map(|row| Ok((row.text(0)?, row.int_opt(1)?))).transpose()
    }

    /// The user's customer at Stripe, and whether a subscription was alive when it was read last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customer_of(&self, user_id: &str) -> Result<Option<(String, bool)>, StoreError> {
        let sql = "select customer_id, subscription_id from billing_accounts \
                   where user_id = $1 and customer_id is not null";
        let rows = self.rows(Statement::new(sql, [user_id.into()])).await?;
        rows.first().map(|row| Ok((row.text(0)?, row.text_opt(1)?.is_some()))).transpose()
    }
}
