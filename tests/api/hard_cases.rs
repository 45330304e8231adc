//! What happens to a call between its hold and its end.

use purser::{
    clock::{Period, period_utc},
    limit::Figures,
    store::Statement,
};
use purser_tests::{
    deployment::{Cache, Deployment},
    function::Function,
    store_clock::StoreClock,
    token,
};
use serde_json::{Value, json};

use crate::clocks::{limiter, times};

fn body() -> Value {
    json!({
        "model": "claude-haiku-5-5", "max_tokens": 100, "stream": true,
        "messages": [{ "role": "user", "content": "Hi" }],
    })
}

/// A call that waits at a gate, and what ends it.
async fn running<'a>(
    deployment: &'a Deployment,
    token: &str,
    gate: &'a str,
    directives: &str,
) -> impl AsyncFnOnce() + 'a {
    deployment.claude.next(&format!("gate={gate} {directives}"));
    let (response, ended) = deployment.call("POST", "/api/v1/messages").bearer(token).json(&body()).open().await;
    assert_eq!(response.status().as_u16(), 200);
    deployment.claude.gate_reached(gate).await;
    async move || {
        deployment.claude.open_gate(gate);
        response.text().await.unwrap();
        ended().await;
    }
}

async fn price_versions(deployment: &Deployment) -> Vec<String> {
    let rows = deployment.store.rows(Statement::new("select price_version from calls order by created_ms", [])).await;
    rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
}

fn alarms(function: &Function) -> Vec<Value> {
    function.lines().into_iter().filter(|line| line.to_string().contains("budget_overspent")).collect()
}

#[tokio::test]
async fn a_row_keeps_the_version_of_the_prices_that_it_was_held_by() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        deployment.set("RECONCILE_AFTER_S", "1");
        let token = token::mint("ann", "pro");
        let older = || Statement::new("update calls set price_version = 'older' where state = 'reserved'", []);
        let end = running(&deployment, &token, "priced", "").await;
        deployment.store.rows(older()).await.unwrap();
        end().await;
        // By another process, which has other prices.
        crate::books::killed_call(&deployment).await;
        deployment.store.rows(older()).await.unwrap();
        crate::books::until_dead().await;
        deployment.reconcile().await;
        let rows = deployment.ledger().await;
        assert!(rows.iter().all(|row| row.state == "settled"), "{cache:?}: {rows:?}");
        assert_eq!(rows[1].cost_nanousd, Some(rows[1].ceiling_nanousd), "{cache:?}: at the price it was held by");
        assert_eq!(price_versions(&deployment).await, ["older", "older"], "{cache:?}");
    }
}

#[tokio::test]
async fn a_plan_that_changes_in_the_middle_of_a_call_changes_nothing_of_it() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        let budgets = "pro.user-day=5,free.user-day=0.5,pro.plan-day=50,free.plan-day=40";
        deployment.set("PLAN_BUDGETS_USD", budgets);
        let token = token::mint("ann", "pro");
        let end = running(&deployment, &token, "changed", "").await;
        let limiter = limiter(&deployment);
        limiter.set_plan("user:ann", "free").await.unwrap();
        end().await;
        let cost = deployment.ledger().await[0].cost_nanousd.unwrap();
        let (_, _, policies) = times(&deployment).await.remove(0);
        let held: Vec<_> = policies.into_iter().filter(|policy| policy.is_budget()).collect();
        let settled = Figures::Open { spent_nanousd: cost, held_nanousd: 0 };
        assert_eq!(limiter.figures(&held).await.unwrap(), [settled, settled], "{cache:?}: the user's and pro's");
        // What the user spent is spent on every plan; what the plan's callers spend together is each plan's own.
        let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
        let limits = usage["limits"].as_array().unwrap();
        let day = limits.iter().find(|one| one["policy"] == "user-day").unwrap();
        assert_eq!((&usage["plan"], &day["remaining"]), (&json!("free"), &json!(500_000_000 - cost)), "{cache:?}");
        let found = deployment.reconcile().await;
        assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{cache:?}: {found}");
    }
}

#[tokio::test]
async fn a_call_that_its_function_and_cron_settle_at_the_same_moment_is_settled_once() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        deployment.set("RECONCILE_AFTER_S", "1");
        deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
        let token = token::mint("ann", "pro");
        deployment.reconcile().await;
        for round in 0..3 {
            let gate = format!("both-{round}");
            let end = running(&deployment, &token, &gate, "").await;
            crate::books::until_dead().await;
            let (_, one, other) = tokio::join!(end(), deployment.reconcile(), deployment.reconcile());
            for found in [one, other] {
                let differences = found["differences"].as_array().unwrap();
                let budgets = differences.iter().filter(|one| one["of"].as_str().unwrap().starts_with("budget"));
                assert_eq!(budgets.count(), 0, "{cache:?}: nothing is lost, it is only on its way: {found}");
            }
        }
        let rows = deployment.ledger().await;
        assert!(rows.len() == 3 && rows.iter().all(|row| row.state == "settled"), "{cache:?}: {rows:?}");
        for row in &rows {
            let is_either = match row.source.as_deref() {
                Some("ceiling") => row.cost_nanousd == Some(row.ceiling_nanousd),
                Some("provider") => row.cost_nanousd == Some(row.input_tokens * 100 + row.output_tokens * 500),
                _ => false,
            };
            assert!(is_either, "{cache:?}: {row:?}");
        }
        let (_, _, policies) = times(&deployment).await.remove(0);
        let budgets: Vec<_> = policies.into_iter().filter(|policy| policy.is_budget()).collect();
        let spent_nanousd = rows.iter().map(|row| row.cost_nanousd.unwrap()).sum();
        let figures = limiter(&deployment).figures(&budgets).await.unwrap();
        assert_eq!(figures, [Figures::Open { spent_nanousd, held_nanousd: 0 }], "{cache:?}");
        let found = deployment.reconcile().await;
        assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{cache:?}: {found}");
    }
}

#[tokio::test]
async fn a_call_that_ends_after_its_hold_expired_and_another_took_the_room_counts_and_is_told() {
    let ceiling = crate::budgets::ceiling_nanousd().await;
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        deployment.set("CLAUDE_BUDGET_MONTH_USD", &purser::cost::format_usd(ceiling * 5 / 4));
        let (month_starts, _) = period_utc(Period::Month, purser::clock::now_ms());
        let clock = StoreClock::of(&mut deployment, month_starts + 10 * 86_400_000);
        let (ann, bob) = (token::mint("ann", "pro"), token::mint("bob", "pro"));
        let end = running(&deployment, &ann, "late", "input=3000 tokens=100").await;
        assert_eq!(deployment.message(&bob, 100).await.status, 429, "{cache:?}: there is room for one");
        // Nobody has looked after it for as long as a hold lives.
        clock.set(month_starts + 12 * 86_400_000);
        deployment.claude.next("input=3000 tokens=100");
        let reply = deployment.message(&bob, 100).await;
        assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
        let function = deployment.function("v1-messages");
        assert_eq!(alarms(&function).len(), 0, "{cache:?}");
        end().await;
        let rows = deployment.ledger().await;
        let costs: Vec<_> = rows.iter().map(|row| (row.source.as_deref(), row.cost_nanousd.unwrap())).collect();
        assert!(
            costs.iter().all(|(source, cost)| *source == Some("provider") && *cost >= 350_000),
            "{cache:?}: {costs:?}"
        );
        let spent = costs[0].1 + costs[1].1;
        assert!(spent > ceiling * 5 / 4, "{cache:?}: {spent} {ceiling}");
        let told = alarms(&function);
        assert_eq!(told.len(), 1, "{cache:?}: {told:?}");
        let line = told[0].to_string();
        assert!(line.contains("deployment-month") && line.contains(&spent.to_string()), "{cache:?}: {line}");
        assert_eq!(deployment.message(&bob, 100).await.status, 429, "{cache:?}: nothing is left");
        let found = deployment.reconcile().await;
        assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{cache:?}: {found}");
    }
}

#[tokio::test]
async fn more_cache_writes_than_were_counted_are_charged_and_told() {
    let ceiling = crate::budgets::ceiling_nanousd().await;
    let (owner, told) = crate::degraded::receiver();
    let mut deployment = Deployment::new().await;
    deployment.set("ALERT_WEBHOOK_URL", &owner);
    deployment.set("PLAN_BUDGETS_USD", &format!("pro.user-day={}", purser::cost::format_usd(ceiling)));
    let token = token::mint("ann", "pro");
    deployment.claude.next("cache_growth=1000000");
    assert_eq!(deployment.message(&token, 100).await.status, 200);
    let row = &deployment.ledger().await[0];
    assert!(row.cost_nanousd.unwrap() >= 125_000_000 && row.source.as_deref() == Some("provider"), "{row:?}");
    assert_eq!(alarms(&deployment.function("v1-messages")).len(), 1);
    let told: Vec<Value> = told.try_iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["text"], "Purser: a call has brought the budget user-day above its limit.", "{told:?}");
    let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
    assert_eq!(usage["totals"]["cost_nanousd"].as_i64(), row.cost_nanousd);
    assert_eq!(deployment.message(&token, 100).await.status, 429);
    assert_eq!(deployment.reconcile().await["differences"], json!([]));
}

#[tokio::test]
async fn of_two_budgets_of_which_one_has_room_neither_is_touched() {
    let ceiling = crate::budgets::ceiling_nanousd().await;
    for (budgets, full) in [
        (format!("pro.user-day={},pro.plan-month=5", purser::cost::format_usd(ceiling - 1)), "user-day"),
        (format!("pro.user-day=5,pro.plan-month={}", purser::cost::format_usd(ceiling - 1)), "plan-month"),
    ] {
        for cache in [Cache::Redis, Cache::Sqlite] {
            let mut deployment = Deployment::with(cache).await;
            deployment.set("PLAN_BUDGETS_USD", &budgets);
            let token = token::mint("ann", "pro");
            let usage =
                async || deployment.call("GET", "/api/usage").bearer(&token).send().await.json()["limits"].clone();
            let before = usage().await;
            let reply = deployment.message(&token, 100).await;
            assert_eq!(reply.status, 429, "{cache:?} {full}: {}", reply.text);
            assert!(reply.text.contains(full), "{cache:?}: {}", reply.text);
            let refused = usage().await;
            for (was, is) in before.as_array().unwrap().iter().zip(refused.as_array().unwrap()) {
                assert_eq!((&was["policy"], &was["remaining"]), (&is["policy"], &is["remaining"]), "{cache:?} {full}");
            }
            assert!(
                deployment.ledger().await.is_empty() && deployment.claude.requests().is_empty(),
                "{cache:?} {full}"
            );
        }
    }
}
