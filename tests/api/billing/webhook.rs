use futures_util::future::join_all;
use purser::{clock, config::Secret, store::Statement, stripe};
use purser_tests::{
    deployment::Cache,
    relay::CountingRelay,
    services::{postgres_url, redis_url},
    shop::{GRACE_S, Shop},
    stripe::{Event, Fault, PRICE_OTHER, PRICE_PRO, PRICE_PRO_OLD, WEBHOOK_SECRET},
};
use serde_json::json;

use super::STORES;

fn now_s() -> i64 {
    clock::now_ms() / 1_000
}

/// The tests' own opinion, apart from the lib's: which status keeps the plan.
const PLANS: [(&str, &str); 8] = [
    ("trialing", "pro"),
    ("active", "pro"),
    ("unpaid", "free"),
    ("active", "pro"),
    ("paused", "free"),
    ("incomplete", "free"),
    ("incomplete_expired", "free"),
    ("canceled", "free"),
];

#[tokio::test]
async fn the_plan_follows_the_status_whatever_api_version_the_endpoint_has() {
    for (cache, is_endpoint_old) in [(STORES[0], false), (STORES[1], true)] {
        let shop = Shop::open(cache).await;
        shop.stripe.world().is_endpoint_old = is_endpoint_old;
        let (user, _, subscription) = shop.buyer().await;
        shop.deliver_all().await;
        for (status, plan) in PLANS {
            shop.stripe.world().set_status(&subscription, status);
            shop.deliver_all().await;
            assert_eq!(shop.plan(&user).await, plan, "{status}");
        }
    }
}

#[tokio::test]
async fn arrears_keep_the_plan_for_the_grace_and_not_a_month_longer() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, _, subscription) = shop.buyer().await;
    shop.deliver_all().await;
    let since_s = now_s() - GRACE_S + 3_600;
    shop.stripe.world().fail_payment(&subscription, since_s);
    shop.deliver_all().await;
    let row = shop.billing_row(&user).await;
    assert_eq!((shop.plan(&user).await.as_str(), &row["status"]), ("pro", &json!("past_due")));
    let end_ms = json!((since_s + GRACE_S) * 1_000);
    assert_eq!((&row["ends_ms"], &row["check_ms"]), (&end_ms, &end_ms), "the end is known and will be looked for");
    shop.stripe.world().recover(&subscription);
    shop.deliver_all().await;
    assert_eq!((shop.plan(&user).await.as_str(), &shop.billing_row(&user).await["ends_ms"]), ("pro", &json!(null)));

    shop.stripe.world().fail_payment(&subscription, now_s() - GRACE_S - 1);
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "free");
    // The next month's invoice is younger, and gives no new grace.
    shop.stripe.world().fail_payment(&subscription, now_s());
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "free");
}

#[tokio::test]
async fn only_prices_of_the_plan_give_it_and_one_good_subscription_of_several_is_enough() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, first) = shop.buyer().await;
    let set_price = |price: &'static str| {
        shop.stripe.world().change(&first, "customer.subscription.updated", |one| {
            one["items"]["data"][0]["price"]["id"] = json!(price);
        });
    };
    for (price, plan) in [(PRICE_OTHER, "free"), (PRICE_PRO_OLD, "pro"), (PRICE_PRO, "pro")] {
        set_price(price);
        shop.deliver_all().await;
        assert_eq!(shop.plan(&user).await, plan, "{price}");
    }
    let second = shop.stripe.world().subscribe(&customer, PRICE_PRO, "active");
    for (status, plan) in [("unpaid", "pro"), ("canceled", "pro")] {
        shop.stripe.world().set_status(&first, status);
        shop.deliver_all().await;
        assert_eq!(shop.plan(&user).await, plan);
    }
    shop.stripe.world().set_status(&second, "canceled");
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "free");
}

#[tokio::test]
async fn a_customer_with_more_subscriptions_than_a_page_holds_is_read_to_the_end() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, _) = shop.buyer().await;
    for _ in 0..205 {
        shop.stripe.world().subscribe(&customer, PRICE_OTHER, "unpaid");
    }
    let last = shop.stripe.world().take_events().pop().unwrap();
    assert_eq!(shop.deliver(&last).await.status, 200);
    assert_eq!(shop.plan(&user).await, "pro", "the oldest subscription, on the last page, gives it");
    assert_eq!(shop.stripe.count("GET /v1/subscriptions"), 1 + 3);
}

#[tokio::test]
async fn a_repeated_event_changes_nothing_and_asks_stripe_nothing() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let (user, ..) = shop.buyer().await;
        let event = shop.stripe.world().take_events().pop().unwrap();
        assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
        let asked = shop.stripe.seen().len();
        for _ in 0..3 {
            let reply = shop.deliver(&event).await;
            assert_eq!((reply.status, &reply.json()["outcome"]), (200, &json!("repeated")), "{cache:?}");
        }
        assert_eq!((shop.stripe.seen().len(), shop.taken_events().await), (asked, vec![event.id]));
        assert_eq!(shop.plan(&user).await, "pro");
    }
}

#[tokio::test]
async fn a_late_event_does_not_revive_a_cancelled_subscription() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, _, subscription) = shop.buyer().await;
    shop.deliver_all().await;
    shop.stripe.world().set_status(&subscription, "active");
    let late = shop.stripe.world().take_events().pop().unwrap();
    shop.stripe.world().set_status(&subscription, "canceled");
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "free");
    assert!(String::from_utf8_lossy(&late.body).contains(r#""status": "active""#));
    assert_eq!(shop.deliver(&late).await.json()["outcome"], "taken");
    assert_eq!(shop.plan(&user).await, "free");
}

#[tokio::test]
async fn an_answer_of_stripe_that_was_overtaken_is_thrown_away() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let (user, _, subscription) = shop.buyer().await;
        let early = shop.stripe.world().take_events().pop().unwrap();
        // The first delivery has read `active` and waits; the second one reads `canceled` and is done before it.
        shop.stripe.fail_next([Fault::HoldReply]);
        let overtaken = shop.deliver(&early);
        let overtaking = async {
            shop.stripe.wait_for_held(1).await;
            shop.stripe.world().set_status(&subscription, "canceled");
            shop.deliver_all().await;
            assert_eq!(shop.plan(&user).await, "free");
            shop.stripe.release();
        };
        let (reply, ()) = futures_util::future::join(overtaken, overtaking).await;
        assert_eq!((reply.status, shop.plan(&user).await.as_str()), (200, "free"), "{cache:?}");
        assert_eq!(shop.taken_events().await.len(), 2, "{cache:?}: both events have had their effect");
    }
}

#[tokio::test]
async fn many_deliveries_at_once_end_in_one_plan() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let (user, _, subscription) = shop.buyer().await;
        shop.deliver_all().await;
        let before = shop.taken_events().await.len();
        for status in ["past_due", "active", "unpaid", "active", "paused", "active", "canceled"] {
            shop.stripe.world().set_status(&subscription, status);
        }
        let events = shop.stripe.world().take_events();
        let twice: Vec<_> = events.iter().rev().chain(&events).collect();
        let replies = join_all(twice.iter().map(|event| shop.deliver(event))).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
        let taken = shop.taken_events().await.len() - before;
        assert_eq!((shop.plan(&user).await.as_str(), taken), ("free", events.len()), "{cache:?}");
    }
}

#[tokio::test]
async fn only_what_stripe_has_signed_in_the_last_five_minutes_is_believed() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    let asked = shop.stripe.seen().len();
    let sign = |secret: &str, time_s: i64| stripe::sign(&event.body, &Secret::new(secret), time_s);
    let good = sign(WEBHOOK_SECRET, now_s());
    let forged = [
        String::new(),
        "t=1".to_owned(),
        "nonsense".to_owned(),
        sign("whsec_old", now_s()),
        sign(WEBHOOK_SECRET.strip_prefix("whsec_").unwrap(), now_s()),
        sign(WEBHOOK_SECRET, now_s() - 310),
        sign(WEBHOOK_SECRET, now_s() + 310),
        good.replace("v1=", "v0="),
        good.replace("t=", "t=1"),
    ];
    for signature in &forged {
        shop.delivery(&event, signature).send().await.assert_problem(400, "invalid_signature");
    }
    let unsigned = shop.deployment.call("POST", "/api/billing/webhook").body(event.body.clone()).send().await;
    unsigned.assert_problem(400, "invalid_signature");
    let reserialized = serde_json::from_slice::<serde_json::Value>(&event.body).unwrap().to_string().into_bytes();
    let changed = Event { body: reserialized, ..event.clone() };
    shop.delivery(&changed, &good).send().await.assert_problem(400, "invalid_signature");
    shop.delivery(&event, &good).header("stripe-signature", &good).send().await.assert_problem(400, "invalid_header");
    assert_eq!((shop.stripe.seen().len(), shop.plan(&user).await.as_str()), (asked, "free"));

    // While a secret is being rolled Stripe signs with both; and an instance may still have the old one.
    let rolling = format!("{},{}", sign("whsec_new", now_s()), good.split_once(',').unwrap().1);
    assert_eq!(shop.delivery(&event, &rolling).send().await.status, 200);
    assert_eq!(shop.delivery(&event, &sign("whsec_of_another_endpoint", now_s() - 290)).send().await.status, 200);
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn what_is_not_about_our_subscriptions_is_taken_and_changes_nothing() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, _) = shop.buyer().await;
    shop.stripe.world().take_events();
    let asked = shop.stripe.seen().len();
    {
        let mut world = shop.stripe.world();
        world.tell("payment_intent.succeeded", &json!({ "id": "pi_1", "customer": customer }));
        world.tell("a.type.of.the.future", &json!({ "id": "x", "customer": customer }));
        world.tell("checkout.session.expired", &json!({ "id": "cs_1", "customer": null }));
    }
    let events = shop.stripe.world().take_events();
    for event in events {
        assert_eq!(shop.deliver(&event).await.json()["outcome"], "ignored", "{}", event.kind);
    }
    assert_eq!(shop.stripe.seen().len(), asked);
    let foreign = shop.stripe.world().add_customer(None, json!({ "user_id": "somebody-elses" }))["id"].clone();
    shop.stripe.world().subscribe(foreign.as_str().unwrap(), PRICE_PRO, "active");
    shop.stripe.world().tell("customer.subscription.updated", &json!({ "id": "sub_x", "customer": "cus_nobody" }));
    let events = shop.stripe.world().take_events();
    for event in events.iter().filter(|event| event.kind != "customer.created") {
        assert_eq!(shop.deliver(event).await.json()["outcome"], "foreign", "{}", event.kind);
    }
    let body = |text: &str| Event { id: String::new(), kind: String::new(), body: text.as_bytes().to_vec() };
    for (text, status, code) in [
        ("{", 400, "invalid_json"),
        ("[]", 422, "invalid_body"),
        (r#"{"id":"evt_1"}"#, 422, "invalid_body"),
        (r#"{"id":"evt_1","type":"invoice.paid","data":{"object":{"customer":7}}}"#, 422, "invalid_body"),
    ] {
        shop.deliver(&body(text)).await.assert_problem(status, code);
    }
    assert_eq!((shop.plan(&user).await.as_str(), shop.taken_events().await.len()), ("free", 0));
}

#[tokio::test]
async fn a_customer_who_names_a_user_is_taken_over_where_the_store_knows_none() {
    let shop = Shop::open(Cache::Sqlite).await;
    let user = shop.user().await;
    let customer = shop.stripe.world().add_customer(None, json!({ "user_id": user.id }))["id"].clone();
    shop.stripe.world().subscribe(customer.as_str().unwrap(), PRICE_PRO, "active");
    shop.deliver_all().await;
    assert_eq!(shop.plan(&user).await, "pro");
    // A second one cannot push the first one out.
    let second = shop.stripe.world().add_customer(None, json!({ "user_id": user.id }))["id"].clone();
    shop.stripe.world().subscribe(second.as_str().unwrap(), PRICE_PRO, "canceled");
    shop.deliver_all().await;
    assert_eq!((shop.plan(&user).await.as_str(), &shop.billing_row(&user).await["customer_id"]), ("pro", &customer));
}

#[tokio::test]
async fn an_event_and_its_effect_are_written_together_or_not_at_all() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, ..) = shop.buyer().await;
    let event = shop.stripe.world().take_events().pop().unwrap();
    let run = async |sql| shop.deployment.store.rows(Statement::new(sql, [])).await.unwrap();
    run("create trigger refuse before update of plan on users begin select raise(abort, 'no'); end").await;
    assert_eq!(shop.deliver(&event).await.status, 500);
    assert_eq!((shop.taken_events().await.len(), shop.plan(&user).await.as_str()), (0, "free"));
    assert_eq!(shop.billing_row(&user).await["status"], json!(null), "what was read is not written either");
    run("drop trigger refuse").await;
    assert_eq!(shop.deliver(&event).await.json()["outcome"], "taken");
    assert_eq!(shop.plan(&user).await, "pro");
}

#[tokio::test]
async fn no_address_and_no_secret_reaches_the_log() {
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, ..) = shop.buyer().await;
    shop.deliver_all().await;
    shop.stripe.fail_next([Fault::Status(400)]);
    shop.checkout(&user).await.assert_problem(502, "stripe_misconfigured");
    shop.deployment.call("POST", "/api/billing/webhook").header("stripe-signature", "t=1,v1=00").send().await;
    for name in ["billing-checkout", "billing-webhook"] {
        let lines = serde_json::to_string(&shop.deployment.function(name).lines()).unwrap();
        assert!(
            lines.contains("\"stripe_us\"") && lines.contains("\"outcome\"") == (name == "billing-webhook"),
            "{lines}"
        );
        for planted in ["@example.com", "whsec_", "sk_test", user.token.as_str(), "checkout.stripe.com"] {
            assert!(!lines.contains(planted), "{planted}: {lines}");
        }
    }
}

#[tokio::test]
async fn a_warm_event_costs_one_call_of_stripe_one_of_redis_and_four_of_postgres() {
    let mut shop = Shop::open(Cache::Redis).await;
    let (redis, postgres) = (CountingRelay::start(&redis_url()), CountingRelay::start(&postgres_url()));
    let url = shop.deployment.environment["DATABASE_URL"].replace(&postgres_url(), &postgres.url);
    shop.deployment.set("DATABASE_URL", &url);
    shop.deployment.set("REDIS_URL", &redis.url);
    let (_, _, subscription) = shop.buyer().await;
    shop.deliver_all().await;
    shop.stripe.world().set_status(&subscription, "unpaid");
    let before = (shop.stripe.seen().len(), redis.round_trips(), postgres.round_trips());
    shop.deliver_all().await;
    let after = (shop.stripe.seen().len(), redis.round_trips(), postgres.round_trips());
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (1, 1, 4));
}
