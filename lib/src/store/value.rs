//! Values, statements and rows, the same for both engines.

use super::StoreError;

/// A value: 64-bit integer, text or bytes, each optional. Nothing else goes in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// BIGINT.
    Int(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// BYTEA (BLOB).
    Bytes(Option<Vec<u8>>),
}

/// SQL with `$1`, `$2`, …, and what they stand for.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text.
    pub sql: &'static str,
    /// The values, in order of their numbers.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement.
    pub fn new<const N: usize>(sql: &'static str, params: [Value; N]) -> Self {
        Self { sql, params: params.into() }
    }
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// A BIGINT column.
    ///
    /// # Errors
    /// Where the column is null, missing or of another type.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.int_opt(column)?.ok_or_else(|| mismatch(column))
    }

    /// A BIGINT column that may be null.
    ///
    /// # Errors
    /// Where the column is missing or of another type.
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            // SQLite's null has no type.
            Some(Value::Text(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(mismatch(column)),
        }
    }

    /// A TEXT column.
    ///
    /// # Errors
    /// Where the column is null, missing or of another type.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.text_opt(column)?.ok_or_else(|| mismatch(column))
    }

    /// A TEXT column that may be null.
    ///
    /// # Errors
    /// Where the column is missing or of another type.
    pub fn text_opt(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value.clone()),
            Some(Value::Int(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(mismatch(column)),
        }
    }

    /// A BYTEA column.
    ///
    /// # Errors
    /// Where the column is null, missing or of another type.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0.get(column) {
            Some(Value::Bytes(Some(value))) => Ok(value.clone()),
            _ => Err(mismatch(column)),
        }
    }
}

fn mismatch(column: usize) -> StoreError {
    StoreError::Failed(format!("column {column} is not what the query promised"))
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}
