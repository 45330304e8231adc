//! The models that the stand-in plays (list as of 2026-11-24; retired ones answer 404).

use serde_json::{Value, json};

pub(crate) struct Model {
    pub(crate) id: &'static str,
    /// Another name for it; `""` where there is none.
    alias: &'static str,
    name: &'static str,
    line: &'static str,
    /// RFC 3339; the day of its release where that is known, else of the list.
    created_at: &'static str,
    lifecycle: &'static str,
    pub(crate) max_input_tokens: u64,
    pub(crate) max_tokens: u64,
    /// Takes temperature, top_p and top_k under version 2023-06-01.
    pub(crate) sampling: bool,
    /// Takes a conversation that ends with the assistant's own words.
    pub(crate) prefill: bool,
    /// Takes `tool_choice` `any` and `tool`.
    pub(crate) forced_tools: bool,
}

const fn model(id: &'static str, line: &'static str, name: &'static str, created_at: &'static str) -> Model {
    Model {
        id,
        alias: "",
        name,
        line,
        created_at,
        lifecycle: "active",
        max_input_tokens: 1_000_000,
        max_tokens: 128_000,
        sampling: false,
        prefill: false,
        forced_tools: true,
    }
}

const fn older(mut model: Model, alias: &'static str) -> Model {
    model.alias = alias;
    model.sampling = true;
    model.prefill = true;
    model.max_input_tokens = 200_000;
    model.max_tokens = 64_000;
    model
}

const fn sampled(mut model: Model, alias: &'static str) -> Model {
    model.alias = alias;
    model.sampling = true;
    model
}

const fn unforced(mut model: Model) -> Model {
    model.forced_tools = false;
    model
}

const fn deprecated(mut model: Model) -> Model {
    model.lifecycle = "deprecated";
    model
}

const fn aliased(mut model: Model, alias: &'static str) -> Model {
    model.alias = alias;
    model
}

/// Newest first, as the real list is.
pub(crate) const MODELS: &[Model] = &[
    model("claude-fable-5-2", "fable", "Claude Fable 5.2", "2026-11-09T00:00:00Z"),
    model("claude-mythos-5-2", "mythos", "Claude Mythos 5.2", "2026-11-09T00:00:00Z"),
    unforced(model("claude-opus-5-5", "opus", "Claude Opus 5.5", "2026-10-01T00:00:00Z")),
    unforced(model("claude-sonnet-5-5", "sonnet", "Claude Sonnet 5.5", "2026-10-01T00:00:00Z")),
    model("claude-haiku-5-5", "haiku", "Claude Haiku 5.5", "2026-10-01T00:00:00Z"),
    unforced(model("claude-fable-5-1", "fable", "Claude Fable 5.1", "2026-09-01T00:00:00Z")),
    unforced(model("claude-mythos-5-1", "mythos", "Claude Mythos 5.1", "2026-09-01T00:00:00Z")),
    model("claude-opus-5", "opus", "Claude Opus 5", "2026-07-24T00:00:00Z"),
    model("claude-sonnet-5", "sonnet", "Claude Sonnet 5", "2026-06-30T00:00:00Z"),
    model("claude-fable-5", "fable", "Claude Fable 5", "2026-06-09T00:00:00Z"),
    model("claude-mythos-5", "mythos", "Claude Mythos 5", "2026-06-09T00:00:00Z"),
    model("claude-opus-4-8", "opus", "Claude Opus 4.8", "2026-05-28T00:00:00Z"),
    aliased(model("claude-opus-4-7", "opus", "Claude Opus 4.7", "2026-04-16T00:00:00Z"), "claude-opus-4-7-20260416"),
    sampled(model("claude-sonnet-4-6", "sonnet", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"), ""),
    sampled(model("claude-opus-4-6", "opus", "Claude Opus 4.6", "2026-02-05T00:00:00Z"), "claude-opus-4-6-20260205"),
    older(model("claude-opus-4-5-20251101", "opus", "Claude Opus 4.5", "2025-11-01T00:00:00Z"), "claude-opus-4-5"),
    older(model("claude-haiku-4-5-20251001", "haiku", "Claude Haiku 4.5", "2025-10-01T00:00:00Z"), "claude-haiku-4-5"),
    deprecated(older(
        model("claude-sonnet-4-5-20250929", "sonnet", "Claude Sonnet 4.5", "2025-09-29T00:00:00Z"),
        "claude-sonnet-4-5",
    )),
];

/// The model of that id or alias.
pub(crate) fn find(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.id == id || (!id.is_empty() && model.alias == id))
}

impl Model {
    pub(crate) fn json(&self) -> Value {
        json!({
            "type": "model",
            "id": self.id,
            "display_name": self.name,
            "created_at": self.created_at,
            "lifecycle": self.lifecycle,
            "deprecated_at": null,
            "retires_at": null,
            "line": self.line,
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
            "capabilities": {},
        })
    }
}

/// `GET /v1/models`, with `limit`, `after_id` and `before_id`.
pub(crate) fn page(query: &str) -> Value {
    let given = |name: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name);
    let at = |name: &str| given(name).and_then(|(_, id)| MODELS.iter().position(|model| model.id == id));
    let limit = given("limit").and_then(|(_, n)| n.parse::<usize>().ok()).unwrap_or(20).clamp(1, 1000);
    let from = at("after_id").map_or(0, |index| index + 1);
    let to = at("before_id").unwrap_or(MODELS.len());
    let rest = MODELS.get(from..to.max(from)).unwrap_or_default();
    let data = rest.get(..limit.min(rest.len())).unwrap_or_default();
    json!({
        "data": data.iter().map(Model::json).collect::<Vec<_>>(),
        "has_more": data.len() < rest.len(),
        "first_id": data.first().map(|model| model.id),
        "last_id": data.last().map(|model| model.id),
    })
}
