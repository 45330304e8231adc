//! Which clock decides: the store's. Functions' own may be off.

use purser::{
    cache::Cache as Redis,
    clock::{Period, day_utc, period_utc},
    limit::{Figures, Limiter, Policy},
    store::Statement,
};
use purser_tests::{
    deployment::{Cache, Deployment},
    http::Call,
    services,
    store_clock::StoreClock,
    token,
};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;

/// A token that is good by every clock here.
fn lasting(subject: &str) -> String {
    let mut claims = token::claims(subject, "pro");
    claims["exp"] = json!(token::now_s() + 60 * 86_400);
    token::sign(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, purser_tests::deployment::JWT_SECRET)
}

/// The deployment's limiter, behind its functions' back.
pub(crate) fn limiter(deployment: &Deployment) -> Limiter {
    match deployment.environment["DATABASE_URL"].strip_prefix("sqlite:") {
        Some(path) => Limiter::sqlite(purser::sqlite::Sqlite::open(path.as_ref()).unwrap()),
        None => Limiter::redis(Redis::tcp(&services::redis_url(), &deployment.prefix).unwrap()),
    }
}

/// When the calls were made and settled, and what they were taken in; oldest first.
pub(crate) async fn times(deployment: &Deployment) -> Vec<(i64, i64, Vec<Policy>)> {
    let sql = "select created_ms, settled_ms, hold from calls order by created_ms, id";
    let rows = deployment.store.rows(Statement::new(sql, [])).await.unwrap();
    let hold = |text: String| serde_json::from_str::<Vec<Policy>>(&text).unwrap();
    rows.iter()
        .map(|row| (row.int(0).unwrap(), row.int_opt(1).unwrap().unwrap_or(0), hold(row.text(2).unwrap())))
        .collect()
}

/// What is left of the caller's budgets, by name.
fn left(usage: &Value, budget: &str) -> i64 {
    let limits = usage["limits"].as_array().unwrap();
    limits.iter().find(|one| one["policy"] == budget).unwrap()["remaining"].as_i64().unwrap()
}

#[tokio::test]
async fn a_call_over_midnight_and_the_months_end_belongs_to_where_it_began() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let mut deployment = Deployment::with(cache).await;
        let (_, month_ends) = period_utc(Period::Month, purser::clock::now_ms());
        let clock = StoreClock::of(&mut deployment, month_ends - HOUR_MS / 6);
        // The functions' own clock is an hour behind that: still in the old month when the new one has begun.
        let step = month_ends - HOUR_MS / 6 - HOUR_MS - purser::clock::now_ms();
        deployment.set("PURSER_CLOCK_STEP_MS", &step.to_string());
        deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5,pro.user-month=50,pro.plan-day=60");
        deployment.set("CLAUDE_BUDGET_DAY_USD", "70");
        deployment.set("CLAUDE_BUDGET_MONTH_USD", "80");
        let ann = lasting("ann");
        let usage = async || deployment.call("GET", "/api/usage").bearer(&ann).send().await.json();

        // Its hold grows after midnight.
        deployment.claude.next(&format!("gate=over deltas=300 delta_ms=2 text=\"{}\"", "and ".repeat(6_000)));
        let body = json!({ "message": "Tell me", "model": "claude-haiku-5-5", "max_tokens": 40_000 });
        let (response, ended) = deployment.call("POST", "/api/chat").bearer(&ann).json(&body).open().await;
        deployment.claude.gate_reached("over").await;
        let held = deployment.ledger().await[0].ceiling_nanousd;
        assert_eq!(left(&usage().await, "user-month"), 50_000_000_000 - held, "{cache:?}");

        clock.set(month_ends + HOUR_MS / 6);
        let fresh = usage().await;
        let full = (left(&fresh, "user-day"), left(&fresh, "user-month"));
        assert_eq!(full, (5_000_000_000, 50_000_000_000), "{cache:?}: a new day and a new month");
        let reply = deployment.chat(&ann, json!({ "message": "Hi", "model": "claude-haiku-5-5" })).await;
        assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
        deployment.claude.open_gate("over");
        let text = response.text().await.unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"), "{cache:?}");
        ended().await;

        let rows = deployment.ledger().await;
        let cost: Vec<_> = rows.iter().map(|row| row.cost_nanousd.unwrap()).collect();
        assert_eq!(rows[0].output_tokens, 6_000, "{cache:?}: nothing was cut off");
        assert!(rows[0].ceiling_nanousd > held, "{cache:?}: it grew");
        let times = times(&deployment).await;
        assert!(
            times[0].0 < month_ends && times[0].1 >= month_ends && times[1].0 >= month_ends,
            "{cache:?}: {times:?}"
        );
        // Every budget of the old periods has the first, every one of the new has the second.
        let limiter = limiter(&deployment);
        for ((_, _, policies), cost) in times.iter().zip(&cost) {
            let budgets: Vec<_> = policies.iter().filter(|policy| policy.is_budget()).cloned().collect();
            assert_eq!(budgets.len(), 5);
            let settled = Figures::Open { spent_nanousd: *cost, held_nanousd: 0 };
            assert_eq!(limiter.figures(&budgets).await.unwrap(), vec![settled; 5], "{cache:?}");
        }
        let usage = usage().await;
        assert_eq!(left(&usage, "user-day"), 5_000_000_000 - cost[1], "{cache:?}");
        assert_eq!(left(&usage, "user-month"), 50_000_000_000 - cost[1], "{cache:?}");
        let days: Vec<_> =
            usage["days"].as_array().unwrap().iter().map(|day| (&day["day"], &day["cost_nanousd"])).collect();
        let (new, old) = (json!(day_utc(month_ends)), json!(day_utc(month_ends - 1)));
        assert_eq!(days, [(&new, &json!(cost[1])), (&old, &json!(cost[0]))], "{cache:?}");
        let found = deployment.reconcile().await;
        assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{cache:?}: {found}");
    }
}

#[tokio::test]
async fn functions_whose_clocks_are_an_hour_off_write_times_that_can_be_compared() {
    let mut deployment = Deployment::new().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let ann = lasting("ann");
    let before = purser::clock::now_ms();
    for step in [HOUR_MS, -HOUR_MS, 0] {
        let function = deployment.instance("v1-messages", "PURSER_CLOCK_STEP_MS", &step.to_string());
        let body = json!({
            "model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hi" }],
        });
        let reply = Call::new(function, "POST", "/api/v1/messages").bearer(&ann).json(&body).send().await;
        assert_eq!(reply.status, 200, "{step}: {}", reply.text);
        let reset = reply.header("anthropic-ratelimit-requests-reset");
        let within = [0, 1].map(|hours| purser::clock::rfc3339_utc(before + hours * (HOUR_MS + 120_000)));
        assert!(within[0].as_str() < reset && reset < within[1].as_str(), "{step}: {reset} {within:?}");
    }
    let after = purser::clock::now_ms();
    for (created, settled, _) in times(&deployment).await {
        assert!(before <= created && created <= settled && settled <= after, "{before} {created} {settled} {after}");
    }
    // How long calls took is added up from these times.
    let sql = "select count(*) from calls where booked_ms is not null and booked_ms between $1 and $2";
    let rows = deployment.store.rows(Statement::new(sql, [before.into(), after.into()])).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), 3);
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
}
