use purser_tests::{
    deployment::{Cache, Deployment},
    token,
};
use serde_json::json;

use crate::limits::futures;

/// What one call of [`Deployment::message`] with 100 tokens holds: haiku-5-5's prices, a bound of the prompt's bytes.
pub(crate) async fn ceiling_nanousd() -> i64 {
    let deployment = Deployment::with(Cache::Sqlite).await;
    assert_eq!(deployment.message(&token::mint("probe", "pro"), 100).await.status, 200);
    deployment.ledger().await[0].ceiling_nanousd
}

fn usd(nanousd: i64) -> String {
    purser::cost::format_usd(nanousd)
}

#[tokio::test]
async fn of_64_calls_at_once_a_budget_with_room_for_ten_admits_ten() {
    let ceiling = ceiling_nanousd().await;
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        deployment.set("CLAUDE_BUDGET_DAY_USD", &usd(10 * ceiling + ceiling / 2));
        // Nobody's call ends before all have asked.
        for _ in 0..64 {
            deployment.claude.next("gate=all");
        }
        let tokens: Vec<_> = (0..64).map(|number| token::mint(&format!("user{number}"), "pro")).collect();
        let claude = &deployment.claude;
        let calls = tokens.iter().map(|token| async {
            let status = deployment.message(token, 100).await.status;
            assert!([200, 429].contains(&status));
            status
        });
        let release = async {
            while claude.requests().len() < 10 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            claude.open_gate("all");
            0_u16
        };
        let work: Vec<std::pin::Pin<Box<dyn Future<Output = u16> + '_>>> =
            calls.map(|call| Box::pin(call) as _).chain([Box::pin(release) as _]).collect();
        let statuses = futures(work.into_iter()).await;
        let admitted = statuses.iter().filter(|status| **status == 200).count();
        // Where an early one has ended, what it did not use is free again; never is more spent than the budget.
        assert!(admitted >= 10, "{cache:?}: {admitted}");
        let rows = deployment.ledger().await;
        assert_eq!(rows.len(), admitted, "{cache:?}");
        assert!(rows.iter().map(|row| row.cost_nanousd.unwrap()).sum::<i64>() <= 10 * ceiling + ceiling / 2);
    }
}

#[tokio::test]
async fn a_refused_call_is_told_which_budget_what_is_left_and_what_would_fit() {
    let ceiling = ceiling_nanousd().await;
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", &format!("pro.user-day={},pro.user-month=100", usd(ceiling)));
    deployment.set("CLAUDE_BUDGET_MONTH_USD", "100");
    let token = token::mint("ann", "pro");
    let body = |max_tokens: u64| json!({ "message": "Hi", "max_tokens": max_tokens, "model": "claude-haiku-5-5" });
    let refused = deployment.message(&token, 101).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let refused = deployment.chat(&token, body(60_000)).await;
    let problem = refused.assert_problem(429, "budget_exceeded");
    assert_eq!(problem["violated-policies"], json!(["user-day"]), "the others have room");
    let budget = &problem["budget"];
    assert_eq!((&budget["left_nanousd"], &budget["limit_nanousd"]), (&json!(ceiling), &json!(ceiling)));
    let day = purser::clock::day_utc(purser::clock::now_ms() + 86_400_000);
    assert_eq!(budget["renews_at"], format!("{day}T00:00:00Z"));
    assert!(deployment.ledger().await.is_empty() && deployment.claude.requests().is_empty());
    assert_eq!(deployment.message(&token, 100).await.status, 200, "nothing was taken, and this fits to the last cent");
}

#[tokio::test]
async fn what_was_said_to_fit_fits_and_one_token_more_does_not() {
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=0.25");
    let token = token::mint("ann", "pro");
    let ask = |max_tokens: u64| {
        deployment.chat(&token, json!({ "message": "Hi", "max_tokens": max_tokens, "model": "claude-sonnet-5-5" }))
    };
    let problem = ask(64_000).await.assert_problem(429, "budget_exceeded");
    let fits = problem["budget"]["max_tokens_that_fit"].as_u64().unwrap();
    ask(fits + 1).await.assert_problem(429, "budget_exceeded");
    assert_eq!(ask(fits).await.status, 200);
}

#[tokio::test]
async fn a_budget_of_zero_means_none_and_everybody_shares_the_deployments() {
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", "free.user-day=0");
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let free = token::mint("ann", "free");
    deployment.chat(&free, json!({ "message": "Hi" })).await.assert_problem(429, "budget_exceeded");
    // Anonymous callers have no budget of their own here, but count in everybody's.
    assert_eq!(deployment.chat("", json!({ "message": "Hi" })).await.status, 200);
    let spent = deployment.ledger().await[0].cost_nanousd.unwrap();
    let mut poor = deployment.environment.clone();
    poor.insert("CLAUDE_BUDGET_DAY_USD".to_owned(), usd(spent));
    deployment.restart_with(poor);
    let problem = deployment
        .chat(&token::mint("bob", "pro"), json!({ "message": "Hi" }))
        .await
        .assert_problem(429, "budget_exceeded");
    assert_eq!(problem["violated-policies"], json!(["deployment-day"]));
    assert_eq!(problem["budget"]["limit_nanousd"], json!(null), "what the service may spend is its own business");
}

#[tokio::test]
async fn what_is_left_is_the_same_number_everywhere() {
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=1");
    let token = token::mint("ann", "pro");
    deployment.claude.next("gate=open");
    let call = deployment
        .call("POST", "/api/chat")
        .bearer(&token)
        .json(&json!({ "message": "Hi", "model": "claude-haiku-5-5" }));
    let (response, ended) = call.open().await;
    deployment.claude.gate_reached("open").await;
    let held = deployment.ledger().await[0].ceiling_nanousd;
    let left = async || {
        let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
        let limits = usage["limits"].as_array().unwrap().clone();
        let budget = limits.into_iter().find(|one| one["policy"] == "user-day").unwrap();
        assert_eq!(budget["unit"], "nanousd");
        budget["remaining"].as_i64().unwrap()
    };
    assert_eq!(left().await, 1_000_000_000 - held, "settled and live holds");
    deployment.claude.open_gate("open");
    response.text().await.unwrap();
    ended().await;
    let cost = deployment.ledger().await[0].cost_nanousd.unwrap();
    assert_eq!(left().await, 1_000_000_000 - cost);
    let problem = deployment
        .chat(&token, json!({ "message": "Hi", "max_tokens": 64_000, "model": "claude-fable-5-2" }))
        .await
        .assert_problem(429, "budget_exceeded");
    assert_eq!(problem["budget"]["left_nanousd"], 1_000_000_000 - cost);
}

#[tokio::test]
async fn a_long_conversation_holds_more_before_it_is_sent_or_is_refused() {
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5");
    let token = token::mint("ann", "pro");
    let say = |text: &str| json!({ "message": text, "conversation_id": "long", "model": "claude-haiku-5-5", "max_tokens": 100 });
    assert_eq!(deployment.chat(&token, say(&"word ".repeat(9_000))).await.status, 200);
    let first = deployment.ledger().await[0].ceiling_nanousd;
    assert_eq!(deployment.chat(&token, say(&"word ".repeat(9_000))).await.status, 200);
    let second = deployment.ledger().await[1].ceiling_nanousd;
    // Twice 45,000 bytes are more than the first message and what is held for a history.
    assert!(second > first, "{first} {second}");
    // A call that was admitted for a short history, and has no room for its long one, is not made.
    let spent: i64 = deployment.ledger().await.iter().map(|row| row.cost_nanousd.unwrap()).sum();
    let mut poor = deployment.environment.clone();
    poor.insert("PLAN_BUDGETS_USD".to_owned(), format!("pro.user-day={}", usd(spent + first)));
    deployment.restart_with(poor);
    let made = deployment.claude.requests().len();
    let problem = deployment.chat(&token, say("And?")).await.assert_problem(429, "budget_exceeded");
    assert_eq!(problem["budget"]["left_nanousd"], first, "what it held is free again: {problem}");
    assert_eq!(deployment.claude.requests().len(), made);
    let row = deployment.ledger().await.pop().unwrap();
    assert_eq!((row.cost_nanousd, row.error_code.as_deref()), (Some(0), Some("not_made")));
    assert_eq!(deployment.chat(&token, json!({ "message": "Hi", "model": "claude-haiku-5-5" })).await.status, 200);
}
