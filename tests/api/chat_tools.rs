use purser_tests::{deployment::Deployment, http::Reply, token};
use serde_json::{Value, json};

fn tools() -> Value {
    json!([{ "name": "weather", "description": "The weather of a city", "input_schema":
        { "type": "object", "properties": { "city": { "type": "string" } } } }])
}

fn user(id: &str, text: &str) -> Value {
    json!({ "id": id, "role": "user", "parts": [{ "type": "text", "text": text }] })
}

struct Chat {
    deployment: Deployment,
    token: String,
}

impl Chat {
    async fn new() -> Self {
        Self { deployment: Deployment::new().await, token: token::mint("ann", "pro") }
    }

    async fn send(&self, messages: &[Value], more: Value) -> Reply {
        let mut body = json!({ "id": "c", "tools": tools(), "messages": messages });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.deployment.call("POST", "/api/chat").bearer(&self.token).json(&body).send().await
    }

    fn sent(&self) -> Vec<Value> {
        let requests = serde_json::to_value(self.deployment.claude.requests()).unwrap();
        requests.as_array().unwrap().iter().map(|request| request["body"].clone()).collect()
    }
}

fn find<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let found = events.iter().find(|event| event["type"] == kind);
    assert!(found.is_some(), "no {kind} in {events:?}");
    found.unwrap()
}

/// The answer as `useChat` has it, its tool answered.
fn answered(events: &[Value], output: Value) -> Value {
    let call = find(events, "tool-input-available");
    json!({ "id": find(events, "start")["messageId"], "role": "assistant", "parts": [
        { "type": "step-start" },
        { "type": "tool-weather", "toolCallId": call["toolCallId"], "state": "output-available",
          "input": call["input"], "output": output },
    ] })
}

#[tokio::test]
async fn a_clients_tool_is_called_answered_and_the_answer_goes_on_in_the_same_message() {
    let chat = Chat::new().await;
    chat.deployment.claude.next(r#"tool=weather tool_input="{\"city\": \"Bern\"}""#);
    let called = chat.send(&[user("u1", "How is the weather?")], json!({})).await.events();
    assert_eq!(find(&called, "tool-input-available")["input"], json!({ "city": "Bern" }));
    assert!(called.iter().filter(|event| event["type"] == "tool-input-delta").count() > 1);
    assert_eq!(find(&called, "finish")["finishReason"], "tool-calls");
    assert_eq!(chat.sent()[0]["tools"], tools());

    let answer = answered(&called, json!({ "celsius": 21 }));
    let id = answer["id"].clone();
    let messages = [user("u1", "How is the weather?"), answer];
    for _ in 0..2 {
        // The second time is a client that lost the first answer: the same results, answered again.
        let reply = chat.send(&messages, json!({ "messageId": id })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let events = reply.events();
        assert_eq!(find(&events, "start")["messageId"], id, "the SDK continues the message of this id");
        assert!(reply.text.contains("celsius"), "{}", reply.text);
        let sent = chat.sent().last().unwrap()["messages"].clone();
        assert_eq!(sent.as_array().unwrap().len(), 3);
        let call_id = &sent[1]["content"][1]["id"];
        assert_eq!(
            sent[2]["content"],
            json!([
                { "type": "tool_result", "tool_use_id": call_id, "content": "{\"celsius\":21}" }
            ])
        );
    }
    let rows = chat.deployment.ledger().await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.ceiling_nanousd >= row.cost_nanousd.unwrap()));

    // All of it is one message to the client, so it is made again as one.
    let again = chat.send(&messages[..1], json!({ "trigger": "regenerate-message" })).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(chat.sent().last().unwrap()["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn results_without_a_call_are_refused_and_nothing_is_spent() {
    let chat = Chat::new().await;
    chat.send(&[user("u1", "Hi")], json!({})).await;
    let part = json!({ "type": "tool-weather", "toolCallId": "t", "state": "output-available", "output": 1 });
    let forged = json!({ "id": "nobody", "role": "assistant", "parts": [part] });
    chat.send(&[forged], json!({ "messageId": "nobody" })).await.assert_problem(404, "not_found");
    let unanswered =
        json!({ "id": "a", "role": "assistant", "parts": [{ "type": "tool-weather", "state": "input-available" }] });
    chat.send(&[unanswered], json!({})).await.assert_problem(422, "invalid_body");
    assert_eq!(chat.deployment.ledger().await.len(), 1);
    assert_eq!(chat.sent().len(), 1);
}

#[tokio::test]
async fn a_user_who_speaks_on_instead_of_answering_a_tool_is_heard() {
    let chat = Chat::new().await;
    chat.deployment.claude.next("tool=weather");
    chat.send(&[user("u1", "How is the weather?")], json!({})).await;
    let reply = chat.send(&[user("u2", "Never mind")], json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let content = &chat.sent()[1]["messages"][2]["content"];
    assert_eq!((&content[0]["type"], &content[0]["is_error"]), (&json!("tool_result"), &json!(true)));
    assert_eq!(content[1]["text"], "Never mind");
}

#[tokio::test]
async fn the_plain_body_calls_and_answers_tools_as_well() {
    let chat = Chat::new().await;
    chat.deployment.claude.next("tool=weather");
    let first = json!({ "message": "x", "conversation_id": "c", "tools": tools() });
    let called = chat.deployment.chat(&chat.token, first).await.json();
    assert_eq!(called["stop_reason"], "tool_use");
    let call =
        called["message"]["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap();
    let results = json!([{ "tool_use_id": call["id"], "content": "sunny" }]);
    let second = json!({ "tool_results": results, "conversation_id": "c", "tools": tools() });
    let answer = chat.deployment.chat(&chat.token, second).await.json();
    assert!(answer["message"]["text"].as_str().unwrap().contains("sunny"), "{answer}");
    assert_eq!(answer["message"]["id"], called["message"]["id"]);
}

#[tokio::test]
async fn a_search_is_allowed_with_a_bound_and_priced_and_refused_without() {
    let chat = Chat::new().await;
    let search = |more: Value| {
        let mut tool = json!({ "type": "web_search_20250305", "name": "web_search" });
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "tools": [tool] })
    };
    for tools in [search(json!({})), json!({ "tools": [{ "type": "code_execution_20250825", "name": "x" }] })] {
        let error = chat.send(&[user("u", "x")], tools).await.assert_problem(422, "feature_not_priced");
        assert!(error["pointer"].as_str().unwrap().starts_with("/tools"));
    }
    assert!(chat.sent().is_empty() && chat.deployment.ledger().await.is_empty());
    chat.deployment.claude.next("web_search=2");
    let events = chat.send(&[user("u", "x")], search(json!({ "max_uses": 3 }))).await.events();
    assert_eq!(find(&events, "source-url")["url"], "https://example.com/");
    assert_eq!(find(&events, "tool-output-available")["providerExecuted"], true);
    let finish = &find(&events, "finish")["messageMetadata"];
    assert_eq!(finish["usage"]["web_search_requests"], 2);
    let row = &chat.deployment.ledger().await[0];
    // Sonnet 5.5 at 2 and 10 USD per million, and two searches at a cent.
    assert_eq!(row.cost_nanousd, Some(row.input_tokens * 2_000 + row.output_tokens * 10_000 + 20_000_000));
    assert!(row.ceiling_nanousd >= row.cost_nanousd.unwrap());
    // What only Claude can read goes back to it, and not to the client.
    assert!(!json!(events).to_string().contains("encrypted"));
    chat.send(&[user("v", "And?")], search(json!({ "max_uses": 3 }))).await;
    assert!(chat.sent().last().unwrap()["messages"][1].to_string().contains("encrypted_content"));
}

#[tokio::test]
async fn thoughts_go_back_with_their_signature_and_options_as_they_came() {
    let chat = Chat::new().await;
    let options = json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": "low" } });
    let events = chat.send(&[user("u", "x")], options.clone()).await.events();
    let signature = &find(&events, "reasoning-end")["providerMetadata"]["anthropic"]["signature"];
    assert!(signature.as_str().unwrap().len() > 5);
    assert_eq!(
        (&chat.sent()[0]["thinking"], &chat.sent()[0]["output_config"]),
        (&options["thinking"], &options["output_config"])
    );
    chat.send(&[user("v", "y")], options).await;
    let thought = &chat.sent()[1]["messages"][1]["content"][0];
    assert_eq!((&thought["type"], &thought["signature"]), (&json!("thinking"), signature));
}

#[tokio::test]
async fn a_refusal_says_what_it_is_about_and_costs_nothing() {
    let chat = Chat::new().await;
    chat.deployment.claude.next("refusal");
    let events = chat.send(&[user("u", "x")], json!({})).await.events();
    let finish = find(&events, "finish");
    assert_eq!(
        (&finish["finishReason"], &finish["messageMetadata"]["stop_reason"]),
        (&json!("content-filter"), &json!("refusal"))
    );
    assert_eq!(finish["messageMetadata"]["stop_details"]["category"], "cyber");
    assert_eq!(finish["messageMetadata"]["cost_nanousd"], 0);
}

#[tokio::test]
async fn a_page_that_is_loaded_again_has_the_messages_as_they_were_streamed() {
    let chat = Chat::new().await;
    chat.deployment.claude.next("thinking tool=weather");
    let called = chat.send(&[user("u1", "How is the weather?")], json!({})).await.events();
    let answer = answered(&called, json!({ "celsius": 21 }));
    chat.send(std::slice::from_ref(&answer), json!({ "messageId": answer["id"] })).await;
    let read = chat.deployment.call("GET", "/api/conversations/c?format=ui").bearer(&chat.token).send().await.json();
    let messages = read["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["id"], &messages[1]["id"]), (2, &json!("u1"), &answer["id"]), "{read}");
    let parts = messages[1]["parts"].as_array().unwrap();
    let kinds: Vec<_> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step-start", "reasoning", "text", "tool-weather", "step-start", "text"]);
    assert_eq!((&parts[3]["state"], &parts[3]["output"]), (&json!("output-available"), &json!({ "celsius": 21 })));
    let wrong = chat.deployment.call("GET", "/api/conversations/c?format=xml").bearer(&chat.token).send().await;
    wrong.assert_problem(400, "invalid_query");
}
