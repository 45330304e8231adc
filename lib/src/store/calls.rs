//! The ledger's first half: the row that is written before Claude hears of the call.

use super::{Begun, Constraint, Money, Statement, Store, StoreError, Value};

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub struct NewCall<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who asks.
    pub owner: &'a str,
    /// Whose budgets it counts in.
    pub subject: &'a str,
    /// When the memory of the limiter that admitted it began, where that matters.
    pub epoch_ms: Option<i64>,
    /// Who said that its money is there.
    pub money: Money<'a>,
    /// The plan in force.
    pub plan: &'a str,
    /// `chat` or `messages`.
    pub route: &'a str,
    /// The conversation, for `chat`.
    pub conversation_id: Option<&'a str>,
    /// The model as asked for.
    pub model_requested: &'a str,
    /// The model whose price holds.
    pub model: &'a str,
    /// The prices that the ceiling was made with.
    pub price_version: &'a str,
    /// The hold's amount.
    pub ceiling_nanousd: i64,
    /// What was held, as JSON, so that it can be freed without this process.
    pub hold: &'a str,
    /// When.
    pub created_ms: i64,
}

impl Store {
    /// Writes the row of a call without a conversation, in state `reserved`. Its history is empty.
    ///
    /// # Errors
    /// [`StoreError`]; the call must not be made then.
    pub async fn begin_call(&self, call: &NewCall<'_>) -> Result<Begun, StoreError> {
        const SQL: &str = concat!(
            "insert into calls (id, owner, plan, route, conversation_id, model_requested, model, price_version, ",
            "ceiling_nanousd, hold, created_ms, subject, state, input_tokens, cache_write_5m_tokens, ",
            "cache_write_1h_tokens, cache_read_tokens, output_tokens, web_search_requests, web_fetch_requests, ",
            "is_client_gone, degraded_until_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, ",
            "(select $9 where not exists (select 1 from calls where degraded_until_ms >= $14)), $10, $11, $12, ",
            "(select 'reserved' where not exists (select 1 from limiter_epoch where epoch_ms > $13)), ",
            "0, 0, 0, 0, 0, 0, 0, 0, $15)"
        );
        let mut statements = self.entrance(call.money, call.ceiling_nanousd);
        statements.push(Statement { sql: SQL, params: params(call) });
        match self.atomic(statements).await {
            Ok(_) => Ok(Begun::Started { history: Vec::new() }),
            // The row's state was null, which the table refuses.
            Err(StoreError::Refused(Constraint::NotNull)) => Ok(Begun::Outdated),
            Err(StoreError::Refused(Constraint::Money)) => Ok(Begun::without_money(call.money)),
            Err(error) => Err(error),
        }
    }
}

/// The values of a new row: its first twelve columns, the epoch that it must not be older than, the time until which
/// the limiter must have known all calls, and the row's own time of that kind.
pub(super) fn params(call: &NewCall<'_>) -> Vec<Value> {
    vec![
        call.id.into(),
        call.owner.into(),
        call.plan.into(),
        call.route.into(),
        call.conversation_id.into(),
        call.model_requested.into(),
        call.model.into(),
        call.price_version.into(),
        call.ceiling_nanousd.into(),
        call.hold.into(),
        call.created_ms.into(),
        call.subject.into(),
        call.epoch_ms.unwrap_or(i64::MAX).into(),
        call.money.fence_ms().into(),
        call.money.degraded_until_ms().into(),
    ]
}
