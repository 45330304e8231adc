use std::time::Duration;

use futures_util::future::join;
use purser::clock;
use purser_tests::{
    deployment::Cache,
    shop::{GRACE_S, Shop, session_of},
};

use serde_json::json;

use super::STORES;

const ENOUGH: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn lost_events_are_made_up_for() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let (ann, ..) = shop.buyer().await;
        let (bob, _, ended) = shop.buyer().await;
        let (cid, _, in_arrears) = shop.buyer().await;
        let (dan, ..) = shop.buyer().await;
        shop.deliver_all().await;
        let eve = shop.buyer().await.0;
        shop.stripe.world().set_status(&ended, "canceled");
        shop.stripe.world().fail_payment(&in_arrears, clock::now_ms() / 1_000 - GRACE_S);
        // All events of these are lost.
        shop.stripe.world().take_events();
        let run = shop.billing().reconcile_subscriptions(ENOUGH).await.unwrap();
        assert_eq!((run.read, shop.plan(&eve).await.as_str()), (0, "free"), "nothing is due yet");

        shop.make_all_due().await;
        let billing = shop.billing();
        let runs = join(billing.reconcile_subscriptions(ENOUGH), billing.reconcile_subscriptions(ENOUGH));
        let (one, other) = runs.await;
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one.read + other.read >= 5 && one.failed + other.failed == 0, "{one:?} {other:?}");
        for (user, plan) in [(&ann, "pro"), (&bob, "free"), (&cid, "free"), (&dan, "pro"), (&eve, "pro")] {
            assert_eq!(shop.plan(user).await, plan, "{cache:?}");
        }
        let again = shop.billing().reconcile_subscriptions(ENOUGH).await.unwrap();
        assert_eq!(again.read, 0, "what has been read is not due any more");
    }
}

#[tokio::test]
async fn a_checkout_is_looked_after_when_its_session_is_over_and_a_subscription_within_three_days() {
    let shop = Shop::open(Cache::Sqlite).await;
    let user = shop.user().await;
    let session = session_of(&shop.checkout(&user).await);
    let check_ms = shop.billing_row(&user).await["check_ms"].as_i64().unwrap();
    assert!((24 * HOUR_MS..=25 * HOUR_MS).contains(&(check_ms - clock::now_ms())), "{check_ms}");
    // A look in between does not forget it.
    shop.checkout(&user).await;
    assert_eq!(shop.billing_row(&user).await["check_ms"], check_ms);
    let subscription = shop.stripe.world().pay(&session);
    shop.deliver_all().await;
    let check_ms = shop.billing_row(&user).await["check_ms"].as_i64().unwrap();
    assert!((71 * HOUR_MS..=72 * HOUR_MS).contains(&(check_ms - clock::now_ms())), "{check_ms}");
    let end_s = clock::now_ms() / 1_000 + 3_600;
    shop.stripe.world().change(&subscription, "customer.subscription.updated", |one| one["cancel_at"] = end_s.into());
    shop.deliver_all().await;
    let row = shop.billing_row(&user).await;
    assert_eq!((row["check_ms"].as_i64(), row["ends_ms"].as_i64()), (Some(end_s * 1_000), Some(end_s * 1_000)));
    shop.stripe.world().set_status(&subscription, "canceled");
    shop.deliver_all().await;
    assert!(shop.billing_row(&user).await["ends_ms"].is_null());
}

#[tokio::test]
async fn the_cron_route_reads_who_is_due_and_a_deployment_that_sells_nothing_has_nothing_to_read() {
    for cache in STORES {
        let mut shop = Shop::open(cache).await;
        let (user, ..) = shop.buyer().await;
        shop.make_all_due().await;
        let cron = || shop.deployment.call("GET", "/api/cron/reconcile").bearer("the cron secret");
        let reply = cron().send().await;
        let expected = json!({ "read": 1, "failed": 0, "is_cut": false });
        assert_eq!((reply.status, &reply.json()["subscriptions"]), (200, &expected), "{cache:?}: {}", reply.text);
        assert_eq!(shop.plan(&user).await, "pro");
        shop.deployment.set("STRIPE_SECRET_KEY", "");
        shop.deployment.restart("cron-job");
        let call = shop.deployment.call("GET", "/api/cron/reconcile").bearer("the cron secret");
        let reply = call.send().await.json();
        assert!(reply["subscriptions"].is_null() && reply["drained"].is_number(), "{reply}");
    }
}

#[tokio::test]
async fn one_customer_who_cannot_be_read_keeps_nobody_from_it() {
    let shop = Shop::open(Cache::Sqlite).await;
    let mut users = Vec::new();
    for _ in 0..4 {
        users.push(shop.buyer().await);
    }
    shop.stripe.world().customers.remove(&users[0].1);
    shop.make_all_due().await;
    let run = shop.billing().reconcile_subscriptions(ENOUGH).await.unwrap();
    assert_eq!((run.read, run.failed, run.is_cut), (3, 1, false), "{run:?}");
    assert!(run.failure.unwrap().contains("resource_missing"));
    for (user, ..) in &users[1..] {
        assert_eq!(shop.plan(user).await, "pro");
    }
    let again = shop.billing().reconcile_subscriptions(ENOUGH).await.unwrap();
    assert_eq!((again.read, again.failed), (0, 1), "it stays due");
}

#[tokio::test]
async fn a_run_that_has_no_time_leaves_the_rest_to_the_next_one() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, ..) = shop.buyer().await;
    shop.make_all_due().await;
    let cut = shop.billing().reconcile_subscriptions(Duration::ZERO).await.unwrap();
    assert_eq!((cut.read, cut.is_cut), (0, true));
    assert_eq!(shop.billing().reconcile_subscriptions(ENOUGH).await.unwrap().read, 1);
    assert_eq!(shop.plan(&user).await, "pro");
}
