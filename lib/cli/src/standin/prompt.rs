//! A prompt as the parts that are counted and cached.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

/// How long a cache mark keeps its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    FiveMinutes,
    OneHour,
}

/// One tool, system block or content block.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) tokens: u64,
    pub(crate) hash: u64,
    /// Whether a `cache_control` mark ends here.
    pub(crate) mark: Option<Ttl>,
}

/// Four bytes a token, rounded up.
pub fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(4)
}

/// All parts in the order of the cache: tools, system, messages.
pub(crate) fn parts(body: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        parts.push(part("tool", tool));
    }
    blocks("system", &body["system"], &mut parts);
    for message in body["messages"].as_array().into_iter().flatten() {
        blocks(message["role"].as_str().unwrap_or_default(), &message["content"], &mut parts);
    }
    if let (Some(mark), Some(last)) = (mark(body), parts.last_mut()) {
        last.mark = Some(mark);
    }
    parts
}

/// The prompt's tokens, caching left aside.
pub(crate) fn total(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.tokens).sum()
}

fn blocks(place: &str, content: &Value, parts: &mut Vec<Part>) {
    match content {
        Value::String(text) => parts.push(part(place, &json!({ "type": "text", "text": text }))),
        Value::Array(blocks) => parts.extend(blocks.iter().map(|block| part(place, block))),
        _ => {}
    }
}

fn part(place: &str, block: &Value) -> Part {
    let mut bare = block.clone();
    if let Some(bare) = bare.as_object_mut() {
        bare.remove("cache_control");
    }
    let text = bare.to_string();
    let mut hasher = DefaultHasher::new();
    (place, &text).hash(&mut hasher);
    Part { tokens: tokens(text.len()), hash: hasher.finish(), mark: mark(block) }
}

fn mark(holder: &Value) -> Option<Ttl> {
    let mark = holder.get("cache_control").filter(|mark| mark.is_object())?;
    Some(if mark["ttl"] == "1h" { Ttl::OneHour } else { Ttl::FiveMinutes })
}
