use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment},
    token,
};
use serde_json::json;

/// What a token opens: by limiter and store, by limiter alone, by store alone.
async fn statuses(deployment: &Deployment, token: &str) -> [u16; 3] {
    let chat = deployment.chat(token, json!({ "message": "Hi" })).await.status;
    let usage = deployment.call("GET", "/api/usage").bearer(token).send().await.status;
    let list = deployment.call("GET", "/api/conversations").bearer(token).send().await.status;
    [chat, usage, list]
}

#[tokio::test]
async fn signing_out_ends_this_session_everywhere_at_once_and_no_other() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let phone = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await.json());
        assert_eq!(statuses(&deployment, &ann.access).await, [200; 3], "{cache:?}");
        for _ in 0..2 {
            let out = deployment.call("DELETE", "/api/auth/session").bearer(&ann.access).send().await;
            assert_eq!(out.status, 204, "{cache:?}: twice is as good as once: {}", out.text);
        }
        assert_eq!(statuses(&deployment, &ann.access).await, [401; 3], "{cache:?}");
        deployment.refresh(&ann.refresh).await.assert_problem(401, "session_revoked");
        assert_eq!(statuses(&deployment, &phone.access).await, [200; 3], "{cache:?}");
        let body = json!({ "refresh_token": phone.refresh });
        let by_refresh_token = deployment.call("DELETE", "/api/auth/session").json(&body).send().await;
        assert_eq!(by_refresh_token.status, 204, "{cache:?}");
        assert_eq!(statuses(&deployment, &phone.access).await, [401; 3], "{cache:?}");
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_that_was_issued_so_far_and_nothing_later() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let bob = deployment.person("bob").await;
    let phone = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await.json());
    let mut claims = token::claims(&ann.id, "free");
    claims["iat"] = json!(token::now_s() - 1);
    let minted = token::sign(&json!({ "alg": "HS256" }), &claims, purser_tests::deployment::JWT_SECRET);
    assert_eq!(deployment.chat(&minted, json!({ "message": "Hi" })).await.status, 200);
    let out = deployment.call("DELETE", "/api/auth/session?all=1").bearer(&ann.access).send().await;
    assert_eq!(out.status, 204, "{}", out.text);
    for token in [&ann.access, &phone.access] {
        assert_eq!(statuses(&deployment, token).await, [401; 3]);
    }
    deployment.chat(&minted, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");
    deployment.refresh(&phone.refresh).await.assert_problem(401, "session_revoked");
    let again = deployment.call("DELETE", "/api/auth/session?all=1").bearer(&ann.access).send().await;
    again.assert_problem(401, "session_revoked");
    let back = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.2").await.json());
    assert_eq!(statuses(&deployment, &back.access).await, [200; 3]);
    assert_eq!(statuses(&deployment, &bob.access).await, [200; 3]);
}

#[tokio::test]
async fn one_of_my_sessions_can_be_ended_and_none_of_anybody_elses() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let bob = deployment.person("bob").await;
    let phone = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await.json());
    let profile = deployment.call("GET", "/api/auth/account").bearer(&ann.access).send().await.json();
    let sessions = profile["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{profile}");
    let other = sessions.iter().find(|session| session["is_current"] == false).unwrap()["id"].as_str().unwrap();
    let path = format!("/api/auth/session?id={other}");
    deployment.call("DELETE", &path).bearer(&bob.access).send().await.assert_problem(404, "not_found");
    assert_eq!(deployment.call("DELETE", &path).bearer(&ann.access).send().await.status, 204);
    assert_eq!(statuses(&deployment, &phone.access).await, [401; 3]);
    assert_eq!(statuses(&deployment, &ann.access).await, [200; 3]);
    assert_eq!(statuses(&deployment, &bob.access).await, [200; 3]);
    let minted = token::mint("cat", "free");
    let out = deployment.call("DELETE", "/api/auth/session").bearer(&minted).send().await;
    out.assert_problem(409, "conflict");
}
