//! What Stripe said about a user, and the plan that follows from it.

use super::{Row, Statement, Store, StoreError};

/// The right to write down what a reading of Stripe finds. It is taken before the reading begins; of two results the
/// one whose ticket was taken later stands, whichever is written first. What an event tells of happened before its
/// reading took a ticket, so a result with a later ticket knows it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The user.
    pub user_id: String,
    /// Its number.
    pub number: i64,
}

/// What a reading of Stripe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingReading<'a> {
    /// Whose it is, and when it began.
    pub ticket: &'a Ticket,
    /// The customer that was read.
    pub customer_id: &'a str,
    /// The customer has been deleted at Stripe: the next Checkout makes another one.
    pub is_customer_gone: bool,
    /// The plan that is paid for.
    pub plan: &'a str,
    /// The subscription that decides.
    pub subscription_id: Option<&'a str>,
    /// Its status.
    pub status: Option<&'a str>,
    /// When the plan ends, where that is certain.
    pub ends_ms: Option<i64>,
    /// When to read again if no event comes.
    pub check_ms: Option<i64>,
    /// The event that asked for the reading.
    pub event: Option<TakenEvent<'a>>,
    /// When.
    pub read_ms: i64,
}

/// An event whose effect is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenEvent<'a> {
    /// `evt_…`.
    pub id: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// When it happened.
    pub created_ms: i64,
}

/// The plan of a user, and the reading that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInForce {
    /// The plan.
    pub plan: String,
    /// The ticket's number.
    pub applied: i64,
}

/// A customer who should be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCheck {
    /// The user.
    pub user_id: String,
    /// The customer.
    pub customer_id: String,
    /// Since when it is due.
    pub check_ms: i64,
}

/// Readings of one user are written one after another: without the lock a statement could still see the plan of before.
/// The user's row comes first, as where the user is deleted: the other way round the two could wait for each other.
const LOCK: &str = "update users set plan = plan where id = $1";
/// Due at once until the limiter has been told. A session that is still open keeps its own time of checking.
const APPLY: &str = "update billing_accounts set applied = $2, plan = $4, subscription_id = $5, status = $6, \
    ends_ms = $7, read_ms = $8, check_ms = $8, \
    next_check_ms = coalesce($9, case when next_check_ms > $8 then next_check_ms end) \
    where user_id = $1 and applied < $2 and customer_id = $3";
const FORGET_CUSTOMER: &str = "update billing_accounts set customer_id = null, session_id = null, session_for = null, \
    next_check_ms = null, attempt = attempt + 1 where user_id = $1 and customer_id = $2";
const TAKE_EVENT: &str = "insert into billing_events (id, user_id, kind, created_ms, taken_ms) \
    select $2, user_id, $3, $4, $5 from billing_accounts where user_id = $1 on conflict (id) do nothing";
const SET_PLAN: &str = "update users set plan = (select plan from billing_accounts where user_id = $1) where id = $1";
const ANNOUNCED: &str = "update billing_accounts set check_ms = next_check_ms where user_id = $1 and applied = $2";
const IN_FORCE: &str =
    "select users.plan, applied from users join billing_accounts on user_id = users.id where users.id = $1";

impl Store {
    /// Takes the ticket for a reading of a customer; `None` where nobody has this customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_reading(&self, customer_id: &str) -> Result<Option<Ticket>, StoreError> {
        let sql = "update billing_accounts set ticket = ticket + 1 where customer_id = $1 returning user_id, ticket";
        let rows = self.rows(Statement::new(sql, [customer_id.into()])).await?;
        rows.first().map(|row| Ok(Ticket { user_id: row.text(0)?, number: row.int(1)? })).transpose()
    }

    /// Writes down what a reading found, the plan that follows and the event that asked for it, all or nothing. Gives
    /// the plan that is now in force; `None` where the user has gone meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then, and another attempt is safe.
    pub async fn apply_reading(&self, reading: &BillingReading<'_>) -> Result<Option<PlanInForce>, StoreError> {
        let user_id = reading.ticket.user_id.as_str();
        let at_user = |sql| Statement::new(sql, [user_id.into()]);
        let mut statements = vec![
            at_user(LOCK),
            Statement::new(
                APPLY,
                [
                    user_id.into(),
                    reading.ticket.number.into(),
                    reading.customer_id.into(),
                    reading.plan.into(),
                    reading.subscription_id.into(),
                    reading.status.into(),
                    reading.ends_ms.into(),
                    reading.read_ms.into(),
                    reading.check_ms.into(),
                ],
            ),
        ];
        if reading.is_customer_gone {
            statements.push(Statement::new(FORGET_CUSTOMER, [user_id.into(), reading.customer_id.into()]));
        }
        if let Some(event) = &reading.event {
            let params =
                [user_id.into(), event.id.into(), event.kind.into(), event.created_ms.into(), reading.read_ms.into()];
            statements.push(Statement::new(TAKE_EVENT, params));
        }
        statements.extend([at_user(SET_PLAN), at_user(IN_FORCE)]);
        in_force(self.atomic(statements).await?.last())
    }

    /// The plan in force of a user with a billing account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_in_force(&self, user_id: &str) -> Result<Option<PlanInForce>, StoreError> {
        in_force(Some(&self.rows(Statement::new(IN_FORCE, [user_id.into()])).await?))
    }

    /// Notes that the limiter has been told of a plan, and gives the one that is in force now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_announced(&self, user_id: &str, told: &PlanInForce) -> Result<Option<PlanInForce>, StoreError> {
        let announced = Statement::new(ANNOUNCED, [user_id.into(), told.applied.into()]);
        in_force(self.atomic(vec![announced, Statement::new(IN_FORCE, [user_id.into()])]).await?.last())
    }

    /// The user for whom an event has had its effect; `None` for a new event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_of_event(&self, event_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "select user_id from billing_events where id = $1";
        let rows = self.rows(Statement::new(sql, [event_id.into()])).await?;
        rows.first().map(|row| row.text(0)).transpose()
    }

    /// Customers who should have been read by now, the longest due first, behind the last one of the page before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_checks(
        &self,
        now_ms: i64,
        after: Option<&DueCheck>,
        limit: i64,
    ) -> Result<Vec<DueCheck>, StoreError> {
        let sql = "select user_id, customer_id, check_ms from billing_accounts \
                   where customer_id is not null and check_ms <= $1 \
                   and (check_ms > $2 or (check_ms = $2 and user_id > $3)) \
                   order by check_ms, user_id limit $4";
        let (at_ms, user_id) = after.map_or((i64::MIN, ""), |last| (last.check_ms, last.user_id.as_str()));
        let rows = self.rows(Statement::new(sql, [now_ms.into(), at_ms.into(), user_id.into(), limit.into()])).await?;
        rows.iter()
            .map(|row| Ok(DueCheck { user_id: row.text(0)?, customer_id: row.text(1)?, check_ms: row.int(2)? }))
            .collect()
    }

    /// Forgets events that were taken before a time, some of them: gives how many those were. Stripe has stopped
    /// repeating them.
    ///
    /// # Errors
    /// [`StoreError`]; forgetting again is safe.
    pub async fn forget_events(&self, before_ms: i64, most: i64) -> Result<u64, StoreError> {
        let sql = "delete from billing_events where id in (select id from billing_events \
                   where taken_ms < $1 order by taken_ms limit $2) returning id";
        Ok(self.rows(Statement::new(sql, [before_ms.into(), most.into()])).await?.len() as u64)
    }
}

fn in_force(rows: Option<&Vec<Row>>) -> Result<Option<PlanInForce>, StoreError> {
    let row = rows.and_then(|rows| rows.first());
    row.map(|row| Ok(PlanInForce { plan: row.text(0)?, applied: row.int(1)? })).transpose()
}
