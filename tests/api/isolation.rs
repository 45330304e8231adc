use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment, JWT_SECRET},
    http::Reply,
    token,
};
use serde_json::{Value, json};

/// Every route that shows or changes something of somebody's, asked for what belongs to somebody else.
async fn reach_for(deployment: &Deployment, thief: &str, owner: &Person, conversation: &str) -> Vec<(String, Reply)> {
    let one = format!("/api/conversations/{conversation}");
    let profile = deployment.call("GET", "/api/auth/account").bearer(&owner.access).send().await.json();
    let session = format!("/api/auth/session?id={}", profile["sessions"][0]["id"].as_str().unwrap());
    let key = format!("/api/auth/account?key={}", profile["api_keys"][0]["id"].as_str().unwrap());
    let title = json!({ "title": "mine now" });
    let chat = json!({ "message": "what did she say?", "conversation_id": conversation });
    let again = json!({ "id": conversation, "messages": [], "trigger": "regenerate-message" });
    let asks: [(&str, &str, Option<&Value>); 11] = [
        ("GET", &one, None),
        ("PATCH", &one, Some(&title)),
        ("DELETE", &one, None),
        ("GET", "/api/conversations", None),
        ("GET", "/api/usage", None),
        ("GET", "/api/auth/account?export=1", None),
        ("DELETE", &session, None),
        ("DELETE", &key, None),
        ("GET", &format!("/api/chat/{conversation}/stream"), None),
        ("POST", "/api/chat", Some(&chat)),
        ("POST", "/api/chat", Some(&again)),
    ];
    let mut replies = Vec::new();
    for (method, path, body) in asks {
        let call = deployment.call(method, path).bearer(thief);
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        replies.push((format!("{method} {path}"), call.send().await));
    }
    replies
}

#[tokio::test]
async fn nobody_reaches_anything_of_anybody_else() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
        deployment.api_key(&ann).await;
        let theft = deployment.api_key(&deployment.person("dan").await).await;
        let said = json!({ "message": "the secret of ann", "conversation_id": "shared-id" });
        assert_eq!(deployment.chat(&ann.access, said).await.status, 200);
        let before = deployment.call("GET", "/api/auth/account?export=1").bearer(&ann.access).send().await.text;
        for thief in [bob.access.as_str(), &theft, &token::mint("cat", "pro"), ""] {
            for (ask, reply) in reach_for(&deployment, thief, &ann, "shared-id").await {
                assert!(!reply.text.contains("the secret of ann"), "{cache:?}: {ask}: {}", reply.text);
                assert!(!reply.text.contains(&ann.id), "{cache:?}: {ask}: {}", reply.text);
                assert!(reply.status < 500, "{cache:?}: {ask}: {}", reply.text);
                let is_denied = [401, 403, 404, 409].contains(&reply.status);
                let is_own = ["GET /api/conversations", "GET /api/usage", "GET /api/auth/account?export=1"];
                let may = is_own.contains(&ask.as_str()) || ask.contains("/api/chat");
                assert!(is_denied || may, "{cache:?}: {ask}: {} {}", reply.status, reply.text);
            }
        }
        let after = deployment.call("GET", "/api/auth/account?export=1").bearer(&ann.access).send().await.text;
        assert_eq!(after, before, "{cache:?}: nothing of hers has changed");
    }
}

/// One session's access token, spoilt in every way.
fn forgeries(good: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<_> = good.split('.').collect();
    let decode = |part: &str| -> Value {
        use base64::Engine as _;
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let sign = |claims: &Value| token::sign(&header, claims, JWT_SECRET);
    let mut keyless = header.clone();
    keyless["kid"] = json!("another");
    vec![
        ("no algorithm", token::sign(&json!({ "alg": "none" }), &claims, JWT_SECRET)),
        ("another algorithm", token::sign(&json!({ "alg": "HS384" }), &claims, JWT_SECRET)),
        ("a public key's algorithm", token::sign(&json!({ "alg": "RS256" }), &claims, JWT_SECRET)),
        ("another key", token::sign(&header, &claims, "a wrong secret that is long enough for it")),
        ("another key, named otherwise", token::sign(&keyless, &claims, "a wrong secret that is long enough for it")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("a part too few", format!("{}.{}", parts[0], parts[1])),
        ("a part too many", format!("{good}.{}", parts[2])),
        ("swapped parts", format!("{}.{}.{}", parts[1], parts[0], parts[2])),
        ("another audience", sign(&with("aud", json!("somebody")))),
        ("another issuer", sign(&with("iss", json!("somebody")))),
        ("expired", sign(&with("exp", json!(token::now_s() - 1)))),
        ("not yet valid", sign(&with("nbf", json!(token::now_s() + 600)))),
        ("another plan", sign(&with("plan", json!("gold")))),
        ("no subject", sign(&with("sub", json!("")))),
        ("a session of nobody", sign(&with("sid", json!(uuid::Uuid::now_v7().to_string())))),
        ("somebody else's subject", sign(&with("sub", json!(uuid::Uuid::now_v7().to_string())))),
        ("a strange session", sign(&with("sid", json!(7)))),
    ]
}

#[tokio::test]
async fn forged_tokens_open_no_route() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    for (what, forged) in forgeries(&ann.access) {
        for (method, path) in [
            ("POST", "/api/chat"),
            ("GET", "/api/conversations"),
            ("GET", "/api/conversations/c"),
            ("GET", "/api/auth/account"),
            ("DELETE", "/api/auth/session?all=1"),
        ] {
            let call = deployment.call(method, path).bearer(&forged);
            let call = if method == "POST" { call.json(&json!({ "message": "Hi" })) } else { call };
            let reply = call.send().await;
            assert_eq!(reply.status, 401, "{what}: {method} {path}: {}", reply.text);
        }
    }
    assert_eq!(deployment.call("GET", "/api/auth/account").bearer(&ann.access).send().await.status, 200);
    assert!(deployment.claude.requests().is_empty());
}

#[tokio::test]
async fn no_address_token_or_password_is_in_any_log_line() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let key = deployment.api_key(&ann).await;
    let next = Person::of(&deployment.refresh(&ann.refresh).await.json());
    deployment.sign_in("bob@example.com", "a planted password", "192.0.2.1").await;
    deployment.sign_in("ann@example.com", "a planted password", "192.0.2.2").await;
    deployment.refresh("rt_planted").await;
    let body =
        json!({ "password": PASSWORD, "new_password": "another fine password!", "new_email": "eve@example.com" });
    let call = deployment.auth("PATCH", "/api/auth/account", "192.0.2.3").bearer(&ann.access);
    assert_eq!(call.json(&body).send().await.status, 200);
    deployment.call("GET", "/api/auth/account?export=1").bearer(&ann.access).send().await;
    deployment.chat(&key, json!({ "message": "Hi" })).await;
    deployment.call("DELETE", "/api/auth/session?all=1").bearer(&next.access).send().await;
    let call = deployment.auth("DELETE", "/api/auth/account", "192.0.2.4").bearer(&ann.access);
    call.json(&json!({ "password": "a planted password" })).send().await;
    let lines: Vec<_> = ["auth-account", "auth-session", "chat"]
        .iter()
        .flat_map(|name| deployment.function(name).lines())
        .map(|line| line.to_string())
        .collect();
    assert!(lines.len() >= 11, "{lines:?}");
    let planted = [
        "example.com",
        "planted",
        PASSWORD,
        "another fine",
        "rt_",
        "pk_",
        "argon2",
        &next.access,
        "192.0.2",
        "2001:db8",
    ];
    for line in &lines {
        for word in planted {
            assert!(!line.contains(word), "{word}: {line}");
        }
    }
}
