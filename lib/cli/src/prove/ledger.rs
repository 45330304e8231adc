//! The ledger, read as it stands.

use purser::{
    limit::Policy,
    store::{Statement, Store},
};
use serde_json::Value;

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
                policies: policies(&row.text(6)?),
                created_ms: row.int(7)?,
            })
        })
        .collect::<Result<_, _>>()
        .map_err(failed)
}

/// What was held, as the row tells it.
fn policies(hold: &str) -> Vec<Policy> {
    let list: Value = serde_json::from_str(hold).unwrap_or_default();
    // The list itself, or under a name.
    let list = if list.is_array() { &list } else { &list["policies"] };
    list.as_array().into_iter().flatten().filter_map(policy).collect()
}

fn policy(value: &Value) -> Option<Policy> {
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let (name, subject) = (text("name")?, text("subject")?);
    match value["kind"].as_str()? {
        "window" => {
            let (limit, window_ms) = (value["limit"].as_u64()?, value["window_ms"].as_u64()?);
            Some(Policy::Window { name, subject, limit, window_ms })
        }
        "budget" => {
            let (limit_nanousd, resets_at_ms) = (value["limit_nanousd"].as_i64()?, value["resets_at_ms"].as_i64()?);
            Some(Policy::Budget { name, subject, limit_nanousd, resets_at_ms })
        }
        "in_flight" => Some(Policy::InFlight { name, subject, limit: value["limit"].as_u64()? }),
        _ => None,
    }
}
