//! The page in a real browser, behind the headers of `vercel.json`.

use std::process::Command;

use purser_tests::{
    deployment::Cache,
    packages::{installed, succeeds},
    shop::Shop,
};

use crate::Backend;

#[tokio::test]
async fn somebody_signs_up_out_and_in_on_the_page() {
    let mut backend = Backend::start().await;
    let mut walk = Command::new("node");
    walk.arg("walk.mjs").current_dir(installed("page"));
    succeeds(walk.env("BASE_URL", &backend.url).env("CHROMIUM", "/usr/bin/chromium"));
    backend.stop();
    let owners: Vec<_> = backend.deployment.ledger().await.into_iter().map(|row| row.owner).collect();
    assert!(owners.len() == 2 && owners[0] == owners[1] && owners[0].starts_with("user:"), "{owners:?}");
}

#[tokio::test]
async fn somebody_upgrades_on_the_page_and_has_the_plan_though_no_event_comes() {
    let Shop { deployment, stripe, .. } = Shop::open(Cache::Sqlite).await;
    let mut backend = Backend::of(deployment);
    let mut walk = Command::new("node");
    walk.arg("upgrade.mjs").current_dir(installed("page")).env("STRIPE_URL", stripe.url());
    walk.env("BASE_URL", &backend.url).env("CHROMIUM", "/usr/bin/chromium");
    // The browser asks the double while it is waited for.
    tokio::task::spawn_blocking(move || succeeds(&mut walk)).await.unwrap();
    backend.stop();
    let world = stripe.world();
    let statuses: Vec<_> = world.subscriptions.values().map(|one| one["status"].clone()).collect();
    assert_eq!((statuses, world.customers.len(), world.sessions.len()), (vec!["active".into()], 1, 1));
}
