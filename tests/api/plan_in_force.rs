use purser::{cache::Cache as Redis, limit::Limiter, sqlite::Sqlite, store::Statement};
use purser_tests::{
    deployment::{Cache, Deployment},
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
async fn a_plan_that_only_the_store_knows_holds_as_well() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let set = async |plan: &str| {
            deployment.store.rows(Statement::new("update users set plan = $1", [plan.into()])).await.unwrap();
        };
        let policy = async || {
            let reply = deployment.chat(&ann.access, json!({ "message": "Hi" })).await;
            assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
            let all: Vec<_> = reply.headers.get_all("ratelimit-policy").iter().collect();
            assert_eq!(all.len(), 1, "{cache:?}");
            all[0].to_str().unwrap().to_owned()
        };
        assert!(policy().await.contains("\"free-requests\""), "{cache:?}");
        // Billing has written the plan, and has not told the limiter yet, or the limiter has forgotten.
        set("pro").await;
        assert!(policy().await.contains("\"pro-requests\""), "{cache:?}");
        set("free").await;
        assert!(policy().await.contains("\"free-requests\""), "{cache:?}");
        let usage = deployment.call("GET", "/api/usage").bearer(&ann.access).send().await.json();
        assert_eq!((&usage["plan"], &usage["limits"][0]["remaining"]), (&json!("free"), &json!(8)), "{cache:?}");
        assert_eq!(deployment.ledger().await.len(), 3, "{cache:?}");
    }
}
