//! A stored conversation as the AI SDK's messages: what `useChat` takes when a page is loaded again.

use serde_json::{Map, Value, json};

use super::sources::{self, Sources};

/// A stored message, as far as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct StoredPart<'a> {
    /// The client's id of it, or ours.
    pub id: &'a str,
    /// The answer that it continues.
    pub answer_id: Option<&'a str>,
    /// `user` or `assistant`.
    pub role: &'a str,
    /// Content blocks as JSON.
    pub content: &'a str,
    /// When it was written.
    pub created_ms: i64,
}

/// The messages, oldest first. An answer that called tools is one message with several steps, as it was when it
/// streamed.
pub fn ui_messages<'a>(stored: impl Iterator<Item = StoredPart<'a>>) -> Vec<Value> {
    let mut messages: Vec<UiMessage> = Vec::new();
    for part in stored {
        let content: Vec<Value> = serde_json::from_str(part.content).unwrap_or_default();
        let id = part.answer_id.unwrap_or(part.id);
        match messages.last_mut().filter(|last| part.answer_id.is_some() && last.id == id) {
            Some(message) if part.role == "user" => content.iter().for_each(|block| message.result(block)),
            Some(message) => message.step(&content),
            // The results of an answer on an earlier page say nothing by themselves.
            None if part.role == "user" && part.answer_id.is_some() => {}
            None => {
                let mut message = UiMessage::new(id, part.role, part.created_ms);
                message.step(&content);
                messages.push(message);
            }
        }
    }
    messages.into_iter().map(UiMessage::json).collect()
}

struct UiMessage {
    id: String,
    role: String,
    created_ms: i64,
    parts: Vec<Value>,
    sources: Sources,
}

impl UiMessage {
    fn new(id: &str, role: &str, created_ms: i64) -> Self {
        let (id, role) = (id.to_owned(), role.to_owned());
        Self { id, role, created_ms, parts: Vec::new(), sources: Sources::default() }
    }

    fn json(self) -> Value {
        let metadata = json!({ "created_ms": self.created_ms });
        json!({ "id": self.id, "role": self.role, "metadata": metadata, "parts": self.parts })
    }

    fn step(&mut self, content: &[Value]) {
        if self.role == "assistant" {
            self.parts.push(json!({ "type": "step-start" }));
        }
        for block in content {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Value) {
        let text = |name: &str| block[name].as_str().unwrap_or_default();
        match text("type") {
            "text" => self.text(block),
            "thinking" if !text("thinking").is_empty() => {
                let known = json!({ "anthropic": { "signature": block["signature"] } });
                let part = json!({ "type": "reasoning", "text": block["thinking"], "state": "done", "providerMetadata": known });
                self.parts.push(part);
            }
            "image" | "document" => self.parts.extend(file(block)),
            kind @ ("tool_use" | "server_tool_use") => {
                let mut part = json!({
                    "type": format!("tool-{}", text("name")),
                    "toolCallId": block["id"],
                    "state": "input-available",
                    "input": block["input"],
                });
                if kind == "server_tool_use" {
                    part["providerExecuted"] = true.into();
                }
                self.parts.push(part);
            }
            kind if kind.ends_with("_tool_result") => {
                let shown = sources::shown(&block["content"]);
                if let Ok(shown) = &shown {
                    let told = self.sources.of_result(shown);
                    self.parts.extend(told);
                }
                self.answer(&block["tool_use_id"], shown);
            }
            _ => {}
        }
    }

    fn text(&mut self, block: &Value) {
        let mut part = json!({ "type": "text", "text": block["text"], "state": "done" });
        let citations: Vec<_> = block["citations"].as_array().into_iter().flatten().map(sources::citation).collect();
        for citation in &citations {
            let told = self.sources.of_citation(citation);
            self.parts.extend(told);
        }
        if !citations.is_empty() {
            part["providerMetadata"] = json!({ "anthropic": { "citations": citations } });
        }
        self.parts.push(part);
    }

    /// What a client's tool answered: text, or the JSON that it was sent as.
    fn result(&mut self, block: &Value) {
        let text = block["content"].as_str().unwrap_or_default();
        let output = match block["is_error"] == true {
            true => Err(text.to_owned()),
            false => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        };
        self.answer(&block["tool_use_id"], output);
    }

    fn answer(&mut self, call_id: &Value, output: Result<Value, String>) {
        let part = self.parts.iter_mut().rev().find(|part| part.get("toolCallId") == Some(call_id));
        let Some(part) = part.and_then(Value::as_object_mut) else { return };
        let mut set = |name: &str, value: Value| drop(part.insert(name.to_owned(), value));
        match output {
            Ok(output) => {
                set("state", "output-available".into());
                set("output", output);
            }
            Err(text) => {
                set("state", "output-error".into());
                set("errorText", text.into());
            }
        }
    }
}

fn file(block: &Value) -> Option<Value> {
    let source = &block["source"];
    let (kind, url) = match source["type"].as_str()? {
        "url" => ("image/*".to_owned(), source["url"].as_str()?.to_owned()),
        "base64" => {
            let kind = source["media_type"].as_str()?;
            (kind.to_owned(), format!("data:{kind};base64,{}", source["data"].as_str()?))
        }
        "text" => {
            use base64::Engine as _;
            let data = base64::engine::general_purpose::STANDARD.encode(source["data"].as_str()?);
            ("text/plain".to_owned(), format!("data:text/plain;base64,{data}"))
        }
        _ => return None,
    };
    let mut part = Map::new();
    part.insert("type".to_owned(), "file".into());
    part.insert("mediaType".to_owned(), kind.into());
    part.insert("url".to_owned(), url.into());
    if let Some(title) = block["title"].as_str() {
        part.insert("filename".to_owned(), title.into());
    }
    Some(part.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_called_a_tool_is_one_message() {
        let row = |id, answer_id, role, content| StoredPart { id, answer_id, role, content, created_ms: 5 };
        let rows = [
            row(
                "u",
                None,
                "user",
                r#"[{"type":"text","text":"Hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]"#,
            ),
            row(
                "a",
                None,
                "assistant",
                r#"[{"type":"thinking","thinking":"Hm","signature":"s"},{"type":"tool_use","id":"t","name":"f","input":{"x":1}}]"#,
            ),
            row("r", Some("a"), "user", r#"[{"type":"tool_result","tool_use_id":"t","content":"{\"c\":2}"}]"#),
            row("b", Some("a"), "assistant", r#"[{"type":"text","text":"Two."}]"#),
            row("v", None, "user", r#"[{"type":"text","text":"Thanks"}]"#),
        ];
        let messages = ui_messages(rows.into_iter());
        assert_eq!(messages.iter().map(|m| m["id"].as_str().unwrap()).collect::<Vec<_>>(), ["u", "a", "v"]);
        assert_eq!(
            messages[0]["parts"][1],
            json!({ "type": "file", "mediaType": "image/png", "url": "data:image/png;base64,QQ==" })
        );
        let kinds: Vec<_> =
            messages[1]["parts"].as_array().unwrap().iter().map(|p| p["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["step-start", "reasoning", "tool-f", "step-start", "text"]);
        let tool = &messages[1]["parts"][2];
        assert_eq!(
            (&tool["state"], &tool["output"], &tool["input"]),
            (&json!("output-available"), &json!({ "c": 2 }), &json!({ "x": 1 }))
        );
    }

    #[test]
    fn a_page_that_begins_in_the_middle_of_an_answer_shows_the_rest_of_it() {
        let row = |id, answer_id, role, content| StoredPart { id, answer_id, role, content, created_ms: 5 };
        let rows = [
            row("r", Some("a"), "user", r#"[{"type":"tool_result","tool_use_id":"t"}]"#),
            row("b", Some("a"), "assistant", r#"[{"type":"text","text":"Two."}]"#),
        ];
        let messages = ui_messages(rows.into_iter());
        assert_eq!((messages.len(), &messages[0]["id"]), (1, &json!("a")));
    }
}
