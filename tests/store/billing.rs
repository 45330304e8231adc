use std::collections::BTreeSet;

use purser::store::{BillingReading, PlanInForce, Statement, Store, TakenEvent, Ticket};

use crate::engines;

async fn add_user(store: &Store, id: &str) {
    let sql =
        "insert into users (id, email, password, plan, created_ms, updated_ms) values ($1, $2, 'x', 'free', 1, 1)";
    store.rows(Statement::new(sql, [id.into(), format!("{id}@example.com").into()])).await.unwrap();
}

/// A user with a customer of the same name.
async fn add_customer(store: &Store, id: &str) {
    add_user(store, id).await;
    store.billing_account(id).await.unwrap().unwrap();
    store.keep_customer(id, &format!("cus_{id}")).await.unwrap();
}

async fn ticket(store: &Store, id: &str) -> Ticket {
    store.begin_reading(&format!("cus_{id}")).await.unwrap().unwrap()
}

fn reading<'a>(ticket: &'a Ticket, customer_id: &'a str, plan: &'a str, event: Option<&'a str>) -> BillingReading<'a> {
    BillingReading {
        ticket,
        customer_id,
        is_customer_gone: false,
        plan,
        subscription_id: Some("sub_1"),
        status: Some("active"),
        ends_ms: None,
        check_ms: Some(5_000),
        event: event.map(|id| TakenEvent { id, kind: "invoice.paid", created_ms: 1_000 }),
        read_ms: 2_000,
    }
}

async fn apply(store: &Store, reading: BillingReading<'_>) -> (String, i64) {
    let PlanInForce { plan, applied } = store.apply_reading(&reading).await.unwrap().unwrap();
    (plan, applied)
}

#[tokio::test]
async fn of_two_readings_the_one_that_began_later_stands_whichever_is_written_first() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        add_customer(&store, "ann").await;
        let (early, late) = (ticket(&store, "ann").await, ticket(&store, "ann").await);
        assert_eq!(
            apply(&store, reading(&late, "cus_ann", "pro", Some("evt_2"))).await,
            ("pro".into(), 2),
            "{engine:?}"
        );
        assert_eq!(apply(&store, reading(&early, "cus_ann", "free", Some("evt_1"))).await, ("pro".into(), 2));
        for event in ["evt_1", "evt_2"] {
            assert_eq!(store.user_of_event(event).await.unwrap().as_deref(), Some("ann"), "{engine:?}");
        }
        let again = ticket(&store, "ann").await;
        assert_eq!(apply(&store, reading(&again, "cus_ann", "free", Some("evt_2"))).await, ("free".into(), 3));
        // The customer was replaced meanwhile: what was read of the old one counts no more.
        let old = ticket(&store, "ann").await;
        let gone = BillingReading { is_customer_gone: true, ..reading(&old, "cus_ann", "free", None) };
        assert_eq!(apply(&store, gone).await, ("free".into(), 4));
        store.keep_customer("ann", "cus_new").await.unwrap();
        let late = Ticket { number: 9, ..old };
        assert_eq!(apply(&store, reading(&late, "cus_ann", "pro", None)).await, ("free".into(), 4), "{engine:?}");
    }
}

#[tokio::test]
async fn readings_of_one_user_at_once_end_in_the_last_tickets_plan() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        add_customer(&store, "ann").await;
        let mut tickets = Vec::new();
        for _ in 0..24 {
            tickets.push(ticket(&store, "ann").await);
        }
        let plan_of = |number: i64| if number % 2 == 0 { "pro" } else { "free" };
        let writes = tickets.iter().rev().map(|ticket| {
            let store = store.clone();
            async move { store.apply_reading(&reading(ticket, "cus_ann", plan_of(ticket.number), None)).await.unwrap() }
        });
        // No answer names a plan that its own ticket or a later one did not write.
        for (ticket, answer) in tickets.iter().rev().zip(futures_util::future::join_all(writes).await) {
            let answer = answer.unwrap();
            assert!(answer.applied >= ticket.number && answer.plan == plan_of(answer.applied), "{engine:?} {answer:?}");
        }
        let last = store.plan_in_force("ann").await.unwrap().unwrap();
        assert_eq!(last, PlanInForce { plan: "pro".into(), applied: 24 }, "{engine:?}");
    }
}

#[tokio::test]
async fn a_customer_is_kept_once_and_an_attempt_ends_once() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        assert_eq!(store.billing_account("nobody").await.unwrap(), None);
        add_user(&store, "ann").await;
        let first = store.billing_account("ann").await.unwrap().unwrap();
        assert_eq!(
            (first.attempt, first.email.as_deref(), first.customer_id.as_deref()),
            (0, Some("ann@example.com"), None)
        );
        store.keep_customer("ann", "cus_1").await.unwrap();
        store.keep_customer("ann", "cus_2").await.unwrap();
        let kept = store.billing_account("ann").await.unwrap().unwrap();
        assert_eq!((kept.customer_id.as_deref(), kept.attempt), (Some("cus_1"), 1), "{engine:?}");
        store.end_attempt("ann", 0).await.unwrap();
        store.end_attempt("ann", 1).await.unwrap();
        store.end_attempt("ann", 1).await.unwrap();
        store.keep_session(&kept, "cs_late", "x", 9).await.unwrap();
        let now = store.billing_account("ann").await.unwrap().unwrap();
        assert_eq!((now.attempt, now.session_id.as_deref()), (2, None), "{engine:?}: its attempt was over");
        store.keep_session(&now, "cs_1", "x", 9).await.unwrap();
        store.forget_session("ann", "cs_other").await.unwrap();
        assert_eq!(store.billing_account("ann").await.unwrap().unwrap().session_id.as_deref(), Some("cs_1"));
        assert!(
            !store.adopt_customer("ann", "cus_3").await.unwrap()
                && !store.adopt_customer("nobody", "cus_3").await.unwrap()
        );
        add_user(&store, "bob").await;
        assert!(store.adopt_customer("bob", "cus_3").await.unwrap(), "{engine:?}");
    }
}

#[tokio::test]
async fn who_is_due_is_found_page_by_page_and_only_once_the_limiter_knows_not_at_all() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        for number in 0..25 {
            let (id, customer) = (format!("u{number:02}"), format!("cus_u{number:02}"));
            add_customer(&store, &id).await;
            let ticket = ticket(&store, &id).await;
            let told = store.apply_reading(&reading(&ticket, &customer, "pro", None)).await.unwrap().unwrap();
            if number % 5 != 0 {
                store.plan_announced(&id, &told).await.unwrap();
            }
        }
        let due = async |now_ms| {
            let (mut last, mut found) = (None, BTreeSet::new());
            loop {
                let page = store.due_checks(now_ms, last.as_ref(), 4).await.unwrap();
                let Some(end) = page.last().cloned() else { return found };
                assert!(page.iter().all(|one| found.insert(one.user_id.clone())), "{engine:?}: nobody comes twice");
                last = Some(end);
            }
        };
        assert_eq!(due(1_999).await.len(), 0);
        assert_eq!(due(2_000).await, ["u00", "u05", "u10", "u15", "u20"].map(str::to_owned).into(), "{engine:?}");
        assert_eq!((due(4_999).await.len(), due(5_000).await.len()), (5, 25));
    }
}

#[tokio::test]
async fn with_the_user_goes_all_that_billing_knows() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        add_customer(&store, "ann").await;
        let ticket = ticket(&store, "ann").await;
        apply(&store, reading(&ticket, "cus_ann", "pro", Some("evt_1"))).await;
        store.rows(Statement::new("delete from users where id = 'ann'", [])).await.unwrap();
        assert_eq!(store.apply_reading(&reading(&ticket, "cus_ann", "pro", Some("evt_2"))).await.unwrap(), None);
        assert_eq!(
            (store.user_of_event("evt_1").await.unwrap(), store.begin_reading("cus_ann").await.unwrap()),
            (None, None)
        );
    }
}

#[tokio::test]
async fn a_reading_and_the_users_farewell_never_wait_for_each_other() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        for number in 0..40 {
            let (id, customer) = (format!("u{number}"), format!("cus_u{number}"));
            add_customer(&store, &id).await;
            let ticket = ticket(&store, &id).await;
            let leave = store.rows(Statement::new("delete from users where id = $1", [id.as_str().into()]));
            let reading = reading(&ticket, &customer, "pro", Some(&customer));
            let (applied, left) = futures_util::future::join(store.apply_reading(&reading), leave).await;
            assert!(applied.is_ok() && left.is_ok(), "{engine:?}: {applied:?} {left:?}");
            assert_eq!(store.plan_in_force(&id).await.unwrap(), None);
        }
    }
}
