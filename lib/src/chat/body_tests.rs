use super::*;

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
    assert_eq!((plain.conversation_id.as_deref(), plain.max_tokens), (Some("c"), Some(7)));
    assert_eq!((&sdk.conversation_id, sdk.max_tokens), (&plain.conversation_id, plain.max_tokens));
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
        (r#"{"messages":[{"role":"user","parts":[{"type":"file","url":"data:"}]}]}"#, "/messages/0/parts/0"),
        (r#"{"messages":[1],"trigger":"x"}"#, "/trigger"),
    ] {
        assert_eq!(refused(body), pointer, "{body}");
    }
    assert_eq!(ChatBody::parse(b"{\"message\":").unwrap_err().code(), Code::InvalidJson);
    assert_eq!(ChatBody::parse(b"{\"message\":\"\xff\"}").unwrap_err().code(), Code::InvalidJson);
}
