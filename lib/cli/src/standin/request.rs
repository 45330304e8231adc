//! What a caller asks for, read from a body that has been checked.

use serde_json::Value;

use super::{
    directive::{self, Directives},
    models::Model,
    prompt::{self, Part},
    refusal::Refusal,
};

/// A checked `POST /v1/messages`.
pub(crate) struct Ask {
    pub(crate) model: &'static Model,
    /// As the caller wrote it: an alias stays an alias in the answer.
    pub(crate) model_name: String,
    pub(crate) max_tokens: u64,
    pub(crate) stream: bool,
    pub(crate) directives: Directives,
    /// The last user message without its directives.
    pub(crate) last_words: String,
    /// What the last message's tool results say, if it holds any.
    pub(crate) tool_results: Option<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) body: Value,
}

impl Ask {
    /// Reads a checked body; `queued` directives win over those in the text.
    pub(crate) fn read(body: Value, model: &'static Model, queued: Option<String>) -> Result<Self, Refusal> {
        let last = body["messages"].as_array().and_then(|all| all.iter().rfind(|message| message["role"] == "user"));
        let content = last.map_or(&Value::Null, |message| &message["content"]);
        let (written, last_words) = directive::split(&text_of(content, "text"));
        let text = queued.unwrap_or(written);
        Ok(Self {
            model,
            model_name: body["model"].as_str().unwrap_or(model.id).to_owned(),
            max_tokens: body["max_tokens"].as_u64().unwrap_or(0),
            stream: body["stream"] == true,
            directives: directive::parse(&text).map_err(Refusal::invalid)?,
            last_words,
            tool_results: tool_results(content),
            parts: prompt::parts(&body),
            body,
        })
    }

    /// How many messages came, and how many of them are the user's.
    pub(crate) fn turns(&self) -> (usize, usize) {
        let messages = self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        (messages.len(), messages.iter().filter(|message| message["role"] == "user").count())
    }

    /// The tool of that name, or the first that the client runs itself.
    pub(crate) fn tool(&self, name: &str) -> Option<&Value> {
        let tools = self.body["tools"].as_array()?;
        tools.iter().find(|tool| if name.is_empty() { tool["input_schema"].is_object() } else { tool["name"] == name })
    }

    /// The tool that the answer calls: asked for by a directive or forced by `tool_choice`.
    pub(crate) fn tool_to_call(&self) -> Option<&Value> {
        if let Some(name) = &self.directives.say.tool {
            return self.tool(name);
        }
        if self.tool_results.is_some() {
            return None;
        }
        match self.body["tool_choice"]["type"].as_str() {
            Some("any") => self.tool(""),
            Some("tool") => self.tool(self.body["tool_choice"]["name"].as_str()?),
            _ => None,
        }
    }

    /// Whether the answer begins with thinking, and whether its words are shown.
    pub(crate) fn thinking(&self) -> Option<bool> {
        let asked = matches!(self.body["thinking"]["type"].as_str(), Some("enabled" | "adaptive"));
        (asked || self.directives.say.thinking).then(|| self.body["thinking"]["display"] != "omitted")
    }
}

/// The text of a content value: a string, or all blocks that hold `field`.
fn text_of(content: &Value, field: &str) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block[field].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn tool_results(content: &Value) -> Option<String> {
    let results: Vec<String> = content
        .as_array()?
        .iter()
        .filter(|block| block["type"] == "tool_result")
        .map(|block| text_of(&block["content"], "text"))
        .collect();
    (!results.is_empty()).then(|| results.join("; "))
}
