//! Everything of one owner, page by page.

use serde_json::{Map, Value as Json};

use super::{Row, Statement, Store, StoreError, Value};

/// What there is of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Conversations.
    Conversations,
    /// Messages, also those that were replaced.
    Messages,
    /// The ledger's rows.
    Calls,
}

/// A column's name, and whether it holds a number.
type Column = (&'static str, bool);

const CONVERSATIONS: &[Column] = &[("id", false), ("title", false), ("created_ms", true), ("updated_ms", true)];
const MESSAGES: &[Column] = &[
    ("id", false),
    ("conversation_id", false),
    ("position", true),
    ("role", false),
    ("content", false),
    ("superseded_by", false),
    ("created_ms", true),
];
const CALLS: &[Column] = &[
    ("id", false),
    ("plan", false),
    ("route", false),
    ("conversation_id", false),
    ("state", false),
    ("outcome", false),
    ("source", false),
    ("model", false),
    ("input_tokens", true),
    ("cache_write_5m_tokens", true),
    ("cache_write_1h_tokens", true),
    ("cache_read_tokens", true),
    ("output_tokens", true),
    ("cost_nanousd", true),
    ("created_ms", true),
    ("settled_ms", true),
];

impl Kept {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Conversations, Self::Messages, Self::Calls];

    /// What one of them is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversation",
            Self::Messages => "message",
            Self::Calls => "call",
        }
    }

    fn query(self) -> (&'static str, &'static [Column]) {
        match self {
            Self::Conversations => (
                "select id, title, created_ms, updated_ms from conversations \
                 where owner = $1 and id > $2 order by id limit $3",
                CONVERSATIONS,
            ),
            Self::Messages => (
                "select id, conversation_id, position, role, content, superseded_by, created_ms from messages \
                 where owner = $1 and id > $2 order by id limit $3",
                MESSAGES,
            ),
            Self::Calls => (
                "select id, plan, route, conversation_id, state, outcome, source, model, input_tokens, \
                 cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, cost_nanousd, \
                 created_ms, settled_ms from calls where owner = $1 and id > $2 order by id limit $3",
                CALLS,
            ),
        }
    }
}

impl Store {
    /// A page of what is kept of an owner, behind the entry with id `after`, as JSON objects.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_page(
        &self,
        owner: &str,
        kept: Kept,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Map<String, Json>>, StoreError> {
        let (sql, columns) = kept.query();
        let params: [Value; 3] = [owner.into(), after.into(), i64::from(limit).into()];
        self.rows(Statement::new(sql, params)).await?.iter().map(|row| object(row, columns)).collect()
    }
}

fn object(row: &Row, columns: &[Column]) -> Result<Map<String, Json>, StoreError> {
    let mut object = Map::new();
    for (at, (name, is_number)) in columns.iter().enumerate() {
        let value = if *is_number { Json::from(row.int_opt(at)?) } else { text(name, row.text_opt(at)?) };
        object.insert((*name).to_owned(), value);
    }
    Ok(object)
}

/// Content blocks are JSON in themselves.
fn text(name: &str, value: Option<String>) -> Json {
    match value {
        Some(content) if name == "content" => serde_json::from_str(&content).unwrap_or(Json::from(content)),
        value => Json::from(value),
    }
}
