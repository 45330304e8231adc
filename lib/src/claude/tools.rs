//! The tools of a request, as far as they cost more than the tokens that they take.

use serde::Deserialize;

use super::request::{misfit, unpriced};
use crate::{Code, Error};

/// Claude pauses after so many rounds of server tools, and reads its prompt once more to answer.
const ROUNDS_MAX: u64 = 10;
/// Tools that the caller runs: they cost the tokens they take, which usage tells.
const RUN_BY_THE_CALLER: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];

/// The server tools among a request's tools: those that Claude runs by itself while the call goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolFacts {
    /// Most web searches; `None` where the request sets no bound.
    pub web_searches: Option<u64>,
    /// How often Claude reads its prompt at most: once, and again after each round of server tools. Each is billed.
    pub readings: u64,
}

impl Default for ToolFacts {
    fn default() -> Self {
        Self { web_searches: Some(0), readings: 1 }
    }
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: Option<String>,
    max_uses: Option<u64>,
}

impl ToolFacts {
    /// Reads a request's `tools`.
    ///
    /// # Errors
    /// `invalid_body` where they are no list of objects; `feature_not_priced` for a tool whose cost the usage does not
    /// tell.
    pub fn read(tools: &str) -> Result<Self, Error> {
        let tools: Vec<Tool> =
            serde_json::from_str(tools).map_err(|_| misfit("tools", "`tools` must be a list of tools."))?;
        let (mut searches, mut uses) = (Some(0_u64), 0_u64);
        for (index, tool) in tools.iter().enumerate() {
            let kind = tool.kind.as_deref().unwrap_or("custom");
            if kind == "custom" || RUN_BY_THE_CALLER.iter().any(|one| kind.starts_with(one)) {
                continue;
            }
            uses = uses.saturating_add(tool.max_uses.unwrap_or(ROUNDS_MAX));
            if kind.starts_with("web_search_") {
                searches = searches.zip(tool.max_uses).map(|(sum, uses)| sum.saturating_add(uses));
            } else if !kind.starts_with("web_fetch_") {
                return Err(unpriced(
                    &format!("/tools/{index}/type"),
                    "What this server tool costs is not told by the usage, so it is refused.",
                ));
            }
        }
        // A round has one use at least.
        Ok(Self { web_searches: searches, readings: uses.min(ROUNDS_MAX) + 1 })
    }

    /// Whether a server tool may add to the prompt while the call runs.
    pub fn has_server_tools(&self) -> bool {
        self.readings > 1
    }

    /// Most web searches.
    ///
    /// # Errors
    /// `feature_not_priced` where the request sets no bound.
    pub fn web_searches_max(&self) -> Result<u64, Error> {
        self.web_searches.ok_or_else(|| {
            let detail = "Set `max_uses` on the web search tool: without it there is no bound to what the call costs.";
            Error::new(Code::FeatureNotPriced, detail).pointer("/tools")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tools: &str) -> (Option<u64>, u64) {
        let facts = ToolFacts::read(tools).unwrap();
        (facts.web_searches, facts.readings)
    }

    #[test]
    fn every_use_of_a_server_tool_may_be_another_reading() {
        assert_eq!(facts("[]"), (Some(0), 1));
        assert_eq!(facts(r#"[{"name":"f","input_schema":{}},{"type":"bash_20250124","name":"bash"}]"#), (Some(0), 1));
        let search = r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#;
        assert_eq!(facts(&format!("[{search}]")), (Some(2), 3));
        assert_eq!(facts(&format!(r#"[{search},{{"type":"web_fetch_20250910","max_uses":1}}]"#)), (Some(2), 4));
        assert_eq!(facts(&format!(r#"[{search},{{"type":"web_fetch_20250910"}}]"#)), (Some(2), 11));
        assert_eq!(facts(r#"[{"type":"web_search_20250305"}]"#), (None, 11));
        assert_eq!(facts(r#"[{"type":"web_search_20250305","max_uses":0}]"#), (Some(0), 1));
    }

    #[test]
    fn a_tool_whose_cost_is_not_told_is_refused() {
        for kind in ["code_execution_20250825", "mcp_toolset", "advisor_20260301", "tool_of_tomorrow"] {
            let error = ToolFacts::read(&format!(r#"[{{"type":"{kind}","name":"x"}}]"#)).unwrap_err();
            assert_eq!(error.code(), Code::FeatureNotPriced, "{kind}");
        }
        assert_eq!(ToolFacts::read("{}").unwrap_err().code(), Code::InvalidBody);
        assert_eq!(
            ToolFacts::read(r#"[{"type":"custom","type":"mcp_toolset"}]"#).unwrap_err().code(),
            Code::InvalidBody
        );
    }
}
