use futures_util::future::join_all;
use purser::{clock, store::Statement};
use purser_tests::{
    account::{PASSWORD, Person},
    deployment::Deployment,
    shop::{Shop, User, session_of},
    stripe::Fault,
};
use serde_json::json;

use super::STORES;

async fn delete(deployment: &Deployment, person: &Person) -> u16 {
    let call = deployment.call("DELETE", "/api/auth/account").bearer(&person.access);
    call.json(&json!({ "password": PASSWORD })).send().await.status
}

#[tokio::test]
async fn from_sign_up_to_subscription_to_farewell() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let deployment = &shop.deployment;
        let person = deployment.person("ann").await;
        let key = deployment.api_key(&person).await;
        let opus = || json!({ "message": "Hi", "model": "claude-opus-5-5" });
        deployment.chat(&key, opus()).await.assert_problem(403, "model_not_allowed");
        deployment.call("POST", "/api/billing/checkout").bearer(&key).send().await.assert_problem(403, "forbidden");

        let user = User { id: person.id.clone(), token: person.access.clone() };
        let session = session_of(&shop.checkout(&user).await);
        let subscription = shop.stripe.world().pay(&session);
        shop.deliver_all().await;
        assert_eq!(shop.plan(&user).await, "pro", "{cache:?}");
        // Old token, key and new token alike.
        let account = deployment.call("GET", "/api/auth/account").bearer(&person.access).send().await.json();
        assert_eq!(account["plan"], "pro");
        assert_eq!(account["subscription"], json!({ "status": "active", "ends_ms": null }));
        for token in [&person.access, &key] {
            let reply = deployment.chat(token, opus()).await;
            assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
        }
        let fresh = Person::of(&deployment.refresh(&person.refresh).await.json());
        assert_eq!(deployment.chat(&fresh.access, opus()).await.status, 200);

        shop.stripe.set_down(true);
        assert_eq!(delete(deployment, &fresh).await, 503, "nobody is left with a subscription and no account");
        shop.stripe.set_down(false);
        let replies = join_all([(); 3].map(|()| delete(deployment, &fresh))).await;
        assert!(replies.contains(&204), "{replies:?}");
        let events = {
            let mut world = shop.stripe.world();
            assert_eq!(world.subscriptions[&subscription]["status"], "canceled");
            assert_eq!(world.customers.values().next().unwrap()["deleted"], true);
            world.take_events()
        };
        assert!(!events.is_empty());
        for event in events {
            assert_eq!(shop.deliver(&event).await.json()["outcome"], "foreign", "{}", event.kind);
        }
    }
}

#[tokio::test]
async fn a_plan_whose_end_has_come_is_over_before_anybody_reads_stripe_again() {
    for cache in STORES {
        let shop = Shop::open(cache).await;
        let deployment = &shop.deployment;
        let person = deployment.person("ann").await;
        let key = deployment.api_key(&person).await;
        let user = User { id: person.id.clone(), token: person.access.clone() };
        let session = session_of(&shop.checkout(&user).await);
        shop.stripe.world().pay(&session);
        shop.deliver_all().await;
        let fresh = Person::of(&deployment.refresh(&person.refresh).await.json());
        let opus = || json!({ "message": "Hi", "model": "claude-opus-5-5" });
        for token in [&person.access, &fresh.access, &key] {
            assert_eq!(deployment.chat(token, opus()).await.status, 200, "{cache:?}");
        }
        // As if the grace of a subscription in arrears had run out a moment ago.
        let end = |ms: i64| {
            let sql = "update billing_accounts set ends_ms = $2 where user_id = $1";
            deployment.store.rows(Statement::new(sql, [person.id.as_str().into(), ms.into()]))
        };
        end(clock::now_ms() + 600_000).await.unwrap();
        assert_eq!(deployment.chat(&fresh.access, opus()).await.status, 200, "{cache:?}: not yet");
        end(clock::now_ms() - 1).await.unwrap();
        for token in [&fresh.access, &key, &person.access] {
            deployment.chat(token, opus()).await.assert_problem(403, "model_not_allowed");
        }
        let next = deployment.refresh(&fresh.refresh).await.json();
        assert_eq!(next["user"]["plan"], "free", "{cache:?}");
        let account = deployment.call("GET", "/api/auth/account").bearer(&person.access).send().await.json();
        assert_eq!(account["plan"], "free", "{cache:?}");
        assert_eq!(shop.plan_in_force(&user).await, "free", "{cache:?}");
    }
}

#[tokio::test]
async fn who_never_paid_leaves_without_stripe() {
    let mut shop = Shop::open(STORES[1]).await;
    let person = shop.deployment.person("bob").await;
    let user = User { id: person.id.clone(), token: person.access.clone() };
    session_of(&shop.checkout(&user).await);
    // The customer is of a mode whose key has been taken away.
    shop.stripe.world().customers.clear();
    shop.stripe.fail_next([Fault::None]);
    shop.deployment.set("STRIPE_SECRET_KEY", "");
    assert_eq!(delete(&shop.deployment, &person).await, 204);
}
