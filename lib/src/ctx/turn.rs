//! What a caller says, as the turn that the store writes.

use crate::{
    chat::{ChatBody, ChatMessage, ChatTurnBody},
    ids,
    store::{Begun, ChatTurn, NewCall, SeedMessage, Store, StoreError, Turn},
};

/// Most bytes of a conversation that are sent to Claude, files included: its API takes 32 MB.
const HISTORY_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// A turn that has been priced.
pub(super) struct Given<'a> {
    pub(super) body: &'a ChatBody,
    /// The conversation.
    pub(super) id: &'a str,
    /// Most prompt tokens of the message, where its bytes do not bound them.
    pub(super) tokens_bound: Option<i64>,
    /// Most prompt tokens of the history.
    pub(super) history_tokens_max: u64,
}

impl Given<'_> {
    /// Applies the turn, writes the ledger row, and reads the history.
    pub(super) async fn write(&self, store: &Store, row: &NewCall<'_>) -> Result<Begun, StoreError> {
        let body = self.body;
        let seed: Vec<_> = body.seed.iter().map(stored).collect();
        let message = body.message().map(|message| SeedMessage { tokens_bound: self.tokens_bound, ..stored(message) });
        let turn = match (&body.turn, &message) {
            (ChatTurnBody::Edit { target, .. }, Some(message)) => Turn::Edit { target, message },
            (ChatTurnBody::Results { answer, .. }, Some(message)) => {
                Turn::Results { answer: answer.as_deref(), message }
            }
            (ChatTurnBody::Regenerate { target }, _) => Turn::Regenerate { target: target.as_deref() },
            (_, Some(message)) => Turn::Submit { message },
            (_, None) => return Err(StoreError::Failed("a turn without a message".to_owned())),
        };
        let title = body.title();
        let turn = ChatTurn {
            conversation_id: self.id,
            title: &title,
            seed: &seed,
            turn,
            history_tokens_max: i64::try_from(self.history_tokens_max).unwrap_or(i64::MAX),
            history_bytes_max: HISTORY_BYTES_MAX,
        };
        store.begin_chat(row, &turn).await
    }
}

fn stored(message: &ChatMessage) -> SeedMessage {
    SeedMessage {
        id: ids::new_id(),
        client_id: message.client_id.clone(),
        role: message.role,
        content: serde_json::Value::from(message.content.clone()).to_string(),
        tokens_bound: None,
    }
}
