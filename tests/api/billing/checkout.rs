use futures_util::future::join_all;
use purser::ids;
use purser_tests::{
    deployment::{Cache, Deployment},
    shop::{Shop, session_of},
    stripe::PRICE_PRO,
    token,
};
use serde_json::json;

use super::STORES;

#[tokio::test]
async fn a_free_user_pays_and_has_the_plan_with_the_old_token_and_then_comes_to_the_portal() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let user = shop.user().await;
        let opus = || json!({ "message": "Hi", "model": "claude-opus-5-5" });
        shop.deployment.chat(&user.token, opus()).await.assert_problem(403, "model_not_allowed");

        let session = session_of(&shop.checkout(&user).await);
        let paid = {
            let mut world = shop.stripe.world();
            let asked = world.sessions[&session].clone();
            assert_eq!((&asked["client_reference_id"], &asked["double_price"]), (&json!(user.id), &json!(PRICE_PRO)));
            assert_eq!(
                asked["success_url"].as_str().unwrap().split_once('/').unwrap().1.split_once("/?").unwrap().1,
                "checkout=done"
            );
            let customer = &world.customers[asked["customer"].as_str().unwrap()];
            assert_eq!(
                (&customer["metadata"]["user_id"], &customer["email"]),
                (&json!(user.id), &json!(format!("{}@example.com", user.id)))
            );
            world.pay(&session)
        };
        assert_eq!(shop.plan(&user).await, "free", "nothing has been heard of it yet");
        shop.deliver_all().await;
        assert_eq!(shop.plan(&user).await, "pro", "{cache:?}");
        let reply = shop.deployment.chat(&user.token, opus()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(shop.stripe.world().subscriptions[&paid]["metadata"]["user_id"], json!(user.id));

        let again = shop.checkout(&user).await;
        assert_eq!((again.status, &again.json()["kind"]), (200, &json!("portal")), "{}", again.text);
        assert!(again.json()["url"].as_str().unwrap().starts_with("https://billing.stripe.com/p/session/"));
        assert!(shop.stripe.seen().iter().all(|seen| seen.version == "2026-10-28.endive"));
        let keyless = |seen: &purser_tests::stripe::Seen| seen.what.starts_with("POST") && seen.key.is_none();
        assert!(!shop.stripe.seen().iter().any(keyless), "every write has a key");
    }
}

#[tokio::test]
async fn a_click_alone_gives_the_plan_where_every_event_was_lost() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, ..) = shop.buyer().await;
    shop.stripe.world().take_events();
    assert_eq!(shop.plan(&user).await, "free");
    assert_eq!(shop.checkout(&user).await.json()["kind"], "portal");
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn twenty_clicks_at_once_make_one_customer_and_one_session() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let user = shop.user().await;
        let replies = join_all((0..20).map(|_| shop.checkout(&user))).await;
        let mut sessions: Vec<_> = replies.iter().map(session_of).collect();
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), 1, "{cache:?}");
        let world = shop.stripe.world();
        assert_eq!((world.customers.len(), world.sessions.len()), (1, 1), "{cache:?}");
    }
}

#[tokio::test]
async fn a_session_is_offered_until_it_is_over_and_never_two_at_once() {
    let shop = Shop::open(Cache::Sqlite).await;
    let user = shop.user().await;
    let first = session_of(&shop.checkout(&user).await);
    assert_eq!(session_of(&shop.checkout(&user).await), first, "the same as long as it is open");
    shop.stripe.world().expire_session(&first);
    let second = session_of(&shop.checkout(&user).await);
    assert_ne!(second, first);
    // Another page to come back to needs another session: the old one is closed, so that nobody pays twice.
    let body = json!({ "return_path": "/account" });
    let elsewhere = shop.deployment.call("POST", "/api/billing/checkout").bearer(&user.token).json(&body).send().await;
    let third = session_of(&elsewhere);
    let subscription = {
        let mut world = shop.stripe.world();
        assert_eq!(world.sessions[&second]["status"], "expired");
        assert!(world.sessions[&third]["cancel_url"].as_str().unwrap().ends_with("/account?checkout=cancelled"));
        world.pay(&third)
    };
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "pro");
    shop.stripe.world().set_status(&subscription, "canceled");
    let fourth = session_of(&shop.checkout(&user).await);
    assert_eq!(shop.plan(&user).await, "free", "the click has noticed the end");
    shop.stripe.world().pay(&fourth);
    shop.deliver_all().await;
    assert_eq!((shop.plan(&user).await.as_str(), shop.stripe.world().customers.len()), ("pro", 1));
}

#[tokio::test]
async fn those_who_can_still_mend_a_subscription_come_to_the_portal() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, _, subscription) = shop.buyer().await;
    for status in ["trialing", "past_due", "unpaid", "paused"] {
        shop.stripe.world().set_status(&subscription, status);
        assert_eq!(shop.checkout(&user).await.json()["kind"], "portal", "{status}");
    }
    for status in ["incomplete", "incomplete_expired", "canceled"] {
        shop.stripe.world().set_status(&subscription, status);
        assert_eq!(shop.checkout(&user).await.json()["kind"], "checkout", "{status}");
    }
}

#[tokio::test]
async fn a_customer_who_was_deleted_at_stripe_is_replaced_by_a_new_one() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, _) = shop.buyer().await;
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "pro");
    shop.stripe.world().delete_customer(&customer);
    shop.stripe.world().take_events();
    let session = session_of(&shop.checkout(&user).await);
    assert_eq!(shop.plan(&user).await, "free");
    let now = shop.billing_row(&user).await["customer_id"].as_str().unwrap().to_owned();
    assert_ne!(now, customer);
    assert_eq!(shop.stripe.world().sessions[&session]["customer"], now.as_str());
}

#[tokio::test]
async fn nobody_pays_who_is_not_known() {
    let shop = Shop::open(Cache::Sqlite).await;
    let post = || shop.deployment.call("POST", "/api/billing/checkout");
    let anonymous = post().send().await;
    anonymous.assert_problem(401, "invalid_token");
    assert_eq!(anonymous.header("www-authenticate"), "Bearer");
    post().bearer("forged").send().await.assert_problem(401, "invalid_token");
    let minted = post().bearer(&token::mint(&ids::new_id(), "free")).send().await;
    minted.assert_problem(403, "account_required");
    let user = shop.user().await;
    shop.billing()
        .limiter
        .revoke_before(&format!("user:{}", user.id), purser::clock::now_ms() + 1, 60_000)
        .await
        .unwrap();
    post().bearer(&user.token).send().await.assert_problem(401, "session_revoked");
    assert!(shop.stripe.seen().is_empty(), "Stripe was not asked");
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_told_and_makes_nothing() {
    let shop = Shop::open(Cache::Sqlite).await;
    let user = shop.user().await;
    let post =
        |body: &str| shop.deployment.call("POST", "/api/billing/checkout").bearer(&user.token).body(body.to_owned());
    post("{").send().await.assert_problem(400, "invalid_json");
    for body in ["[]", r#"{"plan":"pro"}"#, r#"{"return_path":"//evil.example"}"#, r#"{"return_path":7}"#] {
        post(body).send().await.assert_problem(422, "invalid_body");
    }
    post(&"x".repeat(5_000)).send().await.assert_problem(413, "body_too_large");
    shop.deployment.call("GET", "/api/billing/checkout").send().await.assert_problem(405, "method_not_allowed");
    assert!(shop.stripe.seen().is_empty());
}

#[tokio::test]
async fn the_page_that_asked_is_where_the_browser_comes_back_to() {
    let mut shop = Shop::open(Cache::Sqlite).await;
    shop.deployment.set("ALLOWED_ORIGINS", "https://front.example");
    let (ann, bob) = (shop.user().await, shop.user().await);
    let post = |token: &str| shop.deployment.call("POST", "/api/billing/checkout").bearer(token);
    let foreign = post(&ann.token).header("origin", "https://evil.example").send().await;
    foreign.assert_problem(403, "forbidden");
    let front = session_of(&post(&ann.token).header("origin", "https://front.example").send().await);
    let edge = [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https")];
    let own = edge.iter().fold(post(&bob.token), |call, (name, value)| call.header(name, value));
    let own = session_of(&own.send().await);
    let world = shop.stripe.world();
    assert_eq!(world.sessions[&front]["success_url"], "https://front.example/?checkout=done");
    assert_eq!(world.sessions[&own]["success_url"], "https://app.example/?checkout=done");
}

#[tokio::test]
async fn a_deployment_without_keys_says_that_it_sells_nothing() {
    let mut shop = Shop::open(Cache::Sqlite).await;
    shop.deployment.environment.remove("STRIPE_PRICE_PRO");
    let user = shop.user().await;
    shop.checkout(&user).await.assert_problem(501, "billing_off");
    let mut deployment = Deployment::with(Cache::Sqlite).await;
    let token = token::mint(&user.id, "free");
    deployment.call("POST", "/api/billing/checkout").bearer(&token).send().await.assert_problem(501, "billing_off");
    deployment.call("POST", "/api/billing/webhook").body("{}").send().await.assert_problem(501, "billing_off");
    for (name, value) in [
        ("STRIPE_SECRET_KEY", "pk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "secret"),
        ("STRIPE_PRICE_PRO", "prod_1"),
        ("STRIPE_BASE_URL", "api.stripe.com"),
    ] {
        deployment.set(name, value);
        let refused = purser_tests::function::Function::try_start("billing-webhook", &deployment.environment);
        let said = refused.err().expect("it started");
        assert!(said.contains(name) && !said.contains(value), "{said}");
        deployment.environment.remove(name);
    }
}
