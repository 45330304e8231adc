//! The ledger's second half: what a call turned out to cost.

use serde::{Deserialize, Serialize};

use super::{Statement, Store, StoreError, Value};
use crate::usage::{Source, Speed, Usage};

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The call.
    pub call_id: String,
    /// Whose it is.
    pub owner: String,
    /// `completed`, `refused`, `failed` or `cut`.
    pub outcome: String,
    /// Where the figures come from.
    pub source: Source,
    /// The model that answered; `None` keeps the one that was priced.
    pub model: Option<String>,
    /// The token classes.
    pub usage: Usage,
    /// What it cost.
    pub cost_nanousd: i64,
    /// Why the answer ended.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub error_code: Option<String>,
    /// Claude's id of the request.
    pub upstream_request_id: Option<String>,
    /// The client left before the end.
    pub is_client_gone: bool,
    /// When the first byte came.
    pub first_byte_ms: Option<i64>,
    /// When it ended.
    pub settled_ms: i64,
}

/// The answer, to be kept in its conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantMessage {
    /// Its id, made before the call.
    pub id: String,
    /// The conversation.
    pub conversation_id: String,
    /// The message that it answers: where that has been replaced meanwhile, the answer is as well.
    pub answers: String,
    /// Content blocks as JSON.
    pub content: String,
}

const LOCK_CONVERSATION: &str = "update conversations set updated_ms = $3 where owner = $1 and id = $2";

const APPEND_ANSWER: &str = "insert into messages (id, owner, conversation_id, position, role, content, call_id, superseded_by, created_ms, answer_id) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    'assistant', $4, $5, answered.superseded_by, $7, answered.answer_id \
    from messages answered where answered.owner = $1 and answered.conversation_id = $2 and answered.id = $6 \
    and exists (select 1 from calls where id = $5 and owner = $1 and state = 'reserved') \
    on conflict (id) do nothing";

/// An account that is deleted while its call runs leaves the call to nobody.
const SETTLE: &str = "update calls set state = 'settled', outcome = $3, source = $4, model = coalesce($5, model), \
    input_tokens = $6, cache_write_5m_tokens = $7, cache_write_1h_tokens = $8, cache_read_tokens = $9, \
    output_tokens = $10, web_search_requests = $11, web_fetch_requests = $12, speed = $13, inference_geo = $14, \
    service_tier = $15, cost_nanousd = $16, stop_reason = $17, error_code = $18, upstream_request_id = $19, \
    is_client_gone = $20, first_byte_ms = $21, settled_ms = $22 \
    where id = $1 and (owner = $2 or owner like 'gone:%') and state = 'reserved' returning id";

impl Store {
    /// Settles a call once and for ever, and keeps its answer. `false` where it was settled before: nothing changes
    /// then.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then, and another attempt is safe.
    pub async fn settle_call(
        &self,
        settlement: &Settlement,
        answer: Option<&AssistantMessage>,
    ) -> Result<bool, StoreError> {
        let owner = settlement.owner.as_str();
        let mut statements = Vec::new();
        if let Some(answer) = answer {
            let conversation = answer.conversation_id.as_str();
            statements.push(Statement::new(
                LOCK_CONVERSATION,
                [owner.into(), conversation.into(), settlement.settled_ms.into()],
            ));
            statements.push(Statement::new(
                APPEND_ANSWER,
                [
                    owner.into(),
                    conversation.into(),
                    answer.id.as_str().into(),
                    answer.content.as_str().into(),
                    settlement.call_id.as_str().into(),
                    answer.answers.as_str().into(),
                    settlement.settled_ms.into(),
                ],
            ));
        }
        statements.push(Statement { sql: SETTLE, params: params(settlement) });
        let rows = self.atomic(statements).await?;
        Ok(rows.last().is_some_and(|settled| !settled.is_empty()))
    }
}

fn params(settlement: &Settlement) -> Vec<Value> {
    let usage = &settlement.usage;
    let count = |tokens: u64| Value::from(i64::try_from(tokens).unwrap_or(i64::MAX));
    vec![
        settlement.call_id.as_str().into(),
        settlement.owner.as_str().into(),
        settlement.outcome.as_str().into(),
        settlement.source.as_str().into(),
        settlement.model.clone().into(),
        count(usage.input_tokens),
        count(usage.cache_write_5m_tokens),
        count(usage.cache_write_1h_tokens),
        count(usage.cache_read_tokens),
        count(usage.output_tokens),
        count(usage.web_search_requests),
        count(usage.web_fetch_requests),
        match usage.speed {
            Speed::Standard => "standard".into(),
            Speed::Fast => "fast".into(),
        },
        usage.inference_geo.clone().into(),
        usage.service_tier.clone().into(),
        settlement.cost_nanousd.into(),
        settlement.stop_reason.clone().into(),
        settlement.error_code.clone().into(),
        settlement.upstream_request_id.clone().into(),
        i64::from(settlement.is_client_gone).into(),
        settlement.first_byte_ms.into(),
        settlement.settled_ms.into(),
    ]
}
