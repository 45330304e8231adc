//! Whatever bytes come.

use proptest::prelude::*;

use super::{
    tests::{check, finish},
    *,
};
use crate::claude::Observer;

/// Bytes of an event stream that is well meant, ill formed, or neither.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let index = || 0..3_usize;
    let text = || "[a-z\"\\\\é世\n\u{0}]{0,6}";
    let start = prop::sample::select(vec![
        "text",
        "thinking",
        "tool_use",
        "server_tool_use",
        "web_search_tool_result",
        "novel",
    ]);
    let delta = prop::sample::select(vec![
        "text_delta",
        "thinking_delta",
        "input_json_delta",
        "signature_delta",
        "citations_delta",
        "novel_delta",
    ]);
    let line = |event: Value| format!("event: x\ndata: {event}\n\n").into_bytes();
    let event = prop_oneof![
        (index(), start, text(), text()).prop_map(move |(index, kind, id, text)| line(json!({"type":"content_block_start","index":index,
            "content_block":{"type":kind,"id":id,"name":"n","tool_use_id":id,"text":text,"thinking":text,"content":[{"url":text}]}}))),
        (index(), delta, text()).prop_map(move |(index, kind, text)| line(json!({"type":"content_block_delta","index":index,
            "delta":{"type":kind,"text":text,"thinking":text,"partial_json":text,"signature":text,"citation":{"url":text}}}))),
        index().prop_map(move |index| line(json!({"type":"content_block_stop","index":index}))),
        text().prop_map(move |text| line(json!({"type":"message_delta","delta":{"stop_reason":text},"usage":{"output_tokens":7}}))),
        // Shapes of tomorrow, and of nobody.
        "(type|index|delta|content_block|usage|message|error)".prop_map(|name|
            format!("data: {{\"type\":\"content_block_delta\",\"index\":0,\"{name}\":[[{{}}]]}}\n\n").into_bytes()),
        (1..400_usize).prop_map(|depth| format!("data: {{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{{\"type\":\"text\",\"x\":{}{}}}}}\n\n",
            "[".repeat(depth), "]".repeat(depth)).into_bytes()),
        (1..40_000_usize).prop_map(move |length| line(json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"y".repeat(length)}}))),
        r#"data: \{"type":"content_block_delta","index":0,"delta":\{"type":"text_delta","text":"(\\\\ud83e|\\\\u0000|\\\\x|é)"\}\}"#.prop_map(|text| [text.as_bytes(), b"\n\n"].concat()),
    ];
    let noise = prop_oneof![
        6 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
        1 => Just(b"data: \xff\xfe\r\n\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b": keep-alive\r\n\r\n".to_vec()),
    ];
    prop::collection::vec((event, noise), 0..25)
        .prop_map(|parts| parts.into_iter().map(|(event, noise)| [event, noise].concat()).collect::<Vec<_>>().concat())
}

/// What the client gets for the chunks, and what the answer has to be charged.
fn relayed(chunks: &[&[u8]], is_content_kept: bool) -> (Vec<u8>, Observer) {
    let mut observer = Observer::default();
    if !is_content_kept {
        observer = observer.without_content();
    }
    let mut stream = UiStream::default();
    let mut out = stream.start("m", &json!({}));
    for chunk in chunks {
        let _ = observer.push(chunk, |event| stream.event(event, &mut out));
    }
    out.extend(stream.finish(&finish()));
    (out, observer)
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_split_becomes_the_same_valid_stream_and_the_same_figures(
        bytes in any_bytes(), cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|at| at % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let (out, whole) = relayed(&[&bytes], true);
        check(&out);
        let (split_out, split) = relayed(&chunks, true);
        prop_assert_eq!(split_out, out);
        prop_assert_eq!(split.settled_usage(), whole.settled_usage());
        prop_assert_eq!(split.content(), whole.content());
        // An observer that keeps nothing counts the same.
        let (_, counting) = relayed(&chunks, false);
        prop_assert_eq!(counting.settled_usage(), whole.settled_usage());
        prop_assert_eq!(counting.output_tokens_bound(), whole.output_tokens_bound());
        prop_assert_eq!((counting.outcome(), counting.may_be_ended()), (whole.outcome(), whole.may_be_ended()));
        prop_assert!(counting.content().is_empty());
    }
}
