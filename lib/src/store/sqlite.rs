//! SQLite, for development.

use rusqlite::{Connection, ErrorCode, TransactionBehavior, ffi, types::ValueRef};

use super::{Constraint, Row, Statement, Store, StoreError, Value};
use crate::sqlite::Sqlite;

impl Store {
    /// A SQLite file.
    pub fn sqlite(db: Sqlite) -> Self {
        Self::Sqlite(db)
    }
}

pub(super) async fn rows(db: &Sqlite, statement: Statement) -> Result<Vec<Row>, StoreError> {
    db.run(move |connection| query(connection, &statement)).await.map_err(told)
}

pub(super) async fn atomic(db: &Sqlite, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
    db.run(move |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows = statements.iter().map(|statement| query(&transaction, statement)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(rows)
    })
    .await
    .map_err(told)
}

/// Runs a text of several statements.
pub(super) async fn script(db: &Sqlite, sql: String) -> Result<(), StoreError> {
    db.run(move |connection| connection.execute_batch(&sql)).await.map_err(told)
}

fn query(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, rusqlite::Error> {
    let mut prepared = connection.prepare(&placeholders(statement.sql))?;
    let columns = prepared.column_count();
    for (index, value) in statement.params.iter().enumerate() {
        match value {
            Value::Int(value) => prepared.raw_bind_parameter(index + 1, value)?,
            Value::Text(value) => prepared.raw_bind_parameter(index + 1, value)?,
            Value::Bytes(value) => prepared.raw_bind_parameter(index + 1, value)?,
        }
    }
    let mut rows = prepared.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(value)).collect::<Result<_, _>>()?;
        read.push(Row(values));
    }
    Ok(read)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Text(None),
        ValueRef::Integer(value) => Value::Int(Some(value)),
        ValueRef::Text(text) => Value::Text(Some(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Blob(bytes) => Value::Bytes(Some(bytes.to_vec())),
        // No column of ours is a real: a row that holds one is read as a mismatch.
        ValueRef::Real(_) => Value::Bytes(None),
    }
}

fn told(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(failure, text) if failure.code == ErrorCode::ConstraintViolation => {
            StoreError::Refused(match failure.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Constraint::Unique,
                ffi::SQLITE_CONSTRAINT_NOTNULL => {
                    // NOT NULL constraint failed: TABLE.COLUMN
                    Constraint::of_column(text.as_deref().and_then(|text| text.rsplit_once('.')).map(|(_, name)| name))
                }
                ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
                _ => Constraint::Other,
            })
        }
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) =>
        {
            StoreError::Unavailable(failure.to_string())
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

/// `$1` as SQLite's `?1`. SQLite takes `$1` for a name and binds names in order of appearance, so `$2` before `$1`
/// would be swapped without a word. Text in quotes stays as it is.
fn placeholders(sql: &str) -> String {
    let mut is_quoted = false;
    let mut translated = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        is_quoted ^= c == '\'';
        let is_number = rest.peek().is_some_and(char::is_ascii_digit);
        translated.push(if c == '$' && is_number && !is_quoted { '?' } else { c });
    }
    translated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_numbered_placeholders_outside_quotes() {
        assert_eq!(
            placeholders("select $2, '$1', $1 where a = '''$3' and b = $10"),
            "select ?2, '$1', ?1 where a = '''$3' and b = ?10"
        );
    }

    #[tokio::test]
    async fn the_second_value_before_the_first_is_not_swapped() {
        let folder = std::env::temp_dir().join(crate::ids::new_id());
        let db = Sqlite::open(&folder.join("a.sqlite")).unwrap();
        let found = rows(&db, Statement::new("select $2, $1", [1.into(), "two".into()])).await.unwrap();
        assert_eq!(found[0].text(0).unwrap(), "two");
        assert_eq!(found[0].int(1).unwrap(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
