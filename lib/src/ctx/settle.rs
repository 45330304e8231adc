//! The end of a call: what it turned out to be.

use super::{Ctx, call::OpenCall};
use crate::{
    Error,
    books::Closing,
    claude::{ClaudeError, Observer, Outcome},
    clock,
    cost::{self, ModelPrice},
    store::{AssistantMessage, Settlement},
    usage::{Source, Usage},
};

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
        // No prompt is empty: an answer that never told its prompt's tokens told nothing of what it costs.
        if source == Source::Counted && usage.prompt_tokens() == 0 {
            return account(Source::Ceiling, self.priced.ceiling_nanousd);
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
    pub(super) async fn settle(&self, call: &OpenCall, account: &Account, observer: &Observer, course: &Course) {
        let settlement = Settlement {
            call_id: call.hold.call_id.0.clone(),
            owner: call.owner.clone(),
            outcome: match account.outcome {
                Outcome::Completed => "completed",
                Outcome::Refused => "refused",
                Outcome::Failed => "failed",
                Outcome::Cut => "cut",
            }
            .to_owned(),
            source: account.source,
            model: Some(account.model.clone()),
            usage: account.usage.clone(),
            cost_nanousd: account.cost_nanousd,
            stop_reason: observer.stop_reason().map(str::to_owned),
            error_code: match &course.error {
                Some(error) => Some(error.ledger_code().to_owned()),
                None => observer.error_type().map(str::to_owned),
            },
            upstream_request_id: course.upstream_request_id.clone(),
            is_client_gone: course.is_client_gone,
            first_byte_ms: course.first_byte_ms,
            settled_ms: clock::shared_now_ms(),
        };
        self.note_settlement(&settlement);
        let closing = Closing {
            settlement,
            answer: answer(call, observer),
            policies: call.hold.policies.clone(),
            taken_ms: call.hold.taken_ms,
            is_degraded: call.hold.here.is_some(),
        };
        self.time("settle", async {
            if is_outage(course.error.as_ref()) && account.cost_nanousd == 0 {
                // Nothing was delivered and nothing is charged: the window's entry comes back as well.
                self.release(&call.hold).await;
            }
            self.close(&closing).await;
        })
        .await;
    }

    fn note_settlement(&self, settlement: &Settlement) {
        self.note("outcome", settlement.outcome.as_str());
        self.note("source", settlement.source.as_str());
        self.note("cost_nanousd", settlement.cost_nanousd);
        self.note("input_tokens", settlement.usage.prompt_tokens());
        self.note("output_tokens", settlement.usage.output_tokens);
        if settlement.is_client_gone {
            self.note("is_client_gone", true);
        }
    }
}

/// Whether Claude itself was the reason that nothing came of a call.
fn is_outage(error: Option<&ClaudeError>) -> bool {
    match error {
        Some(ClaudeError::Refused { status, .. }) => *status >= 429 || matches!(status, 401..=403),
        Some(ClaudeError::Unreachable(_)) => true,
        _ => false,
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
