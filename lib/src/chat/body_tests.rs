use super::*;
use crate::Code;

fn refused(body: &str) -> String {
    let error = ChatBody::parse(body.as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidBody, "{body}");
    error.members()["pointer"].as_str().unwrap().to_owned()
}

#[test]
fn both_bodies_say_the_same_thing() {
    let plain = ChatBody::parse(br#"{"message":"Hi","conversation_id":"c","max_tokens":7}"#).unwrap();
    let sdk = ChatBody::parse(
        br#"{"id":"c","max_tokens":7,"trigger":"submit-message","anything":1,"messages":[{"id":"m","role":"user","parts":[{"type":"text","text":"Hi"}]}]}"#,
    )
    .unwrap();
    assert_eq!((plain.conversation_id.as_deref(), plain.options.max_tokens), (Some("c"), Some(7)));
    assert_eq!((&sdk.conversation_id, &sdk.options), (&plain.conversation_id, &plain.options));
    let ChatTurnBody::Submit(message) = sdk.turn else { panic!("not a submit") };
    assert_eq!((message.client_id.as_deref(), message.content), (Some("m"), vec![json!({"type":"text","text":"Hi"})]));
}

#[test]
fn triggers_mean_what_the_sdk_means() {
    let body = |trigger: &str, id: &str| {
        let text = format!(
            r#"{{"trigger":"{trigger}"{id},"messages":[{{"role":"system","parts":[]}},{{"id":"a","role":"assistant","parts":[{{"type":"text","text":"lost"}}]}},
            {{"id":"u","role":"user","parts":[{{"type":"text","text":"one"}}]}},{{"id":"b","role":"assistant","parts":[{{"type":"reasoning","text":"r"}},{{"type":"text","text":"two"}}]}},
            {{"id":"v","role":"user","parts":[{{"type":"text","text":"three"}},{{"type":"data-x","data":1}}]}}]}}"#
        );
        ChatBody::parse(text.as_bytes()).unwrap()
    };
    let submit = body("submit-message", "");
    assert_eq!(submit.seed.iter().map(|m| m.client_id.as_deref().unwrap()).collect::<Vec<_>>(), ["u", "b"]);
    assert_eq!(submit.title(), "one");
    assert!(matches!(submit.turn, ChatTurnBody::Submit(_)));
    let edit = body("submit-message", r#","messageId":"v""#);
    assert!(matches!(edit.turn, ChatTurnBody::Edit { target, .. } if target == "v"));
    let again = body("regenerate-message", r#","messageId":"b""#);
    assert_eq!(again.turn, ChatTurnBody::Regenerate { target: Some("b".into()) });
}

#[test]
fn what_does_not_fit_is_told_with_an_exact_pointer() {
    for (body, pointer) in [
        ("[]", ""),
        ("{}", "/message"),
        (r#"{"message":" "}"#, "/message"),
        (r#"{"message":7}"#, "/message"),
        (r#"{"mesage":"Hi"}"#, "/mesage"),
        (r#"{"message":"Hi","a/b":1}"#, "/a~1b"),
        (r#"{"message":"Hi","max_tokens":0}"#, "/max_tokens"),
        (r#"{"message":"Hi","max_tokens":-5}"#, "/max_tokens"),
        (r#"{"message":"Hi","max_tokens":1e99}"#, "/max_tokens"),
        (r#"{"message":"Hi","model":""}"#, "/model"),
        (r#"{"message":"Hi","conversation_id":""}"#, "/conversation_id"),
        (r#"{"messages":{}}"#, "/messages"),
        (r#"{"messages":[]}"#, "/messages"),
        (r#"{"messages":[{"role":"assistant","parts":[]}]}"#, "/messages/0/role"),
        (r#"{"messages":[{"role":"user"}]}"#, "/messages/0/parts"),
        (r#"{"messages":[{"role":"user","parts":[{"type":"text"}]}]}"#, "/messages/0/parts/0/text"),
        (r#"{"messages":[{"role":"user","parts":[{"type":"text","text":""}]}]}"#, "/messages/0/parts"),
        (r#"{"messages":[{"role":"user","parts":[{"type":"file","url":"data:"}]}]}"#, "/messages/0/parts/0/mediaType"),
        (r#"{"message":"a","tools":{}}"#, "/tools"),
        (r#"{"message":"a","cache":1}"#, "/cache"),
        (r#"{"message":"a","tool_results":[]}"#, "/tool_results"),
        (r#"{"tool_results":[{"content":"x"}]}"#, "/tool_results/0/tool_use_id"),
        (r#"{"messages":[1],"trigger":"x"}"#, "/trigger"),
        (r#"{"message":"\ud800"}"#, "/message"),
        (r#"{"message":"a","system":["b"]}"#, "/system"),
        (r#"{"message":"a","conversation_id":"a\u0000b"}"#, "/conversation_id"),
        (r#"{"messages":[],"message":{"role":"user","parts":[]}}"#, "/message"),
        (r#"{"message":{"role":"user","parts":[{"type":"text","text":3}]}}"#, "/message/parts/0/text"),
        (r#"{"messages":[{"role":"tool","parts":[]}]}"#, "/messages/0/role"),
        (r#"{"messages":[{"id":5,"role":"user","parts":[]}]}"#, "/messages/0/id"),
        (r#"{"messages":[{"role":"user","parts":["hi"]}]}"#, "/messages/0/parts/0"),
        (r#"{"messages":[{"role":"user","parts":[{"text":"hi"}]}]}"#, "/messages/0/parts/0/type"),
    ] {
        assert_eq!(refused(body), pointer, "{body}");
    }
    assert_eq!(ChatBody::parse(b"{\"message\":").unwrap_err().code(), Code::InvalidJson);
    assert_eq!(ChatBody::parse(b"{\"message\":\"\xff\"}").unwrap_err().code(), Code::InvalidJson);
}

#[test]
fn a_key_given_twice_is_refused_where_it_counts() {
    for (body, pointer) in [
        (r#"{"message":"a","message":"b"}"#, "/message"),
        (r#"{"message":"a","mess\u0061ge":"b"}"#, "/message"),
        (r#"{"message":"a","max_tokens":1,"max_tokens":2}"#, "/max_tokens"),
        (r#"{"id":"a","id":"b","messages":[{"role":"user","parts":[{"type":"text","text":"x"}]}]}"#, "/id"),
        (
            r#"{"messages":[{"role":"user","parts":[{"type":"text","text":"x","text":"y"}]}]}"#,
            "/messages/0/parts/0/text",
        ),
    ] {
        assert_eq!(refused(body), pointer, "{body}");
    }
    let own = r#"{"mine":1,"mine":2,"messages":[{"role":"user","parts":[{"type":"text","text":"x"}]}]}"#;
    assert!(ChatBody::parse(own.as_bytes()).is_ok());
}

fn said(id: &str, role: &str, text: &str) -> Value {
    json!({ "id": id, "role": role, "parts": [{ "type": "text", "text": text }] })
}

fn parse(body: Value) -> ChatBody {
    ChatBody::parse(body.to_string().as_bytes()).unwrap()
}

fn texts(messages: &[ChatMessage]) -> Vec<&str> {
    messages.iter().flat_map(|message| &message.content).map(|block| block["text"].as_str().unwrap()).collect()
}

#[test]
fn only_the_last_message_need_be_sent() {
    let ChatTurnBody::Submit(message) = parse(json!({"id": "c", "message": said("u", "user", "Hi")})).turn else {
        panic!("not a submit")
    };
    assert_eq!((message.client_id.as_deref(), &message.content[0]["text"]), (Some("u"), &json!("Hi")));
    let again = parse(json!({"id": "c", "trigger": "regenerate-message", "messageId": "a"}));
    assert_eq!(again.turn, ChatTurnBody::Regenerate { target: Some("a".into()) });
}

#[test]
fn an_edited_message_is_the_one_that_is_named() {
    let history = [said("u", "user", "One"), said("a", "assistant", "Uno"), said("v", "user", "Two")];
    let edit = parse(json!({"messages": history, "messageId": "u"}));
    let ChatTurnBody::Edit { target, message } = edit.turn else { panic!("not an edit") };
    assert_eq!((target.as_str(), &message.content[0]["text"], edit.seed.len()), ("u", &json!("One"), 0));
    // Under a new id: the last one.
    let edit = parse(json!({"messages": history, "messageId": "stored"}));
    let ChatTurnBody::Edit { target, message } = edit.turn else { panic!("not an edit") };
    assert_eq!((target.as_str(), &message.content[0]["text"], edit.seed.len()), ("stored", &json!("Two"), 2));
    assert_eq!(refused(&json!({"messages": history, "messageId": "a"}).to_string()), "/messages/1/role");
}

#[test]
fn system_messages_are_instructions_and_not_history() {
    let messages = [said("s", "system", "Be brief."), said("u", "user", "Hi")];
    let body = parse(json!({"messages": messages, "system": "Be kind."}));
    assert_eq!((body.options.system.as_deref(), body.seed.len()), (Some("Be kind.\n\nBe brief."), 0));
    let again = parse(json!({"messages": messages, "trigger": "regenerate-message"}));
    assert_eq!(again.options.system.as_deref(), Some("Be brief."));
}

#[test]
fn a_file_is_never_lost_in_silence() {
    let file = json!({"type": "file", "mediaType": "application/pdf", "filename": "a.pdf", "url": "data:,"});
    let with_file = json!({"id": "u", "role": "user", "parts": [{"type": "text", "text": "Read this"}, file]});
    assert_eq!(refused(&json!({"messages": [with_file]}).to_string()), "/messages/0/parts/1/url");
    let body = parse(json!({"messages": [with_file, said("v", "user", "Then without")]}));
    assert_eq!(texts(&body.seed), ["Read this", "[A file, not read: a.pdf]"]);
}

#[test]
fn results_of_tools_continue_the_answer_that_calls_for_them() {
    let part = json!({"type": "tool-weather", "toolCallId": "t1", "state": "output-available", "output": {"c": 21}});
    let answer = json!({"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, part]});
    let body = parse(json!({"id": "c", "messageId": "a", "messages": [said("u", "user", "Hi"), answer]}));
    let ChatTurnBody::Results { answer, message } = body.turn else { panic!("no results") };
    assert_eq!((answer.as_deref(), message.client_id.as_deref()), (Some("a"), Some("results-t1")));
    assert_eq!(message.content, [json!({"type": "tool_result", "tool_use_id": "t1", "content": "{\"c\":21}"})]);
    assert!(body.seed.is_empty());
    let plain = parse(json!({"conversation_id": "c", "tool_results": [{"tool_use_id": "t1", "content": "ok"}]}));
    assert!(matches!(plain.turn, ChatTurnBody::Results { answer: None, .. }));
}

#[test]
fn options_go_out_as_they_came() {
    let text = r#"{"message":"Hi","tools":[{"name":"f", "x":1.50}],"thinking":{"type":"adaptive"},"cache":false}"#;
    let options = ChatBody::parse(text.as_bytes()).unwrap().options;
    assert_eq!((options.tools(), options.cache), (Some(r#"[{"name":"f", "x":1.50}]"#), false));
    assert_eq!(options.passed[1], ("thinking", r#"{"type":"adaptive"}"#.to_owned()));
}

#[test]
fn what_is_not_ours_to_read_may_have_any_shape() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let text = r#"{"id":"u","role":"user","metadata":DEEP,"parts":[{"type":"tool-x","input":DEEP},{"type":"text","text":"Hi"}]}"#;
    let body = format!(r#"{{"mine":{deep},"messages":[{}]}}"#, text.replace("DEEP", &deep));
    assert!(ChatBody::parse(body.as_bytes()).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = ChatBody::parse(&bytes);
    }

    #[test]
    fn every_text_that_says_something_arrives_unharmed(text in ".*[a-z].*") {
        let ChatTurnBody::Submit(message) = parse(json!({"messages": [said("u", "user", &text)]})).turn else {
            panic!("not a submit")
        };
        proptest::prop_assert_eq!(&message.content, &[json!({"type": "text", "text": text})]);
    }
}
