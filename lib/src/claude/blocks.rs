//! Content blocks put together from a stream, as the official SDK accumulates them. Unknown kinds stay unharmed.

use serde_json::{Map, Value, value::RawValue};

use crate::stream_event::{self, Delta};

/// The content of a message in the making.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Value>,
    partial_json: Vec<String>,
    open: Option<usize>,
    /// Nothing is kept: only how many there are and how much they carry.
    is_counted: bool,
    count: usize,
}

impl Blocks {
    /// Blocks of which no content is kept.
    pub(super) fn counted() -> Self {
        Self { is_counted: true, ..Self::default() }
    }

    /// Begins with a message's content.
    pub(super) fn begin(&mut self, content: Vec<Value>) {
        let is_counted = self.is_counted;
        *self = Self { is_counted, count: content.len(), ..Self::default() };
        if !is_counted {
            self.partial_json = vec![String::new(); content.len()];
            self.blocks = content;
        }
    }

    /// `content_block_start`. Returns how many bytes of output it carried.
    pub(super) fn start(&mut self, block: Option<&RawValue>) -> u64 {
        self.open = Some(self.count);
        self.count += 1;
        let said: Delta<'_> = block.and_then(|block| serde_json::from_str(block.get()).ok()).unwrap_or_default();
        if !self.is_counted {
            self.blocks.push(block.and_then(stream_event::value).unwrap_or(Value::Null));
            self.partial_json.push(String::new());
        }
        [said.text, said.thinking].into_iter().flatten().map(text_bytes).sum()
    }

    /// `content_block_delta`. Returns how many bytes of output it carried, if it is of a kind that is known.
    pub(super) fn delta(&mut self, index: usize, delta: &Delta<'_>) -> Option<u64> {
        let said = match &*delta.kind {
            "text_delta" => delta.text,
            "thinking_delta" => delta.thinking,
            "input_json_delta" => delta.partial_json,
            "signature_delta" | "citations_delta" => None,
            _ => return None,
        };
        if self.is_counted {
            return Some(said.map_or(0, text_bytes));
        }
        let text = said.and_then(stream_event::text);
        self.keep(index, delta, text.as_deref());
        Some(text.map_or_else(|| said.map_or(0, text_bytes), |text| text.len() as u64))
    }

    fn keep(&mut self, index: usize, delta: &Delta<'_>, text: Option<&str>) {
        let Some(Value::Object(block)) = self.blocks.get_mut(index) else { return };
        match &*delta.kind {
            "text_delta" => append(block, "text", text.unwrap_or_default()),
            "thinking_delta" => append(block, "thinking", text.unwrap_or_default()),
            "signature_delta" => {
                let signature = delta.signature.and_then(stream_event::text).unwrap_or_default();
                block.insert("signature".to_owned(), signature.into_owned().into());
            }
            "input_json_delta" => {
                if let Some(buffer) = self.partial_json.get_mut(index) {
                    buffer.push_str(text.unwrap_or_default());
                }
            }
            "citations_delta" => {
                let Some(citation) = delta.citation.and_then(stream_event::value::<Value>) else { return };
                match block.get_mut("citations") {
                    Some(Value::Array(list)) => list.push(citation),
                    _ => drop(block.insert("citations".to_owned(), Value::Array(vec![citation]))),
                }
            }
            _ => {}
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

    /// How many there are so far.
    pub(super) fn count(&self) -> u64 {
        self.count as u64
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

fn append(block: &mut Map<String, Value>, field: &str, more: &str) {
    match block.get_mut(field) {
        Some(Value::String(text)) => text.push_str(more),
        _ => drop(block.insert(field.to_owned(), more.into())),
    }
}

/// How long a JSON string is. One whose escapes say nothing counts as it stands: never below what came.
fn text_bytes(json: &RawValue) -> u64 {
    match stream_event::text(json) {
        Some(text) => text.len() as u64,
        None if json.get().starts_with('"') => json.get().len() as u64,
        None => 0,
    }
}
