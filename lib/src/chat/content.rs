//! Content as it is stored: the JSON array of the Messages API's content blocks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One text block as stored content.
pub fn of_text(text: &str) -> String {
    serde_json::json!([{ "type": "text", "text": text }]).to_string()
}

/// What is looked at in a content block; the rest of it is nobody's business here.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) signature: Option<&'a RawValue>,
}

impl Head<'_> {
    /// The text of a text block.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.text.filter(|_| self.kind == "text")?;
        serde_json::from_str(text.get()).ok()
    }
}

/// The text of stored content: its text blocks, joined as Claude means them (one sentence may span several blocks
/// when it carries citations). Thinking and every other block is left out; what is not content gives "".
pub fn text(content: &str) -> String {
    let heads: Vec<Head<'_>> = serde_json::from_str(content).unwrap_or_default();
    heads.iter().filter_map(Head::text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_was_stored() {
        let said = "a \"quoted\" line\n\tand 🦀 more";
        assert_eq!(text(&of_text(said)), said);
    }

    #[test]
    fn only_text_blocks_are_read() {
        let content = r#"[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"The sky ","citations":[]},
            {"type":"text","text":"is \"blue\"."},{"type":"novel","text":7},{"type":"tool_use","input":{}}]"#;
        assert_eq!(text(content), "The sky is \"blue\".");
        assert_eq!(text("{}"), "");
    }
}
