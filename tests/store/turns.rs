use purser::store::{Begun, ChatTurn, Money, NewCall, SeedMessage, Store, StoredMessage, Turn};

use crate::engines;

pub(crate) fn call<'a>(id: &'a str, owner: &'a str, conversation_id: Option<&'a str>) -> NewCall<'a> {
    NewCall {
        id,
        owner,
        subject: owner,
        epoch_ms: None,
        money: Money::Free { is_degraded: false },
        plan: "pro",
        route: "chat",
        conversation_id,
        model_requested: "m",
        model: "m",
        price_version: "v",
        ceiling_nanousd: 10,
        hold: "[]",
        created_ms: 1_000,
    }
}

pub(crate) fn message(id: &str, text: &str) -> SeedMessage {
    let content = format!(r#"[{{"type":"text","text":"{text}"}}]"#);
    SeedMessage {
        id: format!("{id}-{text}"),
        client_id: Some(id.to_owned()),
        role: "user",
        content,
        tokens_bound: None,
    }
}

pub(crate) async fn take(store: &Store, call_id: &str, conversation: &str, turn: Turn<'_>) -> Begun {
    seeded(store, call_id, conversation, turn, &[]).await
}

async fn seeded(store: &Store, call_id: &str, id: &str, turn: Turn<'_>, seed: &[SeedMessage]) -> Begun {
    let turn =
        ChatTurn { conversation_id: id, title: "t", seed, turn, history_tokens_max: 1_000, history_bytes_max: 100_000 };
    store.begin_chat(&call(call_id, "ann", Some(id)), &turn).await.unwrap()
}

fn texts(begun: &Begun) -> Vec<String> {
    let Begun::Started { history } = begun else { panic!("{begun:?}") };
    let text = |one: &StoredMessage| one.content.split('"').nth(7).unwrap().to_owned();
    history.iter().map(text).collect()
}

#[tokio::test]
async fn turns_append_edit_and_regenerate() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let (one, two, uno) = (message("m1", "one"), message("m2", "two"), message("m1", "uno"));
        let three = message("m3", "three");
        assert_eq!(texts(&take(&store, "k1", "c", Turn::Submit { message: &one }).await), ["one"], "{engine:?}");
        assert_eq!(texts(&take(&store, "k2", "c", Turn::Submit { message: &two }).await), ["one", "two"]);
        let again = Turn::Regenerate { target: Some("m1") };
        assert_eq!(texts(&take(&store, "k3", "c", again).await), ["one"]);
        let edit = Turn::Edit { target: "m1", message: &uno };
        assert_eq!(texts(&take(&store, "k4", "c", edit).await), ["uno"]);
        let live = store.messages("ann", "c", 0, 9).await.unwrap();
        assert_eq!(live.len(), 1);
        for lost in [Turn::Regenerate { target: Some("nobody") }, Turn::Edit { target: "nobody", message: &three }] {
            assert_eq!(take(&store, "k5", "c", lost).await, Begun::NothingToAnswer);
        }
        assert_eq!(take(&store, "k5", "new", Turn::Regenerate { target: None }).await, Begun::NothingToAnswer);
        assert_eq!(store.messages("ann", "c", 0, 9).await.unwrap(), live, "nothing was written");
        assert!(store.conversation("ann", "new").await.unwrap().is_none());
        assert!(store.conversation("bob", "c").await.unwrap().is_none());
        assert!(store.messages("bob", "c", 0, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_clients_history_is_taken_over_once() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let seed = [message("s1", "a"), message("s2", "b")];
        let (one, two) = (message("m1", "one"), message("m2", "two"));
        let begun = seeded(&store, "k1", "c", Turn::Submit { message: &one }, &seed).await;
        assert_eq!(texts(&begun), ["a", "b", "one"], "{engine:?}");
        let forged = [message("x1", "x"), message("x2", "y")];
        let begun = seeded(&store, "k2", "c", Turn::Submit { message: &two }, &forged).await;
        assert_eq!(texts(&begun), ["a", "b", "one", "two"]);
    }
}

#[tokio::test]
async fn the_newest_history_that_fits_comes_back() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        for number in 0..40 {
            let message = message(&format!("m{number}"), &"ä".repeat(20));
            let message = SeedMessage { id: format!("i{number}"), ..message };
            let begun = take(&store, &format!("k{number}"), "c", Turn::Submit { message: &message }).await;
            let Begun::Started { history } = begun else { panic!("{begun:?}") };
            let bytes: usize = history.iter().map(|one| one.content.len()).sum();
            assert!(bytes <= 1_000 && history.last().unwrap().id == message.id, "{engine:?}: {bytes}");
            assert!(number < 14 || bytes > 900);
        }
    }
}

#[tokio::test]
async fn turns_of_one_conversation_come_one_after_another() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let message = message(&format!("m{number}"), "x");
                    take(&store, &format!("k{number}"), "c", Turn::Submit { message: &message }).await
                })
            })
            .collect();
        for task in tasks {
            assert!(matches!(task.await.unwrap(), Begun::Started { .. }), "{engine:?}");
        }
        let positions: Vec<_> = store.messages("ann", "c", 0, 99).await.unwrap().iter().map(|m| m.position).collect();
        assert_eq!(positions, (1..=50).collect::<Vec<_>>());
    }
}

/// The answer of a call, as its settling writes it.
async fn answer(store: &Store, call_id: &str, answers: &str, text: &str) {
    let settlement = purser::store::Settlement {
        call_id: call_id.to_owned(),
        owner: "ann".to_owned(),
        outcome: "completed".to_owned(),
        source: purser::usage::Source::Provider,
        model: None,
        usage: purser::usage::Usage::default(),
        cost_nanousd: 1,
        stop_reason: None,
        error_code: None,
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: 2_000,
    };
    let message = purser::store::AssistantMessage {
        id: text.to_owned(),
        conversation_id: "c".to_owned(),
        answers: answers.to_owned(),
        content: format!(r#"[{{"type":"text","text":"{text}"}}]"#),
    };
    assert!(store.settle_call(&settlement, Some(&message)).await.unwrap());
}

#[tokio::test]
async fn results_go_behind_the_answer_that_calls_for_them_and_belong_to_it() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let (one, two) = (message("m1", "one"), message("m2", "two"));
        let (first, second) = (message("r1", "first"), message("r2", "second"));
        let (late, other) = (message("r3", "late"), message("r4", "x"));
        let results = |answer, message| Turn::Results { answer, message };
        assert_eq!(take(&store, "k0", "c", results(None, &first)).await, Begun::NothingToAnswer, "{engine:?}");
        take(&store, "k1", "c", Turn::Submit { message: &one }).await;
        assert_eq!(take(&store, "k0", "c", results(None, &first)).await, Begun::NothingToAnswer, "no answer yet");
        answer(&store, "k1", &one.id, "calls").await;
        assert_eq!(take(&store, "k0", "c", results(Some("nobody"), &first)).await, Begun::NothingToAnswer);
        let begun = take(&store, "k2", "c", results(Some("calls"), &first)).await;
        assert_eq!(texts(&begun), ["one", "calls", "first"]);
        let Begun::Started { history } = begun else { panic!("{engine:?}") };
        assert_eq!(history[2].answer_id.as_deref(), Some("calls"));
        // A second attempt at the same results answers them again.
        assert_eq!(texts(&take(&store, "k3", "c", results(Some("calls"), &first)).await), ["one", "calls", "first"]);
        answer(&store, "k3", &first.id, "more").await;
        // The client still knows the whole answer by its first message.
        let begun = take(&store, "k4", "c", results(Some("calls"), &second)).await;
        assert_eq!(texts(&begun), ["one", "calls", "first", "more", "second"]);
        answer(&store, "k4", &second.id, "done").await;
        take(&store, "k5", "c", Turn::Submit { message: &two }).await;
        let lost = take(&store, "k6", "c", results(Some("calls"), &late)).await;
        assert_eq!(lost, Begun::NothingToAnswer, "the conversation went on");
        // What is made again is all of an answer.
        answer(&store, "k5", &two.id, "calls-2").await;
        take(&store, "k7", "c", results(None, &other)).await;
        let again = take(&store, "k8", "c", Turn::Regenerate { target: None }).await;
        assert_eq!(texts(&again), ["one", "calls", "first", "more", "second", "done", "two"]);
        assert_eq!(texts(&take(&store, "k9", "c", Turn::Regenerate { target: Some("calls") }).await), ["one"]);
    }
}

#[tokio::test]
async fn a_file_counts_as_what_it_costs_and_not_as_its_bytes() {
    for engine in engines::ALL {
        let store = engine.migrated().await;
        let picture = SeedMessage { tokens_bound: Some(600), ..message("m1", &"x".repeat(5_000)) };
        let two = message("m2", "two");
        assert_eq!(texts(&take(&store, "k1", "c", Turn::Submit { message: &picture }).await).len(), 1, "{engine:?}");
        assert_eq!(texts(&take(&store, "k2", "c", Turn::Submit { message: &two }).await).len(), 2);
        let other = SeedMessage { tokens_bound: Some(600), ..message("m3", "p") };
        assert_eq!(texts(&take(&store, "k3", "c", Turn::Submit { message: &other }).await), ["two", "p"]);
        let beyond = SeedMessage { tokens_bound: Some(1_001), ..message("m4", "p") };
        assert_eq!(take(&store, "k4", "c", Turn::Submit { message: &beyond }).await, Begun::NothingToAnswer);
    }
}
