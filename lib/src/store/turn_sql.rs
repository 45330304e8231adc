//! The statements of a turn.

/// Locks the conversation's row: turns of one conversation come one after another.
pub(super) const OPEN: &str = "insert into conversations (owner, id, title, created_ms, updated_ms) values ($1, $2, $3, $4, $4) \
    on conflict (owner, id) do update set updated_ms = excluded.updated_ms";
pub(super) const TOUCH: &str = "update conversations set updated_ms = $3 where owner = $1 and id = $2";

/// Taken over only while the conversation holds nothing but messages of this very call.
pub(super) const SEED: &str = "insert into messages (id, owner, conversation_id, position, role, content, client_id, call_id, created_ms, tokens_bound) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    $4, $5, $6, $7, $8, $9 \
    where not exists (select 1 from messages where owner = $1 and conversation_id = $2 and call_id <> $7)";

pub(super) const APPEND: &str = "insert into messages (id, owner, conversation_id, position, role, content, client_id, call_id, created_ms, tokens_bound) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    $4, $5, $6, $7, $8, $9 \
    where not exists (select 1 from messages where owner = $1 and conversation_id = $2 and client_id = $6 \
        and superseded_by is null)";

/// `$4` is what is added to the position of the target where it is the caller's own message: 0 replaces it, 1 keeps it.
pub(super) const SUPERSEDE: &str = "update messages set superseded_by = $5 where owner = $1 and conversation_id = $2 \
    and superseded_by is null and position >= (select position + case when role = 'user' then $4 else 0 end from messages \
        where owner = $1 and conversation_id = $2 and superseded_by is null and (client_id = $3 or id = $3) \
        order by position desc limit 1)";
/// Results of tools, behind the answer that calls them and nowhere else. `$10` is the answer's id, or empty.
pub(super) const APPEND_RESULTS: &str = "insert into messages (id, owner, conversation_id, position, role, content, client_id, call_id, created_ms, \
    tokens_bound, answer_id) \
    select $3, $1, $2, (select coalesce(max(position), 0) + 1 from messages where owner = $1 and conversation_id = $2), \
    $4, $5, $6, $7, $8, $9, coalesce(last.answer_id, last.id) from messages last \
    where last.owner = $1 and last.conversation_id = $2 and last.superseded_by is null and last.role = 'assistant' \
    and last.position = (select max(position) from messages \
        where owner = $1 and conversation_id = $2 and superseded_by is null) \
    and ($10 = '' or $10 = coalesce(last.answer_id, last.id)) \
    and not exists (select 1 from messages where owner = $1 and conversation_id = $2 and client_id = $6 \
        and superseded_by is null)";

/// All of the answer as the client sees it, from its first message on.
pub(super) const SUPERSEDE_LAST_ANSWER: &str = "update messages set superseded_by = $3 where owner = $1 and conversation_id = $2 \
    and superseded_by is null and position >= (select min(position) from messages \
        where owner = $1 and conversation_id = $2 and superseded_by is null \
        and coalesce(answer_id, id) = (select coalesce(answer_id, id) from messages \
            where owner = $1 and conversation_id = $2 and superseded_by is null \
            and (role = 'assistant' or answer_id is not null) \
            and position = (select max(position) from messages \
                where owner = $1 and conversation_id = $2 and superseded_by is null)))";

/// The row's state is null, which the table refuses, unless the conversation now ends with the caller's message, that
/// message is not longer than what may be sent (`$17`), the turn found what it refers to (`$16`), and the limiter's
/// memory that admitted the call is still the newest (`$13`). The ceiling is null where the limiter did not know of all
/// calls (`$14`). The refusal undoes the whole transaction.
pub(super) const LEDGER: &str = "insert into calls (id, owner, plan, route, conversation_id, model_requested, model, price_version, \
    ceiling_nanousd, hold, created_ms, subject, state, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
    cache_read_tokens, output_tokens, web_search_requests, web_fetch_requests, is_client_gone, degraded_until_ms) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, \
    (select $9 where not exists (select 1 from calls where degraded_until_ms >= $14)), $10, $11, $12, \
    (select 'reserved' where not exists (select 1 from limiter_epoch where epoch_ms > $13) \
     and 'user' = (select case when coalesce(tokens_bound, octet_length(content)) <= $17 then role end from messages \
        where owner = $2 and conversation_id = $5 and superseded_by is null order by position desc limit 1) \
     and ($16 = '' or exists (select 1 from messages where owner = $2 and conversation_id = $5 \
        and (superseded_by = $1 or (superseded_by is null and (client_id = $16 or id = $16)))))), \
    0, 0, 0, 0, 0, 0, 0, 0, $15)";

pub(super) const HISTORY: &str = "select id, role, content, answer_id, own_tokens from (select id, role, content, position, answer_id, \
    cast(coalesce(tokens_bound, octet_length(content)) as bigint) as own_tokens, \
    sum(coalesce(tokens_bound, octet_length(content))) over (order by position desc) as tokens, \
    sum(octet_length(content)) over (order by position desc) as bytes from messages \
    where owner = $1 and conversation_id = $2 and superseded_by is null) newest \
    where tokens <= $3 and bytes <= $4 order by position";
