use purser::store::Statement;
use purser_tests::{
    account::Person,
    deployment::{Cache, Deployment},
    token,
};
use serde_json::{Value, json};

fn messages() -> Value {
    json!({ "model": "claude-haiku-5-5", "max_tokens": 64, "messages": [{ "role": "user", "content": "Hi" }] })
}

/// What the key opens: the Messages API, chat, usage, conversations.
async fn statuses(deployment: &Deployment, key: &str) -> [u16; 4] {
    let call = deployment.call("POST", "/api/v1/messages").header("x-api-key", key).json(&messages());
    let v1 = call.send().await.status;
    let chat = deployment.chat(key, json!({ "message": "Hi" })).await.status;
    let usage = deployment.call("GET", "/api/usage").bearer(key).send().await.status;
    let list = deployment.call("GET", "/api/conversations").bearer(key).send().await.status;
    [v1, chat, usage, list]
}

async fn keys_of(deployment: &Deployment, person: &Person) -> Vec<Value> {
    let profile = deployment.call("GET", "/api/auth/account").bearer(&person.access).send().await.json();
    profile["api_keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_opens_all_that_a_token_opens_until_it_is_revoked() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let bob = deployment.person("bob").await;
        let key = deployment.api_key(&ann).await;
        assert!(key.starts_with("pk_") && key.len() == 89, "{cache:?}: {key}");
        let listed = &keys_of(&deployment, &ann).await[0];
        assert_eq!((&listed["name"], &listed["used_ms"]), (&json!("nightly job"), &json!(null)), "{cache:?}");
        assert!(!listed.to_string().contains(&key), "{cache:?}: it is shown once");
        assert_eq!(statuses(&deployment, &key).await, [200; 4], "{cache:?}");
        assert!(keys_of(&deployment, &ann).await[0]["used_ms"].is_i64(), "{cache:?}");
        assert!(deployment.ledger().await.iter().all(|row| row.owner == format!("user:{}", ann.id)), "{cache:?}");

        let path = format!("/api/auth/account?key={}", listed["id"].as_str().unwrap());
        deployment.call("DELETE", &path).bearer(&bob.access).send().await.assert_problem(404, "not_found");
        assert_eq!(deployment.call("DELETE", &path).bearer(&ann.access).send().await.status, 204, "{cache:?}");
        assert_eq!(statuses(&deployment, &key).await, [401; 4], "{cache:?}");
        assert!(keys_of(&deployment, &ann).await.is_empty(), "{cache:?}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_out_even_where_the_limiter_has_never_heard_of_it() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let key = deployment.api_key(&ann).await;
        assert_eq!(deployment.chat(&key, json!({ "message": "Hi" })).await.status, 200, "{cache:?}");
        let before = deployment.claude.requests().len();
        deployment.store.rows(Statement::new("delete from api_keys", [])).await.unwrap();
        deployment.chat(&key, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");
        let list = deployment.call("GET", "/api/conversations").bearer(&key).send().await;
        list.assert_problem(401, "session_revoked");
        assert_eq!(deployment.claude.requests().len(), before, "{cache:?}: nothing was sent");
        assert_eq!(deployment.ledger().await.len(), 1, "{cache:?}: nothing was written");
        // What was taken for the refused call has been given back.
        let usage = deployment.call("GET", "/api/usage").bearer(&token::mint(&ann.id, "free")).send().await.json();
        assert_eq!(usage["limits"][0]["remaining"], 9, "{cache:?}");
    }
}

#[tokio::test]
async fn a_key_follows_the_plan_of_its_account() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let key = deployment.api_key(&ann).await;
    let opus = || json!({ "message": "Hi", "model": "claude-opus-5-5" });
    deployment.chat(&key, opus()).await.assert_problem(403, "model_not_allowed");
    deployment.store.rows(Statement::new("update users set plan = 'pro'", [])).await.unwrap();
    for _ in 0..2 {
        let reply = deployment.chat(&key, opus()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.header("ratelimit-policy").contains("\"pro-requests\""), "{:?}", reply.headers);
    }
    deployment.store.rows(Statement::new("update users set plan = 'free'", [])).await.unwrap();
    deployment.chat(&key, opus()).await.assert_problem(403, "model_not_allowed");
}

#[tokio::test]
async fn forged_keys_cost_nothing_and_keys_do_not_manage_accounts() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let key = deployment.api_key(&ann).await;
    let other = Deployment::new().await;
    let stranger = other.person("ann").await;
    let foreign = other.api_key(&stranger).await;
    let mut changed = key.clone();
    changed.replace_range(30..31, if &changed[30..31] == "A" { "B" } else { "A" });
    for forged in ["pk_", "pk_AAAA", &changed, &foreign[..88]] {
        deployment.chat(forged, json!({ "message": "Hi" })).await.assert_problem(401, "invalid_token");
    }
    // Another deployment with the same secret: the key is signed right, and its account is not here.
    deployment.chat(&foreign, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");

    let account = |method: &str, path: &str| deployment.call(method, path).bearer(&key);
    assert_eq!(account("GET", "/api/auth/account").send().await.json()["id"], json!(ann.id));
    let made = account("POST", "/api/auth/account?key=new").json(&json!({ "name": "another" })).send().await;
    made.assert_problem(403, "forbidden");
    let id = keys_of(&deployment, &ann).await[0]["id"].as_str().unwrap().to_owned();
    let revoked = account("DELETE", &format!("/api/auth/account?key={id}")).send().await;
    revoked.assert_problem(403, "forbidden");
    account("DELETE", "/api/auth/session").send().await.assert_problem(403, "forbidden");
    let password = json!({ "password": purser_tests::account::PASSWORD, "new_email": "eve@example.com" });
    account("PATCH", "/api/auth/account").json(&password).send().await.assert_problem(403, "forbidden");
    let nobody = deployment.call("POST", "/api/auth/account?key=new").json(&json!({ "name": "x" })).send().await;
    nobody.assert_problem(401, "invalid_token");
}

#[tokio::test]
async fn there_are_at_most_twenty_keys() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    let ann = deployment.person("ann").await;
    for _ in 0..20 {
        deployment.api_key(&ann).await;
    }
    let call = deployment.call("POST", "/api/auth/account?key=new").bearer(&ann.access);
    call.json(&json!({ "name": "one too many" })).send().await.assert_problem(409, "conflict");
    let unnamed = deployment.call("POST", "/api/auth/account?key=new").bearer(&ann.access);
    assert_eq!(unnamed.json(&json!({})).send().await.assert_problem(422, "invalid_body")["pointer"], "/name");
}
