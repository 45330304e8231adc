//! What keeps the ledger and its copies together when things go wrong.

use purser_tests::{
    deployment::{Cache, Deployment},
    function::Function,
    http::Call,
    relay::CountingRelay,
    token,
};
use serde_json::json;

/// A call that is cut off by kill -9 while Claude answers.
pub(crate) async fn killed_call(deployment: &Deployment) {
    let mut function = Function::start("v1-messages", &deployment.environment);
    deployment.claude.next("gate=kill");
    let body = json!({
        "model": "claude-haiku-5-5", "max_tokens": 100, "stream": true,
        "messages": [{ "role": "user", "content": "Hi" }],
    });
    let request = crate::durability::client()
        .post(function.url("/api/v1/messages"))
        .header("authorization", format!("Bearer {}", token::mint("ann", "pro")))
        .body(body.to_string());
    let response = request.send().await.unwrap();
    deployment.claude.gate_reached("kill").await;
    function.kill();
    drop(response);
}

/// A deployment in which a call counts as dead after a second.
async fn impatient(cache: Cache, budget: &str) -> Deployment {
    let mut deployment = Deployment::with(cache).await;
    deployment.set("RECONCILE_AFTER_S", "1");
    deployment.set("CLAUDE_BUDGET_DAY_USD", budget);
    deployment
}

/// Waits until the limiter's clock says that a call made now is dead.
pub(crate) async fn until_dead() {
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
}

#[tokio::test]
async fn a_dead_call_keeps_its_money_until_the_next_caller_settles_it() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let mut deployment = impatient(cache, "5").await;
        killed_call(&deployment).await;
        let ceiling = deployment.ledger().await[0].ceiling_nanousd;
        // Room for one call only: the dead one's, unless somebody finds out what became of it.
        let mut tight = deployment.environment.clone();
        let asked = crate::budgets::ceiling_nanousd().await;
        tight.insert("CLAUDE_BUDGET_DAY_USD".to_owned(), purser::cost::format_usd(ceiling + asked - 1));
        deployment.restart_with(tight);
        until_dead().await;
        let refused = deployment.message(&token::mint("bob", "pro"), 100).await;
        assert_eq!(refused.status, 429, "{cache:?}: the dead call may have cost all of it: {}", refused.text);
        let row = &deployment.ledger().await[0];
        assert_eq!((row.state.as_str(), row.source.as_deref()), ("settled", Some("ceiling")), "{cache:?}");
        assert_eq!(row.cost_nanousd, Some(ceiling), "{cache:?}");
        let found = deployment.reconcile().await;
        assert_eq!(found["differences"], json!([]), "{cache:?}: {found}");
    }
}

#[tokio::test]
async fn cron_settles_a_dead_call_once_however_often_it_runs() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = impatient(cache, "5").await;
        killed_call(&deployment).await;
        let early = deployment.reconcile().await;
        assert_eq!(early["settled_at_ceiling"], 0, "{cache:?}: it may be running still");
        until_dead().await;
        let runs = crate::limits::futures((0..3).map(|_| deployment.reconcile())).await;
        assert!(runs.iter().any(|run| run["settled_at_ceiling"] != 0), "{cache:?}: {runs:?}");
        let last = deployment.reconcile().await;
        assert_eq!(
            (&last["settled_at_ceiling"], &last["booked"], &last["differences"]),
            (&json!(0), &json!(0), &json!([]))
        );
        let rows = deployment.ledger().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].error_code.as_deref(), Some("process_died"));
    }
}

#[tokio::test]
async fn a_redis_that_is_emptied_in_the_middle_of_a_call_lets_nobody_overspend() {
    let mut deployment = Deployment::new().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let token = token::mint("ann", "pro");
    assert_eq!(deployment.message(&token, 100).await.status, 200);
    deployment.claude.next("gate=emptied");
    let body = json!({ "message": "Hi", "model": "claude-haiku-5-5", "max_tokens": 100 });
    let (response, ended) = deployment.call("POST", "/api/chat").bearer(&token).json(&body).open().await;
    deployment.claude.gate_reached("emptied").await;
    let rows = deployment.ledger().await;
    let taken = rows[0].cost_nanousd.unwrap() + rows[1].ceiling_nanousd;
    deployment.empty_redis().await;
    // Exactly what the ledger leaves room for, and not a nanodollar more.
    let messages = json!({
        "model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hi" }],
    });
    for (spare, status) in [(-1, 429), (0, 200)] {
        let budget = purser::cost::format_usd(taken + rows[0].ceiling_nanousd + spare);
        let function = deployment.instance("v1-messages", "CLAUDE_BUDGET_DAY_USD", &budget);
        let reply = Call::new(function, "POST", "/api/v1/messages").bearer(&token).json(&messages).send().await;
        assert_eq!(reply.status, status, "{spare}: {}", reply.text);
    }
    deployment.claude.open_gate("emptied");
    response.text().await.unwrap();
    ended().await;
    let found = deployment.reconcile().await;
    let budgets =
        found["differences"].as_array().unwrap().iter().filter(|one| one["of"].as_str().unwrap().starts_with("budget"));
    assert_eq!(budgets.count(), 0, "{found}");
    assert_eq!(deployment.reconcile().await["differences"], json!([]), "the hashes are rebuilt");
}

#[tokio::test]
async fn what_the_ledger_cannot_take_now_waits_and_is_settled_later() {
    let mut deployment = Deployment::new().await;
    let direct = deployment.environment["DATABASE_URL"].clone();
    let relay = CountingRelay::start(&direct);
    deployment.set("DATABASE_URL", &relay.url);
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let token = token::mint("ann", "pro");
    deployment.claude.next("gate=away");
    let body = json!({ "message": "Hi", "model": "claude-haiku-5-5", "max_tokens": 100 });
    let (response, ended) = deployment.call("POST", "/api/chat").bearer(&token).json(&body).open().await;
    deployment.claude.gate_reached("away").await;
    relay.cut();
    deployment.claude.open_gate("away");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "the client does not notice: {text}");
    ended().await;
    assert_eq!(deployment.ledger().await[0].state, "reserved");
    deployment.set("DATABASE_URL", &direct);
    let found = deployment.reconcile().await;
    assert_eq!((&found["drained"], &found["differences"]), (&json!(1), &json!([])), "{found}");
    let row = &deployment.ledger().await[0];
    assert_eq!((row.state.as_str(), row.source.as_deref()), ("settled", Some("provider")));
    assert_eq!(deployment.reconcile().await["drained"], 0);
    let kept = deployment.call("GET", "/api/conversations").bearer(&token).send().await.json();
    let id = kept["conversations"][0]["id"].as_str().unwrap().to_owned();
    let read = deployment.call("GET", &format!("/api/conversations/{id}")).bearer(&token).send().await.json();
    assert_eq!(read["messages"].as_array().unwrap().len(), 2, "the answer is kept as well");
}

#[tokio::test]
async fn cron_is_for_those_who_know_its_secret() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    for secret in ["", "guess", "the admin secret"] {
        deployment.call("GET", "/api/cron/reconcile").bearer(secret).send().await.assert_problem(403, "forbidden");
    }
    deployment.call("GET", "/api/cron/nothing").bearer("the cron secret").send().await.assert_problem(404, "not_found");
}
