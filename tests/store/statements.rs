use purser::store::{Constraint, Statement, StoreError, Value};

use crate::engines;

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let sql = "select cast($1 as bigint), cast($2 as text), cast($4 as bigint), cast($3 as text)";
        let values = [i64::MIN.into(), "grüße '$1' \u{1f600}".into(), Value::Text(None), Value::Int(None)];
        let rows = store.rows(Statement::new(sql, values)).await.unwrap();
        assert_eq!(rows[0].int(0).unwrap(), i64::MIN, "{engine:?}");
        assert_eq!(rows[0].text(1).unwrap(), "grüße '$1' \u{1f600}");
        assert_eq!((rows[0].int_opt(2).unwrap(), rows[0].text_opt(3).unwrap()), (None, None));
        assert!(rows[0].int(1).is_err() && rows[0].text(9).is_err());
    }
}

#[tokio::test]
async fn several_statements_are_all_or_nothing() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let insert = |id: &str, title: Value| {
            let sql = "insert into conversations (owner, id, title, created_ms, updated_ms) values ('o', $1, $2, 1, 1)";
            Statement::new(sql, [id.into(), title])
        };
        let twice = store.atomic(vec![insert("a", "x".into()), insert("a", "y".into())]).await;
        assert_eq!(twice, Err(StoreError::Refused(Constraint::Unique)), "{engine:?}");
        let null = store.atomic(vec![insert("b", "x".into()), insert("c", Value::Text(None))]).await;
        assert_eq!(null, Err(StoreError::Refused(Constraint::NotNull)));
        assert!(store.list_conversations("o", None, 9).await.unwrap().is_empty());
        // The connection that failed is as good as new.
        store.atomic(vec![insert("a", "x".into()), insert("b", "y".into())]).await.unwrap();
        assert_eq!(store.list_conversations("o", None, 9).await.unwrap().len(), 2);
        let nonsense = store.rows(Statement::new("select nonsense", [])).await.unwrap_err();
        assert!(matches!(nonsense, StoreError::Failed(_)));
    }
}
