use purser_tests::{
    deployment::{Deployment, JWT_SECRET},
    provider::{ISSUER, Provider, SigningKey},
    token,
};
use serde_json::{Value, json};

/// A deployment that takes a provider's tokens.
async fn deployment(provider: &Provider) -> Deployment {
    let mut deployment = Deployment::new().await;
    deployment.set("JWT_JWKS_URL", &provider.url);
    deployment.set("JWT_JWKS_ISSUER", ISSUER);
    deployment
}

/// As Clerk makes them: a session of its own, no audience, no plan.
fn claims(subject: &str) -> Value {
    json!({ "sub": subject, "sid": "sess_1", "iss": ISSUER, "exp": token::now_s() + 60, "iat": token::now_s() })
}

async fn usage(deployment: &Deployment, token: &str) -> purser_tests::http::Reply {
    deployment.call("GET", "/api/usage").bearer(token).send().await
}

#[tokio::test]
async fn people_of_the_teams_identity_provider_are_callers() {
    let provider = Provider::start();
    let (ec, rsa) = (SigningKey::ec("ec"), SigningKey::rsa("rsa"));
    provider.publish(&ec);
    provider.publish(&rsa);
    let deployment = deployment(&provider).await;
    for key in [&ec, &rsa] {
        let seen = usage(&deployment, &key.sign(&claims("user_2abc"))).await.json();
        assert_eq!((&seen["caller"], &seen["plan"]), (&json!("user:user_2abc"), &json!("free")));
    }
    let mut pro = claims("user_2pro");
    pro["plan"] = json!("pro");
    assert_eq!(usage(&deployment, &ec.sign(&pro)).await.json()["plan"], "pro");
    assert_eq!(deployment.chat(&ec.sign(&claims("user_2abc")), json!({ "message": "Hi" })).await.status, 200);
    assert_eq!(usage(&deployment, &token::mint("ann", "free")).await.status, 200, "tokens of the secret stay good");
    assert_eq!(provider.asked(), 2, "once in each process");
}

#[tokio::test]
async fn what_the_provider_did_not_sign_for_us_is_refused() {
    let provider = Provider::start();
    let (key, stranger) = (SigningKey::ec("ec"), SigningKey::ec("ec"));
    provider.publish(&key);
    let mut deployment = deployment(&provider).await;
    deployment.set("JWT_JWKS_AUDIENCE", "purser-app");
    let with = |name: &str, value: Value| {
        let mut claims = claims("user_2abc");
        claims["aud"] = json!("purser-app");
        claims[name] = value;
        claims
    };
    let good = with("aud", json!("purser-app"));
    assert_eq!(usage(&deployment, &key.sign(&good)).await.status, 200);
    let parts: Vec<_> = key.sign(&good).split('.').map(str::to_owned).collect();
    let refused = [
        stranger.sign(&good),
        key.sign(&with("aud", json!("another-app"))),
        key.sign(&with("aud", json!(null))),
        key.sign(&with("iss", json!("https://evil.example"))),
        key.sign(&with("iss", json!("purser"))),
        key.sign(&with("exp", json!(null))),
        key.sign(&with("sub", json!(""))),
        key.sign(&with("nbf", json!(token::now_s() + 600))),
        format!("{}.{}.", parts[0], parts[1]),
        // The public key taken for a secret, and our secret taken for the provider's.
        token::sign(&json!({ "alg": "HS256", "kid": "ec" }), &good, JWT_SECRET),
        token::sign(&json!({ "alg": "RS256", "kid": "ec" }), &good, JWT_SECRET),
        token::sign(&json!({ "alg": "ES256", "kid": "ec" }), &good, JWT_SECRET),
    ];
    for token in refused {
        usage(&deployment, &token).await.assert_problem(401, "invalid_token");
    }
    let expired = key.sign(&with("exp", json!(token::now_s() - 60)));
    usage(&deployment, &expired).await.assert_problem(401, "token_expired");
    let off = Deployment::new().await;
    usage(&off, &key.sign(&good)).await.assert_problem(401, "invalid_token");
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_most_once_a_minute() {
    let provider = Provider::start();
    let (old, new) = (SigningKey::ec("old"), SigningKey::ec("new"));
    provider.publish(&old);
    let deployment = deployment(&provider).await;
    assert_eq!(usage(&deployment, &old.sign(&claims("ann"))).await.status, 200);
    for _ in 0..5 {
        usage(&deployment, &new.sign(&claims("ann"))).await.assert_problem(401, "invalid_token");
    }
    assert_eq!(provider.asked(), 1);
    // Another process has not asked yet, and finds the new key at once.
    provider.publish(&new);
    deployment.restart("usage");
    assert_eq!(usage(&deployment, &new.sign(&claims("ann"))).await.status, 200);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_and_nobody_elses_matter() {
    let mut deployment = Deployment::new().await;
    deployment.set("JWT_JWKS_URL", "http://127.0.0.1:9/keys");
    deployment.set("JWT_JWKS_ISSUER", ISSUER);
    let key = SigningKey::ec("ec");
    usage(&deployment, &key.sign(&claims("ann"))).await.assert_problem(503, "issuer_unavailable");
    assert_eq!(usage(&deployment, &token::mint("ann", "free")).await.status, 200);
    deployment.environment.remove("JWT_JWKS_ISSUER");
    let refused = purser_tests::function::Function::try_start("usage", &deployment.environment);
    assert!(refused.err().unwrap().contains("JWT_JWKS_ISSUER is missing"));
}
