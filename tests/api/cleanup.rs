use purser::{clock, store::Statement};
use purser_tests::{
    account::PASSWORD,
    deployment::{Cache, Deployment},
};
use serde_json::json;

const DAY_MS: i64 = 86_400_000;

/// Sessions that are over and events, of long ago and of yesterday: more than one step deletes.
async fn leave_behind(deployment: &Deployment, user_id: &str) {
    let now_ms = clock::now_ms();
    let many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1100) ";
    let sessions = format!(
        "{many} insert into sessions (id, user_id, token_hash, agent, created_ms, rotated_ms, expires_ms, ended_ms) \
         select 'expired-' || i, '{user_id}', 'x', 'x', 1, 1, {} - i, null from n",
        now_ms
    );
    let ended = format!(
        "insert into sessions (id, user_id, token_hash, agent, created_ms, rotated_ms, expires_ms, ended_ms) \
         values ('ended', '{user_id}', 'x', 'x', 1, 1, {}, 1)",
        now_ms + DAY_MS
    );
    let events = format!(
        "{many} insert into billing_events (id, user_id, kind, created_ms, taken_ms) \
         select 'evt_' || i, '{user_id}', 'x', 1, case when i > 1098 then {} else {} end from n",
        now_ms - DAY_MS,
        now_ms - 31 * DAY_MS
    );
    for sql in [sessions, ended, events] {
        deployment.store.rows(Statement::new(Box::leak(sql.into_boxed_str()), [])).await.unwrap();
    }
}

async fn ids(deployment: &Deployment, sql: &'static str) -> Vec<String> {
    let rows = deployment.store.rows(Statement::new(sql, [])).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

#[tokio::test]
async fn cron_deletes_what_is_over_in_steps_twice_at_once_and_nothing_else() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let other = deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await;
        assert_eq!(other.status, 200);
        leave_behind(&deployment, &ann.id).await;
        let clean = async || {
            let reply = deployment.call("GET", "/api/cron/cleanup").bearer("the cron secret").send().await;
            assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
            reply.json()
        };
        let (one, two) = futures_util::future::join(clean(), clean()).await;
        let sum = |name: &str| one[name].as_i64().unwrap() + two[name].as_i64().unwrap();
        assert_eq!((sum("sessions"), sum("events")), (1_101, 1_098), "{cache:?}: {one} {two}");
        assert_eq!(clean().await, json!({ "sessions": 0, "events": 0, "is_cut": false }), "{cache:?}");
        assert_eq!(ids(&deployment, "select id from billing_events order by id").await, ["evt_1099", "evt_1100"]);
        let open = ids(&deployment, "select id from sessions").await;
        assert_eq!(open.len(), 2, "{cache:?}: {open:?}");
        assert_eq!(deployment.refresh(&ann.refresh).await.status, 200, "{cache:?}");
        for secret in ["", "the admin secret"] {
            let refused = deployment.call("GET", "/api/cron/cleanup").bearer(secret).send().await;
            refused.assert_problem(403, "forbidden");
        }
    }
}
