//! Blocks of an answer: complete, and as the events that bring them piece by piece.

use serde_json::{Value, json};

use super::{
    reply::{Block, search_input},
    request::Ask,
};

/// An event before its cost is known.
pub(super) struct Draft {
    pub(super) data: Value,
    pub(super) output_bytes: usize,
    pub(super) delta: bool,
    pub(super) search: bool,
}

impl Draft {
    pub(super) fn plain(data: Value) -> Self {
        Self { data, output_bytes: 0, delta: false, search: false }
    }

    fn delta(index: usize, delta: Value, output_bytes: usize) -> Self {
        let data = json!({ "type": "content_block_delta", "index": index, "delta": delta });
        Self { data, output_bytes, delta: true, search: false }
    }
}

/// Adds a block's events; returns the next block's index.
pub(super) fn drafts(ask: &Ask, block: &Block, index: usize, all: &mut Vec<Draft>) -> usize {
    all.push(Draft::plain(start(index, opening(block))));
    match block {
        Block::Thinking { words, signature } => {
            for piece in pieces(words, None) {
                all.push(Draft::delta(index, json!({ "type": "thinking_delta", "thinking": piece }), piece.len()));
            }
            all.push(Draft::delta(index, json!({ "type": "signature_delta", "signature": signature }), 0));
        }
        Block::Text(text) => {
            for piece in pieces(text, ask.directives.say.deltas) {
                all.push(Draft::delta(index, json!({ "type": "text_delta", "text": piece }), piece.len()));
            }
        }
        Block::Cited(text) => {
            all.push(Draft::delta(index, json!({ "type": "citations_delta", "citation": citation() }), 0));
            for piece in pieces(text, ask.directives.say.deltas) {
                all.push(Draft::delta(index, json!({ "type": "text_delta", "text": piece }), piece.len()));
            }
        }
        Block::ToolUse { input, .. } => input_drafts(index, &input.to_string(), all),
        Block::Search { id, query } => {
            input_drafts(index, &search_input(query).to_string(), all);
            all.push(Draft::plain(stop(index)));
            let found = Draft::plain(start(index + 1, search_result(id)));
            all.push(Draft { search: true, ..found });
            all.push(Draft::plain(stop(index + 1)));
            return index + 2;
        }
        Block::Unknown => {
            all.push(Draft::delta(index, json!({ "type": "delta_of_the_future", "note": "…" }), 0));
        }
    }
    all.push(Draft::plain(stop(index)));
    index + 1
}

/// A tool's input comes as an empty piece and then in slices that are no JSON by themselves.
fn input_drafts(index: usize, input: &str, all: &mut Vec<Draft>) {
    all.push(Draft::delta(index, json!({ "type": "input_json_delta", "partial_json": "" }), 0));
    for piece in pieces(input, Some(input.len().div_ceil(8))) {
        all.push(Draft::delta(index, json!({ "type": "input_json_delta", "partial_json": piece }), piece.len()));
    }
}

fn start(index: usize, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn stop(index: usize) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

/// A block as it begins: without what its deltas bring.
fn opening(block: &Block) -> Value {
    let mut whole = whole(block).into_iter().next().unwrap_or_default();
    for (field, nothing) in [
        ("text", json!("")),
        ("thinking", json!("")),
        ("signature", json!("")),
        ("input", json!({})),
        ("citations", json!([])),
    ] {
        if whole.get(field).is_some() {
            whole[field] = nothing;
        }
    }
    whole
}

/// What a search found.
fn search_result(id: &str) -> Value {
    json!({
        "type": "web_search_tool_result",
        "tool_use_id": id,
        "content": [{
            "type": "web_search_result",
            "title": "A page that does not exist",
            "url": "https://example.com/",
            "encrypted_content": "c3RhbmQtaW4=",
            "page_age": null,
        }],
    })
}

/// Where a text has it from: the page that every search finds.
fn citation() -> Value {
    json!({
        "type": "web_search_result_location",
        "url": "https://example.com/",
        "title": "A page that does not exist",
        "encrypted_index": "c3RhbmQtaW4=",
        "cited_text": "Nothing",
    })
}

/// Cuts a text into so many pieces, or after every word.
fn pieces(text: &str, count: Option<usize>) -> Vec<&str> {
    let Some(count) = count.filter(|count| *count > 0) else { return text.split_inclusive(' ').collect() };
    let mut pieces = Vec::with_capacity(count);
    let mut from = 0;
    for piece in 1..=count {
        let to = text.floor_char_boundary(text.len() * piece / count);
        pieces.push(&text[from..to]);
        from = to;
    }
    pieces
}

/// A block, complete; a search is two.
pub(super) fn whole(block: &Block) -> Vec<Value> {
    match block {
        Block::Thinking { words, signature } => {
            vec![json!({ "type": "thinking", "thinking": words, "signature": signature })]
        }
        Block::Text(text) => vec![json!({ "type": "text", "text": text })],
        Block::Cited(text) => vec![json!({ "type": "text", "text": text, "citations": [citation()] })],
        Block::ToolUse { id, name, input } => {
            vec![json!({ "type": "tool_use", "id": id, "name": name, "input": input })]
        }
        Block::Search { id, query } => {
            let call =
                json!({ "type": "server_tool_use", "id": id, "name": "web_search", "input": search_input(query) });
            vec![call, search_result(id)]
        }
        Block::Unknown => {
            vec![json!({ "type": "block_of_the_future", "note": "clients ignore what they do not know" })]
        }
    }
}
