//! Postgres restarted in the middle of what accounts and plans do: every connection is ended while its statement runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use purser_tests::{
    account::{PASSWORD, Person},
    deployment::{Cache, Deployment},
    http::{Call, Reply},
    services,
    shop::Shop,
};
use serde_json::json;
use tokio_postgres::Client;

/// What one connection of the test does to those of the functions.
struct Restart {
    client: Client,
}

#[expect(clippy::disallowed_methods, reason = "the tasks of a test are its own")]
impl Restart {
    async fn of(deployment: &Deployment) -> Self {
        let (client, connection) =
            tokio_postgres::connect(&services::postgres_url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = deployment.prefix.trim_end_matches(':');
        client.batch_execute(&format!("set search_path = {schema}")).await.unwrap();
        Self { client }
    }

    /// Sends a call and ends the connection that its statement waits in, `times` times.
    async fn during(&self, mode: &str, times: usize, call: Call) -> Reply {
        let tables = "users, sessions, billing_accounts, billing_events";
        self.client.batch_execute(&format!("begin; lock table {tables} in {mode} mode")).await.unwrap();
        let sent = tokio::spawn(call.send());
        // Not pg_stat_activity: a transaction sees that as it was at first.
        let sql = "select pid, pg_terminate_backend(pid) from pg_locks \
                   where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)) and pid <> all($1)";
        let mut ended: Vec<i32> = Vec::new();
        while ended.len() < times {
            assert!(!sent.is_finished(), "nothing waited: {:?}", sent.await);
            ended.extend(self.client.query(sql, &[&ended]).await.unwrap().iter().map(|row| row.get::<_, i32>(0)));
        }
        self.client.batch_execute("rollback").await.unwrap();
        sent.await.unwrap()
    }
}

const MODES: [&str; 2] = ["access exclusive", "exclusive"];

/// A call in the middle of one restart, which nobody notices, and in the middle of two, of which the second is told:
/// asking again works then. Gives the answers to the first and to the last.
async fn survives(restart: &Restart, mode: &str, wanted: u16, make: impl Fn() -> Call) -> [Reply; 2] {
    let first = restart.during(mode, 1, make()).await;
    assert_eq!(first.status, wanted, "{mode}: {}", first.text);
    let told = restart.during(mode, 2, make()).await;
    told.assert_problem(503, "store_unavailable");
    assert!(!told.header("retry-after").is_empty(), "{mode}");
    let again = make().send().await;
    assert_eq!(again.status, wanted, "{mode}: {}", again.text);
    [first, again]
}

#[tokio::test]
async fn a_restart_of_postgres_forks_no_session_and_loses_no_account() {
    let deployment = Deployment::new().await;
    let restart = Restart::of(&deployment).await;
    let networks = AtomicUsize::new(1);
    let from_anywhere = |method: &str, path: &str| {
        let at = networks.fetch_add(1, Ordering::SeqCst);
        deployment.auth(method, path, &format!("2001:db8:{at:x}::1"))
    };
    for mode in MODES {
        let email = format!("{}@example.com", mode.replace(' ', ""));
        let body = json!({ "email": email, "password": PASSWORD });
        survives(&restart, mode, 202, || from_anywhere("POST", "/api/auth/account").json(&body)).await;
        // A sign-in waits in its second round trip as well, where reading is allowed.
        let signed_in = restart.during(mode, 1, from_anywhere("POST", "/api/auth/session").json(&body)).await;
        assert_eq!(signed_in.status, 200, "{mode}: {}", signed_in.text);
        let person = Person::of(&signed_in.json());
        let shown = json!({ "refresh_token": person.refresh });
        let refresh = || deployment.call("PUT", "/api/auth/session").json(&shown);
        let [first, again] = survives(&restart, mode, 200, refresh).await.map(|reply| Person::of(&reply.json()));
        assert_eq!(first.refresh, again.refresh, "{mode}: one successor");
        let body = json!({ "password": PASSWORD, "new_email": format!("new-{email}") });
        let change = from_anywhere("PATCH", "/api/auth/account").bearer(&first.access).json(&body);
        let changed = restart.during(mode, 1, change).await;
        assert_eq!((changed.status, &changed.json()["email"]), (200, &body["new_email"]), "{mode}");
        let profile = deployment.call("GET", "/api/auth/account").bearer(&first.access).send().await.json();
        assert_eq!(profile["sessions"].as_array().unwrap().len(), 1, "{mode}: {profile}");
        let leave = deployment.call("DELETE", "/api/auth/session").bearer(&first.access);
        assert_eq!(restart.during(mode, 1, leave).await.status, 204, "{mode}");
        deployment.refresh(&first.refresh).await.assert_problem(401, "session_revoked");
    }
}

#[tokio::test]
async fn a_restart_of_postgres_in_the_middle_of_an_event_ends_in_the_plan_that_is_paid_for() {
    for mode in MODES {
        let shop = Shop::open(Cache::Redis).await;
        let restart = Restart::of(&shop.deployment).await;
        let (user, ..) = shop.buyer().await;
        let mut events = shop.stripe.world().take_events();
        events.retain(|event| event.kind.starts_with("customer.subscription."));
        assert!(!events.is_empty());
        let deliver = |event| shop.delivery(event, &shop.stripe.signature(event));
        restart.during(mode, 2, deliver(&events[0])).await.assert_problem(503, "store_unavailable");
        for event in &events {
            let reply = restart.during(mode, 1, deliver(event)).await;
            assert_eq!(reply.status, 200, "{mode}: {}: {}", event.kind, reply.text);
        }
        assert_eq!(shop.plan(&user).await, "pro", "{mode}");
        let taken = shop.taken_events().await;
        for event in &events {
            assert_eq!(shop.deliver(event).await.status, 200);
        }
        assert_eq!(shop.taken_events().await, taken, "{mode}: every event had its effect once");
    }
}
