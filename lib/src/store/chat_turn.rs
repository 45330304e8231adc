//! The write-ahead of a chat call: conversation, turn, ledger row, and the history back, in one round trip.

use super::{Constraint, NewCall, Row, Statement, Store, StoreError, Value, calls};

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
    /// Most bytes of history that come back: the newest messages that fit.
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
}

/// Locks the conversation's row: turns of one conversation come one after another.
const OPEN: &str = "insert into conversations (owner, id, title, created_ms, updated_ms) values ($1, $2, $3, $4, $4) \
    on conflict (owner, id) do update set updated_ms = excluded.updated_ms";
const TOUCH: &str = "update conversations set updated_ms = $3 where owner = $1 and id = $2";

/// Taken over only while the conversation holds nothing but messages of this very call.
const SEED: &str = "insert into messages (id, owner, conversation_id, position, role, content, client_id, call_id, created_ms) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    $4, $5, $6, $7, $8 \
    where not exists (select 1 from messages where owner = $1 and conversation_id = $2 and call_id <> $7)";

const APPEND: &str = "insert into messages (id, owner, conversation_id, position, role, content, client_id, call_id, created_ms) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    $4, $5, $6, $7, $8 \
    where not exists (select 1 from messages where owner = $1 and conversation_id = $2 and client_id = $6 \
        and superseded_by is null)";

/// `$4` is what is added to the position of the target where it is the caller's own message: 0 replaces it, 1 keeps it.
const SUPERSEDE: &str = "update messages set superseded_by = $5 where owner = $1 and conversation_id = $2 \
    and superseded_by is null and position >= (select position + case when role = 'user' then $4 else 0 end from messages \
        where owner = $1 and conversation_id = $2 and superseded_by is null and (client_id = $3 or id = $3) \
        order by position desc limit 1)";
const SUPERSEDE_LAST_ANSWER: &str = "update messages set superseded_by = $3 where owner = $1 and conversation_id = $2 \
    and superseded_by is null and role = 'assistant' and position = (select max(position) from messages \
        where owner = $1 and conversation_id = $2 and superseded_by is null)";

/// The row's state is null, which the table refuses, unless the conversation now ends with the caller's message, that
/// message is not longer than what may be sent (`$15`), the turn found what it refers to (`$14`), and the limiter's
/// memory that admitted the call is still the newest (`$13`). The refusal undoes the whole transaction.
const LEDGER: &str = "insert into calls (id, owner, plan, route, conversation_id, model_requested, model, price_version, \
    ceiling_nanousd, hold, created_ms, subject, state, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
    cache_read_tokens, output_tokens, web_search_requests, web_fetch_requests, is_client_gone) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    (select 'reserved' where not exists (select 1 from limiter_epoch where epoch_ms > $13) and 'user' = (select case when octet_length(content) <= $15 then role end from messages \
        where owner = $2 and conversation_id = $5 and superseded_by is null order by position desc limit 1) \
     and ($14 = '' or exists (select 1 from messages where owner = $2 and conversation_id = $5 \
        and (superseded_by = $1 or (superseded_by is null and (client_id = $14 or id = $14)))))), \
    0, 0, 0, 0, 0, 0, 0, 0)";

const HISTORY: &str = "select id, role, content from (select id, role, content, position, \
    sum(octet_length(content)) over (order by position desc) as bytes from messages \
    where owner = $1 and conversation_id = $2 and superseded_by is null) newest \
    where bytes <= $3 order by position";

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
                ],
            )
        };
        let mut statements: Vec<_> = self.share_epoch().into_iter().collect();
        statements.push(match turn.turn {
            Turn::Regenerate { .. } => at_turn(TOUCH, vec![call.created_ms.into()]),
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
            Turn::Regenerate { target: Some(target) } => {
                statements.push(supersede(target, 1));
                target
            }
            Turn::Regenerate { target: None } => {
                statements.push(at_turn(SUPERSEDE_LAST_ANSWER, vec![call.id.into()]));
                ""
            }
        };
        let ledger = [calls::params(call), vec![target.into(), turn.history_bytes_max.into()]].concat();
        statements.push(Statement { sql: LEDGER, params: ledger });
        statements.push(at_turn(HISTORY, vec![turn.history_bytes_max.into()]));
        match self.atomic(statements).await {
            Ok(mut rows) => {
                let history = rows.pop().unwrap_or_default();
                Ok(Begun::Started { history: history.iter().map(stored).collect::<Result<_, _>>()? })
            }
            Err(StoreError::Refused(Constraint::NotNull)) => Ok(match self.is_outdated(call.epoch_ms).await? {
                true => Begun::Outdated,
                false => Begun::NothingToAnswer,
            }),
            Err(error) => Err(error),
        }
    }
}

fn stored(row: &Row) -> Result<StoredMessage, StoreError> {
    Ok(StoredMessage { id: row.text(0)?, role: row.text(1)?, content: row.text(2)? })
}
