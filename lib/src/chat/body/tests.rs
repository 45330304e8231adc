use serde_json::{Value, json};

use super::*;
use crate::Code;

fn parse(body: Value) -> Result<ChatBody, Error> {
    ChatBody::parse(body.to_string().as_bytes())
}

fn said(id: &str, role: &str, text: &str) -> Value {
    json!({ "id": id, "role": role, "parts": [{ "type": "text", "text": text }] })
}

/// The pointer of the refusal.
fn refused(body: &str) -> String {
    let error = ChatBody::parse(body.as_bytes()).expect_err(body);
    assert_eq!(error.code(), Code::InvalidBody, "{body}: {error}");
    error.members()["pointer"].as_str().unwrap().to_owned()
}

fn history() -> Value {
    json!([said("u1", "user", "One"), said("a1", "assistant", "Uno"), said("u2", "user", "Two")])
}

fn seeds(body: &ChatBody) -> Vec<(&str, String)> {
    body.seed.iter().map(|seed| (seed.role.as_str(), content::text(&seed.content))).collect()
}

#[test]
fn a_plain_body_is_a_turn() {
    let body =
        parse(json!({"message": " Hi \n", "conversation_id": "c", "model": "m", "max_tokens": 7, "system": "S"}));
    let turn = Turn::Submit { client_id: None, content: content::of_text(" Hi \n") };
    let expected = ChatBody {
        conversation_id: Some("c".into()),
        turn,
        seed: vec![],
        model: Some("m".into()),
        max_tokens: Some(7),
        system: Some("S".into()),
    };
    assert_eq!(body.unwrap(), expected);
}

#[test]
fn null_is_the_same_as_nothing() {
    let body = parse(json!({"message": "Hi", "conversation_id": null, "model": null, "max_tokens": null})).unwrap();
    assert_eq!((body.conversation_id, body.model, body.max_tokens), (None, None, None));
}

#[test]
fn a_typo_in_a_plain_body_is_told() {
    assert_eq!(refused(r#"{"mesage":"hi"}"#), "/mesage");
    assert_eq!(refused(r#"{"message":"hi","maxTokens":5}"#), "/maxTokens");
    assert_eq!(refused("{}"), "/message");
}

#[test]
fn wrong_shapes_are_pointed_at() {
    for (body, pointer) in [
        ("[]", ""),
        ("\"hi\"", ""),
        (r#"{"message":7}"#, "/message"),
        (r#"{"message":""}"#, "/message"),
        (r#"{"message":" \n\t "}"#, "/message"),
        (r#"{"message":"\ud800"}"#, "/message"),
        (r#"{"message":"a","message":"b"}"#, "/message"),
        (r#"{"message":"a","model":"b","model":"c"}"#, "/model"),
        (r#"{"message":"a","conversation_id":""}"#, "/conversation_id"),
        (r#"{"message":"a","conversation_id":"a\u0000b"}"#, "/conversation_id"),
        (r#"{"message":"a","system":["b"]}"#, "/system"),
        (r#"{"messages":{}}"#, "/messages"),
        (r#"{"messages":[]}"#, "/messages"),
        (r#"{"messages":[7]}"#, "/messages/0"),
        (r#"{"messages":[{"role":"user","parts":[]}],"message":"a"}"#, "/message"),
        (r#"{"messages":[{"parts":[]}]}"#, "/messages/0/role"),
        (r#"{"messages":[{"role":"tool","parts":[]}]}"#, "/messages/0/role"),
        (r#"{"messages":[{"role":"user"}]}"#, "/messages/0/parts"),
        (r#"{"messages":[{"role":"user","parts":"hi"}]}"#, "/messages/0/parts"),
        (r#"{"messages":[{"role":"user","parts":[]}]}"#, "/messages/0/parts"),
        (r#"{"messages":[{"role":"user","parts":["hi"]}]}"#, "/messages/0/parts/0"),
        (r#"{"messages":[{"role":"user","parts":[{"type":"text"}]}]}"#, "/messages/0/parts/0/text"),
        (r#"{"messages":[{"role":"user","parts":[{"type":"text","text":null}]}]}"#, "/messages/0/parts/0/text"),
        (r#"{"message":{"role":"user","parts":[{"type":"text","text":3}]}}"#, "/message/parts/0/text"),
        (r#"{"messages":[{"id":5,"role":"user","parts":[]}]}"#, "/messages/0/id"),
        (r#"{"messages":[],"trigger":"resume"}"#, "/trigger"),
        (r#"{"messages":[],"trigger":"submit-message","messageId":"x"}"#, "/messageId"),
    ] {
        assert_eq!(refused(body), pointer, "{body}");
    }
}

#[test]
fn absurd_max_tokens_are_refused() {
    for number in ["0", "-1", "1.5", "1e3", "1000001", "99999999999999999999", "\"5\"", "true", "[]"] {
        assert_eq!(refused(&format!(r#"{{"message":"a","max_tokens":{number}}}"#)), "/max_tokens", "{number}");
    }
    assert_eq!(parse(json!({"message": "a", "max_tokens": 1})).unwrap().max_tokens, Some(1));
}

#[test]
fn a_long_name_is_counted_in_characters() {
    assert!(parse(json!({"message": "a", "conversation_id": "é".repeat(200)})).is_ok());
    assert_eq!(refused(&json!({"message": "a", "conversation_id": "e".repeat(201)}).to_string()), "/conversation_id");
}

#[test]
fn a_submitted_message_is_the_last_one() {
    let body = parse(json!({"id": "chat", "messages": history(), "trigger": "submit-message"})).unwrap();
    assert_eq!(body.conversation_id.as_deref(), Some("chat"));
    assert_eq!(body.turn, Turn::Submit { client_id: Some("u2".into()), content: content::of_text("Two") });
    assert_eq!(seeds(&body), [("user", "One".into()), ("assistant", "Uno".into())]);
}

#[test]
fn a_submitted_message_id_is_an_edit() {
    let body = json!({"id": "chat", "messages": history(), "trigger": "submit-message", "messageId": "u1"});
    let body = parse(body).unwrap();
    assert_eq!(body.turn, Turn::Edit { client_id: "u1".into(), content: content::of_text("One") });
    assert_eq!(seeds(&body), []);
}

#[test]
fn an_assistants_message_cannot_be_submitted() {
    let body = json!({"messages": history(), "trigger": "submit-message", "messageId": "a1"}).to_string();
    assert_eq!(refused(&body), "/messages/1/role");
    let body = json!({"messages": [said("a", "assistant", "Hi")]}).to_string();
    assert_eq!(refused(&body), "/messages/0/role");
}

#[test]
fn a_regenerated_answer_is_asked_for_by_its_id() {
    for (id, seed) in [(json!("a2"), 3), (json!("a1"), 1), (json!("u1"), 1), (json!(null), 3)] {
        let body = json!({"id": "c", "messages": history(), "trigger": "regenerate-message", "messageId": id});
        let body = parse(body).unwrap();
        assert_eq!(body.turn, Turn::Regenerate { client_id: id.as_str().map(Into::into) });
        assert_eq!(body.seed.len(), seed, "{id}");
    }
}

#[test]
fn only_the_last_message_need_be_sent() {
    let body = parse(json!({"id": "c", "message": said("u9", "user", "Nine")})).unwrap();
    assert_eq!(body.turn, Turn::Submit { client_id: Some("u9".into()), content: content::of_text("Nine") });
    let body = parse(json!({"id": "c", "trigger": "regenerate-message", "messageId": "a9"})).unwrap();
    assert_eq!((body.turn, body.seed.len()), (Turn::Regenerate { client_id: Some("a9".into()) }, 0));
}

#[test]
fn extra_members_and_unknown_parts_are_tolerated() {
    let body = json!({
        "id": "c", "myOwn": {"field": [1]}, "max_tokens": 50, "model": "m",
        "messages": [
            {"id": "u", "role": "user", "metadata": {"cost_usd": "-1"}, "parts": [{"type": "data-weather", "data": {}},
                {"type": "text", "text": "Hi", "state": "done"}, {"type": "text", "text": " "}, {"type": "text", "text": "you"}]},
            {"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "hm"},
                {"type": "tool-x", "toolCallId": "t", "state": "output-available", "input": {}, "output": 1},
                {"type": "text", "text": "Hello"}, {"type": "novel"}, {"type": "file", "mediaType": "image/png", "url": "x"}]},
            said("u2", "user", "And?")
        ]
    });
    let body = parse(body).unwrap();
    assert_eq!((body.max_tokens, body.model.as_deref()), (Some(50), Some("m")));
    assert_eq!(seeds(&body), [("user", "Hi\n\nyou".into()), ("assistant", "Hello".into())]);
}

#[test]
fn system_messages_are_instructions_and_not_history() {
    let messages = json!([said("s", "system", "Be brief."), said("u", "user", "Hi")]);
    let body = parse(json!({"messages": messages, "system": "Be kind."})).unwrap();
    assert_eq!((body.system.as_deref(), body.seed.len()), (Some("Be kind.\n\nBe brief."), 0));
}

#[test]
fn a_file_is_never_dropped_in_silence() {
    let file = json!({"type": "file", "mediaType": "application/pdf", "filename": "a.pdf", "url": "data:,"});
    let with_file = json!({"id": "u1", "role": "user", "parts": [{"type": "text", "text": "Read this"}, file]});
    assert_eq!(refused(&json!({"messages": [with_file]}).to_string()), "/messages/0/parts/1");
    let body = parse(json!({"messages": [with_file, said("u2", "user", "Then without")]})).unwrap();
    assert_eq!(seeds(&body), [("user", "Read this\n\n[A file that was not read: a.pdf]".into())]);
}

#[test]
fn bytes_that_are_no_json_are_told_apart_from_a_wrong_shape() {
    for bytes in [&b"{\"message\": \"hi\""[..], b"", b"message=hi", b"{\"message\":\"\xf0\x28\"}"] {
        assert_eq!(ChatBody::parse(bytes).unwrap_err().code(), Code::InvalidJson, "{bytes:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = ChatBody::parse(&bytes);
    }

    #[test]
    fn every_text_that_says_something_arrives_unharmed(text in ".*[a-z].*") {
        let body = parse(json!({"messages": [said("u", "user", &text)]})).unwrap();
        let Turn::Submit { content, .. } = body.turn else { panic!("not submitted") };
        proptest::prop_assert_eq!(content::text(&content), text);
    }
}
