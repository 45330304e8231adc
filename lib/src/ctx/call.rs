//! The write-ahead: the ledger row is there before Claude hears of the call. One store round trip.

use super::{
    Ctx,
    admission::Hold,
    degraded::{Word, ledger_budgets, money},
    plan_in_force::not_begun,
    price::PricedCall,
    turn::Given,
};
use crate::{
    Code, Error,
    auth::Caller,
    books::Closing,
    chat::ChatBody,
    clock,
    cost::PRICE_VERSION,
    ids,
    sabotage::Protection,
    store::{Begun, Money, NewCall, Settlement, StoreError, StoredMessage},
    usage::{Source, Usage},
};

/// How often a row is tried: the limiter may have lost its memory, the ledger may have to be asked, and room may come free
/// in between.
const ATTEMPTS: usize = 4;

/// A call that stands in the ledger and has not been made yet. [`Ctx::call_claude`] makes and settles it, whatever
/// happens on the way. Dropped before, it is settled as one that was never made. A process that dies leaves the row
/// `reserved`, and whoever finds it settles it at its ceiling.
pub struct OpenCall {
    /// Who settles it if it is dropped.
    unmade: Option<Ctx>,
    /// Its hold.
    pub hold: Hold,
    /// Its model and ceiling.
    pub priced: PricedCall,
    /// Whose it is.
    pub owner: String,
    /// Where its answer is kept.
    pub conversation: Option<OpenConversation>,
}

/// The conversation of a chat call.
pub struct OpenConversation {
    /// Its id.
    pub id: String,
    /// The answer's id, made now, so that the client knows it from the first byte.
    pub answer_id: String,
    /// Oldest first; the last is the caller's message.
    pub history: Vec<StoredMessage>,
}

impl OpenConversation {
    /// The answer's id as the client knows it: an answer to the results of tools continues the one that called them.
    pub fn message_id(&self) -> &str {
        self.history.last().and_then(|last| last.answer_id.as_deref()).unwrap_or(&self.answer_id)
    }
}

/// What a call does besides its ledger row.
enum Write<'a> {
    Nothing,
    Turn { body: &'a ChatBody, id: &'a str, tokens_bound: Option<i64> },
}

impl Ctx {
    /// Writes the ledger row of a call without a conversation.
    ///
    /// # Errors
    /// `store_unavailable`: the call must not be made, and what it held is given back. What [`Ctx::reserve`] says,
    /// where the call had to be admitted again.
    pub async fn begin(&self, caller: &Caller, priced: PricedCall, hold: Hold) -> Result<OpenCall, Error> {
        let (hold, _) = self.write_ahead(caller, &priced, hold, &Write::Nothing).await?;
        Ok(self.open_call(caller, priced, hold, None))
    }

    /// Applies the turn to the conversation, writes the ledger row, and reads the history.
    ///
    /// # Errors
    /// `not_found` where the turn refers to a message that is not there, `prompt_too_long` where a document is longer than
    /// the plan takes, `budget_exceeded` where the conversation is longer than there is money for, and as for [`Ctx::begin`]; nothing is written then, and what the call held is given back.
    pub async fn begin_chat(
        &self,
        caller: &Caller,
        body: &ChatBody,
        priced: PricedCall,
        hold: Hold,
    ) -> Result<OpenCall, Error> {
        let id = body.conversation_id.clone().unwrap_or_else(ids::new_id);
        let tokens_bound = match self.tokens_to_keep(caller, &priced, body.message()).await {
            Ok(tokens) => tokens,
            Err(error) => {
                self.release(&hold).await;
                return Err(error);
            }
        };
        let write = Write::Turn { body, id: &id, tokens_bound };
        let (hold, history) = self.write_ahead(caller, &priced, hold, &write).await?;
        let conversation = OpenConversation { id, answer_id: ids::new_id(), history };
        let mut call = self.open_call(caller, priced, hold, Some(conversation));
        self.hold_history(caller, &mut call, body).await?;
        Ok(call)
    }

    fn open_call(
        &self,
        caller: &Caller,
        priced: PricedCall,
        hold: Hold,
        conversation: Option<OpenConversation>,
    ) -> OpenCall {
        OpenCall { unmade: Some(self.clone()), hold, priced, owner: caller.id.0.clone(), conversation }
    }

    /// One store round trip, and another only where the limiter lost its memory in between or does not know of all calls.
    async fn write_ahead(
        &self,
        caller: &Caller,
        priced: &PricedCall,
        mut hold: Hold,
        write: &Write<'_>,
    ) -> Result<(Hold, Vec<StoredMessage>), Error> {
        let mut is_fenced = false;
        for _ in 0..ATTEMPTS {
            let error = match self.write(caller, priced, &hold, is_fenced, write).await {
                Ok(Begun::Started { history }) => return Ok((hold, history)),
                Ok(Begun::Outdated) => {
                    self.release(&hold).await;
                    hold = self.reserve(caller, priced).await?;
                    continue;
                }
                Ok(Begun::Fenced) => {
                    is_fenced = true;
                    self.bring_in_degraded_later();
                    continue;
                }
                Ok(Begun::NoRoom) => match self.ledger_refusal(caller, priced, &hold, 0).await {
                    Ok(Some(error)) | Err(error) => error,
                    Ok(None) => continue,
                },
                Ok(Begun::NothingToAnswer) => {
                    Error::new(Code::NotFound, "The conversation has no message that this refers to. Load it again.")
                }
                Err(error) => {
                    self.undo_later(caller, &hold, &error);
                    not_begun(error)
                }
            };
            self.release(&hold).await;
            return Err(error);
        }
        self.release(&hold).await;
        Err(Error::new(Code::LimiterUnavailable, "The limiter has just been restarted. Try again.").retry_after_s(2))
    }

    async fn write(
        &self,
        caller: &Caller,
        priced: &PricedCall,
        hold: &Hold,
        is_fenced: bool,
        write: &Write<'_>,
    ) -> Result<Begun, StoreError> {
        let store = self.store_for_call(caller).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (record, budgets) = (hold.record(), ledger_budgets(&hold.policies));
        let word = match hold.here {
            Some(_) => Word::LedgerAlone,
            None if is_fenced => Word::LedgerToo,
            None => Word::Limiter,
        };
        let money = money(word, hold.taken_ms, &budgets);
        match write {
            Write::Nothing if Protection::WriteAhead.is_off() => Ok(Begun::Started { history: Vec::new() }),
            Write::Nothing => {
                let row = NewCall { money, ..new_call(caller, priced, hold, &record, "messages", None) };
                self.time("store", store.begin_call(&row)).await
            }
            Write::Turn { body, id, tokens_bound } => {
                let row = NewCall { money, ..new_call(caller, priced, hold, &record, "chat", Some(id)) };
                let history_tokens_max = caller.plan.plan().input_tokens_max;
                let turn = Given { body, id, tokens_bound: *tokens_bound, history_tokens_max };
                self.time("store", turn.write(&store, &row)).await
            }
        }
    }

    /// Where nobody can tell whether the row was written, it is settled as a call that was never made.
    fn undo_later(&self, caller: &Caller, hold: &Hold, error: &StoreError) {
        if !matches!(error, StoreError::Unknown(_)) {
            return;
        }
        let (ctx, unmade) = (self.clone(), unmade(hold, caller.id.as_str(), "store_unavailable"));
        self.after(async move { ctx.close(&unmade).await });
    }
}

impl OpenCall {
    /// The call is being made: from here on it is settled by whoever makes it.
    pub(super) fn made(&mut self) {
        self.unmade = None;
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(ctx) = self.unmade.take() {
            let unmade = unmade(&self.hold, &self.owner, "not_made");
            let after = ctx.clone();
            ctx.after(async move { after.close(&unmade).await });
        }
    }
}

/// The end of a call that Claude never heard of.
fn unmade(hold: &Hold, owner: &str, error_code: &str) -> Closing {
    let settlement = Settlement {
        call_id: hold.call_id.0.clone(),
        owner: owner.to_owned(),
        outcome: "failed".to_owned(),
        source: Source::Provider,
        model: None,
        usage: Usage::default(),
        cost_nanousd: 0,
        stop_reason: None,
        error_code: Some(error_code.to_owned()),
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: clock::shared_now_ms(),
    };
    Closing {
        settlement,
        answer: None,
        policies: hold.policies.clone(),
        taken_ms: hold.taken_ms,
        is_degraded: hold.here.is_some(),
    }
}

fn new_call<'a>(
    caller: &'a Caller,
    priced: &'a PricedCall,
    hold: &'a Hold,
    record: &'a str,
    route: &'a str,
    conversation_id: Option<&'a str>,
) -> NewCall<'a> {
    NewCall {
        id: hold.call_id.as_str(),
        owner: caller.id.as_str(),
        subject: caller.subject(),
        epoch_ms: hold.epoch_ms,
        money: Money::Limiter { at_ms: hold.taken_ms },
        plan: caller.plan.as_str(),
        route,
        conversation_id,
        model_requested: &priced.model_requested,
        model: priced.model.id,
        price_version: PRICE_VERSION,
        ceiling_nanousd: priced.ceiling_nanousd,
        hold: record,
        created_ms: hold.taken_ms,
    }
}
