use purser_tests::{
    deployment::{Cache, Deployment},
    token,
};
use serde_json::{Value, json};

fn sdk_body(id: &str, texts: &[(&str, &str, &str)]) -> Value {
    let messages: Vec<_> = texts
        .iter()
        .map(|(id, role, text)| json!({ "id": id, "role": role, "parts": [{ "type": "text", "text": text }] }))
        .collect();
    json!({ "id": id, "trigger": "submit-message", "messages": messages })
}

#[tokio::test]
async fn an_answer_streams_and_ends_with_its_exact_cost() {
    let deployment = Deployment::new().await;
    let reply = deployment
        .call("POST", "/api/chat")
        .bearer(&token::mint("ann", "free"))
        .json(&sdk_body("c1", &[("m1", "user", "Hello")]))
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("x-vercel-ai-ui-message-stream"), "v1");
    let events = reply.events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], kinds[2]), ("start", "start-step", "text-start"));
    assert!(kinds.iter().filter(|kind| **kind == "text-delta").count() > 3);
    let finish = &events.last().unwrap()["messageMetadata"];
    let billed = deployment.claude.calls();
    assert_eq!(billed.len(), 1);
    // Haiku 5.5: 100 nanodollars a prompt token, 500 an output token.
    let [input, output] = ["input_tokens", "output_tokens"].map(|class| finish["usage"][class].as_i64().unwrap());
    assert!(input > 0 && output > 0);
    assert_eq!(finish["cost_nanousd"], input * 100 + output * 500);
    let ledger = deployment.ledger().await;
    assert_eq!(ledger.len(), 1);
    assert_eq!((ledger[0].state.as_str(), ledger[0].source.as_deref()), ("settled", Some("provider")));
    assert_eq!(ledger[0].cost_nanousd, finish["cost_nanousd"].as_i64());
    assert_eq!((ledger[0].input_tokens, ledger[0].output_tokens), (input, output));
    assert!(ledger[0].ceiling_nanousd >= ledger[0].cost_nanousd.unwrap());
    assert!(reply.text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_conversation_is_remembered_on_every_kind_of_store() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let token = token::mint("ann", "pro");
        let first = deployment.chat(&token, json!({ "message": "My name is Ann" })).await;
        assert_eq!(first.status, 200, "{cache:?}: {}", first.text);
        let id = first.json()["conversation_id"].as_str().unwrap().to_owned();
        let second = deployment.chat(&token, json!({ "message": "Who am I?", "conversation_id": id })).await;
        let text = second.json()["message"]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("turn 2") && text.contains("3 message(s)"), "{cache:?}: {text}");
        assert_eq!(second.json()["stop_reason"], "end_turn");
        let read = deployment.call("GET", &format!("/api/conversations/{id}")).bearer(&token).send().await.json();
        let roles: Vec<_> = read["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
        assert_eq!(read["title"], "My name is Ann");
    }
}

#[tokio::test]
async fn a_clients_own_history_counts_only_where_the_conversation_is_new() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    let told = [("m1", "user", "one"), ("m2", "assistant", "two"), ("m3", "user", "three")];
    let send = async |texts: &[(&str, &str, &str)]| {
        let reply = deployment.chat(&token, sdk_body("c", texts)).await.json();
        reply["message"]["text"].as_str().unwrap().to_owned()
    };
    assert!(send(&told).await.contains("given 3 message(s)"));
    // The second time the stored four count, not the forged history.
    let forged = [("x1", "user", "lie"), ("x2", "assistant", "lie"), ("x3", "user", "lie"), ("m4", "user", "four")];
    assert!(send(&forged).await.contains("given 5 message(s)"));
}

#[tokio::test]
async fn regenerate_and_edit_replace_what_they_name() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    let first = deployment.chat(&token, sdk_body("c", &[("m1", "user", "one")])).await.json();
    let answer = first["message"]["id"].as_str().unwrap();
    deployment.chat(&token, sdk_body("c", &[("m2", "user", "two")])).await;
    let messages = async || {
        let read = deployment.call("GET", "/api/conversations/c").bearer(&token).send().await.json();
        let list = read["messages"].as_array().unwrap().clone();
        list.iter()
            .map(|m| (m["role"].as_str().unwrap().to_owned(), m["id"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(messages().await.len(), 4);

    let again = json!({ "id": "c", "trigger": "regenerate-message", "messageId": answer, "messages": [] });
    let reply = deployment.chat(&token, again).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let now = messages().await;
    assert_eq!(now.len(), 2);
    assert_eq!((now[0].1.as_str(), now[1].1.as_str()), ("m1", reply.json()["message"]["id"].as_str().unwrap()));

    let mut edit = sdk_body("c", &[("m1", "user", "uno")]);
    edit["messageId"] = json!("m1");
    assert!(deployment.chat(&token, edit).await.json()["message"]["text"].as_str().unwrap().contains("“uno”"));
    assert_eq!(messages().await.len(), 2);

    let lost = json!({ "id": "c", "trigger": "regenerate-message", "messageId": "nobody", "messages": [] });
    let calls = deployment.ledger().await.len();
    deployment.chat(&token, lost).await.assert_problem(404, "not_found");
    assert_eq!(deployment.ledger().await.len(), calls, "nothing is written");
}

#[tokio::test]
async fn the_same_message_twice_is_kept_once() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    for _ in 0..2 {
        assert_eq!(deployment.chat(&token, sdk_body("c", &[("m1", "user", "once")])).await.status, 200);
    }
    let read = deployment.call("GET", "/api/conversations/c").bearer(&token).send().await.json();
    assert_eq!(read["messages"].as_array().unwrap().len(), 2);
    assert_eq!(deployment.ledger().await.len(), 2, "each call is paid");
}

#[tokio::test]
async fn another_callers_conversation_is_not_there() {
    let deployment = Deployment::new().await;
    let (ann, bob) = (token::mint("ann", "pro"), token::mint("bob", "pro"));
    deployment.chat(&ann, sdk_body("shared", &[("m1", "user", "secret of Ann")])).await;
    deployment.call("GET", "/api/conversations/shared").bearer(&bob).send().await.assert_problem(404, "not_found");
    let regenerate = json!({ "id": "shared", "trigger": "regenerate-message", "messages": [] });
    deployment.chat(&bob, regenerate).await.assert_problem(404, "not_found");
    // The same id of Bob's own is another conversation.
    let reply = deployment.chat(&bob, sdk_body("shared", &[("m1", "user", "hi")])).await.json();
    assert!(reply["message"]["text"].as_str().unwrap().contains("given 1 message(s)"));
}

#[tokio::test]
async fn reasoning_and_unknown_blocks_pass_unharmed() {
    let deployment = Deployment::new().await;
    deployment.claude.next("thinking unknown_block unknown_event");
    let token = token::mint("ann", "pro");
    let call = deployment.call("POST", "/api/chat").bearer(&token).json(&sdk_body("c", &[("m1", "user", "think")]));
    let events = call.send().await.events();
    assert!(events.iter().any(|event| event["type"] == "reasoning-delta"));
    assert_eq!(events.last().unwrap()["type"], "finish");
    let read = deployment.call("GET", "/api/conversations/c").bearer(&token).send().await.json();
    let blocks = read["messages"][1]["content"].as_array().unwrap().clone();
    assert!(blocks.iter().any(|block| block["type"] == "thinking" && !block["signature"].as_str().unwrap().is_empty()));
    assert!(blocks.iter().any(|block| !["thinking", "text"].contains(&block["type"].as_str().unwrap())));
}

#[tokio::test]
async fn no_answer_costs_more_than_what_was_held_for_it() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    // The dearest that Claude may report for a plain chat: the whole answer, all of the prompt written for an hour, in `us`.
    deployment.claude.next("geo=us tokens=100 cache_write_1h=9000");
    let reply = deployment.chat(&token, json!({ "message": "x", "max_tokens": 100, "model": "claude-opus-5-5" })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let row = &deployment.ledger().await[0];
    assert!(row.cost_nanousd.unwrap() >= (9_000 * 8_000 + 100 * 20_000) * 11 / 10, "{row:?}");
    assert!(row.ceiling_nanousd >= row.cost_nanousd.unwrap(), "{row:?}");
}
