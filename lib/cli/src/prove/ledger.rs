//! The ledger, read as it stands.

use purser::{
    limit::Policy,
    store::{Statement, Store},
};

/// One row.
#[derive(Clone, Debug)]
pub(super) struct LedgerRow {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) is_settled: bool,
    pub(super) source: Option<String>,
    /// What is charged: the ceiling, as long as it is not settled.
    pub(super) charged_nanousd: i64,
    pub(super) request_id: Option<String>,
    /// What it was taken in.
    pub(super) policies: Vec<Policy>,
    pub(super) created_ms: i64,
}

const READ: &str = "select id, owner, state, source, coalesce(cost_nanousd, ceiling_nanousd), upstream_request_id, \
    hold, created_ms from calls where corrects is null order by created_ms, id";

const LOST: &str = "select count(*) from calls where route = 'chat' and outcome = 'completed' and not exists \
    (select 1 from messages where messages.call_id = calls.id and messages.role = 'assistant')";

/// Chats that came to their end, and whose answer is not in their conversation.
pub(super) async fn lost_answers(store: &Store) -> Result<usize, String> {
    let rows = store.rows(Statement::new(LOST, [])).await.map_err(|error| error.to_string())?;
    let count = rows.first().map_or(Ok(0), |row| row.int(0)).map_err(|error| error.to_string())?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// All rows.
pub(super) async fn read(store: &Store) -> Result<Vec<LedgerRow>, String> {
    let failed = |error: purser::store::StoreError| format!("the ledger cannot be read: {error}");
    let rows = store.rows(Statement::new(READ, [])).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            Ok(LedgerRow {
                id: row.text(0)?,
                owner: row.text(1)?,
                is_settled: row.text(2)? == "settled",
                source: row.text_opt(3)?,
                charged_nanousd: row.int(4)?,
                request_id: row.text_opt(5)?,
                policies: serde_json::from_str(&row.text(6)?).unwrap_or_default(),
                created_ms: row.int(7)?,
            })
        })
        .collect::<Result<_, _>>()
        .map_err(failed)
}
