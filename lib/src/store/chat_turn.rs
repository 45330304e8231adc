//! The write-ahead of a chat call: conversation, turn, ledger row, and the history back, in one round trip.

use super::{
    Constraint, Money, NewCall, Row, Statement, Store, StoreError, Value, calls,
    turn_sql::{APPEND, APPEND_RESULTS, HISTORY, LEDGER, OPEN, SEED, SUPERSEDE, SUPERSEDE_LAST_ANSWER, TOUCH},
};

/// What a call does to its conversation.
#[derive(Clone, Debug)]
pub struct ChatTurn<'a> {
    /// The owner's conversation; made if it is not there, except to regenerate.
    pub conversation_id: &'a str,
    /// The title of a conversation that is made.
    pub title: &'a str,
    /// Earlier messages, taken over only where the conversation has none.
    pub seed: &'a [SeedMessage],
    /// The turn.
    pub turn: Turn<'a>,
    /// Most prompt tokens of the history that comes back: the newest messages that fit. A token has a byte at least.
    pub history_tokens_max: i64,
    /// Most bytes of it, files included.
    pub history_bytes_max: i64,
}

/// A message from the client's own history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedMessage {
    /// Our id.
    pub id: String,
    /// The client's id.
    pub client_id: Option<String>,
    /// `user` or `assistant`.
    pub role: &'static str,
    /// Content blocks as JSON.
    pub content: String,
    /// Most prompt tokens, where the content's bytes do not bound them.
    pub tokens_bound: Option<i64>,
}

/// The turn itself.
#[derive(Clone, Debug)]
pub enum Turn<'a> {
    /// A message is appended. Where one with its client id is already there, that one is answered again.
    Submit {
        /// The message.
        message: &'a SeedMessage,
    },
    /// The message with this id, and all behind it, is replaced.
    Edit {
        /// The id that is replaced: the client's or ours.
        target: &'a str,
        /// The message in its place.
        message: &'a SeedMessage,
    },
    /// The results of the tools that the last answer calls are appended. Where they are already there, they are
    /// answered again.
    Results {
        /// The answer, as the client knows it; the last one if none is named.
        answer: Option<&'a str>,
        /// The results; its client id is theirs.
        message: &'a SeedMessage,
    },
    /// An answer is made again.
    Regenerate {
        /// The answer, or the message to be answered; the last answer if none is named.
        target: Option<&'a str>,
    },
}

/// A message of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Our id.
    pub id: String,
    /// `user` or `assistant`.
    pub role: String,
    /// Content blocks as JSON.
    pub content: String,
    /// The answer that this continues, as the client knows it.
    pub answer_id: Option<String>,
    /// Most prompt tokens that it can have.
    pub tokens_bound: u64,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The row is written; the call may be made with this history, whose last message is the caller's.
    Started {
        /// Oldest first.
        history: Vec<StoredMessage>,
    },
    /// The conversation has no message that the turn refers to. Nothing was written.
    NothingToAnswer,
    /// The limiter has lost its memory since it admitted the call, so that others may have been given the same money.
    /// Nothing was written; the call has to be admitted again.
    Outdated,
    /// The limiter does not know of all calls, or did not when it admitted this one. Nothing was written; the ledger has
    /// to be asked for room.
    Fenced,
    /// The ledger has no room in a budget. Nothing was written.
    NoRoom,
}

impl Begun {
    /// What it means that a call's money is not there.
    pub(super) fn without_money(money: Money<'_>) -> Self {
        match money {
            Money::Ledger { .. } => Self::NoRoom,
            Money::Free { .. } | Money::Limiter { .. } => Self::Fenced,
        }
    }
}

impl Store {
    /// Applies a turn, writes the ledger row in state `reserved`, and reads the history: one round trip.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then, and the call must not be made.
    pub async fn begin_chat(&self, call: &NewCall<'_>, turn: &ChatTurn<'_>) -> Result<Begun, StoreError> {
        let (owner, id) = (call.owner, turn.conversation_id);
        let at_turn = |sql, more: Vec<Value>| Statement { sql, params: [vec![owner.into(), id.into()], more].concat() };
        let add = |sql, message: &SeedMessage| {
            let client_id = Value::from(message.client_id.clone());
            let content = message.content.as_str();
            at_turn(
                sql,
                vec![
                    message.id.as_str().into(),
                    message.role.into(),
                    content.into(),
                    client_id,
                    call.id.into(),
                    call.created_ms.into(),
                    message.tokens_bound.into(),
                ],
            )
        };
        let mut statements = self.entrance(call.money, call.ceiling_nanousd);
        statements.push(match turn.turn {
            Turn::Regenerate { .. } | Turn::Results { .. } => at_turn(TOUCH, vec![call.created_ms.into()]),
            _ => at_turn(OPEN, vec![turn.title.into(), call.created_ms.into()]),
        });
        statements.extend(turn.seed.iter().map(|message| add(SEED, message)));
        let supersede =
            |target: &str, keep_own: i64| at_turn(SUPERSEDE, vec![target.into(), keep_own.into(), call.id.into()]);
        let target = match &turn.turn {
            Turn::Submit { message } => {
                statements.extend(message.client_id.as_deref().map(|client_id| supersede(client_id, 1)));
                statements.push(add(APPEND, message));
                ""
            }
            Turn::Edit { target, message } => {
                statements.push(supersede(target, 0));
                statements.push(add(APPEND, message));
                target
            }
            Turn::Results { answer, message } => {
                let id = message.client_id.as_deref().unwrap_or(&message.id);
                statements.push(supersede(id, 1));
                let mut results = add(APPEND_RESULTS, message);
                results.params.push(answer.unwrap_or_default().into());
                statements.push(results);
                id
            }
            Turn::Regenerate { target: Some(target) } => {
                statements.push(supersede(target, 1));
                target
            }
            Turn::Regenerate { target: None } => {
                statements.push(at_turn(SUPERSEDE_LAST_ANSWER, vec![call.id.into()]));
                ""
            }
        };
        let ledger = [calls::params(call), vec![target.into(), turn.history_tokens_max.into()]].concat();
        statements.push(Statement { sql: LEDGER, params: ledger });
        statements.push(at_turn(HISTORY, vec![turn.history_tokens_max.into(), turn.history_bytes_max.into()]));
        match self.atomic(statements).await {
            Ok(mut rows) => {
                let history = rows.pop().unwrap_or_default();
                Ok(Begun::Started { history: history.iter().map(stored).collect::<Result<_, _>>()? })
            }
            Err(StoreError::Refused(Constraint::NotNull)) => Ok(match self.is_outdated(call.epoch_ms).await? {
                true => Begun::Outdated,
                false => Begun::NothingToAnswer,
            }),
            Err(StoreError::Refused(Constraint::Money)) => Ok(Begun::without_money(call.money)),
            Err(error) => Err(error),
        }
    }
}

fn stored(row: &Row) -> Result<StoredMessage, StoreError> {
    Ok(StoredMessage {
        id: row.text(0)?,
        role: row.text(1)?,
        content: row.text(2)?,
        answer_id: row.text_opt(3)?,
        tokens_bound: u64::try_from(row.int(4)?).unwrap_or(0),
    })
}
