//! Faults come to Sentry, and nothing else does.

use purser_tests::{
    deployment::{Cache, Deployment},
    function::{Function, free_port},
    ingest::Ingest,
    relay::CountingRelay,
    services, token,
};
use serde_json::{Value, json};

async fn with_sentry(cache: Cache) -> (Deployment, Ingest) {
    let ingest = Ingest::start();
    let mut deployment = Deployment::with(cache).await;
    deployment.set("SENTRY_DSN", &ingest.dsn());
    (deployment, ingest)
}

fn fault() -> Value {
    json!({ "message": "[[standin: error=authentication_error status=401]]" })
}

#[tokio::test]
async fn a_fault_is_one_event_and_what_clients_do_wrong_is_none() {
    let (deployment, ingest) = with_sentry(Cache::Sqlite).await;
    let token = token::mint("ann", "pro");
    assert_eq!(deployment.chat(&token, json!({ "message": "Hi" })).await.status, 200);
    deployment.chat(&token, json!({ "message": "" })).await.assert_problem(422, "invalid_body");
    deployment.chat("nonsense", json!({ "message": "Hi" })).await.assert_problem(401, "invalid_token");
    assert_eq!(ingest.requests().len(), 0);
    let failed = deployment.chat(&token, fault()).await;
    failed.assert_problem(502, "claude_misconfigured");
    let events = ingest.events();
    let event = &events[0];
    assert_eq!(event["message"], "chat: claude_misconfigured", "{event}");
    assert_eq!((&event["environment"], &event["logger"]), (&json!("development"), &json!("purser")), "{event}");
    assert!(event["release"].as_str().unwrap().starts_with("purser@"), "{event}");
    let tags = &event["tags"];
    assert_eq!((&tags["route"], &tags["status"], &tags["plan"]), (&json!("chat"), &json!("502"), &json!("pro")));
    assert_eq!(tags["request_id"], failed.header("x-request-id"));
    assert!(ingest.requests()[0].contains("sentry_key=a11ce"));
    // The same again within a minute is the same story.
    for _ in 0..3 {
        deployment.chat(&token, fault()).await.assert_problem(502, "claude_misconfigured");
    }
    assert_eq!(ingest.events().len(), 1);
}

#[tokio::test]
async fn nothing_sensitive_is_in_what_sentry_gets() {
    let (mut deployment, ingest) = with_sentry(Cache::Redis).await;
    let (postgres, redis) =
        (CountingRelay::start(&deployment.environment["DATABASE_URL"]), CountingRelay::start(&services::redis_url()));
    deployment.set("DATABASE_URL", &postgres.url);
    deployment.set("REDIS_URL", &redis.url);
    let user = deployment.person("planted.address").await;
    let mut prompt = fault();
    prompt["message"] = format!("planted-prompt {}", prompt["message"].as_str().unwrap()).into();
    prompt["system"] = "planted-system".into();
    let ask = |token: &str| {
        let call = deployment.call("POST", "/api/chat").bearer(token);
        let call = call.header("cookie", "planted-cookie=1").header("x-vercel-forwarded-for", "203.0.113.77");
        call.header("x-planted", "planted-header").json(&prompt)
    };
    assert_eq!(ask(&user.access).send().await.status, 502);
    redis.cut();
    assert_eq!(ask(&user.access).send().await.status, 502);
    postgres.cut();
    assert_eq!(ask(&user.access).send().await.status, 503);
    let sign_in = json!({ "email": "planted.address@example.com", "password": "planted password" });
    let refused = deployment.call("POST", "/api/auth/session").json(&sign_in).send().await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let told: Vec<String> = ingest.events().iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect();
    for wanted in ["chat: claude_misconfigured", "degraded_in: limiter", "chat: store_unavailable"] {
        assert!(told.iter().any(|one| one == wanted), "{told:?}");
    }
    assert!(told.iter().any(|one| one.starts_with("auth-session: ")), "{told:?}");
    let all = ingest.requests().concat();
    let secrets =
        [user.access.as_str(), &deployment.environment["JWT_SECRET"], &deployment.environment["CLAUDE_API_KEY"]];
    for secret in ["planted", "203.0.113.77", "postgres://"].into_iter().chain(secrets) {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test]
async fn a_sentry_that_is_away_or_has_enough_is_left_alone() {
    let (mut deployment, ingest) = with_sentry(Cache::Sqlite).await;
    let token = token::mint("ann", "pro");
    ingest.answer_with("429 Too Many Requests\r\nretry-after: 600");
    deployment.chat(&token, fault()).await.assert_problem(502, "claude_misconfigured");
    let body = json!({ "message": "[[standin: error=overloaded_error status=529]]" });
    deployment.chat(&token, body).await.assert_problem(503, "claude_overloaded");
    assert_eq!(ingest.requests().len(), 1, "another kind, and not sent");
    deployment.set("SENTRY_DSN", &format!("http://a11ce@127.0.0.1:{}/7", free_port()));
    deployment.restart("chat");
    deployment.chat(&token, fault()).await.assert_problem(502, "claude_misconfigured");
    assert_eq!(deployment.chat(&token, json!({ "message": "Hi" })).await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_start() {
    let mut deployment = Deployment::with(Cache::Sqlite).await;
    deployment.environment.insert("SENTRY_DSN".to_owned(), "https://hunter2.example".to_owned());
    let said = Function::try_start("chat", &deployment.environment).err().unwrap();
    assert!(said.contains("SENTRY_DSN is malformed") && !said.contains("hunter2"), "{said}");
}
