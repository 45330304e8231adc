use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

/// Haiku 5.5 caches 512 tokens and more: about two thousand bytes.
fn long(word: &str) -> String {
    word.repeat(4_000 / word.len())
}

async fn chat(deployment: &Deployment, body: Value) -> Value {
    let reply = deployment.chat(&token::mint("ann", "free"), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// 0.10 USD per million in, 0.125 written for five minutes, 0.01 read, 0.50 out.
fn cost(usage: &Value) -> i64 {
    let tokens = |name: &str| usage[name].as_i64().unwrap();
    tokens("input_tokens") * 100
        + tokens("cache_write_5m_tokens") * 125
        + tokens("cache_read_tokens") * 10
        + tokens("output_tokens") * 500
}

#[tokio::test]
async fn the_second_turn_reads_what_the_first_one_wrote_and_the_ledger_has_it_to_the_nanodollar() {
    let deployment = Deployment::new().await;
    let first = chat(&deployment, json!({ "message": long("first "), "conversation_id": "c" })).await;
    let second = chat(&deployment, json!({ "message": "And then?", "conversation_id": "c" })).await;
    let third = chat(&deployment, json!({ "message": "And then?!", "conversation_id": "c" })).await;
    let tokens = |answer: &Value, name: &str| answer["usage"][name].as_i64().unwrap();
    let written = tokens(&first, "cache_write_5m_tokens");
    assert!(written > 900 && tokens(&first, "cache_read_tokens") == 0, "{first}");
    assert_eq!(tokens(&second, "cache_read_tokens"), written, "all of the first prompt is read");
    let grown = tokens(&second, "cache_write_5m_tokens");
    assert!(grown > 0 && grown < 200, "{second}");
    assert_eq!(tokens(&third, "cache_read_tokens"), written + grown);
    let bill = deployment.claude.calls();
    for ((answer, billed), row) in [first, second, third].iter().zip(&bill).zip(deployment.ledger().await) {
        assert_eq!(answer["usage"]["cache_read_tokens"], billed.usage.cache_read_tokens);
        assert_eq!(answer["usage"]["cache_write_5m_tokens"], billed.usage.cache_write_5m_tokens);
        assert_eq!(
            (row.cost_nanousd, answer["cost_nanousd"].as_i64()),
            (Some(cost(&answer["usage"])), row.cost_nanousd)
        );
        assert!(row.ceiling_nanousd >= row.cost_nanousd.unwrap());
    }
}

#[tokio::test]
async fn an_answer_with_a_tool_goes_back_byte_by_byte_so_that_the_cache_knows_it() {
    let deployment = Deployment::new().await;
    let tools = json!([{ "name": "f", "input_schema": { "type": "object" } }]);
    deployment
        .claude
        .next(r#"tool=f tool_input="{\"z\": 1.50, \"a\": [true, null], \"m\": {\"y\": \"\\u00e9\", \"b\": 2}}""#);
    let called = chat(&deployment, json!({ "message": long("call "), "conversation_id": "c", "tools": tools })).await;
    let call = &called["message"]["content"][1];
    assert_eq!(call["input"].as_object().unwrap().keys().collect::<Vec<_>>(), ["z", "a", "m"], "as Claude wrote it");
    let results = json!([{ "tool_use_id": call["id"], "content": "ok" }]);
    chat(&deployment, json!({ "tool_results": results, "conversation_id": "c", "tools": tools })).await;
    let third = chat(&deployment, json!({ "message": "More", "conversation_id": "c", "tools": tools })).await;
    let bill = deployment.claude.calls();
    let prompt = |at: usize| bill[at].usage.cache_read_tokens + bill[at].usage.cache_write_5m_tokens;
    assert_eq!(third["usage"]["cache_read_tokens"], prompt(1), "nothing of the prefix changed");
    assert_eq!(bill[1].usage.cache_read_tokens, prompt(0));
}

#[tokio::test]
async fn instructions_that_conversations_share_are_read_from_the_cache_by_the_next_one() {
    let deployment = Deployment::new().await;
    let body = |id: &str, text: &str| json!({ "message": text, "conversation_id": id, "system": long("Be kind. ") });
    let first = chat(&deployment, body("a", "One")).await;
    let second = chat(&deployment, body("b", "Two")).await;
    assert!(first["usage"]["cache_write_5m_tokens"].as_i64().unwrap() > 900);
    assert!(second["usage"]["cache_read_tokens"].as_i64().unwrap() > 900, "{second}");
}

#[tokio::test]
async fn what_claude_would_not_cache_and_who_does_not_want_it_pays_no_write() {
    let deployment = Deployment::new().await;
    for body in [json!({ "message": "short" }), json!({ "message": long("x"), "cache": false })] {
        let answer = chat(&deployment, body).await;
        assert_eq!(answer["usage"]["cache_write_5m_tokens"], 0, "{answer}");
    }
    let requests = serde_json::to_value(deployment.claude.requests()).unwrap().to_string();
    assert!(!requests.contains("cache_control"));
}
