//! Claude's usage object, and how its pieces in a stream become one.
//!
//! The official SDK's rule: `message_start` is the base; from each `message_delta` overwrite `output_tokens`, and
//! every other counter only where it is not null; never add, because deltas are cumulative.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::Asked;
use crate::usage::{Speed, Usage};

/// The usage object as it stands on the wire. Absent and null are the same: not said.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "lenient")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cache_creation: Option<CacheCreation>,
    #[serde(default, deserialize_with = "lenient")]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    server_tool_use: Option<ServerToolUse>,
    #[serde(default, deserialize_with = "lenient")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    speed: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    inference_geo: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    iterations: Option<Vec<Iteration>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct CacheCreation {
    #[serde(default, deserialize_with = "lenient")]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ServerToolUse {
    #[serde(default, deserialize_with = "lenient")]
    web_search_requests: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    web_fetch_requests: Option<u64>,
}

/// One of several model calls behind a message (beta). Compaction and advisor calls are not in the totals.
#[derive(Clone, Debug, Deserialize)]
struct Iteration {
    #[serde(rename = "type")]
    kind: Option<String>,
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

/// A figure of a shape that is not known counts as not said: it must not hide the others.
fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value::<Option<T>>(value).ok().flatten())
}

impl WireUsage {
    /// What holds until something is said: the speed and the place that were asked for.
    pub(super) fn asked(asked: &Asked) -> Self {
        Self {
            speed: asked.fast.then(|| "fast".to_owned()),
            inference_geo: asked.inference_geo.clone(),
            ..Self::default()
        }
    }

    /// Takes over what a later usage object says.
    pub(super) fn merge(&mut self, later: Self) {
        fn overwrite<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        overwrite(&mut self.input_tokens, later.input_tokens);
        overwrite(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        overwrite(&mut self.cache_creation, later.cache_creation);
        overwrite(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        overwrite(&mut self.output_tokens, later.output_tokens);
        overwrite(&mut self.server_tool_use, later.server_tool_use);
        overwrite(&mut self.service_tier, later.service_tier);
        overwrite(&mut self.speed, later.speed);
        overwrite(&mut self.inference_geo, later.inference_geo);
        overwrite(&mut self.iterations, later.iterations);
    }

    /// The last cumulative output count, if any came.
    pub(super) fn output_tokens(&self) -> Option<u64> {
        self.output_tokens
    }

    /// The disjoint classes.
    ///
    /// A stream tells the split of cache writes only at its start. Where the total has grown since, the rest counts
    /// as five-minute writes, unless the start had one-hour writes alone.
    pub(super) fn classes(&self) -> Usage {
        let split = self.cache_creation.clone().unwrap_or_default();
        let mut write_5m = split.ephemeral_5m_input_tokens.unwrap_or(0);
        let mut write_1h = split.ephemeral_1h_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let rest = written.saturating_sub(write_5m.saturating_add(write_1h));
        if write_1h > 0 && write_5m == 0 {
            write_1h = write_1h.saturating_add(rest);
        } else {
            write_5m = write_5m.saturating_add(rest);
        }
        let tools = self.server_tool_use.clone().unwrap_or_default();
        let mut usage = Usage {
            input_tokens: self.input_tokens.unwrap_or(0),
            cache_write_5m_tokens: write_5m,
            cache_write_1h_tokens: write_1h,
            cache_read_tokens: self.cache_read_input_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            web_search_requests: tools.web_search_requests.unwrap_or(0),
            web_fetch_requests: tools.web_fetch_requests.unwrap_or(0),
            speed: if self.speed.as_deref() == Some("fast") { Speed::Fast } else { Speed::Standard },
            inference_geo: self.inference_geo.clone(),
            service_tier: self.service_tier.clone(),
        };
        for hidden in self.iterations.iter().flatten().filter(|one| one.is_outside_the_totals()) {
            usage.input_tokens = usage.input_tokens.saturating_add(hidden.input_tokens.unwrap_or(0));
            let hour = hidden.cache_creation.as_ref().and_then(|split| split.ephemeral_1h_input_tokens).unwrap_or(0);
            let written = hidden.cache_creation_input_tokens.unwrap_or(0).max(hour);
            usage.cache_write_1h_tokens = usage.cache_write_1h_tokens.saturating_add(hour);
            usage.cache_write_5m_tokens = usage.cache_write_5m_tokens.saturating_add(written - hour);
            usage.cache_read_tokens =
                usage.cache_read_tokens.saturating_add(hidden.cache_read_input_tokens.unwrap_or(0));
            usage.output_tokens = usage.output_tokens.saturating_add(hidden.output_tokens.unwrap_or(0));
        }
        usage
    }
}

impl Iteration {
    fn is_outside_the_totals(&self) -> bool {
        !matches!(self.kind.as_deref(), Some("message" | "fallback_message"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(start: &str, deltas: &[&str]) -> Usage {
        let mut usage: WireUsage = serde_json::from_str(start).unwrap();
        for delta in deltas {
            usage.merge(serde_json::from_str(delta).unwrap());
        }
        usage.classes()
    }

    #[test]
    fn deltas_are_totals_and_null_says_nothing() {
        let usage = merged(
            r#"{"input_tokens":2679,"cache_read_input_tokens":7,"output_tokens":3}"#,
            &[
                r#"{"input_tokens":10682,"cache_read_input_tokens":null,"output_tokens":400}"#,
                r#"{"output_tokens":510,"server_tool_use":{"web_search_requests":2}}"#,
            ],
        );
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (10_682, 7));
        assert_eq!((usage.output_tokens, usage.web_search_requests), (510, 2));
    }

    #[test]
    fn an_explicit_zero_counts() {
        assert_eq!(
            merged(r#"{"input_tokens":9,"output_tokens":3}"#, &[r#"{"input_tokens":0,"output_tokens":0}"#]),
            Usage::default()
        );
    }

    #[test]
    fn growing_cache_writes_keep_the_split_of_the_start() {
        let mixed = r#"{"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}"#;
        let usage = merged(mixed, &[r#"{"cache_creation_input_tokens":35,"output_tokens":1}"#]);
        assert_eq!((usage.cache_write_5m_tokens, usage.cache_write_1h_tokens), (15, 20));
        let hour = r#"{"cache_creation_input_tokens":20,"cache_creation":{"ephemeral_1h_input_tokens":20}}"#;
        assert_eq!(merged(hour, &[r#"{"cache_creation_input_tokens":25}"#]).cache_write_1h_tokens, 25);
        assert_eq!(merged(r#"{"cache_creation_input_tokens":8}"#, &[]).cache_write_5m_tokens, 8);
    }

    #[test]
    fn tokens_outside_the_totals_are_added() {
        let text = r#"{"input_tokens":10,"output_tokens":5,"iterations":[{"type":"message","input_tokens":10,"output_tokens":5},{"type":"compaction","input_tokens":100,"output_tokens":50}]}"#;
        let usage = merged(text, &[]);
        assert_eq!((usage.input_tokens, usage.output_tokens), (110, 55));
        let hour = r#"{"input_tokens":1,"iterations":[{"type":"advisor_message","cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":20}}]}"#;
        let usage = merged(hour, &[]);
        assert_eq!((usage.cache_write_5m_tokens, usage.cache_write_1h_tokens), (10, 20));
    }

    #[test]
    fn what_was_asked_for_holds_until_the_usage_says_otherwise() {
        let asked = Asked { fast: true, inference_geo: Some("us".to_owned()) };
        let mut usage = WireUsage::asked(&asked);
        usage.merge(serde_json::from_str(r#"{"input_tokens":1,"speed":null}"#).unwrap());
        assert_eq!((usage.classes().speed, usage.classes().inference_geo.as_deref()), (Speed::Fast, Some("us")));
        usage.merge(serde_json::from_str(r#"{"speed":"standard","inference_geo":"global"}"#).unwrap());
        assert_eq!(
            (usage.classes().speed, usage.classes().inference_geo.as_deref()),
            (Speed::Standard, Some("global"))
        );
    }
}
