//! Budgets out of the ledger: without the limiter nobody overspends, and afterwards its word is not enough until it
//! knows of every call.

use purser::store::{Begun, BudgetUse, LedgerBudget, Money, NewCall, Raised, Scope, Store};

use crate::{
    budgets::{settle, started},
    engines,
    turns::{call, message},
};

fn budget(scope: Scope<'_>, limit_nanousd: i64) -> LedgerBudget<'_> {
    LedgerBudget { scope, since_ms: 0, until_ms: 9_999, limit_nanousd }
}

/// Every call here can cost ten.
async fn begin(store: &Store, id: &str, owner: &str, money: Money<'_>) -> Begun {
    store.begin_call(&NewCall { money, ..call(id, owner, None) }).await.unwrap()
}

fn admitted(at_ms: i64) -> Money<'static> {
    Money::Limiter { at_ms }
}

#[tokio::test]
async fn a_budget_with_room_for_ten_admits_ten_of_sixty_four_at_once() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let budgets = [budget(Scope::Deployment, 105), budget(Scope::Plan("pro"), 1_000)];
                    let money = Money::Ledger { budgets: &budgets, is_degraded: true };
                    begin(&store, &format!("c{number}"), &format!("caller{number}"), money).await
                })
            })
            .collect();
        let mut begun = Vec::new();
        for task in tasks {
            begun.push(task.await.unwrap());
        }
        assert_eq!(begun.iter().filter(|one| **one == started()).count(), 10, "{engine:?}");
        assert_eq!(begun.iter().filter(|one| **one == Begun::NoRoom).count(), 54, "{engine:?}");
        let used = store.budget_uses(&[budget(Scope::Deployment, 105)]).await.unwrap();
        assert_eq!(used, [BudgetUse { settled_nanousd: 0, running_nanousd: 100 }], "{engine:?}");
    }
}

#[tokio::test]
async fn every_budget_of_a_call_must_have_room() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let ledger = async |id, owner, budgets: &[LedgerBudget<'_>]| {
            begin(&store, id, owner, Money::Ledger { budgets, is_degraded: true }).await
        };
        let wide = budget(Scope::Deployment, 1_000);
        assert_eq!(ledger("a", "ann", &[wide, budget(Scope::Subject("ann"), 10)]).await, started(), "{engine:?}");
        assert_eq!(ledger("b", "ann", &[wide, budget(Scope::Subject("ann"), 19)]).await, Begun::NoRoom, "{engine:?}");
        assert_eq!(ledger("c", "bob", &[wide, budget(Scope::Subject("bob"), 0)]).await, Begun::NoRoom, "{engine:?}");
        // What has been settled counts as what it cost, and other periods do not count.
        settle(&store, "a", "ann", 3).await;
        assert_eq!(ledger("d", "ann", &[wide, budget(Scope::Subject("ann"), 13)]).await, started(), "{engine:?}");
        let later = LedgerBudget { since_ms: 1_001, ..budget(Scope::Subject("ann"), 10) };
        assert_eq!(ledger("e", "ann", &[later]).await, started(), "{engine:?}");
        let uses = store.budget_uses(&[wide, budget(Scope::Subject("ann"), 0), later]).await.unwrap();
        let used = |settled_nanousd, running_nanousd| BudgetUse { settled_nanousd, running_nanousd };
        assert_eq!(uses, [used(3, 20), used(3, 20), used(0, 0)], "{engine:?}");
    }
}

#[tokio::test]
async fn the_limiters_word_counts_again_once_it_knows_of_every_call() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let budgets = [budget(Scope::Deployment, 35)];
        let taken = Money::Ledger { budgets: &budgets, is_degraded: true };
        let asked_too = Money::Ledger { budgets: &budgets, is_degraded: false };
        assert_eq!(begin(&store, "before", "ann", admitted(1)).await, started(), "{engine:?}");
        assert_eq!(begin(&store, "taken", "ann", taken).await, started(), "{engine:?}");
        // Admitted before, written afterwards: the ledger decides.
        assert_eq!(begin(&store, "between", "ann", admitted(2)).await, Begun::Fenced, "{engine:?}");
        assert_eq!(begin(&store, "between", "ann", asked_too).await, started(), "{engine:?}");
        assert_eq!(begin(&store, "too many", "ann", asked_too).await, Begun::NoRoom, "{engine:?}");
        assert_eq!(store.ledger_row("too many").await.unwrap(), None, "{engine:?}");
        // Settled is not enough: the limiter has to know.
        settle(&store, "taken", "ann", 10).await;
        assert_eq!(begin(&store, "later", "ann", admitted(9_000)).await, Begun::Fenced, "{engine:?}");
        store.mark_booked("taken", 3_000, 500).await.unwrap();
        // Whoever was admitted before it knew was admitted without this call.
        for (at_ms, begun) in [(499, Begun::Fenced), (500, Begun::Fenced), (501, started())] {
            assert_eq!(begin(&store, &format!("at{at_ms}"), "ann", admitted(at_ms)).await, begun, "{engine:?}");
        }
        let free = Money::Free { is_degraded: false };
        assert_eq!(begin(&store, "free", "ann", free).await, started(), "{engine:?}: it is in no budget");
    }
}

#[tokio::test]
async fn a_call_in_no_budget_keeps_nobody_out() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        assert_eq!(begin(&store, "a", "ann", Money::Free { is_degraded: true }).await, started(), "{engine:?}");
        assert_eq!(begin(&store, "b", "ann", admitted(1)).await, started(), "{engine:?}");
        settle(&store, "a", "ann", 1).await;
        let unbooked = store.calls_unbooked_before(0, 9).await.unwrap();
        assert!(unbooked.len() == 1 && unbooked[0].is_degraded, "{engine:?}: told to the limiter at once");
        store.mark_booked("a", 3_000, 500).await.unwrap();
        assert_eq!(begin(&store, "c", "ann", admitted(1)).await, started(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_turn_that_finds_no_money_leaves_nothing_behind() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let budgets = [budget(Scope::Deployment, 10)];
        let turn = message("m", "hello");
        let chat = async |id, money| {
            let turn = purser::store::ChatTurn {
                conversation_id: "one",
                title: "t",
                seed: &[],
                turn: purser::store::Turn::Submit { message: &turn },
                history_tokens_max: 1_000,
                history_bytes_max: 100_000,
            };
            store.begin_chat(&NewCall { money, ..call(id, "ann", Some("one")) }, &turn).await.unwrap()
        };
        let ledger = Money::Ledger { budgets: &budgets, is_degraded: true };
        assert_eq!(begin(&store, "first", "ann", ledger).await, started(), "{engine:?}");
        assert_eq!(chat("a", ledger).await, Begun::NoRoom, "{engine:?}");
        assert_eq!(chat("a", admitted(5)).await, Begun::Fenced, "{engine:?}");
        assert!(store.list_conversations("ann", None, 9).await.unwrap().is_empty(), "{engine:?}");
        settle(&store, "first", "ann", 0).await;
        assert!(matches!(chat("a", ledger).await, Begun::Started { .. }), "{engine:?}");
    }
}

#[tokio::test]
async fn a_ceiling_is_raised_where_there_is_money_and_nowhere_else() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let budgets = [budget(Scope::Deployment, 30)];
        let ledger = |is_degraded| Money::Ledger { budgets: &budgets, is_degraded };
        assert_eq!(begin(&store, "a", "ann", admitted(1)).await, started(), "{engine:?}");
        let raise = async |to, money| store.raise_ceiling("a", 10, to, money).await.unwrap();
        assert_eq!(raise(11, admitted(1)).await, Raised::Done, "{engine:?}");
        assert_eq!(begin(&store, "b", "ann", ledger(true)).await, started(), "{engine:?}");
        assert_eq!(raise(12, admitted(1)).await, Raised::Fenced, "{engine:?}");
        let raise = async |to, money| store.raise_ceiling("a", 11, to, money).await.unwrap();
        assert_eq!(raise(21, ledger(false)).await, Raised::NoRoom, "{engine:?}");
        assert_eq!(raise(20, ledger(true)).await, Raised::Done, "{engine:?}");
        assert_eq!(store.ledger_row("a").await.unwrap().unwrap().ceiling_nanousd, 20, "{engine:?}");
        // Now the limiter does not know all of this call either.
        settle(&store, "b", "ann", 10).await;
        store.mark_booked("b", 3_000, 500).await.unwrap();
        assert_eq!(begin(&store, "c", "ann", admitted(501)).await, Begun::Fenced, "{engine:?}");
    }
}
