use super::*;

fn refused(body: &str) -> (Code, String) {
    let error = RequestFacts::read(body.as_bytes()).unwrap_err();
    (error.code(), error.members().get("pointer").and_then(|p| p.as_str()).unwrap_or("-").to_owned())
}

#[test]
fn what_limits_and_prices_need_is_read_and_the_rest_is_left_alone() {
    let facts = RequestFacts::read(
        br#"{"model":"claude-opus-5","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stream":true,
            "new_field":{"deep":[1]},"tools":[{"name":"f","input_schema":{}},{"type":"web_search_20250305","max_uses":3}]}"#,
    )
    .unwrap();
    assert_eq!((facts.model.as_str(), facts.max_tokens, facts.stream), ("claude-opus-5", 9, true));
    assert_eq!((facts.tools.web_searches, facts.tools.readings), (Some(3), 4));
    let body =
        br#"{"max_tokens" : 128000 ,"model":"m","messages":[1],"thinking":{"type":"enabled","budget_tokens":9}}"#;
    let facts = RequestFacts::read(body).unwrap();
    assert_eq!((&body[facts.max_tokens_at], facts.thinking_tokens), (&b"128000"[..], 9));
}

#[test]
fn shapes_that_do_not_fit_are_told_with_a_pointer() {
    for (body, pointer) in [
        (r#"{"max_tokens":1,"messages":[1]}"#, "/model"),
        (r#"{"model":7,"max_tokens":1,"messages":[1]}"#, "/model"),
        (r#"{"model":"m","messages":[1]}"#, "/max_tokens"),
        (r#"{"model":"m","max_tokens":-1,"messages":[1]}"#, "/max_tokens"),
        (r#"{"model":"m","max_tokens":1.5,"messages":[1]}"#, "/max_tokens"),
        (r#"{"model":"m","max_tokens":99999999999,"messages":[1]}"#, "/max_tokens"),
        (r#"{"model":"m","max_tokens":1,"messages":[ ]}"#, "/messages"),
        (r#"{"model":"m","max_tokens":1,"messages":"hi"}"#, "/messages"),
        (r#"{"model":"m","max_tokens":1,"messages":[1],"stream":"yes"}"#, "/stream"),
        ("[]", ""),
        (r#"{"model":"m","model":"n","max_tokens":1,"messages":[1]}"#, ""),
    ] {
        assert_eq!(refused(body), (Code::InvalidBody, pointer.to_owned()), "{body}");
    }
    assert_eq!(refused("{").0, Code::InvalidJson);
    assert_eq!(RequestFacts::read(b"{\"model\":\"\xff\"}").unwrap_err().code(), Code::InvalidJson);
}

#[test]
fn what_cannot_be_accounted_for_is_refused() {
    for extra in [
        r#""fallbacks":[{"model":"x"}]"#,
        r#""mcp_servers":[{}]"#,
        r#""container":"c""#,
        r#""service_tier":"priority""#,
        r#""tools":[{"type":"code_execution_20250825"}]"#,
        r#""tools":[{"type":"something_new_20270101"}]"#,
    ] {
        let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[1],{extra}}}"#);
        assert_eq!(refused(&body).0, Code::FeatureNotPriced, "{extra}");
    }
}

#[test]
fn a_thread_is_refused_with_the_code_by_which_the_sdks_tool_runner_goes_on_without_one() {
    let body = br#"{"model":"m","max_tokens":1,"messages":[1],"thread":{"type":"create"}}"#;
    let error = RequestFacts::read(body).unwrap_err();
    assert_eq!(error.code(), Code::FeatureNotPriced);
    assert_eq!(error.members()["error_code"], "thread_unsupported_request");
    assert_eq!(error.members()["unsupported"], serde_json::json!(["thread"]));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = RequestFacts::read(&bytes);
        let _ = RequestFacts::model_to_count(&bytes);
    }

    #[test]
    fn no_field_makes_it_panic(name in "[a-z_]{1,12}|tools|stream|speed|model|max_tokens", value in "\\PC{0,60}") {
        let _ = RequestFacts::read(format!(r#"{{"model":"m","max_tokens":1,"messages":[1],"{name}":{value}}}"#).as_bytes());
    }
}
