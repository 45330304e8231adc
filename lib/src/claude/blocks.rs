//! Content blocks put together from a stream, as the official SDK accumulates them. Unknown kinds stay unharmed.

use serde_json::{Map, Value};

/// The content of a message in the making.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Value>,
    partial_json: Vec<String>,
    open: Option<usize>,
}

impl Blocks {
    /// Takes a whole message's content.
    pub(super) fn whole(content: Vec<Value>) -> Self {
        let partial_json = vec![String::new(); content.len()];
        Self { blocks: content, partial_json, open: None }
    }

    /// `content_block_start`.
    pub(super) fn start(&mut self, block: Value) {
        self.open = Some(self.blocks.len());
        self.blocks.push(block);
        self.partial_json.push(String::new());
    }

    /// `content_block_delta`. Returns how many bytes of output it carried.
    pub(super) fn delta(&mut self, index: usize, delta: &Map<String, Value>) -> u64 {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(Value::Object(block)) = self.blocks.get_mut(index) else { return 0 };
        match delta.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text_delta" => append(block, "text", text("text")),
            "thinking_delta" => append(block, "thinking", text("thinking")),
            "signature_delta" => {
                block.insert("signature".to_owned(), text("signature").into());
                0
            }
            "input_json_delta" => {
                let part = text("partial_json");
                if let Some(buffer) = self.partial_json.get_mut(index) {
                    buffer.push_str(part);
                }
                part.len() as u64
            }
            "citations_delta" => {
                if let Some(citation) = delta.get("citation") {
                    match block.get_mut("citations") {
                        Some(Value::Array(list)) => list.push(citation.clone()),
                        _ => drop(block.insert("citations".to_owned(), Value::Array(vec![citation.clone()]))),
                    }
                }
                0
            }
            // An unknown delta: its strings are counted, so that a cut stream is never charged below what came.
            _ => delta
                .iter()
                .filter(|(name, _)| *name != "type")
                .filter_map(|(_, value)| value.as_str())
                .map(|text| text.len() as u64)
                .sum(),
        }
    }

    /// `content_block_stop`: the tool's input is complete.
    pub(super) fn stop(&mut self, index: usize) {
        self.open = self.open.filter(|open| *open != index);
        let Some(buffer) = self.partial_json.get_mut(index) else { return };
        let buffer = std::mem::take(buffer);
        if buffer.is_empty() {
            return;
        }
        if let Some(Value::Object(block)) = self.blocks.get_mut(index)
            && let Ok(input) = serde_json::from_str(&buffer)
        {
            block.insert("input".to_owned(), input);
        }
    }

    /// The block that has begun and not ended.
    pub(super) fn open(&self) -> Option<usize> {
        self.open
    }

    /// The blocks so far.
    pub(super) fn list(&self) -> &[Value] {
        &self.blocks
    }

    /// All text of text blocks.
    pub(super) fn text(&self) -> String {
        let texts = self.blocks.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("text"));
        texts.filter_map(|block| block.get("text").and_then(Value::as_str)).collect()
    }
}

fn append(block: &mut Map<String, Value>, field: &str, more: &str) -> u64 {
    match block.get_mut(field) {
        Some(Value::String(text)) => text.push_str(more),
        _ => drop(block.insert(field.to_owned(), more.into())),
    }
    more.len() as u64
}
