//! The write-ahead: the ledger row is there before Claude hears of the call. One store round trip.

use super::{
    Ctx,
    admission::{Hold, PricedCall},
};
use crate::{
    Code, Error,
    auth::Caller,
    chat::{ChatBody, ChatMessage, ChatTurnBody},
    cost::PRICE_VERSION,
    ids,
    sabotage::Protection,
    store::{Begun, ChatTurn, NewCall, SeedMessage, StoredMessage, Turn},
};

/// A call that stands in the ledger and has not been made yet. [`Ctx::call_claude`] makes and settles it, whatever
/// happens on the way; a process that dies before leaves the row `reserved`, and the hold expires by itself.
pub struct OpenCall {
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

impl Ctx {
    /// Writes the ledger row of a call without a conversation.
    ///
    /// # Errors
    /// `store_unavailable`: the call must not be made, and what it held is given back.
    pub async fn begin(&self, caller: &Caller, priced: PricedCall, hold: Hold) -> Result<OpenCall, Error> {
        let record = hold.record();
        let written = match self.store().await {
            _ if Protection::WriteAhead.is_off() => Ok(()),
            Ok(store) => {
                let row = new_call(caller, &priced, &hold, &record, "messages", None);
                self.time("store", store.begin_call(&row)).await.map_err(Error::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.release(&hold).await;
            return Err(error);
        }
        Ok(OpenCall { hold, priced, owner: caller.id.0.clone(), conversation: None })
    }

    /// Applies the turn to the conversation, writes the ledger row, and reads the history.
    ///
    /// # Errors
    /// `not_found` where the turn refers to a message that is not there, `store_unavailable`; nothing is written
    /// then, and what the call held is given back.
    pub async fn begin_chat(
        &self,
        caller: &Caller,
        body: &ChatBody,
        priced: PricedCall,
        hold: Hold,
    ) -> Result<OpenCall, Error> {
        let id = body.conversation_id.clone().unwrap_or_else(ids::new_id);
        match self.write_turn(caller, body, &priced, &hold, &id).await {
            Ok(history) => {
                let conversation = OpenConversation { id, answer_id: ids::new_id(), history };
                Ok(OpenCall { hold, priced, owner: caller.id.0.clone(), conversation: Some(conversation) })
            }
            Err(error) => {
                self.release(&hold).await;
                Err(error)
            }
        }
    }

    async fn write_turn(
        &self,
        caller: &Caller,
        body: &ChatBody,
        priced: &PricedCall,
        hold: &Hold,
        id: &str,
    ) -> Result<Vec<StoredMessage>, Error> {
        let seed: Vec<_> = body.seed.iter().map(stored).collect();
        let message = match &body.turn {
            ChatTurnBody::Submit(message) | ChatTurnBody::Edit { message, .. } => Some(stored(message)),
            ChatTurnBody::Regenerate { .. } => None,
        };
        let turn = match (&body.turn, &message) {
            (ChatTurnBody::Edit { target, .. }, Some(message)) => Turn::Edit { target, message },
            (ChatTurnBody::Regenerate { target }, _) => Turn::Regenerate { target: target.as_deref() },
            (_, Some(message)) => Turn::Submit { message },
            (_, None) => return Err(Error::internal("a turn without a message")),
        };
        let title = body.title();
        // A token is at least a byte, so as many bytes of history as tokens fit the bound that was held.
        let history_bytes_max = i64::try_from(caller.plan.plan().input_tokens_max).unwrap_or(i64::MAX);
        let turn = ChatTurn { conversation_id: id, title: &title, seed: &seed, turn, history_bytes_max };
        let record = hold.record();
        let row = new_call(caller, priced, hold, &record, "chat", Some(id));
        let store = self.store().await?;
        match self.time("store", store.begin_chat(&row, &turn)).await? {
            Begun::Started { history } => Ok(history),
            Begun::NothingToAnswer => {
                Err(Error::new(Code::NotFound, "The conversation has no message that this refers to. Load it again."))
            }
        }
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

fn stored(message: &ChatMessage) -> SeedMessage {
    SeedMessage {
        id: ids::new_id(),
        client_id: message.client_id.clone(),
        role: message.role,
        content: serde_json::Value::from(message.content.clone()).to_string(),
    }
}
