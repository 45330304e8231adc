//! What the real API refuses, with messages of its form.

use serde_json::Value;

use super::{
    models::{self, Model},
    prompt,
    refusal::Refusal,
};

/// Versions in use (platform.claude.com, "Versions", 2026-10).
const VERSIONS: [&str; 2] = ["2026-10-21", "2023-06-01"];
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// Fields of `POST /v1/messages` that are generally available (`@anthropic-ai/sdk` 1.12.0), sampling aside.
const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "metadata",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "diagnostics",
];

/// Fields that a beta header brings.
const BETA_FIELDS: &[&str] = &[
    "thread",
    "fallbacks",
    "fallback_credit_token",
    "compaction",
    "context_management",
    "mcp_servers",
    "billing_policy",
];

/// The `anthropic-version` header.
pub(crate) fn version(header: Option<&str>) -> Result<&str, Refusal> {
    match header {
        None => Err(Refusal::invalid("anthropic-version: header is required")),
        Some(version) if VERSIONS.contains(&version) => Ok(version),
        Some(version) => Err(Refusal::invalid(format!("anthropic-version: \"{version}\" is not a valid version"))),
    }
}

/// A body that can be answered or counted, and its model.
pub(crate) fn prompt(body: &Value, version: &str, beta: bool) -> Result<&'static Model, Refusal> {
    let Some(fields) = body.as_object() else { return Err(Refusal::invalid("The request body is not a JSON object")) };
    for field in fields.keys() {
        let sampling = version == "2023-06-01" && SAMPLING.contains(&field.as_str());
        let known = FIELDS.contains(&field.as_str()) || (beta && BETA_FIELDS.contains(&field.as_str()));
        if !known && !sampling {
            return Err(Refusal::invalid(format!("{field}: Extra inputs are not permitted")));
        }
    }
    let name = body["model"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("model: Field required"))?;
    let model = models::find(name).ok_or_else(|| Refusal::new("not_found_error", format!("model: {name}")))?;
    if let Some(field) = SAMPLING.iter().find(|field| fields.contains_key(**field) && !model.sampling) {
        return Err(Refusal::invalid(format!("{field}: this model does not support sampling parameters")));
    }
    messages(body, model)?;
    tools(body, model)?;
    cache_marks(body)?;
    let tokens = prompt::total(&prompt::parts(body));
    if tokens > model.max_input_tokens {
        let most = model.max_input_tokens;
        return Err(Refusal::invalid(format!("prompt is too long: {tokens} tokens > {most} maximum")));
    }
    Ok(model)
}

/// `max_tokens`, which counting does without.
pub(crate) fn max_tokens(body: &Value, model: &Model) -> Result<(), Refusal> {
    match &body["max_tokens"] {
        Value::Null => Err(Refusal::invalid("max_tokens: Field required")),
        value => match value.as_u64() {
            None => Err(Refusal::invalid("max_tokens: Input should be a valid integer, at least 0")),
            Some(asked) if asked > model.max_tokens => Err(Refusal::invalid(format!(
                "max_tokens: {asked} > {}, which is the maximum allowed number of output tokens for {}",
                model.max_tokens, model.id
            ))),
            Some(asked) => thinking(&body["thinking"], asked),
        },
    }
}

fn thinking(thinking: &Value, max_tokens: u64) -> Result<(), Refusal> {
    if thinking["type"] != "enabled" {
        return Ok(());
    }
    match thinking["budget_tokens"].as_u64() {
        Some(budget) if budget >= 1024 && budget < max_tokens => Ok(()),
        Some(budget) if budget >= 1024 => {
            Err(Refusal::invalid("`max_tokens` must be greater than `thinking.budget_tokens`"))
        }
        _ => Err(Refusal::invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")),
    }
}

fn messages(body: &Value, model: &Model) -> Result<(), Refusal> {
    let Some(messages) = body["messages"].as_array() else {
        return Err(Refusal::invalid("messages: Field required"));
    };
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    for (index, message) in messages.iter().enumerate() {
        if !matches!(message["role"].as_str(), Some("user" | "assistant" | "system")) {
            let role = "Input should be 'user', 'assistant' or 'system'";
            return Err(Refusal::invalid(format!("messages.{index}.role: {role}")));
        }
        content(index, &message["content"])?;
    }
    if messages.last().is_some_and(|last| last["role"] == "assistant") && !model.prefill {
        return Err(Refusal::invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    Ok(())
}

fn content(index: usize, content: &Value) -> Result<(), Refusal> {
    let blocks = match content {
        Value::String(text) if text.is_empty() => {
            return Err(Refusal::invalid(format!("messages.{index}: all messages must have non-empty content")));
        }
        Value::String(_) => return Ok(()),
        Value::Array(blocks) if !blocks.is_empty() => blocks,
        Value::Array(_) => {
            return Err(Refusal::invalid(format!("messages.{index}: all messages must have non-empty content")));
        }
        _ => return Err(Refusal::invalid(format!("messages.{index}.content: Field required"))),
    };
    for (at, block) in blocks.iter().enumerate() {
        let place = format!("messages.{index}.content.{at}");
        match block["type"].as_str() {
            None => return Err(Refusal::invalid(format!("{place}.type: Field required"))),
            Some("text") if block["text"].as_str().is_none_or(str::is_empty) => {
                return Err(Refusal::invalid(format!("{place}: text content blocks must be non-empty")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn tools(body: &Value, model: &Model) -> Result<(), Refusal> {
    for (index, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        if tool["name"].as_str().is_none_or(str::is_empty) {
            return Err(Refusal::invalid(format!("tools.{index}.name: Field required")));
        }
    }
    if matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        if body["tools"].as_array().is_none_or(Vec::is_empty) {
            return Err(Refusal::invalid("tool_choice may only be specified while providing tools"));
        }
        if !model.forced_tools {
            return Err(Refusal::invalid("tool_choice: this model does not support forced tool use"));
        }
    }
    Ok(())
}

fn cache_marks(body: &Value) -> Result<(), Refusal> {
    let marks = prompt::parts(body).iter().filter(|part| part.mark.is_some()).count();
    if marks > 4 {
        let found = format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}.");
        return Err(Refusal::invalid(found));
    }
    Ok(())
}
