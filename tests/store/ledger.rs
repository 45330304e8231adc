use purser::{
    store::{AssistantMessage, Settlement, StoreError, Turn},
    usage::{Source, Usage},
};

use crate::{
    engines,
    turns::{call, message, take},
};

fn settlement(call_id: &str, cost_nanousd: i64) -> Settlement {
    Settlement {
        call_id: call_id.to_owned(),
        owner: "ann".to_owned(),
        outcome: "completed".to_owned(),
        source: Source::Provider,
        model: None,
        usage: Usage { input_tokens: 3, output_tokens: 4_000_000_000, ..Usage::default() },
        cost_nanousd,
        stop_reason: Some("end_turn".to_owned()),
        error_code: None,
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: 2_000,
    }
}

#[tokio::test]
async fn fifty_settles_at_once_settle_once() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        store.begin_call(&call("k", "ann", None)).await.unwrap();
        assert!(matches!(store.begin_call(&call("k", "ann", None)).await, Err(StoreError::Refused(_))), "{engine:?}");
        let tasks: Vec<_> = (1..=50)
            .map(|cost| {
                let store = store.clone();
                tokio::spawn(async move { (cost, store.settle_call(&settlement("k", cost), None).await.unwrap()) })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            let (cost, settled) = task.await.unwrap();
            winners.extend(settled.then_some(cost));
        }
        assert_eq!(winners.len(), 1, "{engine:?}");
        let days = store.usage_by_day("ann", 0, 86_400_000).await.unwrap();
        assert_eq!((days.len(), days[0].sum.calls, days[0].sum.cost_nanousd), (1, 1, winners[0]));
        assert_eq!(days[0].sum.usage.output_tokens, 4_000_000_000);
        assert!(store.usage_by_day("bob", 0, 86_400_000).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_answer_follows_its_question_and_shares_its_fate() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let one = message("m1", "one");
        take(&store, "k1", "c", Turn::Submit { message: &one }).await;
        let answer = |id: &str| AssistantMessage {
            id: id.to_owned(),
            conversation_id: "c".to_owned(),
            answers: one.id.clone(),
            content: r#"[{"type":"text","text":"hi"}]"#.to_owned(),
        };
        assert!(store.settle_call(&settlement("k1", 1), Some(&answer("a1"))).await.unwrap(), "{engine:?}");
        assert!(!store.settle_call(&settlement("k1", 9), Some(&answer("a2"))).await.unwrap());
        let roles = |messages: Vec<purser::store::Message>| messages.into_iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(roles(store.messages("ann", "c", 0, 9).await.unwrap()), [one.id.as_str(), "a1"]);

        // The question is edited while the second answer is on its way: that answer is not shown.
        take(&store, "k2", "c", Turn::Regenerate { target: Some("a1") }).await;
        let uno = message("m1", "uno");
        take(&store, "k3", "c", Turn::Edit { target: "m1", message: &uno }).await;
        assert!(store.settle_call(&settlement("k2", 1), Some(&answer("a3"))).await.unwrap());
        assert_eq!(roles(store.messages("ann", "c", 0, 9).await.unwrap()), [uno.id.as_str()]);

        // The conversation is deleted meanwhile: the ledger is settled all the same.
        assert!(store.delete_conversation("ann", "c").await.unwrap());
        assert!(store.settle_call(&settlement("k3", 1), Some(&answer("a4"))).await.unwrap());
        assert_eq!(store.usage_by_day("ann", 0, 86_400_000).await.unwrap()[0].sum.calls, 3);
    }
}
