use purser_tests::{deployment::Deployment, token};
use serde_json::json;

#[tokio::test]
async fn usage_adds_up_to_the_ledger_and_to_the_hash_a_person_can_read() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    for _ in 0..3 {
        deployment.chat(&token, json!({ "message": "Hi", "model": "claude-haiku-5-5" })).await;
    }
    deployment.chat(&token::mint("bob", "pro"), json!({ "message": "Hi" })).await;
    let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
    let rows = deployment.ledger().await;
    let cost: i64 = rows.iter().filter(|row| row.owner == "user:ann").map(|row| row.cost_nanousd.unwrap()).sum();
    assert_eq!((&usage["totals"]["calls"], &usage["totals"]["cost_nanousd"]), (&json!(3), &json!(cost)));
    assert_eq!((&usage["days"][0]["model"], &usage["days"][0]["calls"]), (&json!("claude-haiku-5-5"), &json!(3)));
    assert_eq!((&usage["plan"], &usage["limits"][0]["remaining"]), (&json!("pro"), &json!(97)));

    let client = redis::Client::open(purser_tests::services::redis_url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}usage:user:ann", deployment.prefix);
    let hash: std::collections::BTreeMap<String, String> =
        redis::cmd("HGETALL").arg(key).query_async(&mut redis).await.unwrap();
    assert_eq!((hash["requests"].as_str(), hash["cost_nanousd"].parse()), ("3", Ok(cost)));
}
