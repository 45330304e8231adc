//! Whatever happens at Stripe, and in whatever order, how often and how late its events come: in the end the plan is
//! Stripe's.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::Index,
    test_runner::{Config, TestRunner},
};
use purser::clock;
use purser_tests::{
    deployment::Cache,
    shop::{GRACE_S, Shop},
    stripe::{Event, PRICE_OTHER, PRICE_PRO, PRICE_PRO_OLD},
};
use serde_json::{Value, json};

/// What happens at Stripe to one of the customer's subscriptions.
#[derive(Clone, Debug)]
enum Change {
    Status(&'static str),
    FailPayment { days_ago: i64 },
    Recover,
    Price(&'static str),
    EndWithPeriod(bool),
    Another(&'static str),
    DeleteCustomer,
}

#[derive(Clone, Debug)]
enum Step {
    Change(Index, Change),
    /// One of the events so far, perhaps not for the first time.
    Deliver(Index),
    /// Several at once.
    Burst(Vec<Index>),
    /// The user clicks.
    Click,
    /// The nightly check.
    Check,
}

fn change() -> impl Strategy<Value = Change> {
    let status = ["active", "trialing", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled"];
    prop_oneof![
        8 => proptest::sample::select(status.to_vec()).prop_map(Change::Status),
        // Never on the day when the grace ends: the test's clock and the function's would have to agree.
        3 => prop_oneof![0..6_i64, 8..40_i64].prop_map(|days_ago| Change::FailPayment { days_ago }),
        2 => Just(Change::Recover),
        2 => proptest::sample::select(vec![PRICE_PRO, PRICE_PRO_OLD, PRICE_OTHER]).prop_map(Change::Price),
        1 => any::<bool>().prop_map(Change::EndWithPeriod),
        2 => proptest::sample::select(vec!["active", "incomplete"]).prop_map(Change::Another),
        1 => Just(Change::DeleteCustomer),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<Index>(), change()).prop_map(|(which, change)| Step::Change(which, change)),
        6 => any::<Index>().prop_map(Step::Deliver),
        2 => vec(any::<Index>(), 2..5).prop_map(Step::Burst),
        1 => Just(Step::Click),
        1 => Just(Step::Check),
    ]
}

fn apply(shop: &Shop, customer: &str, which: &Index, change: &Change) {
    let mut world = shop.stripe.world();
    if world.customers[customer]["deleted"] == true {
        return;
    }
    let subscription = which.get(&world.subscriptions_of(customer)).clone();
    let is_over =
        ["canceled", "incomplete_expired"].contains(&world.subscriptions[&subscription]["status"].as_str().unwrap());
    let update = "customer.subscription.updated";
    match change {
        Change::Another(status) => drop(world.subscribe(customer, PRICE_PRO, status)),
        Change::DeleteCustomer => drop(world.delete_customer(customer)),
        // What has ended stays so.
        _ if is_over => {}
        Change::Status(status) => world.set_status(&subscription, status),
        Change::FailPayment { days_ago } => {
            world.fail_payment(&subscription, clock::now_ms() / 1_000 - days_ago * 86_400);
        }
        Change::Recover => world.recover(&subscription),
        Change::Price(price) => {
            world.change(&subscription, update, |one| one["items"]["data"][0]["price"]["id"] = json!(price));
        }
        Change::EndWithPeriod(ends) => {
            world.change(&subscription, update, |one| one["cancel_at_period_end"] = json!(ends));
        }
    }
}

/// What Stripe says, worked out by the test itself.
fn stripes_plan(shop: &Shop, customer: &str) -> &'static str {
    let world = shop.stripe.world();
    let now_s = clock::now_ms() / 1_000;
    let in_grace = |subscription: &Value| {
        let of = |one: &&Value| one["parent"]["subscription_details"]["subscription"] == subscription["id"];
        let open = world.invoices.values().filter(of).filter(|one| one["status"] == "open");
        let oldest_s = open.map(|one| one["created"].as_i64().unwrap()).min();
        let since_s = oldest_s.unwrap_or(subscription["items"]["data"][0]["current_period_start"].as_i64().unwrap());
        now_s - since_s < GRACE_S
    };
    let gives = |subscription: &Value| {
        let price = subscription["items"]["data"][0]["price"]["id"].as_str().unwrap();
        [PRICE_PRO, PRICE_PRO_OLD].contains(&price)
            && match subscription["status"].as_str().unwrap() {
                "active" | "trialing" => true,
                "past_due" => in_grace(subscription),
                _ => false,
            }
    };
    let all = world.subscriptions_of(customer);
    if all.iter().any(|id| gives(&world.subscriptions[id])) { "pro" } else { "free" }
}

async fn deliver(shop: &Shop, event: &Event) {
    let reply = shop.deliver(event).await;
    assert_eq!(reply.status, 200, "{}: {}", event.kind, reply.text);
}

async fn history(shop: &Shop, steps: &[Step], order: &[Index]) {
    let (user, customer, _) = shop.buyer().await;
    let mut events: Vec<Event> = Vec::new();
    for step in steps {
        events.extend(shop.stripe.world().take_events());
        match step {
            Step::Change(which, change) => apply(shop, &customer, which, change),
            Step::Deliver(which) => deliver(shop, which.get(&events)).await,
            Step::Burst(which) => {
                join_all(which.iter().map(|one| deliver(shop, one.get(&events)))).await;
            }
            Step::Click => assert_eq!(shop.checkout(&user).await.status, 200),
            Step::Check => check(shop).await,
        }
    }
    events.extend(shop.stripe.world().take_events());
    // Stripe repeats what was not delivered, in any order; some of it never comes.
    let (mut delivered, mut is_told) = (BTreeSet::new(), false);
    for one in order {
        let event = one.get(&events);
        let reply = shop.deliver(event).await;
        is_told |= reply.json()["outcome"] == "taken";
        delivered.insert(event.id.clone());
    }
    if !is_told {
        // A customer whose subscriptions have all ended is not checked any more: a new one begins with a click.
        match shop.billing_row(&user).await["check_ms"].is_null() {
            true => assert_eq!(shop.checkout(&user).await.status, 200),
            false => check(shop).await,
        }
    }
    assert_eq!(
        shop.plan(&user).await,
        stripes_plan(shop, &customer),
        "{} of {} events came",
        delivered.len(),
        events.len()
    );
}

async fn check(shop: &Shop) {
    shop.make_all_due().await;
    let run = shop.billing().reconcile_subscriptions(std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!((run.failed, run.is_cut), (0, false), "{run:?}");
}

fn hold(cache: Cache, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let shop = runtime.block_on(Shop::open(cache));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let strategy = (vec(step(), 1..12), vec(any::<Index>(), 0..10), any::<bool>());
    runner
        .run(&strategy, |(steps, order, is_endpoint_old)| {
            shop.stripe.world().is_endpoint_old = is_endpoint_old;
            runtime.block_on(history(&shop, &steps, &order));
            Ok(())
        })
        .unwrap();
}

#[test]
fn in_the_end_the_plan_is_stripes_on_postgres_with_redis() {
    hold(Cache::Redis, 40);
}

#[test]
fn in_the_end_the_plan_is_stripes_on_sqlite() {
    hold(Cache::Sqlite, 40);
}
