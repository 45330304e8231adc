use purser_tests::{
    deployment::{Cache, Deployment, JWT_SECRET},
    token,
};
use serde_json::json;

#[tokio::test]
async fn only_tokens_of_this_deployment_pass_and_a_bad_one_is_never_anonymous() {
    let deployment = Deployment::new().await;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = token::claims("ann", "free");
        match value.is_null() {
            true => drop(claims.as_object_mut().unwrap().remove(name)),
            false => claims[name] = value,
        }
        token::sign(&header, &claims, JWT_SECRET)
    };
    let good = deployment.call("GET", "/api/usage").bearer(&token::mint("ann", "free")).send().await;
    assert_eq!((good.status, &good.json()["caller"]), (200, &json!("user:ann")));
    let refused = [
        token::sign(&header, &token::claims("ann", "pro"), "another secret that is long enough too"),
        token::sign(&json!({ "alg": "none" }), &token::claims("ann", "pro"), JWT_SECRET),
        token::sign(&json!({ "alg": "HS512" }), &token::claims("ann", "pro"), JWT_SECRET),
        with("plan", json!("gold")),
        with("plan", json!("anonymous")),
        with("plan", json!(null)),
        with("sub", json!(null)),
        with("sub", json!("")),
        with("exp", json!(null)),
        with("iss", json!("somebody")),
        with("aud", json!("somebody")),
        with("nbf", json!(token::now_s() + 600)),
        "a.b.c".to_owned(),
        "é".to_owned(),
    ];
    for bad in refused {
        let reply = deployment.call("GET", "/api/usage").header("authorization", &format!("Bearer {bad}")).send().await;
        let code = if bad == "é" { (400, "invalid_header") } else { (401, "invalid_token") };
        reply.assert_problem(code.0, code.1);
    }
    let expired = deployment.call("GET", "/api/usage").bearer(&with("exp", json!(token::now_s() - 1))).send().await;
    expired.assert_problem(401, "token_expired");
    let basic = deployment.call("GET", "/api/usage").header("authorization", "Basic x").send().await;
    basic.assert_problem(400, "invalid_header");
    let twice = deployment.call("GET", "/api/usage").bearer("a").bearer("b").send().await;
    twice.assert_problem(400, "invalid_header");
}

#[tokio::test]
async fn an_anonymous_browser_is_known_by_its_cookie() {
    let deployment = Deployment::new().await;
    let first = deployment.call("POST", "/api/chat").json(&json!({ "message": "Hi" })).send().await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(first.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    let again = deployment.call("GET", "/api/conversations").header("cookie", &cookie).send().await;
    assert_eq!(again.json()["conversations"].as_array().unwrap().len(), 1);
    assert_eq!(again.header("set-cookie"), "");
    let forged = cookie.replace('.', "0.");
    let stranger = deployment.call("GET", "/api/conversations").header("cookie", &forged).send().await;
    assert!(stranger.json()["conversations"].as_array().unwrap().is_empty());
    let call = deployment.call("POST", "/api/chat").header("cookie", &forged);
    let stranger = call.json(&json!({ "message": "Hi" })).send().await;
    assert!(stranger.header("set-cookie").starts_with("purser_browser="));
    assert_ne!(stranger.header("set-cookie").split(';').next(), Some(&*cookie));
}

/// A page reads several things at once before anybody says a word. Each answer with a guest of its own would leave it to
/// chance whose the first conversation is, and one that comes late would take it away.
#[tokio::test]
async fn reading_makes_nobody_a_guest_and_asking_does() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    for path in ["/api/usage", "/api/conversations", "/api/v1/models"] {
        let read = deployment.call("GET", path).send().await;
        assert_eq!((read.status, read.header("set-cookie")), (200, ""), "{path}: {}", read.text);
    }
    let asked = deployment.chat("", json!({ "message": "Hi" })).await;
    assert!(asked.header("set-cookie").starts_with("purser_browser="), "{}", asked.text);
}
