use futures_util::future::join;
use purser::limit::Limiter;
use purser_tests::{
    deployment::Cache,
    function::{Function, free_port},
    shop::{Shop, session_of},
    stripe::Fault,
};
use serde_json::json;

use super::STORES;

/// One request and the retries that it makes itself.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn without_stripe_nothing_is_half_done_and_asking_again_works() {
    // Which calls go well before Stripe fails: making the customer, reading it, opening the session.
    for (done, what) in [(0, "POST /v1/customers"), (1, "GET /v1/subscriptions"), (2, "POST /v1/checkout/sessions")] {
        for fault in [Fault::CutBefore, Fault::LoseReply, Fault::Status(500)] {
            let shop = Shop::open(Cache::Sqlite).await;
            let user = shop.user().await;
            shop.stripe.fail_next([Fault::None].repeat(done).into_iter().chain([fault; ATTEMPTS]));
            let reply = shop.checkout(&user).await;
            reply.assert_problem(503, "stripe_unavailable");
            assert!(!reply.header("retry-after").is_empty());
            assert_eq!(shop.stripe.count(what), ATTEMPTS, "{what} {fault:?}");
            let session = session_of(&shop.checkout(&user).await);
            let sold = {
                let world = shop.stripe.world();
                (world.customers.len(), world.sessions.len(), world.sessions[&session]["customer"].clone())
            };
            let customer = shop.billing_row(&user).await["customer_id"].clone();
            assert_eq!(sold, (1, 1, customer), "{what} {fault:?}: one customer, one session");
        }
    }
}

#[tokio::test]
async fn one_lost_answer_is_not_even_noticed() {
    // 409: another request with the same key is on its way.
    for fault in [Fault::CutBefore, Fault::LoseReply, Fault::Status(409)] {
        let shop = Shop::open(Cache::Sqlite).await;
        let user = shop.user().await;
        shop.stripe.fail_next([fault, Fault::None, fault, Fault::None, fault]);
        session_of(&shop.checkout(&user).await);
        let world = shop.stripe.world();
        assert_eq!((world.customers.len(), world.sessions.len()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_the_owners_to_mend_and_takes_nobodys_plan() {
    let mut shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, subscription) = shop.buyer().await;
    shop.deliver_all().await;
    shop.stripe.world().set_status(&subscription, "active");
    let event = shop.stripe.world().take_events().pop().unwrap();
    shop.deployment.set("STRIPE_SECRET_KEY", "sk_test_wrong");
    shop.deployment.restart("billing-webhook");
    shop.deliver(&event).await.assert_problem(502, "stripe_misconfigured");
    // A key of another account, or of the other mode: there the customer never was.
    let kept = shop.stripe.world().customers.remove(&customer).unwrap();
    shop.deployment.set("STRIPE_SECRET_KEY", purser_tests::stripe::SECRET_KEY);
    shop.deployment.restart("billing-webhook");
    shop.deliver(&event).await.assert_problem(502, "stripe_misconfigured");
    assert_eq!(shop.plan(&user).await, "pro");
    shop.stripe.world().customers.insert(customer, kept);
    assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
}

#[tokio::test]
async fn a_delivery_that_stripe_does_not_confirm_is_asked_for_again() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let (user, ..) = shop.buyer().await;
        let event = shop.stripe.world().take_events().pop().unwrap();
        shop.stripe.set_down(true);
        shop.deliver(&event).await.assert_problem(503, "stripe_unavailable");
        shop.stripe.set_down(false);
        shop.stripe.fail_next([Fault::Status(429)]);
        shop.deliver(&event).await.assert_problem(503, "stripe_unavailable");
        assert_eq!((shop.taken_events().await.len(), shop.plan(&user).await.as_str()), (0, "free"));
        assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
        assert_eq!(shop.plan(&user).await, "pro", "{cache:?}");
    }
}

#[tokio::test]
async fn without_the_store_stripe_is_asked_to_come_again() {
    let mut shop = Shop::open(Cache::Redis).await;
    let (user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    let store = shop.deployment.environment["DATABASE_URL"].clone();
    shop.deployment.set("DATABASE_URL", &format!("postgres://purser@127.0.0.1:{}/x", free_port()));
    for name in ["billing-webhook", "billing-checkout"] {
        shop.deployment.restart(name);
    }
    let asked = shop.stripe.seen().len();
    shop.deliver(&event).await.assert_problem(503, "store_unavailable");
    shop.checkout(&user).await.assert_problem(503, "store_unavailable");
    assert_eq!(shop.stripe.seen().len(), asked, "Stripe was not asked for nothing");
    shop.deployment.set("DATABASE_URL", &store);
    shop.deployment.restart("billing-webhook");
    assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn without_the_limiter_stripe_is_asked_to_come_again_and_then_the_plan_holds() {
    let mut shop = Shop::open(Cache::Redis).await;
    let (user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    assert_eq!(shop.plan(&user).await, "free");
    let redis = shop.deployment.environment["REDIS_URL"].clone();
    shop.deployment.set("REDIS_URL", &format!("redis://127.0.0.1:{}", free_port()));
    shop.deployment.restart("billing-webhook");
    shop.deliver(&event).await.assert_problem(503, "limiter_unavailable");
    assert_eq!((shop.stored_plan(&user).await.as_str(), shop.plan_in_force(&user).await.as_str()), ("pro", "free"));
    shop.deployment.set("REDIS_URL", &redis);
    shop.deployment.restart("billing-webhook");
    assert_eq!(shop.deliver(&event).await.json()["outcome"], "repeated");
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn a_limiter_that_was_never_told_is_told_by_the_next_check() {
    let shop = Shop::open(Cache::Redis).await;
    let (user, ..) = shop.buyer().await;
    let nowhere = purser::cache::Cache::tcp(&format!("redis://127.0.0.1:{}", free_port()), "x:").unwrap();
    let (limiter, billing) = (Limiter::redis(nowhere), shop.billing());
    let cut = purser::billing::Billing { limiter: &limiter, ..billing };
    let customer = shop.billing_row(&user).await["customer_id"].as_str().unwrap().to_owned();
    let event =
        purser::stripe::Event { id: "evt_x".into(), kind: "x".into(), created_s: 1, customer_id: Some(customer) };
    cut.take_event(&event).await.unwrap_err();
    assert_eq!((shop.stored_plan(&user).await.as_str(), shop.plan_in_force(&user).await.as_str()), ("pro", "free"));
    let run = billing.reconcile_subscriptions(std::time::Duration::from_secs(30)).await.unwrap();
    assert_eq!((run.read, run.failed), (1, 0), "it was due at once: {run:?}");
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn a_function_that_is_killed_in_the_middle_has_written_nothing() {
    let shop = Shop::open(Cache::Redis).await;
    let (user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    let mut function = Function::start("billing-webhook", &shop.deployment.environment);
    shop.stripe.fail_next([Fault::HoldReply]);
    let request = reqwest::Client::builder()
        .tls_backend_preconfigured((*purser::net::tls_config()).clone())
        .no_proxy()
        .build()
        .unwrap()
        .post(function.url("/api/billing/webhook"))
        .header("stripe-signature", shop.stripe.signature(&event))
        .body(event.body.clone());
    let kill = async {
        shop.stripe.wait_for_held(1).await;
        function.kill();
    };
    let (delivery, ()) = join(request.send(), kill).await;
    assert!(delivery.is_err());
    shop.stripe.release();
    assert_eq!((shop.taken_events().await.len(), &shop.billing_row(&user).await["status"]), (0, &json!(null)));
    assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
    assert_eq!(shop.plan(&user).await, "pro");
}
