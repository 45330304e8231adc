//! What a Messages request asks for, as far as limits and prices need to know. The rest is not looked at.

use std::{collections::BTreeSet, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::ToolFacts;
use crate::{Code, Error};

/// Output tokens beyond this are a mistake, whatever the model.
const MAX_TOKENS_BOUND: u64 = 10_000_000;

/// The facts of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The model, as the caller names it.
    pub model: String,
    /// Most output tokens.
    pub max_tokens: u64,
    /// Where that number stands in the body.
    pub max_tokens_at: Range<usize>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// What makes the call dearer if it is granted.
    pub asked: Asked,
    /// The server tools among its tools.
    pub tools: ToolFacts,
    /// Whether it asks Claude to think, which is billed and need not be seen in the answer.
    pub thinks: bool,
    /// `thinking.budget_tokens`, which `max_tokens` must be above; zero where it has none.
    pub thinking_tokens: u64,
}

/// What a request asks for that multiplies its price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `speed: "fast"`.
    pub fast: bool,
    /// `inference_geo`, as asked for.
    pub inference_geo: Option<String>,
}

/// Top-level fields that make calls, tokens or time which the response's usage does not tell exactly.
const UNPRICED: &[(&str, &str)] = &[
    ("fallbacks", "fallback models are billed per attempt"),
    ("fallback_credit_token", "fallback credits are not in the usage"),
    ("mcp_servers", "MCP servers are not accounted for"),
    ("container", "container time is not in the usage"),
    ("compaction", "compaction makes calls of its own"),
    ("context_management", "context management makes calls of its own"),
    ("thread", "threads keep state that is billed later"),
    ("billing_policy", "the billing policy is the deployment's"),
];

impl RequestFacts {
    /// Reads a request body.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_body` with a pointer, or `feature_not_priced`.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        Fields::read(body)?.facts(body)
    }

    /// Reads the model of a request whose tokens are only counted: nothing in it can cost.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn model_to_count(body: &[u8]) -> Result<String, Error> {
        let fields = Fields::read(body)?;
        let model = fields.model()?;
        fields.check_messages()?;
        Ok(model)
    }
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(body).map_err(|error| {
            Error::new(Code::InvalidJson, format!("The body is not UTF-8 at byte {}.", error.valid_up_to()))
        })?;
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                return Error::new(Code::InvalidBody, "The body must be a JSON object in which no field stands twice.")
                    .pointer("");
            }
            let at = format!("line {}, column {}", error.line(), error.column());
            Error::new(Code::InvalidJson, format!("The body is not JSON: see {at}."))
        })
    }
}

/// The top level, each value as its text.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                let mut names = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    // Two readers may disagree about which of two values counts: we would price one and Claude
                    // would serve the other.
                    if !names.insert(name.clone()) {
                        return Err(serde::de::Error::custom("a field stands twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl Fields<'_> {
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.get()).filter(|text| *text != "null")
    }

    fn get<'a, T: Deserialize<'a>>(&'a self, name: &str, wanted: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| misfit(name, &format!("`{name}` must be {wanted}.")))
    }

    fn model(&self) -> Result<String, Error> {
        self.get("model", "the id of a model")?.ok_or_else(|| missing("model"))
    }

    fn check_messages(&self) -> Result<(), Error> {
        match self.raw("messages") {
            None => Err(missing("messages")),
            Some(text) if !text.starts_with('[') => Err(misfit("messages", "`messages` must be a list.")),
            Some(text) if is_empty_list(text) => Err(misfit("messages", "`messages` must not be empty.")),
            Some(_) => Ok(()),
        }
    }

    fn facts(&self, body: &[u8]) -> Result<RequestFacts, Error> {
        let model = self.model()?;
        let max_tokens: u64 =
            self.get("max_tokens", "a whole number, zero or more")?.ok_or_else(|| missing("max_tokens"))?;
        if max_tokens > MAX_TOKENS_BOUND {
            return Err(misfit("max_tokens", "`max_tokens` is beyond every model."));
        }
        self.check_messages()?;
        for (field, why) in UNPRICED {
            if self.raw(field).is_some_and(|text| !is_empty_list(text)) {
                let error = unpriced(&format!("/{field}"), &format!("`{field}` cannot be accounted for: {why}."));
                return Err(if *field == "thread" { without_thread(error) } else { error });
            }
        }
        let speed: Option<String> = self.get("speed", "`standard` or `fast`")?;
        let tier: Option<String> = self.get("service_tier", "`auto` or `standard_only`")?;
        if !matches!(tier.as_deref(), None | Some("auto" | "standard_only")) {
            return Err(unpriced("/service_tier", "This service tier has no public price."));
        }
        let tools = self.raw("tools").map_or(Ok(ToolFacts::default()), ToolFacts::read)?;
        let thinking = self.raw("thinking");
        Ok(RequestFacts {
            model,
            max_tokens,
            max_tokens_at: self.raw("max_tokens").map_or(0..0, |text| {
                let from = text.as_ptr().addr().saturating_sub(body.as_ptr().addr());
                from..from + text.len()
            }),
            stream: self.get("stream", "true or false")?.unwrap_or(false),
            asked: Asked {
                fast: speed.as_deref() == Some("fast"),
                inference_geo: self.get("inference_geo", "a text")?,
            },
            tools,
            thinks: thinking.is_some_and(asks_to_think),
            thinking_tokens: thinking.map_or(0, budget_tokens),
        })
    }
}

/// Whether a request's `thinking` may make Claude think: whatever it says, unless it says `disabled`.
pub fn asks_to_think(thinking: &str) -> bool {
    #[derive(Deserialize)]
    struct Thinking {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_str::<Thinking>(thinking).map_or(true, |thinking| thinking.kind != "disabled")
}

fn budget_tokens(thinking: &str) -> u64 {
    #[derive(Deserialize)]
    struct Thinking {
        budget_tokens: u64,
    }
    serde_json::from_str::<Thinking>(thinking).map_or(0, |thinking| thinking.budget_tokens)
}

/// What Claude's API says where a request cannot be threaded: the SDK's tool runner then goes on without a thread
/// (`@anthropic-ai/sdk` 1.12.0, `ThreadState`). Threads would also let one caller continue another's conversation.
fn without_thread(error: Error) -> Error {
    error.member("error_code", "thread_unsupported_request").member("unsupported", vec!["thread"])
}

fn is_empty_list(text: &str) -> bool {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inside| inside.trim().is_empty())
}

fn missing(field: &str) -> Error {
    misfit(field, &format!("`{field}` is missing."))
}

pub(super) fn misfit(field: &str, sentence: &str) -> Error {
    Error::new(Code::InvalidBody, sentence).pointer(format!("/{field}"))
}

pub(super) fn unpriced(pointer: &str, sentence: &str) -> Error {
    Error::new(Code::FeatureNotPriced, sentence).pointer(pointer)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
