use purser::store::Statement;

use crate::engines::Engine;

#[tokio::test]
async fn every_foreign_key_has_an_index() {
    let store = Engine::Postgres.migrated().await;
    let sql = "select conrelid::regclass::text || ' ' || conname from pg_constraint c \
        where contype = 'f' and connamespace = current_schema()::regnamespace and not exists ( \
            select 1 from pg_index i where i.indrelid = c.conrelid and i.indpred is null \
            and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey)";
    let bare = store.rows(Statement::new(sql, [])).await.unwrap();
    assert!(bare.is_empty(), "{bare:?}");
    let count =
        "select count(*) from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace";
    assert!(store.rows(Statement::new(count, [])).await.unwrap()[0].int(0).unwrap() > 0, "the question finds keys");
}

#[tokio::test]
async fn sqlite_uses_an_index_where_a_conversation_is_deleted() {
    let store = Engine::Sqlite.migrated().await;
    let sql = "explain query plan delete from messages where owner = $1 and conversation_id = $2";
    let plan = store.rows(Statement::new(sql, ["o".into(), "c".into()])).await.unwrap();
    assert!(plan[0].text(3).unwrap().contains("INDEX messages_by_position"), "{plan:?}");
}
