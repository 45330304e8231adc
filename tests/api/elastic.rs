//! Holds that grow with the answer, and answers that end where no more is to be had.

use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

/// Haiku does not think unless it is asked to, so that all of its output is seen.
fn body(max_tokens: u64, stream: bool) -> Value {
    json!({
        "model": "claude-haiku-5-5", "max_tokens": max_tokens, "stream": stream,
        "messages": [{ "role": "user", "content": "Tell me" }],
    })
}

fn usd(nanousd: i64) -> String {
    purser::cost::format_usd(nanousd)
}

/// Six thousand tokens of four bytes, far more than the first slice, over half a second.
fn long_answer(claude: &purser_cli::standin::Standin) {
    claude.next(&format!("deltas=300 delta_ms=2 text=\"{}\"", "and ".repeat(6_000)));
}

#[tokio::test]
async fn a_call_holds_a_slice_at_first_and_more_as_its_answer_grows() {
    let mut deployment = Deployment::new().await;
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5");
    let token = token::mint("ann", "pro");
    deployment.claude.next("gate=begun");
    let call = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body(40_000, true));
    let (response, ended) = call.open().await;
    deployment.claude.gate_reached("begun").await;
    let slice = deployment.ledger().await[0].ceiling_nanousd;
    deployment.claude.open_gate("begun");
    response.text().await.unwrap();
    ended().await;
    // What is not streamed, or thought in secret, is held for in full.
    assert_eq!(
        deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body(40_000, false)).send().await.status,
        200
    );
    let full = deployment.ledger().await[1].ceiling_nanousd;
    assert!(slice < full / 4, "{slice} {full}");
    let mut thinking = body(40_000, true);
    thinking["thinking"] = json!({ "type": "adaptive" });
    assert_eq!(deployment.call("POST", "/api/v1/messages").bearer(&token).json(&thinking).send().await.status, 200);
    assert!(deployment.ledger().await[2].ceiling_nanousd >= full);

    long_answer(&deployment.claude);
    let reply = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body(40_000, true)).send().await;
    let last = reply.events().pop().unwrap();
    assert_eq!(last["type"], "message_stop");
    let row = deployment.ledger().await.pop().unwrap();
    assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("provider"), Some("completed")));
    assert!(row.ceiling_nanousd > slice && row.cost_nanousd.unwrap() <= row.ceiling_nanousd);
    assert_eq!(row.output_tokens, 6_000, "nothing was cut off");
    assert_eq!(deployment.reconcile().await["differences"], json!([]));
}

#[tokio::test]
async fn an_answer_that_reaches_its_hold_ends_politely_on_every_wire() {
    let mut deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    // Room for the first slice and no more.
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5");
    deployment.claude.next("text=Yes.");
    deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body(40_000, true)).send().await;
    let slice = deployment.ledger().await[0].ceiling_nanousd;
    let spent = || async { deployment.ledger().await.iter().map(|row| row.cost_nanousd.unwrap()).sum::<i64>() };
    let budget = async || format!("pro.user-day={}", usd(spent().await + slice));

    long_answer(&deployment.claude);
    let function = deployment.instance("v1-messages", "PLAN_BUDGETS_USD", &budget().await);
    let call = purser_tests::http::Call::new(function, "POST", "/api/v1/messages");
    let reply = call.bearer(&token).json(&body(40_000, true)).send().await;
    let events = reply.events();
    let kinds: Vec<_> = events.iter().rev().take(3).map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message_stop", "message_delta", "content_block_stop"], "{}", reply.text);
    let delta = &events[events.len() - 2];
    assert_eq!(delta["delta"]["stop_reason"], "max_tokens");
    let row = deployment.ledger().await.pop().unwrap();
    assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("counted"), Some("completed")));
    assert_eq!(delta["usage"]["output_tokens"], row.output_tokens);
    assert!(row.cost_nanousd.unwrap() <= slice, "not a nanodollar more than was held");
    deployment.claude.settled(2).await;
    let billed = serde_json::to_value(deployment.claude.calls().pop().unwrap()).unwrap();
    assert!(billed["usage"]["output_tokens"].as_i64().unwrap() < 6_000, "Claude was stopped: {billed}");

    let probe = json!({ "message": "Tell me", "model": "claude-haiku-5-5", "max_tokens": 40_000 });
    // The chat route holds for some history as well.
    deployment.claude.next("text=Yes.");
    assert_eq!(deployment.chat(&token, probe.clone()).await.status, 200);
    let slice = deployment.ledger().await.pop().unwrap().ceiling_nanousd;
    for accept in ["text/event-stream", "application/json"] {
        long_answer(&deployment.claude);
        let budget = format!("pro.user-day={}", usd(spent().await + slice));
        let function = deployment.instance("chat", "PLAN_BUDGETS_USD", &budget);
        let call = purser_tests::http::Call::new(function, "POST", "/api/chat");
        let reply = call.bearer(&token).header("accept", accept).json(&probe).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("counted"), Some("completed")), "{accept}");
        if accept == "application/json" {
            assert_eq!(reply.json()["stop_reason"], "max_tokens");
        } else {
            let finish = reply.events().pop().unwrap();
            assert_eq!((&finish["type"], &finish["finishReason"]), (&json!("finish"), &json!("length")), "{finish}");
        }
    }
    assert_eq!(deployment.reconcile().await["differences"], json!([]));
}
