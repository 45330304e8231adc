//! Every operation once in success and once in error.

use std::collections::BTreeSet;

use purser_tests::{
    account::{PASSWORD, Person},
    contract::operations,
    deployment::Deployment,
    http::{Call, Reply},
    shop::Shop,
    token,
};
use serde_json::{Value, json};

/// Drives every operation of the contract, by somebody with an address, a password, tokens, a key and prompts. Gives
/// the operations that were seen, in success (`true`) and in error.
pub(crate) async fn everything(shop: &Shop) -> BTreeSet<(&'static str, bool)> {
    let mut seen = Seen::default();
    drive_accounts(&mut seen, shop).await;
    drive_billing(&mut seen, shop).await;
    drive_chat(&mut seen, &shop.deployment).await;
    drive_the_owners(&mut seen, &shop.deployment).await;
    seen.0
}

#[derive(Default)]
struct Seen(BTreeSet<(&'static str, bool)>);

impl Seen {
    async fn good(&mut self, call: Call) -> Reply {
        let reply = call.send().await;
        assert!(reply.status < 400, "{reply:?}");
        self.0.insert((reply.operation.unwrap(), true));
        reply
    }

    async fn bad(&mut self, call: Call) {
        let reply = call.send().await;
        assert!(reply.status >= 400, "{reply:?}");
        self.0.insert((reply.operation.unwrap(), false));
    }

    async fn both(&mut self, good: Call, bad: Call) -> Value {
        self.bad(bad).await;
        serde_json::from_str(&self.good(good).await.text).unwrap_or_default()
    }
}

async fn drive_accounts(seen: &mut Seen, shop: &Shop) {
    let deployment = &shop.deployment;
    let auth = |method: &str, path: &str, network: &str| deployment.auth(method, path, network);
    let ann = json!({ "email": "ann@example.com", "password": PASSWORD });
    let weak = json!({ "email": "ann@example.com", "password": "password" });
    let up = |body: &Value| auth("POST", "/api/auth/account", "192.0.2.1").json(body);
    seen.both(up(&ann), up(&weak)).await;
    let session = |body: &Value| auth("POST", "/api/auth/session", "192.0.2.2").json(body);
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    let person = Person::of(&seen.both(session(&ann), session(&wrong)).await);
    let mut cookie = ann.clone();
    cookie["cookie"] = true.into();
    seen.good(session(&cookie)).await;
    let refresh = |token: &str| deployment.call("PUT", "/api/auth/session").json(&json!({ "refresh_token": token }));
    let person = Person::of(&seen.both(refresh(&person.refresh), refresh("rt_nobody")).await);
    let mine = |method: &str, path: &str| auth(method, path, "192.0.2.3").bearer(&person.access);
    let key = seen.good(mine("POST", "/api/auth/account?key=new").json(&json!({ "name": "laptop" }))).await.json();
    seen.both(mine("GET", "/api/auth/account"), deployment.call("GET", "/api/auth/account")).await;
    deployment.chat(&person.access, json!({ "message": "Hi" })).await;
    seen.good(mine("GET", "/api/auth/account?export=1")).await;
    let go = mine("POST", "/api/billing/checkout").json(&json!({ "return_path": "/account" }));
    seen.both(go, deployment.call("POST", "/api/billing/checkout").bearer(&token::mint("cat", "free"))).await;
    seen.good(mine("DELETE", &format!("/api/auth/account?key={}", key["id"].as_str().unwrap()))).await;
    let change = |password: &str| {
        let body = json!({ "password": password, "new_email": "eve@example.com" });
        mine("PATCH", "/api/auth/account").json(&body)
    };
    seen.both(change(PASSWORD), change("not the password")).await;
    let out = |path: &str| mine("DELETE", path);
    let leave = |password: &str| mine("DELETE", "/api/auth/account").json(&json!({ "password": password }));
    seen.bad(out("/api/auth/session?id=nobody")).await;
    let other = Person::of(&deployment.sign_in("eve@example.com", PASSWORD, "192.0.2.4").await.json());
    seen.good(deployment.call("DELETE", "/api/auth/session").bearer(&other.access)).await;
    seen.both(leave(PASSWORD), leave("not the password")).await;
}

async fn drive_billing(seen: &mut Seen, shop: &Shop) {
    let (_user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    seen.both(shop.delivery(&event, &shop.stripe.signature(&event)), shop.delivery(&event, "t=1,v1=00")).await;
}

async fn drive_chat(seen: &mut Seen, deployment: &Deployment) {
    let ask = |token: &str, method: &str, path: &str| deployment.call(method, path).bearer(token);
    let ann = token::mint("ann", "pro");
    let mine = |method: &str, path: &str| ask(&ann, method, path);
    let hello = json!({ "message": "Hello", "conversation_id": "c" });
    seen.both(mine("POST", "/api/chat").json(&hello), mine("POST", "/api/chat").json(&json!({ "message": 7 }))).await;
    seen.good(mine("POST", "/api/chat").header("accept", "application/json").json(&hello)).await;
    seen.both(mine("GET", "/api/chat/c/stream"), ask("forged", "GET", "/api/chat/c/stream")).await;
    let messages = |tokens: i64, stream: bool| {
        let said = json!([{ "role": "user", "content": "Hello" }]);
        let body = json!({ "model": "claude-haiku-5-5", "max_tokens": tokens, "messages": said, "stream": stream });
        mine("POST", "/api/v1/messages").json(&body)
    };
    seen.both(messages(50, false), messages(9_000_000, false)).await;
    seen.good(messages(50, true)).await;
    let count = |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
        mine("POST", "/api/v1/messages/count_tokens").json(&body)
    };
    seen.both(count("claude-haiku-5-5"), count("claude-nobody")).await;
    seen.both(mine("GET", "/api/v1/models?limit=2"), mine("GET", "/api/v1/models?limit=0")).await;
    seen.both(mine("GET", "/api/v1/models/claude-haiku-5-5"), mine("GET", "/api/v1/models/claude-nobody")).await;
    seen.both(mine("GET", "/api/conversations?limit=1"), mine("GET", "/api/conversations?limit=0")).await;
    let new = || mine("POST", "/api/conversations").json(&json!({ "id": "d", "title": "A title" }));
    seen.good(new()).await;
    seen.bad(new()).await;
    let one = "/api/conversations/c";
    seen.both(mine("GET", one), mine("GET", "/api/conversations/nobody")).await;
    seen.good(mine("GET", "/api/conversations/c?format=ui&limit=1")).await;
    let title = |title: &str| mine("PATCH", one).json(&json!({ "title": title }));
    seen.both(title("Another"), title("")).await;
    seen.good(mine("DELETE", one)).await;
    seen.bad(mine("DELETE", one)).await;
    seen.both(mine("GET", "/api/usage?days=3"), mine("GET", "/api/usage?days=0")).await;
}

async fn drive_the_owners(seen: &mut Seen, deployment: &Deployment) {
    let as_owner = |path: &str, secret: &str| deployment.call("GET", path).bearer(secret);
    for one in operations().into_iter().filter(|one| one.path.starts_with("/api/cron/")) {
        let secret = if one.path.ends_with("health") { "the admin secret" } else { "the cron secret" };
        seen.both(as_owner(one.path, secret), as_owner(one.path, "nobody's")).await;
    }
    seen.both(deployment.call("GET", "/api/health"), deployment.call("GET", "/api/health?deep=%ff")).await;
    seen.good(deployment.call("GET", "/api/health?deep=1")).await;
    seen.good(deployment.call("HEAD", "/api/health")).await;
}
