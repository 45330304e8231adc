//! The end of a call: the ledger row, the answer, the hold. Every part is idempotent, so every part is retried.

use std::{future::Future, time::Duration};

use super::{Ctx, call::OpenCall};
use crate::{
    Error,
    claude::{ClaudeError, Observer, Outcome},
    clock,
    cost::{self, ModelPrice, hashes::UsageEntry},
    ids::CallerId,
    store::{AssistantMessage, Settlement},
    usage::{Source, Usage},
};

/// Attempts at each part before it is left to the log.
const ATTEMPTS: u32 = 4;

/// What a call turned out to be.
#[derive(Clone, Debug)]
pub struct Account {
    /// The token classes.
    pub usage: Usage,
    /// How they are known.
    pub source: Source,
    /// What they cost.
    pub cost_nanousd: i64,
    /// The model that answered.
    pub model: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ran, besides its answer.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// Claude's id of the request.
    pub upstream_request_id: Option<String>,
    /// What broke it.
    pub error: Option<ClaudeError>,
    /// The client left before the end.
    pub is_client_gone: bool,
    /// When the first byte came.
    pub first_byte_ms: Option<i64>,
}

impl OpenCall {
    /// What the call has to be charged if it ends now. No figure is ever below what was seen.
    pub fn account(&self, ctx: &Ctx, observer: &Observer, course: &Course) -> Account {
        let (usage, source) = observer.settled_usage();
        let model = observer.model().map_or_else(|| self.priced.model.id.to_owned(), str::to_owned);
        let outcome = match &course.error {
            Some(_) if observer.outcome() == Outcome::Cut => Outcome::Failed,
            _ => observer.outcome(),
        };
        let account = |source, cost_nanousd| Account {
            usage: usage.clone(),
            source,
            cost_nanousd,
            model: model.clone(),
            outcome,
        };
        if !observer.has_started() {
            // Nothing was seen. Either Claude never began, or it may have and nobody can tell how far it came.
            let may_be_billed = course.error.as_ref().is_none_or(ClaudeError::may_be_billed);
            return match may_be_billed {
                true => account(Source::Ceiling, self.priced.ceiling_nanousd),
                false => account(Source::Provider, 0),
            };
        }
        if !observer.is_billed() {
            return account(source, 0);
        }
        match cost::cost_nanousd(self.price_of(&model), &usage) {
            Ok(cost_nanousd) => account(source, cost_nanousd),
            Err(error) => {
                ctx.warn("unpriced", &Error::internal(error));
                account(Source::Ceiling, self.priced.ceiling_nanousd)
            }
        }
    }

    /// The answering model's own price. One that is not known is charged at the price that was held for.
    fn price_of(&self, answered: &str) -> &'static ModelPrice {
        cost::find(answered).unwrap_or(self.priced.model)
    }
}

impl Ctx {
    /// Settles a call. Nothing here is seen by the client.
    pub(super) async fn settle(&self, call: &OpenCall, account: &Account, observer: &Observer, course: Course) {
        let course_error = course.error.clone();
        let settlement = Settlement {
            call_id: call.hold.call_id.0.clone(),
            owner: call.owner.clone(),
            outcome: match account.outcome {
                Outcome::Completed => "completed",
                Outcome::Refused => "refused",
                Outcome::Failed => "failed",
                Outcome::Cut => "cut",
            },
            source: account.source,
            model: Some(account.model.clone()),
            usage: account.usage.clone(),
            cost_nanousd: account.cost_nanousd,
            stop_reason: observer.stop_reason().map(str::to_owned),
            error_code: match &course.error {
                Some(error) => Some(error.ledger_code().to_owned()),
                None => observer.error_type().map(str::to_owned),
            },
            upstream_request_id: course.upstream_request_id,
            is_client_gone: course.is_client_gone,
            first_byte_ms: course.first_byte_ms,
            settled_ms: clock::now_ms(),
        };
        self.note_settlement(&settlement);
        let answer = answer(call, observer);
        self.time("settle", async {
            self.insist("ledger_failed", || async {
                self.store().await?.settle_call(&settlement, answer.as_ref()).await.map_err(Error::from).map(drop)
            })
            .await;
            self.settle_hold(call, account, course_error.as_ref()).await;
            self.record_usage(call, &settlement).await;
        })
        .await;
    }

    /// What was spent stays spent. A call that Claude's outage ended before it began gives everything back.
    async fn settle_hold(&self, call: &OpenCall, account: &Account, error: Option<&ClaudeError>) {
        let is_outage = match error {
            Some(ClaudeError::Refused { status, .. }) => *status >= 429 || matches!(status, 401..=403),
            Some(ClaudeError::Unreachable(_)) => true,
            _ => false,
        };
        if is_outage && account.cost_nanousd == 0 {
            return self.release(&call.hold).await;
        }
        self.insist("hold_failed", || async {
            let settled = self.limiter()?.settle(&call.hold.call_id, &call.hold.policies, account.cost_nanousd);
            settled.await.map_err(Error::internal)
        })
        .await;
    }

    /// The hashes are a cache of the ledger, written once a call.
    async fn record_usage(&self, call: &OpenCall, settlement: &Settlement) {
        let caller = CallerId(call.owner.clone());
        let entry = UsageEntry {
            call_id: &call.hold.call_id,
            caller: &caller,
            at_ms: call.hold.taken_ms,
            failed: !matches!(settlement.outcome, "completed" | "refused"),
            usage: &settlement.usage,
            cost_nanousd: settlement.cost_nanousd,
            total_ms: u64::try_from(settlement.settled_ms.saturating_sub(call.hold.taken_ms)).unwrap_or(0),
        };
        self.insist("hashes_failed", || async { self.hashes()?.record(&entry).await.map_err(Error::internal) }).await;
    }

    /// Tries again, a little later each time; what still fails is said loudly, with the figures in the same line.
    async fn insist<F: Future<Output = Result<(), Error>>>(&self, name: &'static str, part: impl Fn() -> F) {
        for attempt in 1..=ATTEMPTS {
            match part().await {
                Ok(()) => return,
                Err(error) if attempt == ATTEMPTS => self.warn(name, &error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100 << (2 * attempt))).await,
            }
        }
    }

    fn note_settlement(&self, settlement: &Settlement) {
        self.note("outcome", settlement.outcome);
        self.note("source", settlement.source.as_str());
        self.note("cost_nanousd", settlement.cost_nanousd);
        self.note("input_tokens", settlement.usage.prompt_tokens());
        self.note("output_tokens", settlement.usage.output_tokens);
        if settlement.is_client_gone {
            self.note("is_client_gone", true);
        }
    }
}

/// The answer as it is kept: whatever came, if anything did.
fn answer(call: &OpenCall, observer: &Observer) -> Option<AssistantMessage> {
    let conversation = call.conversation.as_ref()?;
    let answers = conversation.history.last()?;
    let content = observer.content_to_keep();
    if content.is_empty() {
        return None;
    }
    Some(AssistantMessage {
        id: conversation.answer_id.clone(),
        conversation_id: conversation.id.clone(),
        answers: answers.id.clone(),
        content: serde_json::Value::from(content).to_string(),
    })
}
