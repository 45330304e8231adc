use purser::{config::Secret, stripe};
use purser_tests::{
    deployment::Cache,
    shop::Shop,
    stripe::{Event, WEBHOOK_SECRET},
};

use super::webhook::now_s;

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
