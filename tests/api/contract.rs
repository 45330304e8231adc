//! The published contract against the sources and against what the binaries answer. That no answer of any other test
//! differs from it is seen to by the harness.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use purser::Code;
use purser_tests::{
    account::{PASSWORD, Person},
    contract::{Operation, document, is_at, operations},
    deployment::{Cache, Deployment, function_of},
    http::{Call, Reply},
    packages::project_dir,
    shop::Shop,
    token,
};
use serde_json::{Value, json};

fn read(path: &str) -> String {
    fs::read_to_string(project_dir().join(path)).unwrap()
}

/// The routes as the README and the files under `api/` tell them (which a house rule holds equal): the file, the method
/// and the path.
fn routes() -> Vec<(String, String, String)> {
    let readme = read("README.md");
    let mut routes = Vec::new();
    for row in readme.lines().filter(|line| line.starts_with("| `api/")) {
        let cells: Vec<_> = row.split(" | ").collect();
        let file = cells[0].trim_start_matches("| `").trim_end_matches('`');
        let mut methods = Vec::new();
        for word in cells[1].split(", ") {
            let (method, path) = word.split_once(' ').map_or((word, None), |(method, path)| (method, Some(path)));
            methods.push(method.to_lowercase());
            if let Some(path) = path {
                routes.extend(methods.drain(..).map(|method| (file.to_owned(), method, path.to_owned())));
            }
        }
        assert!(methods.is_empty(), "{row}");
    }
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

/// The paths that vercel.json names, as templates.
fn platform_paths(list: &str, name: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let paths = settings[list].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned());
    paths.map(|path| path.replace(":id", "{id}")).collect()
}

#[test]
fn the_contract_tells_of_the_routes_that_there_are_and_of_no_others() {
    let (routes, all) = (routes(), operations());
    for (file, method, path) in &routes {
        let told = all.iter().filter(|one| one.method == method && is_at(path, one.path)).count();
        assert!(told > 0, "{file}: {method} {path}");
    }
    let rewritten = platform_paths("rewrites", "source");
    for path in rewritten.iter().chain(&platform_paths("crons", "path")) {
        assert!(all.iter().any(|one| one.path == path), "vercel.json: {path}");
    }
    for one in all.iter().filter(|one| one.method != "head") {
        let is_route = routes.iter().any(|(_, method, path)| one.method == method && is_at(path, one.path));
        assert!(is_route || rewritten.iter().any(|path| path == one.path), "{} {}", one.method, one.path);
    }
    let mut ids: Vec<_> = all.iter().map(Operation::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
}

#[tokio::test]
async fn every_binary_takes_the_methods_that_the_contract_tells_of() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    let mut told: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for one in operations() {
        told.entry(function_of(one.path)).or_default().insert(one.method.to_uppercase());
    }
    for one in operations() {
        let path = one.path.replace("{id}", "x");
        let mut wanted = told[function_of(one.path)].clone();
        wanted.insert("OPTIONS".to_owned());
        let reply = deployment.call("OPTIONS", &path).send().await;
        let allowed: BTreeSet<_> = reply.header("allow").split(", ").map(str::to_owned).collect();
        assert_eq!((reply.status, &allowed), (204, &wanted), "{path}");
        let refused = deployment.call("TRACE", &path).send().await;
        assert_eq!((refused.status, refused.header("allow")), (405, reply.header("allow")), "{path}");
    }
}

/// The status of a code on a path: Anthropic's SDKs raise the right class only for theirs.
fn status(code: Code, path: &str) -> u16 {
    match code {
        Code::ClaudeOverloaded if path.starts_with("/api/v1/") => 529,
        Code::InvalidBody | Code::MaxTokensTooLarge | Code::FeatureNotPriced if path.starts_with("/api/v1/") => 400,
        code => code.status(),
    }
}

#[test]
fn the_contracts_error_codes_are_those_of_the_code() {
    let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let told = &document()["components"]["schemas"]["ErrorCode"];
    assert_eq!(told["enum"], json!(names));
    let rows: BTreeMap<_, _> =
        Code::ALL.iter().map(|code| (code.as_str(), format!("{} {}", code.status(), code.title()))).collect();
    assert_eq!(told["x-codes"], json!(rows));
    let mut used = BTreeSet::from([Code::MethodNotAllowed.as_str()]);
    for one in operations().into_iter().filter(|one| one.method != "head") {
        let mut statuses = BTreeSet::new();
        for name in one.codes() {
            let code = Code::ALL.iter().find(|code| code.as_str() == name);
            statuses.insert(status(*code.unwrap_or_else(|| panic!("{}: {name}", one.id())), one.path).to_string());
            used.insert(name);
        }
        if one.id() == "deepHealth" {
            // It answers so with what it found.
            statuses.insert("503".to_owned());
        }
        let answers = one.told["responses"].as_object().unwrap().keys();
        let errors: BTreeSet<_> = answers.filter(|status| status.as_str() >= "400").cloned().collect();
        assert_eq!(errors, statuses, "{}", one.id());
    }
    assert_eq!(used, names.into_iter().collect(), "every code is told of by some operation");
}

/// What a file says of its errors: `claude_*` stands for all that begin so.
#[test]
fn the_contract_tells_of_every_code_that_a_routes_file_names() {
    let all = operations();
    for (file, ..) in routes() {
        let header: Vec<_> =
            read(&file).lines().map_while(|line| line.strip_prefix("//!").map(str::to_owned)).collect();
        let text = header.join(" ");
        let named = text.split_once("Errors:").unwrap_or_else(|| panic!("{file}: no errors")).1;
        let paths: Vec<_> = routes().into_iter().filter(|route| route.0 == file).map(|route| route.2).collect();
        let told: BTreeSet<_> = all
            .iter()
            .filter(|one| paths.iter().any(|path| is_at(path, one.path)))
            .flat_map(Operation::codes)
            .collect();
        // A job that there is not is no operation.
        let is_told = |name: &&str| !(file.starts_with("api/cron/") && *name == "not_found");
        for name in named.split('`').skip(1).step_by(2).filter(is_told) {
            let begins = name.strip_suffix('*').unwrap_or(name);
            let mut codes = Code::ALL
                .iter()
                .map(|code| code.as_str())
                .filter(|code| if name.ends_with('*') { code.starts_with(begins) } else { *code == name });
            assert!(codes.all(|code| told.contains(code)), "{file}: {name}");
        }
    }
}

/// The operations that have been seen in success and in error.
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

#[tokio::test]
async fn every_operation_answers_as_told_in_success_and_in_error() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let (mut seen, shop) = (Seen::default(), Shop::open(cache).await);
        drive_accounts(&mut seen, &shop).await;
        drive_billing(&mut seen, &shop).await;
        drive_chat(&mut seen, &shop.deployment).await;
        drive_the_owners(&mut seen, &shop.deployment).await;
        let all = operations().into_iter().flat_map(|one| [(one.id(), true), (one.id(), false)]);
        let missing: Vec<_> = all.filter(|one| !seen.0.contains(one) && *one != ("healthHead", false)).collect();
        assert!(missing.is_empty(), "{cache:?}: {missing:?}");
    }
}
