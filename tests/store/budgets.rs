//! What the ledger knows of a budget, and how it keeps calls out that a forgetful limiter admitted.

use purser::{
    store::{Begun, BudgetAccount, Scope, Settlement, Store},
    usage::{Source, Usage},
};

use crate::{engines, turns::call};

async fn begin(store: &Store, id: &str, owner: &str, plan: &str, epoch_ms: Option<i64>) -> Begun {
    let row = purser::store::NewCall { plan, epoch_ms, ..call(id, owner, None) };
    store.begin_call(&row).await.unwrap()
}

pub(crate) fn started() -> Begun {
    Begun::Started { history: Vec::new() }
}

/// Settles a call that was made, at a cost.
pub(crate) async fn settle(store: &Store, id: &str, owner: &str, cost_nanousd: i64) {
    let settlement = Settlement {
        call_id: id.to_owned(),
        owner: owner.to_owned(),
        outcome: "completed".to_owned(),
        source: Source::Provider,
        model: None,
        usage: Usage::default(),
        cost_nanousd,
        stop_reason: None,
        error_code: None,
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: 2_000,
    };
    assert!(store.settle_call(&settlement, None).await.unwrap());
}

#[tokio::test]
async fn a_budget_is_what_was_settled_and_what_is_running() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        for (id, owner, plan) in [("a", "ann", "pro"), ("b", "ann", "pro"), ("c", "bob", "free"), ("d", "ann", "pro")] {
            assert_eq!(begin(&store, id, owner, plan, None).await, started());
        }
        settle(&store, "a", "ann", 7).await;
        settle(&store, "b", "ann", 5).await;
        settle(&store, "c", "bob", 100).await;
        store.mark_booked("a", 3_000, 0).await.unwrap();
        let of = async |scope| store.read_budget(scope, 1_000, 1_001).await.unwrap();
        let running = vec![("d".to_owned(), 10, 1_000)];
        let ann = BudgetAccount { settled_nanousd: 12, settling: vec!["b".to_owned()], running: running.clone() };
        assert_eq!(of(Scope::Subject("ann")).await, ann, "{engine:?}");
        assert_eq!(of(Scope::Plan("pro")).await, ann, "{engine:?}");
        let mut all = of(Scope::Deployment).await;
        all.settling.sort();
        let expected = BudgetAccount { settled_nanousd: 112, settling: vec!["b".to_owned(), "c".to_owned()], running };
        assert_eq!(all, expected, "{engine:?}");
        let later = store.read_budget(Scope::Deployment, 1_001, 2_000).await.unwrap();
        assert_eq!(later, BudgetAccount::default(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_call_that_a_forgotten_memory_admitted_is_not_written() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        assert_eq!(begin(&store, "a", "ann", "pro", Some(100)).await, started());
        let opened = store.open_budget(Scope::Deployment, 0, 9_999, 200).await.unwrap();
        assert_eq!(opened.running.len(), 1, "{engine:?}");
        assert_eq!(begin(&store, "b", "ann", "pro", Some(199)).await, Begun::Outdated, "{engine:?}");
        assert_eq!(store.ledger_row("b").await.unwrap(), None, "{engine:?}");
        // An older memory is not taken for a newer one; calls without a budget do not care.
        store.open_budget(Scope::Deployment, 0, 9_999, 150).await.unwrap();
        assert_eq!(begin(&store, "b", "ann", "pro", Some(199)).await, Begun::Outdated, "{engine:?}");
        assert_eq!(begin(&store, "c", "ann", "pro", None).await, started(), "{engine:?}");
        assert_eq!(begin(&store, "d", "ann", "pro", Some(200)).await, started(), "{engine:?}");
    }
}

/// Whoever opens a budget sees every call that was admitted before, however the two fall together.
#[tokio::test]
async fn no_call_slips_between_the_epoch_and_the_sum() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let writers: Vec<_> = (0..40)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { begin(&store, &format!("c{number}"), "ann", "pro", Some(1)).await })
            })
            .collect();
        let opened = store.open_budget(Scope::Deployment, 0, 9_999, 2).await.unwrap();
        let mut written = 0;
        for writer in writers {
            written += usize::from(writer.await.unwrap() == started());
        }
        assert_eq!(opened.running.len(), written, "{engine:?}");
    }
}

#[tokio::test]
async fn calls_that_nobody_finished_are_found() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        begin(&store, "a", "ann", "pro", None).await;
        begin(&store, "b", "ann", "pro", None).await;
        settle(&store, "b", "ann", 5).await;
        let ids = |rows: Vec<purser::store::LedgerRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(store.calls_reserved_before(1_001, 9).await.unwrap()), ["a"], "{engine:?}");
        assert_eq!(ids(store.calls_reserved_before(1_000, 9).await.unwrap()), [""; 0], "{engine:?}");
        assert_eq!(ids(store.calls_unbooked_before(2_001, 9).await.unwrap()), ["b"], "{engine:?}");
        store.mark_booked("a", 1, 0).await.unwrap();
        store.mark_booked("b", 1, 0).await.unwrap();
        assert_eq!(ids(store.calls_unbooked_before(2_001, 9).await.unwrap()), [""; 0], "{engine:?}");
        assert!(!store.ledger_row("a").await.unwrap().unwrap().is_booked, "{engine:?}: not settled yet");
    }
}
