//! The double of Stripe, held against Stripe's own client; and the webhook against signatures of that client.

use std::process::Command;

use purser::clock;
use purser_tests::{
    deployment::Cache,
    packages,
    shop::Shop,
    stripe::{PRICE_OTHER, PRICE_PRO, SECRET_KEY, WEBHOOK_SECRET},
};

#[tokio::test]
async fn the_official_client_takes_the_double_for_stripe_and_signs_what_the_webhook_believes() {
    let folder = packages::installed("stripe");
    let shop = Shop::open(Cache::Sqlite).await;
    let (user, customer, first) = shop.buyer().await;
    {
        let mut world = shop.stripe.world();
        world.fail_payment(&first, clock::now_ms() / 1_000);
        for _ in 1..120 {
            world.subscribe(&customer, PRICE_OTHER, "unpaid");
        }
    }
    let event = shop.stripe.world().take_events().pop().unwrap();
    let mut node = Command::new("node");
    node.arg("check.mjs").current_dir(folder);
    node.env("STRIPE_URL", shop.stripe.url()).env("STRIPE_KEY", SECRET_KEY).env("WEBHOOK_SECRET", WEBHOOK_SECRET);
    node.env("CUSTOMER", &customer).env("PRICE", PRICE_PRO).env("SIGNATURE", shop.stripe.signature(&event));
    node.env("EVENT", String::from_utf8(event.body.clone()).unwrap());
    let signature = tokio::task::spawn_blocking(move || packages::succeeds(&mut node)).await.unwrap();
    let reply = shop.delivery(&event, &signature).send().await;
    assert_eq!((reply.status, shop.plan(&user).await.as_str()), (200, "pro"), "{}", reply.text);
}
