use std::collections::BTreeSet;

use purser_tests::{
    account::{PASSWORD, Person},
    contract::{Operation, operations},
    deployment::{Cache, Deployment, JWT_SECRET, function_of},
    http::Reply,
    shop::Shop,
    stripe::{SECRET_KEY, WEBHOOK_SECRET},
    token,
};
use serde_json::{Value, json};

use crate::drive::everything;

/// What Ann has.
struct Loot<'a> {
    owner: &'a Person,
    conversation: &'a str,
    session: String,
    key_id: String,
    message: String,
}

impl<'a> Loot<'a> {
    async fn of(deployment: &Deployment, owner: &'a Person, conversation: &'a str) -> Self {
        let read = async |path: &str| deployment.call("GET", path).bearer(&owner.access).send().await.json();
        let profile = read("/api/auth/account").await;
        let said = read(&format!("/api/conversations/{conversation}")).await;
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let (session, key_id) = (id(&profile["sessions"][0]), id(&profile["api_keys"][0]));
        Self { owner, conversation, session, key_id, message: id(&said["messages"][0]) }
    }

    /// How somebody else would get at it by an operation: a query, and a body. An operation that is new has to be
    /// thought about here.
    fn attempts(&self, operation: &str) -> Vec<(String, Value)> {
        let conversation = self.conversation;
        let (no_body, chat) = (Value::Null, |body: Value| (String::new(), body));
        let mut refresh = self.owner.refresh.clone();
        let last = refresh.pop();
        refresh.push(if last == Some('0') { '1' } else { '0' });
        let refresh = json!({ "refresh_token": refresh });
        let edit = json!([{ "id": "x", "role": "user", "parts": [{ "type": "text", "text": "what did she say?" }] }]);
        let results = json!([{ "tool_use_id": "x", "content": "y" }]);
        let wrong = json!({ "password": "not the password", "new_email": "mine@example.com" });
        let credentials = json!({ "email": self.owner.email, "password": "not the password" });
        let hello = json!([{ "role": "user", "content": "what did she say?" }]);
        match operation {
            "health" | "healthHead" | "models" | "model" | "conversations" | "usage" | "conversation"
            | "deleteConversation" | "resumeChat" | "reconcile" | "cleanup" | "deepHealth" => vec![chat(no_body)],
            "account" => vec![chat(no_body.clone()), ("?export=1".to_owned(), no_body)],
            "signUp" => vec![("?key=new".to_owned(), json!({ "name": "mine" })), chat(credentials)],
            "signIn" => vec![chat(credentials)],
            "changeAccount" => vec![chat(wrong)],
            "deleteAccount" => {
                vec![(format!("?key={}", self.key_id), no_body), chat(json!({ "password": "not the password" }))]
            }
            "refresh" => vec![chat(refresh)],
            "signOut" => vec![(format!("?id={}", self.session), no_body), (format!("?id={}", self.session), refresh)],
            "checkout" => vec![chat(json!({ "return_path": format!("/{}", self.owner.id) }))],
            "stripeEvent" => vec![chat(json!({ "id": "evt_x", "type": "customer.deleted" }))],
            "chat" => vec![
                chat(json!({ "message": "what did she say?", "conversation_id": conversation })),
                chat(json!({ "id": conversation, "messages": [], "trigger": "regenerate-message" })),
                chat(json!({ "id": conversation, "messages": edit, "messageId": self.message })),
                chat(json!({ "tool_results": results, "conversation_id": conversation })),
            ],
            "messages" | "countTokens" => {
                vec![chat(json!({ "model": "claude-haiku-5-5", "max_tokens": 9, "messages": hello }))]
            }
            "createConversation" => vec![chat(json!({ "id": conversation, "title": "mine now" }))],
            "renameConversation" => vec![chat(json!({ "title": "mine now" }))],
            new => panic!("{new} is new: how would somebody get at what is another's by it?"),
        }
    }
}

/// What gives everybody their own, and nothing of anybody else's.
const GIVES_ONES_OWN: [&str; 14] = [
    "health",
    "healthHead",
    "models",
    "model",
    "conversations",
    "usage",
    "account",
    "signUp",
    "chat",
    "resumeChat",
    "messages",
    "countTokens",
    "createConversation",
    "checkout",
];

async fn steal(deployment: &Deployment, thief: &str, loot: &Loot<'_>) -> Vec<(&'static str, Reply)> {
    let mut replies = Vec::new();
    let mut all = operations();
    // Last what makes a conversation of the thief's own with the same id, of which all the others then are.
    all.sort_by_key(|one| matches!(one.id(), "chat" | "createConversation"));
    for one in all {
        for (query, body) in loot.attempts(one.id()) {
            let path = one.path.replace("{id}", if one.id() == "model" { "x" } else { loot.conversation });
            let call = deployment.call(&one.method.to_uppercase(), &format!("{path}{query}"));
            // Attempts by address are counted by network.
            let call = call.header("x-real-ip", &format!("2001:db8:{:x}::1", replies.len())).bearer(thief);
            let call = if body.is_null() { call } else { call.json(&body) };
            replies.push((one.id(), call.send().await));
        }
    }
    replies
}

#[tokio::test]
async fn nobody_reaches_anything_of_anybody_else_by_any_operation() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
        deployment.api_key(&ann).await;
        let theft = deployment.api_key(&deployment.person("dan").await).await;
        let said = json!({ "message": "the secret of ann", "conversation_id": "shared-id" });
        assert_eq!(deployment.chat(&ann.access, said).await.status, 200);
        let everything = async || {
            let mine = |path: &str| deployment.call("GET", path).bearer(&ann.access).send();
            (mine("/api/auth/account?export=1").await.text, mine("/api/usage").await.json()["totals"].clone())
        };
        let (loot, before) = (Loot::of(&deployment, &ann, "shared-id").await, everything().await);
        let hers = ["the secret of ann", ann.id.as_str(), &ann.email, &loot.session, &loot.key_id, &loot.message];
        for thief in [bob.access.as_str(), &theft, &token::mint("cat", "pro"), ""] {
            for (operation, reply) in steal(&deployment, thief, &loot).await {
                for word in hers {
                    assert!(!reply.text.contains(word), "{cache:?}: {operation}: {word}: {}", reply.text);
                }
                assert!(reply.status < 500 || reply.status == 501, "{cache:?}: {operation}: {}", reply.text);
                let is_denied = reply.status >= 400;
                assert!(is_denied || GIVES_ONES_OWN.contains(&operation), "{cache:?}: {operation}: {}", reply.text);
            }
        }
        assert_eq!(everything().await, before, "{cache:?}: nothing of hers has changed");
        assert_eq!(deployment.refresh(&ann.refresh).await.status, 200, "{cache:?}: she is still signed in");
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
async fn forged_tokens_open_no_operation() {
    let Shop { deployment, stripe, .. } = &Shop::open(Cache::Redis).await;
    let ann = deployment.person("ann").await;
    deployment.api_key(&ann).await;
    deployment.chat(&ann.access, json!({ "message": "Hi", "conversation_id": "c" })).await;
    let (loot, asked) = (Loot::of(deployment, &ann, "c").await, deployment.claude.requests().len());
    let is_known =
        |one: &Operation| one.told["security"].as_array().unwrap().iter().any(|way| way.get("bearer").is_some());
    let all: Vec<_> = operations().into_iter().filter(is_known).collect();
    assert!(all.len() > 15, "{all:?}");
    for (what, forged) in forgeries(&ann.access) {
        // Those were signed with the secret itself: the round trip to the store finds that there is no such session.
        let is_signed = what.starts_with("a session of nobody") || what.starts_with("somebody else");
        for one in all.iter().filter(|one| !(is_signed && ["models", "model", "countTokens"].contains(&one.id()))) {
            let (query, body) = loot.attempts(one.id()).remove(0);
            let path = format!("{}{query}", one.path.replace("{id}", "c"));
            let call = deployment.call(&one.method.to_uppercase(), &path).bearer(&forged);
            let reply = if body.is_null() { call } else { call.json(&body) }.send().await;
            assert_eq!(reply.status, 401, "{what}: {}: {}", one.id(), reply.text);
        }
    }
    assert_eq!(deployment.call("GET", "/api/auth/account").bearer(&ann.access).send().await.status, 200);
    assert_eq!((deployment.claude.requests().len(), stripe.seen().len()), (asked, 0));
}

#[tokio::test]
async fn no_address_token_password_or_prompt_of_any_operation_is_in_any_log_line() {
    let shop = Shop::open(Cache::Redis).await;
    everything(&shop).await;
    let deployment = &shop.deployment;
    deployment.refresh("rt_planted").await;
    let key = deployment.api_key(&deployment.person("eve").await).await;
    deployment.chat(&key, json!({ "message": "a planted prompt [[standin: error=api_error status=500]]" })).await;
    let names: BTreeSet<_> = operations().iter().map(|one| function_of(one.path)).collect();
    let lines: Vec<_> =
        names.iter().flat_map(|name| deployment.function(name).lines()).map(|line| line.to_string()).collect();
    assert!(lines.len() > 2 * operations().len(), "one line a request: {lines:?}");
    // Every token is a JWT or has its prefix; every person has an address at example.com.
    let mut planted = vec!["example.com", "planted", "not the password", "eyJ", "rt_", "pk_", "argon2", "Hello"];
    planted.extend([PASSWORD, JWT_SECRET, "the cron secret", "the admin secret", SECRET_KEY, WEBHOOK_SECRET]);
    planted.extend(["192.0.2", "2001:db8", "127.0.0.1", "postgres://", "redis://"]);
    for line in &lines {
        for word in &planted {
            assert!(!line.contains(word), "{word}: {line}");
        }
    }
}
