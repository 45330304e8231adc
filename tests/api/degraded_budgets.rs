//! Without Redis budgets come out of the ledger, and nobody overspends: not during an outage, not around it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use purser_tests::{
    deployment::{Cache, Deployment},
    function::{Function, free_port},
    http::{Call, Reply},
    token,
};
use serde_json::json;

use crate::{degraded::with_private_redis, limits::futures};

fn usd(nanousd: i64) -> String {
    purser::cost::format_usd(nanousd)
}

/// A call that stands still until its gate is opened. Gates' names have the same length, and so the calls the same
/// ceiling.
async fn message(function: &Arc<Function>, caller: &str, gate: &str) -> Reply {
    let body = json!({
        "model": "claude-haiku-5-5", "max_tokens": 100,
        "messages": [{ "role": "user", "content": format!("Hi [[standin: gate={gate:_<6}]]") }],
    });
    let call = Call::new(function.clone(), "POST", "/api/v1/messages").bearer(&token::mint(caller, "pro"));
    call.json(&body).send().await
}

/// What such a call holds.
async fn ceiling_nanousd() -> i64 {
    let deployment = Deployment::with(Cache::Sqlite).await;
    deployment.claude.open_gate("probe_");
    assert_eq!(message(&deployment.function("v1-messages"), "probe", "probe").await.status, 200);
    deployment.ledger().await[0].ceiling_nanousd
}

/// Calls at once, over instances in turn, each by a caller of its own, that all run until everybody has been decided
/// on; how many were made. Others were refused for want of money.
async fn at_once(deployment: &Deployment, instances: &[Arc<Function>], name: &str, count: usize) -> usize {
    let (claude, made_before) = (&deployment.claude, deployment.claude.requests().len());
    let refused = std::sync::atomic::AtomicUsize::new(0);
    let is_decided = || {
        let refused = refused.load(std::sync::atomic::Ordering::SeqCst);
        claude.requests().len() - made_before + refused == count
    };
    let calls = (0..count).map(|number| {
        let (function, caller) = (&instances[number % instances.len()], format!("{name}{number}"));
        let refused = &refused;
        async move {
            let reply = message(function, &caller, name).await;
            if reply.status != 200 {
                let problem: serde_json::Value = reply.json();
                assert_eq!((reply.status, &problem["error"]["details"]["code"]), (429, &json!("budget_exceeded")));
                refused.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            reply.status
        }
    });
    let release = async {
        while !is_decided() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        claude.open_gate(&format!("{name:_<6}"));
        0_u16
    };
    let work: Vec<std::pin::Pin<Box<dyn Future<Output = u16> + '_>>> =
        calls.map(|call| Box::pin(call) as _).chain([Box::pin(release) as _]).collect();
    futures(work.into_iter()).await.iter().filter(|status| **status == 200).count()
}

async fn spent_nanousd(deployment: &Deployment) -> i64 {
    deployment.ledger().await.iter().map(|row| row.cost_nanousd.unwrap()).sum()
}

#[tokio::test]
async fn of_64_calls_at_once_over_two_instances_a_budget_with_room_for_ten_admits_ten() {
    let ceiling = ceiling_nanousd().await;
    let (mut deployment, mut redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", &usd(10 * ceiling + ceiling / 2));
    deployment.set("PLAN_BUDGETS_USD", "pro.plan-month=100,pro.user-day=1");
    let instances = [deployment.function("v1-messages"), deployment.instance("v1-messages", "EXPECTED_INSTANCES", "4")];
    redis.kill();
    assert_eq!(at_once(&deployment, &instances, "away", 64).await, 10);
    let spent = spent_nanousd(&deployment).await;
    // Again, to the last nanodollar that the ledger leaves.
    let room = (10 * ceiling + ceiling / 2 - spent) / ceiling;
    assert_eq!(at_once(&deployment, &instances, "again", 32).await, usize::try_from(room).unwrap());
    redis.start_again();
    let spent = spent_nanousd(&deployment).await;
    let mut wide = deployment.environment.clone();
    wide.insert("CLAUDE_BUDGET_DAY_USD".to_owned(), usd(spent + 3 * ceiling));
    deployment.restart_with(wide);
    assert_eq!(at_once(&deployment, &[deployment.function("v1-messages")], "back", 16).await, 3);
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
}

#[tokio::test]
async fn where_only_one_of_two_instances_reaches_redis_they_do_not_overspend_together() {
    let ceiling = ceiling_nanousd().await;
    let mut deployment = Deployment::new().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", &usd(10 * ceiling + ceiling / 2));
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let instances = [deployment.function("v1-messages"), deployment.instance("v1-messages", "REDIS_URL", &nowhere)];
    assert_eq!(at_once(&deployment, &instances, "split", 64).await, 10);
    // What the one without Redis could not tell it, cron does.
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
    assert!(found["booked"].as_u64().is_some_and(|booked| booked > 0), "{found}");
    let spent = spent_nanousd(&deployment).await;
    let room = usize::try_from((10 * ceiling + ceiling / 2 - spent) / ceiling).unwrap();
    assert_eq!(at_once(&deployment, &instances[..1], "after", 32).await, room);
    assert_eq!(deployment.reconcile().await["differences"], json!([]));
}

#[tokio::test]
async fn a_call_that_is_killed_while_redis_is_away_keeps_its_money_and_is_settled_when_it_is_back() {
    let ceiling = ceiling_nanousd().await;
    let (mut deployment, mut redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", &usd(2 * ceiling + ceiling / 2));
    deployment.set("RECONCILE_AFTER_S", "1");
    redis.kill();
    let mut function = Function::start("v1-messages", &deployment.environment);
    let body = json!({
        "model": "claude-haiku-5-5", "max_tokens": 100, "stream": true,
        "messages": [{ "role": "user", "content": "Hi [[standin: gate=killed]]" }],
    });
    let request = crate::durability::client()
        .post(function.url("/api/v1/messages"))
        .header("authorization", format!("Bearer {}", token::mint("ann", "pro")))
        .body(body.to_string());
    let response = request.send().await.unwrap();
    deployment.claude.gate_reached("killed").await;
    function.kill();
    drop(response);
    redis.start_again();
    // Redis knows nothing of it, and still there is room for one call and not for two.
    let instances = [deployment.function("v1-messages")];
    let rows = deployment.ledger().await;
    assert_eq!((rows.len(), rows[0].state.as_str()), (1, "reserved"));
    let killed = rows[0].ceiling_nanousd;
    let room = usize::try_from((2 * ceiling + ceiling / 2 - killed) / ceiling).unwrap();
    assert_eq!(at_once(&deployment, &instances, "beside", 8).await, room);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    // Whoever comes now finds out what became of it.
    deployment.message(&token::mint("finder", "pro"), 100).await;
    let row = deployment.ledger().await.remove(0);
    assert_eq!((row.state.as_str(), row.cost_nanousd), ("settled", Some(killed)));
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
    assert_eq!(
        (&found["settled_at_ceiling"], &found["booked"]),
        (&json!(0), &json!(0)),
        "it was told already: {found}"
    );
}

/// Asks what costs nothing until the limiter answers it again.
async fn until_found(deployment: &Deployment) {
    let until = Instant::now() + Duration::from_secs(30);
    for number in 0.. {
        let call = deployment.call("POST", "/api/v1/messages/count_tokens");
        let call = call.bearer(&token::mint(&format!("found{number}"), "pro"));
        let body = json!({ "model": "claude-haiku-5-5", "messages": [{ "role": "user", "content": "Hi" }] });
        let reply = call.json(&body).send().await;
        assert!(Instant::now() < until, "Redis is not found again: {}", reply.text);
        if reply.status == 200 && reply.header("x-purser-degraded") != "limiter" {
            return;
        }
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "its tasks are its own")]
async fn a_call_that_is_on_its_way_to_redis_is_counted_once_in_what_is_repaired_meanwhile() {
    let (mut deployment, redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let function = deployment.function("v1-messages");
    let call = tokio::spawn(async move { message(&function, "ann", "before").await });
    deployment.claude.gate_reached("before").await;
    redis.hang();
    deployment.claude.open_gate("before");
    assert_eq!(call.await.unwrap().status, 200);
    redis.go_on();
    let found = deployment.reconcile().await;
    assert_eq!(found["in_motion"], 1, "settled, and nobody could be told: {found}");
    until_found(&deployment).await;
    assert_eq!(deployment.message(&token::mint("next", "pro"), 100).await.status, 200);
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, clippy::async_yields_async, reason = "its tasks are its own")]
async fn a_call_that_runs_when_redis_dies_and_one_that_runs_when_it_is_back_are_counted_once() {
    let ceiling = ceiling_nanousd().await;
    let (mut deployment, redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", &usd(3 * ceiling + ceiling / 2));
    let open = async |gate: &'static str| {
        let function = deployment.function("v1-messages");
        let sent = tokio::spawn(async move { message(&function, gate, gate).await });
        deployment.claude.gate_reached(gate).await;
        sent
    };
    let before = open("before").await;
    redis.hang();
    let during = open("during").await;
    deployment.claude.open_gate("before");
    assert_eq!(before.await.unwrap().status, 200);
    redis.go_on();
    until_found(&deployment).await;
    // It believes that the call that is over holds its ceiling: room for two more all the same.
    let spent: i64 = deployment.ledger().await.iter().filter_map(|row| row.cost_nanousd).sum();
    let room = usize::try_from((2 * ceiling + ceiling / 2 - spent) / ceiling).unwrap();
    assert_eq!(at_once(&deployment, &[deployment.function("v1-messages")], "beside", 8).await, room);
    deployment.claude.open_gate("during");
    let during = during.await.unwrap();
    assert_eq!((during.status, during.header("x-purser-degraded")), (200, "limiter"), "{}", during.text);
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
    assert!(spent_nanousd(&deployment).await <= 3 * ceiling + ceiling / 2);
}

#[tokio::test]
async fn a_refused_call_is_told_what_the_ledger_leaves_and_what_would_fit() {
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=0.25,free.user-day=0");
    let ann = token::mint("ann", "pro");
    let ask = |max_tokens: u64| {
        deployment.chat(&ann, json!({ "message": "Hi", "max_tokens": max_tokens, "model": "claude-sonnet-5-5" }))
    };
    let refused = ask(64_000).await;
    let problem = refused.assert_problem(429, "budget_exceeded");
    assert_eq!(problem["violated-policies"], json!(["user-day"]));
    assert_eq!(problem["budget"]["left_nanousd"], 250_000_000);
    assert_eq!(refused.header("x-purser-degraded"), "limiter");
    let fits = problem["budget"]["max_tokens_that_fit"].as_u64().unwrap();
    ask(fits + 1).await.assert_problem(429, "budget_exceeded");
    assert_eq!(ask(fits).await.status, 200);
    let none = deployment.chat(&token::mint("bob", "free"), json!({ "message": "Hi" })).await;
    none.assert_problem(429, "budget_exceeded");
    assert_eq!(deployment.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_long_conversation_holds_more_out_of_the_ledger() {
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5");
    let token = token::mint("ann", "pro");
    let say = |text: &str| json!({ "message": text, "conversation_id": "long", "model": "claude-haiku-5-5", "max_tokens": 100 });
    for _ in 0..2 {
        assert_eq!(deployment.chat(&token, say(&"word ".repeat(9_000))).await.status, 200);
    }
    let rows = deployment.ledger().await;
    let first = rows[0].ceiling_nanousd;
    assert!(rows[1].ceiling_nanousd > first, "{rows:?}");
    let spent: i64 = rows.iter().map(|row| row.cost_nanousd.unwrap()).sum();
    let mut poor = deployment.environment.clone();
    poor.insert("PLAN_BUDGETS_USD".to_owned(), format!("pro.user-day={}", usd(spent + first)));
    deployment.restart_with(poor);
    let made = deployment.claude.requests().len();
    let problem = deployment.chat(&token, say("And?")).await.assert_problem(429, "budget_exceeded");
    assert_eq!(problem["budget"]["left_nanousd"], first, "{problem}");
    assert_eq!(deployment.claude.requests().len(), made);
}
