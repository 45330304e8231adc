use purser::{cache::Cache as Redis, limit::Limiter, sqlite::Sqlite};
use purser_tests::{
    deployment::{Cache, Deployment, JWT_SECRET},
    services, token,
};
use serde_json::json;

/// The deployment's limiter, as billing and sign-out have it.
fn limiter(deployment: &Deployment) -> Limiter {
    match deployment.environment["DATABASE_URL"].strip_prefix("sqlite:") {
        Some(path) => Limiter::sqlite(Sqlite::open(path.as_ref()).unwrap()),
        None => Limiter::redis(Redis::tcp(&services::redis_url(), &deployment.prefix).unwrap()),
    }
}

#[tokio::test]
async fn the_plan_in_force_holds_from_the_next_request_on_with_the_old_token() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let limiter = limiter(&deployment);
        let (free, pro) = (token::mint("ann", "free"), token::mint("ann", "pro"));
        let opus = || json!({ "message": "Hi", "model": "claude-opus-5-5" });
        deployment.chat(&free, opus()).await.assert_problem(403, "model_not_allowed");

        limiter.set_plan("user:ann", "pro").await.unwrap();
        let reply = deployment.chat(&free, opus()).await;
        assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
        assert!(reply.header("ratelimit-policy").contains("\"pro-requests\";q=100"), "{cache:?}");
        let usage = deployment.call("GET", "/api/usage").bearer(&free).send().await.json();
        assert_eq!((&usage["plan"], &usage["limits"][0]["remaining"]), (&json!("pro"), &json!(99)), "{cache:?}");

        limiter.set_plan("user:ann", "free").await.unwrap();
        deployment.chat(&pro, opus()).await.assert_problem(403, "model_not_allowed");
        let reply = deployment.chat(&pro, json!({ "message": "Hi" })).await;
        assert!(reply.header("ratelimit-policy").contains("\"free-requests\";q=10"), "{cache:?}");
        assert_eq!(deployment.ledger().await.len(), 2, "{cache:?}: what was refused is not in the ledger");
    }
}

#[tokio::test]
async fn a_sign_out_ends_access_tokens_from_the_next_request_on() {
    let deployment = Deployment::new().await;
    let limiter = limiter(&deployment);
    let mut claims = token::claims("ann", "free");
    claims["sid"] = json!("s1");
    claims["iat_ms"] = json!(purser::clock::now_ms());
    let session = token::sign(&json!({ "alg": "HS256" }), &claims, JWT_SECRET);
    assert_eq!(deployment.chat(&session, json!({ "message": "Hi" })).await.status, 200);
    limiter.revoke_session("s1", 60_000).await.unwrap();
    deployment.chat(&session, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");
    deployment.call("GET", "/api/usage").bearer(&session).send().await.assert_problem(401, "session_revoked");
    assert_eq!(deployment.chat(&token::mint("ann", "free"), json!({ "message": "Hi" })).await.status, 200);
    limiter.revoke_before("user:ann", purser::clock::now_ms(), 60_000).await.unwrap();
    let minted = token::mint("ann", "free");
    deployment.chat(&minted, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");
    assert_eq!(deployment.chat(&token::mint("bob", "free"), json!({ "message": "Hi" })).await.status, 200);
}
