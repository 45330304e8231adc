use purser::store::Statement;
use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment},
    services, token,
};
use serde_json::json;

#[tokio::test]
async fn somebody_signs_up_and_in_and_chats() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let reply = deployment.sign_in("  ANN@Example.com ", PASSWORD, "192.0.2.1").await;
        let answer = reply.json();
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(900)), "{cache:?}");
        assert_eq!(answer["user"], json!({ "id": ann.id, "email": "ann@example.com", "plan": "free" }), "{cache:?}");
        assert!(answer["refresh_token"].as_str().unwrap().starts_with("rt_"), "{cache:?}");
        assert!(!reply.headers.contains_key("set-cookie"), "{cache:?}: nobody asked for a cookie");
        assert_eq!(deployment.chat(&ann.access, json!({ "message": "Hi" })).await.status, 200, "{cache:?}");
        assert_eq!(deployment.ledger().await[0].owner, format!("user:{}", ann.id), "{cache:?}");
        let usage = deployment.call("GET", "/api/usage").bearer(&ann.access).send().await.json();
        assert_eq!((&usage["plan"], &usage["totals"]["calls"]), (&json!("free"), &json!(1)), "{cache:?}");
    }
}

#[tokio::test]
async fn a_taken_address_is_answered_like_a_free_one_and_changes_nothing() {
    let deployment = Deployment::new().await;
    let up = async |email: &str, password: &str, network: &str| {
        let body = json!({ "email": email, "password": password });
        deployment.auth("POST", "/api/auth/account", network).json(&body).send().await
    };
    let first = up("ann@example.com", PASSWORD, "192.0.2.1").await;
    let row =
        async |what: &'static str| deployment.store.rows(Statement::new(what, [])).await.unwrap()[0].text(0).unwrap();
    let (all, writer) = ("select cast(users as text) from users", "select cast(xmin as text) from users");
    let before = (row(all).await, row(writer).await);
    let taken = up("Ann@EXAMPLE.com", "another fine password!", "192.0.2.2").await;
    // Written as it was: without a write there would be nothing to flush, and the answer would come sooner.
    let after = (row(all).await, row(writer).await);
    assert!(after.0 == before.0 && after.1 != before.1, "{before:?} {after:?}");
    assert_eq!((first.status, &first.text), (taken.status, &taken.text));
    let names = |reply: &purser_tests::http::Reply| {
        let mut names: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&first), names(&taken));
    assert_eq!(deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.3").await.status, 200);
    let other = deployment.sign_in("ann@example.com", "another fine password!", "192.0.2.4").await;
    other.assert_problem(401, "wrong_credentials");
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_one_answer() {
    let deployment = Deployment::new().await;
    deployment.person("ann").await;
    let wrong = deployment.sign_in("ann@example.com", "not the password", "192.0.2.1").await;
    let unknown = deployment.sign_in("bob@example.com", "not the password", "192.0.2.2").await;
    let [mut wrong, mut unknown] = [wrong, unknown].map(|reply| reply.assert_problem(401, "wrong_credentials"));
    wrong["request_id"] = json!(null);
    unknown["request_id"] = json!(null);
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn weak_passwords_and_wrong_shapes_are_refused_before_anything_is_counted() {
    let deployment = Deployment::new().await;
    let up = async |body: serde_json::Value| {
        deployment.auth("POST", "/api/auth/account", "192.0.2.1").json(&body).send().await
    };
    for weak in ["short", "password123", "ann.lee@example.com", "qwertyuiop"] {
        let reply = up(json!({ "email": "ann.lee@example.com", "password": weak })).await;
        assert_eq!(reply.assert_problem(422, "weak_password")["pointer"], "/password", "{weak}");
        assert!(!reply.text.contains(&format!("\"{weak}\"")), "{weak} is repeated");
    }
    let nobody = up(json!({ "email": "nobody", "password": PASSWORD })).await;
    assert_eq!(nobody.assert_problem(422, "invalid_body")["pointer"], "/email");
    up(json!({ "email": "ann@example.com" })).await.assert_problem(422, "invalid_body");
    let long = up(json!({ "email": "ann@example.com", "password": "x".repeat(20_000) })).await;
    long.assert_problem(413, "body_too_large");
    let broken = deployment.auth("POST", "/api/auth/account", "192.0.2.1").body("{").send().await;
    broken.assert_problem(400, "invalid_json");
    assert_eq!(up(json!({ "email": "ann@example.com", "password": PASSWORD })).await.status, 202);
}

#[tokio::test]
async fn attempts_are_counted_by_network_and_by_account_separately() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        deployment.person("ann").await;
        for at in 0..5 {
            let email = format!("nobody{at}@example.com");
            deployment.sign_in(&email, "not the password", "192.0.2.1").await.assert_problem(401, "wrong_credentials");
        }
        let network = deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.1").await;
        let problem = network.assert_problem(429, "limit_exceeded");
        assert_eq!(problem["violated-policies"], json!(["auth-network"]), "{cache:?}");
        let wait: u64 = network.header("retry-after").parse().unwrap();
        assert!((800..=900).contains(&wait), "{cache:?}: {wait}");
        // The refused attempt has not been counted for the account: signing up and in took two.
        for at in 0..3 {
            let network = format!("198.51.100.{at}");
            deployment.sign_in("ann@example.com", "not it", &network).await.assert_problem(401, "wrong_credentials");
        }
        let account = deployment.sign_in("ann@example.com", PASSWORD, "203.0.113.1").await;
        let problem = account.assert_problem(429, "limit_exceeded");
        assert_eq!(problem["violated-policies"], json!(["auth-account"]), "{cache:?}");
    }
}

#[tokio::test]
async fn strangers_who_try_do_not_lock_the_owner_out() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "cookie": true });
    let home = async |cookie: &str, network: &str| {
        let call = deployment.auth("POST", "/api/auth/session", network);
        call.header("origin", "http://app").header("host", "app").header("cookie", cookie).json(&body).send().await
    };
    let first = home("", "192.0.2.1").await;
    let device = first.headers.get_all("set-cookie").iter().find_map(|cookie| {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        pair.starts_with("__Host-purser_device=").then(|| pair.to_owned())
    });
    let device = device.unwrap();
    for at in 0..9 {
        let network = format!("198.51.100.{at}");
        deployment.sign_in("ann@example.com", "a guess", &network).await;
    }
    home("", "192.0.2.2").await.assert_problem(429, "limit_exceeded");
    assert_eq!(home(&device, "192.0.2.3").await.status, 200, "a browser that was there before");
    home(&format!("{device}0"), "192.0.2.4").await.assert_problem(429, "limit_exceeded");
    assert_eq!(deployment.refresh(&ann.refresh).await.status, 200, "a session goes on");
}

#[tokio::test]
async fn a_hash_of_old_parameters_is_made_anew_at_the_next_sign_in() {
    let deployment = Deployment::new().await;
    deployment.person("ann").await;
    // `old password` under m = 8 KiB, t = 1.
    let old = "$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiB0aGUgdGVzdA$";
    let stored = async || {
        let rows = deployment.store.rows(Statement::new("select password from users", [])).await.unwrap();
        rows[0].text(0).unwrap()
    };
    let strong = stored().await;
    let hash = purser_tests::account::old_hash(PASSWORD);
    assert!(hash.starts_with(old), "{hash}");
    let update = Statement::new("update users set password = $1", [hash.as_str().into()]);
    deployment.store.rows(update).await.unwrap();
    deployment.sign_in("ann@example.com", "not the password", "192.0.2.1").await;
    assert_eq!(stored().await, hash, "a wrong password changes nothing");
    assert_eq!(deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.2").await.status, 200);
    let renewed = stored().await;
    assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && renewed != strong, "{renewed}");
    assert_eq!(deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.3").await.status, 200);
}

#[tokio::test]
async fn without_redis_signing_in_is_stricter_and_refreshing_works() {
    let mut deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    deployment.restart("auth-session");
    let network = "192.0.2.1";
    for _ in 0..2 {
        let reply = deployment.sign_in("ann@example.com", PASSWORD, network).await;
        assert_eq!((reply.status, reply.header("x-purser-degraded")), (200, "limiter"));
    }
    deployment.sign_in("ann@example.com", PASSWORD, network).await.assert_problem(429, "limit_exceeded");
    let again = deployment.refresh(&ann.refresh).await;
    assert_eq!(again.status, 200);
    let out = deployment.call("DELETE", "/api/auth/session").bearer(&Person::of(&again.json()).access).send().await;
    out.assert_problem(503, "limiter_unavailable");
    deployment.set("REDIS_URL", &services::redis_url());
    deployment.restart("auth-session");
    let access = Person::of(&again.json()).access;
    let out = deployment.call("DELETE", "/api/auth/session").bearer(&access).send().await;
    assert_eq!(out.status, 204, "the second attempt does what the first could not: {}", out.text);
    deployment.call("GET", "/api/usage").bearer(&access).send().await.assert_problem(401, "session_revoked");
}

#[tokio::test]
async fn several_secrets_verify_and_the_first_signs() {
    let mut deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let old = deployment.environment["JWT_SECRET"].clone();
    let minted = token::mint("bob", "free");
    let status = async |deployment: &Deployment, token: &str| {
        deployment.call("GET", "/api/usage").bearer(token).send().await.status
    };
    deployment.set("JWT_SECRET", &format!("a brand new secret of at least 32 bytes, {old}"));
    for name in ["auth-session", "usage"] {
        deployment.restart(name);
    }
    assert_eq!((status(&deployment, &ann.access).await, status(&deployment, &minted).await), (200, 200));
    let renewed = Person::of(&deployment.refresh(&ann.refresh).await.json());
    deployment.set("JWT_SECRET", "a brand new secret of at least 32 bytes");
    for name in ["auth-session", "usage"] {
        deployment.restart(name);
    }
    assert_eq!((status(&deployment, &ann.access).await, status(&deployment, &minted).await), (401, 401));
    assert_eq!(status(&deployment, &renewed.access).await, 200);
    assert_eq!(deployment.refresh(&renewed.refresh).await.status, 200);
    deployment.refresh(&ann.refresh).await.assert_problem(401, "session_revoked");
}
