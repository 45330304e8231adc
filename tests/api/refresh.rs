use std::collections::BTreeSet;

use purser::store::Statement;
use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment},
};
use serde_json::json;
use tokio::task::JoinSet;

/// Makes the last refresh of every session lie so long ago.
async fn age(deployment: &Deployment, ms: i64) {
    let sql = "update sessions set rotated_ms = rotated_ms - $1";
    deployment.store.rows(Statement::new(sql, [ms.into()])).await.unwrap();
}

#[tokio::test]
async fn a_refresh_gives_the_next_pair_and_an_old_token_ends_the_session() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let first = deployment.person("ann").await;
        let second = Person::of(&deployment.refresh(&first.refresh).await.json());
        assert_ne!(second.refresh, first.refresh, "{cache:?}");
        assert_eq!((&second.id, &second.email), (&first.id, &first.email), "{cache:?}");
        // Two tabs, or an answer that was lost: for a short while the old token gives what was given before.
        assert_eq!(Person::of(&deployment.refresh(&first.refresh).await.json()).refresh, second.refresh, "{cache:?}");
        let third = Person::of(&deployment.refresh(&second.refresh).await.json());
        age(&deployment, 60_000).await;
        let fourth = Person::of(&deployment.refresh(&third.refresh).await.json());
        assert_eq!(deployment.call("GET", "/api/usage").bearer(&fourth.access).send().await.status, 200, "{cache:?}");
        // Somebody kept a copy.
        deployment.refresh(&second.refresh).await.assert_problem(401, "session_revoked");
        deployment.refresh(&fourth.refresh).await.assert_problem(401, "session_revoked");
        let late = deployment.call("GET", "/api/usage").bearer(&fourth.access).send().await;
        late.assert_problem(401, "session_revoked");
        let lines = serde_json::to_string(&deployment.function("auth-session").lines()).unwrap();
        assert!(lines.contains("refresh_token_reused"), "{cache:?}: nobody is told");
        assert_eq!(deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.9").await.status, 200, "{cache:?}");
    }
}

#[tokio::test]
async fn a_token_one_step_behind_ends_the_session_once_the_grace_is_over() {
    let deployment = Deployment::new().await;
    let first = deployment.person("ann").await;
    let second = Person::of(&deployment.refresh(&first.refresh).await.json());
    age(&deployment, 60_000).await;
    deployment.refresh(&first.refresh).await.assert_problem(401, "session_revoked");
    deployment.refresh(&second.refresh).await.assert_problem(401, "session_revoked");
}

#[tokio::test]
async fn fifty_refreshes_at_once_never_fork_a_session() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let shown = json!({ "refresh_token": ann.refresh });
        let calls = (0..50).map(|_| deployment.call("PUT", "/api/auth/session").json(&shown).send());
        let tasks: JoinSet<_> = calls.collect();
        let mut next = BTreeSet::new();
        for reply in tasks.join_all().await {
            assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
            next.insert(Person::of(&reply.json()).refresh);
        }
        assert_eq!(next.len(), 1, "{cache:?}: {next:?}");
        assert_eq!(deployment.refresh(next.first().unwrap()).await.status, 200, "{cache:?}");
    }
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused_and_end_nothing() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let other = Deployment::new().await.person("ann").await;
    let mut changed = ann.refresh.clone();
    changed.replace_range(30..31, if &changed[30..31] == "A" { "B" } else { "A" });
    for forged in ["rt_", "rt_AAAA", &changed, &ann.access, &other.refresh] {
        deployment.refresh(forged).await.assert_problem(401, "session_revoked");
    }
    deployment.call("PUT", "/api/auth/session").send().await.assert_problem(401, "session_revoked");
    let shape = deployment.call("PUT", "/api/auth/session").json(&json!({ "refresh_token": 7 })).send().await;
    shape.assert_problem(422, "invalid_body");
    assert_eq!(deployment.refresh(&ann.refresh).await.status, 200);
}

#[tokio::test]
async fn a_browser_keeps_its_refresh_token_where_no_script_and_no_other_site_reaches_it() {
    let mut deployment = Deployment::new().await;
    deployment.set("ALLOWED_ORIGINS", "https://front.example");
    deployment.person("ann").await;
    let call = |method: &str, origin: &str, cookie: &str| {
        let call = deployment.auth(method, "/api/auth/session", "192.0.2.1").header("host", "app.example");
        let call = if origin.is_empty() { call } else { call.header("origin", origin) };
        if cookie.is_empty() { call } else { call.header("cookie", cookie) }
    };
    let own = "https://app.example";
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "cookie": true });
    let reply = call("POST", own, "").json(&body).send().await;
    assert!(reply.json()["refresh_token"].is_null(), "{}", reply.text);
    let set: Vec<_> = reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let hidden = set.iter().find(|cookie| cookie.starts_with("__Host-purser_refresh=rt_")).unwrap();
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age=2592000"] {
        assert!(hidden.contains(part), "{hidden}");
    }
    assert!(!hidden.contains("Domain"), "{hidden}");
    let cookie = hidden.split(';').next().unwrap();
    call("PUT", "https://evil.example", cookie).send().await.assert_problem(403, "forbidden");
    call("PUT", "", cookie).send().await.assert_problem(403, "forbidden");
    call("DELETE", "", cookie).send().await.assert_problem(403, "forbidden");
    let next = call("PUT", own, cookie).send().await;
    assert_eq!(next.status, 200, "{}", next.text);
    assert!(next.json()["access_token"].is_string() && next.json()["refresh_token"].is_null());
    let elsewhere = call("PUT", "https://front.example", cookie).send().await;
    assert!(elsewhere.headers.get_all("set-cookie").iter().any(|c| c.to_str().unwrap().contains("SameSite=None")));
    let out = call("DELETE", own, cookie).send().await;
    assert_eq!(out.status, 204, "{}", out.text);
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{:?}", out.headers);
    call("PUT", own, cookie).send().await.assert_problem(401, "session_revoked");
}
