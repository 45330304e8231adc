use purser::store::Statement;
use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment},
    token,
};
use serde_json::{Value, json};

const NEW: &str = "another fine password!";

async fn patch(deployment: &Deployment, person: &Person, network: &str, body: Value) -> purser_tests::http::Reply {
    deployment.auth("PATCH", "/api/auth/account", network).bearer(&person.access).json(&body).send().await
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        let phone = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await.json());
        let wrong = json!({ "password": "not the password", "new_password": NEW });
        let wrong = patch(&deployment, &ann, "192.0.2.2", wrong).await;
        assert_eq!(wrong.assert_problem(401, "wrong_credentials")["pointer"], "/password", "{cache:?}");
        let weak = patch(&deployment, &ann, "192.0.2.3", json!({ "password": PASSWORD, "new_password": "ann" })).await;
        assert_eq!(weak.assert_problem(422, "weak_password")["pointer"], "/new_password", "{cache:?}");
        let done = patch(&deployment, &ann, "192.0.2.4", json!({ "password": PASSWORD, "new_password": NEW })).await;
        assert_eq!((done.status, &done.json()["email"]), (200, &json!("ann@example.com")), "{}", done.text);
        let usage = async |who: &Person| deployment.call("GET", "/api/usage").bearer(&who.access).send().await.status;
        assert_eq!((usage(&ann).await, usage(&phone).await), (200, 401), "{cache:?}");
        deployment.refresh(&phone.refresh).await.assert_problem(401, "session_revoked");
        assert_eq!(deployment.refresh(&ann.refresh).await.status, 200, "{cache:?}");
        deployment.sign_in(&ann.email, PASSWORD, "192.0.2.5").await.assert_problem(401, "wrong_credentials");
        assert_eq!(deployment.sign_in(&ann.email, NEW, "192.0.2.6").await.status, 200, "{cache:?}");
    }
}

#[tokio::test]
async fn a_new_address_needs_the_password_and_must_be_free() {
    let deployment = Deployment::new().await;
    let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
    let nothing = patch(&deployment, &ann, "192.0.2.1", json!({ "password": PASSWORD })).await;
    nothing.assert_problem(422, "invalid_body");
    let unproved = patch(&deployment, &ann, "192.0.2.1", json!({ "new_email": "eve@example.com" })).await;
    assert_eq!(unproved.assert_problem(422, "invalid_body")["pointer"], "/password");
    let body = json!({ "password": PASSWORD, "new_email": bob.email });
    patch(&deployment, &ann, "192.0.2.2", body).await.assert_problem(409, "conflict");
    let body = json!({ "password": PASSWORD, "new_email": "Ann.Lee@Example.com" });
    assert_eq!(patch(&deployment, &ann, "192.0.2.3", body).await.json()["email"], "ann.lee@example.com");
    let profile = deployment.call("GET", "/api/auth/account").bearer(&ann.access).send().await.json();
    assert_eq!((&profile["id"], &profile["email"]), (&json!(ann.id), &json!("ann.lee@example.com")));
    assert_eq!(profile["sessions"].as_array().unwrap().len(), 1, "sessions stay");
    assert_eq!(deployment.sign_in("ann.lee@example.com", PASSWORD, "192.0.2.4").await.status, 200);
}

#[tokio::test]
async fn a_stolen_token_cannot_try_passwords_without_end() {
    let deployment = Deployment::new().await;
    let ann = deployment.person("ann").await;
    let body = json!({ "password": "a guess", "new_password": NEW });
    for at in 0..5 {
        let reply = patch(&deployment, &ann, &format!("192.0.2.{at}"), body.clone()).await;
        reply.assert_problem(401, "wrong_credentials");
    }
    let sixth = patch(&deployment, &ann, "192.0.2.9", json!({ "password": PASSWORD, "new_password": NEW })).await;
    sixth.assert_problem(429, "limit_exceeded");
    assert_eq!(deployment.sign_in(&ann.email, PASSWORD, "192.0.2.10").await.status, 200, "the owner signs in");
}

#[tokio::test]
async fn a_deleted_account_leaves_figures_and_nothing_personal() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
        let key = deployment.api_key(&ann).await;
        for who in [&ann, &bob] {
            assert_eq!(deployment.chat(&who.access, json!({ "message": "Hi" })).await.status, 200);
        }
        let before: Vec<_> = deployment.ledger().await.iter().map(|row| row.cost_nanousd).collect();
        let delete = async |password: &str, network: &str| {
            let call = deployment.auth("DELETE", "/api/auth/account", network).bearer(&ann.access);
            call.json(&json!({ "password": password })).send().await
        };
        delete("not the password", "192.0.2.1").await.assert_problem(401, "wrong_credentials");
        assert_eq!(delete(PASSWORD, "192.0.2.2").await.status, 204, "{cache:?}");
        for path in ["/api/usage", "/api/conversations", "/api/auth/account"] {
            for token in [&ann.access, &key] {
                deployment.call("GET", path).bearer(token).send().await.assert_problem(401, "session_revoked");
            }
        }
        deployment.refresh(&ann.refresh).await.assert_problem(401, "session_revoked");
        deployment.sign_in(&ann.email, PASSWORD, "192.0.2.3").await.assert_problem(401, "wrong_credentials");
        let ledger = deployment.ledger().await;
        assert_eq!(ledger.iter().map(|row| row.cost_nanousd).collect::<Vec<_>>(), before, "{cache:?}");
        assert!(ledger[0].owner.starts_with("gone:") && !ledger[0].owner.contains(&ann.id), "{cache:?}");
        assert_eq!(ledger[1].owner, format!("user:{}", bob.id), "{cache:?}");
        for table in ["users", "sessions", "api_keys", "conversations", "messages", "calls"] {
            let sql: &'static str = Box::leak(format!("select * from {table}").into_boxed_str());
            let rows = format!("{:?}", deployment.store.rows(Statement::new(sql, [])).await.unwrap());
            assert!(!rows.contains(&ann.id) && !rows.contains("ann@example"), "{cache:?}: {table}: {rows}");
        }
        // The address is free again, for somebody who starts from nothing.
        let body = json!({ "email": ann.email, "password": NEW });
        assert_eq!(deployment.auth("POST", "/api/auth/account", "192.0.2.4").json(&body).send().await.status, 202);
        let fresh = Person::of(&deployment.sign_in(&ann.email, NEW, "192.0.2.5").await.json());
        assert_ne!(fresh.id, ann.id, "{cache:?}");
    }
}

#[tokio::test]
async fn an_account_that_is_deleted_while_an_answer_comes_is_forgotten_with_it() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let ann = deployment.person("ann").await;
        deployment.claude.next("gate=slow");
        let call = deployment.call("POST", "/api/chat").bearer(&ann.access);
        let (response, ended) = call.json(&json!({ "message": "slow", "conversation_id": "c" })).open().await;
        deployment.claude.gate_reached("slow").await;
        let delete = deployment.auth("DELETE", "/api/auth/account", "192.0.2.1").bearer(&ann.access);
        assert_eq!(delete.json(&json!({ "password": PASSWORD })).send().await.status, 204, "{cache:?}");
        let running = deployment.ledger().await.remove(0);
        assert!(running.state == "reserved" && running.owner.starts_with("gone:"), "{cache:?}: {running:?}");
        deployment.claude.open_gate("slow");
        assert!(response.text().await.unwrap().ends_with("[DONE]\n\n"), "{cache:?}");
        ended().await;
        let settled = deployment.ledger().await.remove(0);
        assert_eq!((settled.state.as_str(), settled.source.as_deref()), ("settled", Some("provider")), "{cache:?}");
        assert_eq!(settled.output_tokens.cast_unsigned(), deployment.claude.calls()[0].usage.output_tokens);
        for table in ["users", "sessions", "conversations", "messages", "calls"] {
            let sql: &'static str = Box::leak(format!("select * from {table}").into_boxed_str());
            let rows = format!("{:?}", deployment.store.rows(Statement::new(sql, [])).await.unwrap());
            assert!(!rows.contains(&ann.id), "{cache:?}: {table}: {rows}");
        }
        let done = deployment.reconcile().await;
        assert_eq!((&done["differences"], &done["settled_at_ceiling"]), (&json!([]), &json!(0)), "{cache:?}: {done}");
    }
}

#[tokio::test]
async fn everything_of_mine_comes_out_as_json_lines_and_nothing_of_anybody_elses() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
        deployment.api_key(&ann).await;
        for (who, text) in [(&ann, "mine"), (&ann, "mine too"), (&bob, "not hers")] {
            deployment.chat(&who.access, json!({ "message": text, "conversation_id": "c" })).await;
        }
        let reply = deployment.call("GET", "/api/auth/account?export=1").bearer(&ann.access).send().await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/jsonl"), "{cache:?}");
        let lines: Vec<Value> = reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        let expected = ["account", "session", "api_key", "conversation", "message", "message", "message", "message"];
        assert_eq!(kinds, [&expected[..], &["call", "call", "end"]].concat(), "{cache:?}");
        assert!(reply.text.contains("mine too") && !reply.text.contains("not hers"), "{cache:?}");
        assert!(lines[4]["content"].is_array(), "{cache:?}: {}", lines[4]);
        for secret in ["$argon2id$", "rt_", "pk_", &bob.id] {
            assert!(!reply.text.contains(secret), "{cache:?}: {secret}");
        }
        let nobody = deployment.call("GET", "/api/auth/account?export=1").send().await;
        nobody.assert_problem(401, "invalid_token");
        let minted = deployment.call("GET", "/api/auth/account").bearer(&token::mint("cat", "free")).send().await;
        minted.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_a_browser_did_before_it_signed_up_is_carried_over() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        deployment.person("bob").await;
        let first = deployment.call("POST", "/api/chat").json(&json!({ "message": "before" })).send().await;
        let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
        let up = async |email: &str, network: &str| {
            let body = json!({ "email": email, "password": PASSWORD });
            let call = deployment.auth("POST", "/api/auth/account", network).header("cookie", &cookie);
            assert_eq!(call.json(&body).send().await.status, 202);
        };
        up("bob@example.com", "192.0.2.1").await;
        assert!(deployment.ledger().await[0].owner.starts_with("anon:"), "{cache:?}: the address was taken");
        up("ann@example.com", "192.0.2.2").await;
        let ann = Person::of(&deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.3").await.json());
        let list = deployment.call("GET", "/api/conversations").bearer(&ann.access).send().await.json();
        let id = list["conversations"][0]["id"].as_str().unwrap();
        let read = deployment.call("GET", &format!("/api/conversations/{id}")).bearer(&ann.access).send().await.json();
        assert_eq!(read["messages"].as_array().unwrap().len(), 2, "{cache:?}: {read}");
        deployment.sign_in("ann@example.com", PASSWORD, "192.0.2.4").await;
        let usage = deployment.call("GET", "/api/usage").bearer(&ann.access).send().await.json();
        assert_eq!((&usage["totals"]["calls"], &usage["limits"][0]["remaining"]), (&json!(1), &json!(9)), "{cache:?}");
        let anonymous = deployment.call("GET", "/api/conversations").header("cookie", &cookie).send().await.json();
        assert!(anonymous["conversations"].as_array().unwrap().is_empty(), "{cache:?}");
        let go_on = json!({ "message": "and after", "conversation_id": id });
        assert_eq!(deployment.chat(&ann.access, go_on).await.status, 200, "{cache:?}");
    }
}

#[tokio::test]
async fn an_answer_that_was_still_coming_is_carried_over_at_the_next_sign_in() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        deployment.claude.next("gate=slow");
        let slow = json!({ "message": "slow", "conversation_id": "c" });
        let (response, ended) = deployment.call("POST", "/api/chat").json(&slow).open().await;
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        deployment.claude.gate_reached("slow").await;
        let ann = deployment.person_in("ann", &cookie).await;
        deployment.claude.open_gate("slow");
        assert!(response.text().await.unwrap().contains("slow"), "{cache:?}");
        ended().await;
        let later = json!({ "message": "by whoever sits there now", "conversation_id": "later" });
        deployment.call("POST", "/api/chat").header("cookie", &cookie).json(&later).send().await;
        let again = Person::of(&deployment.sign_in(&ann.email, PASSWORD, "192.0.2.1").await.json());
        let list = deployment.call("GET", "/api/conversations").bearer(&again.access).send().await.json();
        let ids: Vec<_> = list["conversations"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        assert_eq!(ids, ["c"], "{cache:?}: {list}");
        let read = deployment.call("GET", "/api/conversations/c").bearer(&again.access).send().await.json();
        assert_eq!(read["messages"].as_array().unwrap().len(), 2, "{cache:?}: {read}");
    }
}
