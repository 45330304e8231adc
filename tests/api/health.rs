use purser_tests::deployment::{Cache, Deployment};

#[tokio::test]
async fn health_answers_everybody_and_its_depth_only_the_owner() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    let reply = deployment.call("GET", "/api/health").send().await;
    assert_eq!((reply.status, reply.json()["status"].as_str()), (200, Some("ok")));
    assert!(reply.header("server-timing").contains("total;dur="));
    let leads = deployment.call("GET", "/api/health?deep=1").send().await;
    assert_eq!((leads.status, leads.header("location")), (307, "/api/cron/health"));
    for secret in [None, Some("guess"), Some("the cron secret")] {
        let call = deployment.call("GET", "/api/cron/health");
        let call = if let Some(secret) = secret { call.bearer(secret) } else { call };
        call.send().await.assert_problem(403, "forbidden");
    }
    let deep = deployment.call("GET", "/api/cron/health").bearer("the admin secret").send().await;
    let checks = deep.json()["checks"].clone();
    assert_eq!((deep.status, &checks["store"]["ok"], &checks["limiter"]["ok"]), (200, &true.into(), &true.into()));
}

#[tokio::test]
async fn a_deployment_whose_redis_is_gone_says_so_and_goes_on() {
    let mut deployment = Deployment::new().await;
    let nowhere = format!("redis://127.0.0.1:{}", purser_tests::function::free_port());
    deployment.set("REDIS_URL", &nowhere);
    assert_eq!(deployment.call("GET", "/api/health").send().await.status, 200);
    let deep = deployment.call("GET", "/api/cron/health").bearer("the admin secret").send().await;
    assert_eq!((deep.status, deep.json()["status"].as_str()), (503, Some("degraded")));
    assert_eq!(deep.json()["checks"]["limiter"]["code"], "limiter_unavailable");
    let reply = deployment.chat("", serde_json::json!({ "message": "x" })).await;
    assert_eq!((reply.status, reply.header("x-purser-degraded")), (200, "limiter"), "{}", reply.text);
    let again = deployment.call("GET", "/api/cron/health").bearer("the admin secret").send().await;
    assert_eq!((again.status, &again.json()["checks"]["limiter"]["ok"]), (503, &false.into()));
}

#[tokio::test]
async fn without_a_store_no_call_starts_and_what_was_held_comes_back() {
    let mut deployment = Deployment::new().await;
    let port = purser_tests::function::free_port();
    deployment.set("DATABASE_URL", &format!("postgres://purser@127.0.0.1:{port}/postgres"));
    let token = purser_tests::token::mint("ann", "free");
    for _ in 0..12 {
        deployment.chat(&token, serde_json::json!({ "message": "x" })).await.assert_problem(503, "store_unavailable");
    }
    assert!(deployment.claude.requests().is_empty());
}
