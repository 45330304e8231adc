use purser_tests::deployment::{Cache, Deployment};

#[tokio::test]
async fn health_answers_everybody_and_its_depth_only_the_owner() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    let reply = deployment.call("GET", "/api/health").send().await;
    assert_eq!((reply.status, reply.json()["status"].as_str()), (200, Some("ok")));
    assert!(reply.header("server-timing").contains("total;dur="));
    deployment.call("GET", "/api/health?deep=1").send().await.assert_problem(403, "forbidden");
    deployment.call("GET", "/api/health?deep=1").bearer("guess").send().await.assert_problem(403, "forbidden");
    let deep = deployment.call("GET", "/api/health?deep=1").bearer("the admin secret").send().await;
    assert_eq!((deep.status, deep.json()["stage"].as_str()), (200, Some("development")));
}
